// Trains in a Web Worker, so that the page stays responsive.
import { bytesOf, call, instantiate } from "/wasm.js";

const REPORT_MS = 100; // between two reports
const QUICK = 200; // test images of an evaluation within an epoch
const ALL = 1 << 30;
const text = new TextEncoder();

let network;
let running = false;
let taken = 0;
let wanted;

const tell = (kind, content) => postMessage({ kind, ...content });

// Reports the state of the network: a score on test images, and the maps of those that the page shows.
function look(count) {
  tell("seen", {
    taken,
    score: call(network, "nin_lesson_evaluate", null, count),
    images: call(network, "nin_lesson_look", text.encode(JSON.stringify(wanted.shown))),
  });
}

async function run() {
  running = true;
  while (running && taken < wanted.steps) {
    const begun = performance.now();
    const points = [];
    let isDue = false;
    while (!isDue && taken < wanted.steps && performance.now() - begun < REPORT_MS) {
      points.push(call(network, "nin_lesson_step", null));
      taken++;
      isDue = taken % wanted.every === 0;
    }
    tell("steps", { taken, points, ms: (performance.now() - begun) / points.length });
    const { step, steps_per_epoch: inEpoch } = points[points.length - 1];
    if (step === inEpoch || taken === wanted.steps) look(ALL);
    else if (isDue) look(QUICK);
    await new Promise(next => setTimeout(next)); // a message may say to pause
  }
  running = false;
  if (taken >= wanted.steps) tell("finished", { taken });
}

const orders = {
  // Starts the program with its images.
  async open({ program, train, test }) {
    network = await instantiate(program);
    call(network, "nin_lesson_images", train.bytes, train.count, 0);
    call(network, "nin_lesson_images", test.bytes, test.count, 1);
  },
  // Draws the initial weights. `want` says how many steps to take, after how many to look, and at which test images.
  begin({ settings, want }) {
    wanted = want;
    taken = 0;
    call(network, "nin_lesson_begin", text.encode(JSON.stringify(settings)));
    look(QUICK);
  },
  run,
  pause() {
    running = false;
    tell("paused", { taken });
  },
  weights() {
    tell("weights", { bytes: bytesOf(network, "nin_lesson_weights", null) });
  },
};

onmessage = async ({ data: { kind, ...content } }) => {
  try {
    await orders[kind](content);
  } catch (problem) {
    running = false;
    tell("problem", { problem: problem.detail ? problem : { detail: `the training stopped: ${problem.message}`, hint: "" } });
  }
};
