// Trains by the worker of a page of `export --to lesson`, without a browser:
//
//   node lesson.mjs PAGE STEPS IMAGES WEIGHTS [SETTINGS]
//
// Takes STEPS steps over the first IMAGES training images, writes the weights to a file, and prints the last message about the
// test images. SETTINGS is JSON that replaces settings of the page.
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const [page, steps, images, weights, changes = '{}'] = process.argv.slice(2);
const html = readFileSync(page, 'utf8');
const part = id => html.split(`<script type="text/plain" id="${id}">`)[1].split('</script>')[0];
const unpacked = id => new Uint8Array(gunzipSync(Buffer.from(part(id), 'base64')));
const lesson = JSON.parse(part('description'));
const settings = { ...lesson.settings, ...JSON.parse(changes) };

let told, seen;
const ms = [];
globalThis.postMessage = ({ kind, ...content }) => {
  if (kind === 'steps') ms.push(content.ms);
  if (kind === 'seen') seen = content;
  if (kind === 'problem') throw new Error(JSON.stringify(content.problem));
  told[kind]?.(content);
};
globalThis.onmessage = null;
new Function(`${part('worker')}`)();
const order = (kind, content) => globalThis.onmessage({ data: { kind, ...content } });
const until = kind => new Promise(done => { told = { [kind]: done }; });

const pixels = settings.input_size[0] * settings.input_size[1];
const train = unpacked('training-images');
const first = Number(images);
const labels = train.subarray(lesson.counts.train * pixels);
const bytes = new Uint8Array([...train.subarray(0, first * pixels), ...labels.subarray(0, first)]);
told = {};
await order('open', {
  program: await WebAssembly.compile(unpacked('program')),
  train: { bytes, count: first },
  test: { bytes: unpacked('test-images'), count: lesson.counts.test },
});
await order('begin', { settings, want: { steps: Number(steps), every: Number(steps), shown: lesson.shown } });
const finished = until('finished');
order('run');
await finished;
const saved = until('weights');
order('weights');
writeFileSync(weights, (await saved).bytes);
console.log(JSON.stringify({ step_ms: ms.reduce((sum, value) => sum + value, 0) / ms.length, taken: seen.taken, score: seen.score }));
