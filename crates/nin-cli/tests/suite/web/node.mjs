// Classifies pictures with the network inside a page of `export --to web`, by the page's own script, without a browser:
//
//   node node.mjs PAGE FILE...            prints the answer to each file, or its problem, as one line of JSON
//   node node.mjs PAGE FILE... --times N  classifies all files once, then N times; prints times and memory
import { readFileSync } from 'node:fs';

const words = process.argv.slice(2);
const at = words.indexOf('--times');
const times = at < 0 ? 0 : Number(words.splice(at, 2)[1]);
const [page, ...paths] = words;

// As much of a document as the script takes: the elements with its data.
const html = readFileSync(page, 'utf8');
const parts = html.matchAll(/<script type="text\/plain" id="(\w+)">([^<]*)<\/script>/g);
const elements = new Map([...parts].map(([, id, textContent]) => [id, { textContent, remove() {} }]));
globalThis.document = { getElementById: id => elements.get(id) };
let memory;
const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (...given) => {
  const instance = await instantiate(...given);
  ({ memory } = instance.exports);
  return instance;
};
const [, script] = html.match(/<script type="module">\n([^]*?)const inputs_module/);
const { classify } = new Function(`${script}return network_module;`)();

const ALL = 65536;
const files = paths.map(path => [path, new Blob([readFileSync(path)])]);
if (times === 0) {
  for (const [path, file] of files) {
    const line = await classify(file, ALL).then(({ images: [image] }) => image, problem => ({ problem }));
    console.log(JSON.stringify({ ...line, path }));
  }
} else {
  const all = async () => { for (const [, file] of files) await classify(file, ALL); };
  const opened = performance.now();
  await all();
  const [memoryBytes, firstMs] = [memory.buffer.byteLength, performance.now() - opened];
  const [begun, cpu] = [performance.now(), process.cpuUsage()];
  for (let turn = 0; turn < times; turn++) await all();
  const [ms, used] = [performance.now() - begun, process.cpuUsage(cpu)];
  const pictures = times * files.length;
  console.log(JSON.stringify({
    pictures,
    first_ms: firstMs,
    picture_ms: ms / pictures,
    picture_cpu_ms: (used.user + used.system) / 1e3 / pictures,
    memory_bytes: memoryBytes,
    memory_after_bytes: memory.buffer.byteLength,
  }));
}
