// A training in a worker of its own.
import { unpacked } from "/wasm.js";

let parts;

// Unpacks what every training needs.
function shared() {
  return parts ??= (async () => {
    const worker = URL.createObjectURL(new Blob([document.getElementById("worker").textContent], { type: "text/javascript" }));
    const [program, train, test] = await Promise.all([
      unpacked("program").then(bytes => WebAssembly.compile(bytes)),
      unpacked("training-images"),
      unpacked("test-images"),
    ]);
    return { worker, program, train, test };
  })();
}

// Starts a worker with the first `images` training images; `hear` gets its messages by kind.
export async function begin({ settings, want, counts, images = counts.train }, hear) {
  const { worker, program, train, test } = await shared();
  const made = new Worker(worker);
  made.onmessage = ({ data: { kind, ...content } }) => hear[kind]?.(content);
  made.onerror = event => hear.problem?.({ problem: { detail: event.message || "the worker did not start", hint: "" } });
  const order = (kind, content) => made.postMessage({ kind, ...content });
  // Pixels of all images, then their labels.
  const some = (bytes, all, count) => {
    const length = (bytes.length - all) / all;
    const kept = new Uint8Array(count * (length + 1));
    kept.set(bytes.subarray(0, count * length));
    kept.set(bytes.subarray(all * length, all * length + count), count * length);
    return { bytes: kept, count };
  };
  order("open", { program, train: some(train, counts.train, images), test: { bytes: test, count: counts.test } });
  order("begin", { settings, want });
  return {
    run: () => order("run"),
    pause: () => order("pause"),
    weights: () => order("weights"),
    end: () => made.terminate(),
  };
}
