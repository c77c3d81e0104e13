// The network inside the page: WebAssembly and weights, which the file carries.
const CURRENT = "open this page with a current version of Firefox, Chrome, Edge or Safari";
// A module with one instruction of 128-bit SIMD.
const SIMD = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]);
const AUTOMATIC = 2; // inverts light and dark where the picture needs it
const NO_THRESHOLD = -1;

// The problem of a network that may work on a second try; none here.
export const STOPPED = null;

let description;
let opening;

// Returns the bytes of a gzipped part of the file.
async function unpacked(id) {
  const place = document.getElementById(id);
  const text = atob(place.textContent.trim());
  place.remove(); // the text is no longer needed
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function missing() {
  if (typeof WebAssembly !== "object") return "this browser does not run WebAssembly";
  if (!WebAssembly.validate(SIMD)) return "this browser does not run WebAssembly with 128-bit SIMD";
  if (typeof DecompressionStream !== "function") return "this browser cannot unpack gzip";
  return null;
}

// Calls a function that takes a file. Returns the JSON that it answers, or throws a problem.
function call({ memory, ...network }, name, file, ...numbers) {
  const address = network.nin_allocate(file.length);
  new Uint8Array(memory.buffer, address >>> 0, file.length).set(file);
  const succeeded = network[name](address, file.length, ...numbers);
  const answer = new Uint8Array(memory.buffer, network.nin_answer() >>> 0, network.nin_answer_length());
  const text = new TextDecoder().decode(answer);
  const content = text ? JSON.parse(text) : null;
  if (!succeeded) throw content;
  return content;
}

let parts;

// Starts the network in memory of its own.
async function open() {
  parts ??= Promise.all([unpacked("program").then(bytes => WebAssembly.compile(bytes)), unpacked("weights")]);
  const [program, weights] = await parts;
  // Libraries name functions that the network never calls.
  const imports = {};
  for (const { module, name } of WebAssembly.Module.imports(program)) {
    (imports[module] ??= {})[name] = () => { throw new Error(`${module}.${name} is not there`); };
  }
  const { exports } = await WebAssembly.instantiate(program, imports);
  call(exports, "nin_open", weights);
  return exports;
}

// Returns what the page shows of the network.
export async function describe() {
  const detail = missing();
  if (detail) throw { detail, hint: CURRENT };
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
