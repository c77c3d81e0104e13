// The network inside the page: WebAssembly and weights, which the file carries.
import { call, instantiate, missing, unpacked } from "/wasm.js";

const AUTOMATIC = 2; // inverts light and dark where the picture needs it
const NO_THRESHOLD = -1;

// The problem of a network that may work on a second try; none here.
export const STOPPED = null;

let description;
let parts;
let opening;

// Starts the network in memory of its own.
async function open() {
  parts ??= Promise.all([unpacked("program").then(bytes => WebAssembly.compile(bytes)), unpacked("weights")]);
  const [program, weights] = await parts;
  const network = await instantiate(program);
  call(network, "nin_open", weights);
  return network;
}

// Returns what the page shows of the network.
export async function describe() {
  const problem = missing();
  if (problem) throw problem;
  description ??= JSON.parse(document.getElementById("description").textContent);
  opening ??= open();
  await opening;
  return description;
}

// Classifies a picture. Returns the `top` most probable classes, or throws a problem to show.
export async function classify(picture, top) {
  opening ??= open();
  const network = await opening;
  const file = new Uint8Array(await picture.arrayBuffer());
  try {
    return call(network, "nin_predict", file, top, AUTOMATIC, NO_THRESHOLD);
  } catch (problem) {
    if (problem.detail) throw problem;
    opening = undefined; // the instance is in an unknown state
    throw { detail: `the network stopped: ${problem.message}`, hint: "it may have run out of memory: scale the picture down" };
  }
}

// Returns the address of a test image.
export const testImage = number => description.pictures[number];

// Returns a test image as a picture.
export async function loadTestImage(number) {
  const text = atob(testImage(number).split(",")[1]);
  return new Blob([Uint8Array.from(text, letter => letter.charCodeAt(0))], { type: "image/png" });
}
