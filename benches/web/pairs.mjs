// A page of `export --to web` next to onnxruntime-web, in one Chromium on one thread: sizes, the first answer, and
// milliseconds a picture, measured in turn.
//
//   npm install playwright-core onnxruntime-web        in some folder, and there:
//   nin-cli export --checkpoint pretrained:record-fashion-mnist --to web --output page.html
//   nin-cli export --checkpoint pretrained:record-fashion-mnist --to onnx --output network.onnx
//   node .../benches/web/pairs.mjs page.html network.onnx [--pairs 8] [--times 100]
//
// The picture is the page's first test image, grey and 28x28. The page's figure includes decoding it, the class maps
// and their JSON; onnxruntime-web's is its run of prepared values alone, and its first answer that of an empty page.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

const require = createRequire(join(process.cwd(), 'anything'));
const { chromium } = require('playwright-core');

const words = process.argv.slice(2);
function option(name, usual) {
  const at = words.indexOf(name);
  return at < 0 ? usual : Number(words.splice(at, 2)[1]);
}
const pairs = option('--pairs', 8);
const times = option('--times', 100);
const [page, network] = words;
const html = readFileSync(page, 'utf8');
const onnxruntime = dirname(require.resolve('onnxruntime-web'));
const PROGRAM = 'ort-wasm-simd-threaded.wasm';

// The network of the page without its inputs and outputs.
const [, module] = html.match(/<script type="module">\n([^]*?)const inputs_module/);
const data = html.match(/<script type="text\/plain" id="\w+">[^<]*<\/script>\n/g).join('');
const OURS = `<!doctype html>${data}<script type="module">${module}window.network = network_module;</script>`;
const THEIRS = `<!doctype html><script type="module">
import * as ort from '/ort.wasm.min.mjs';
ort.env.wasm.numThreads = 1;
window.ort = ort;
window.session = await ort.InferenceSession.create('/network.onnx', { executionProviders: ['wasm'] });
await session.run({ images: new ort.Tensor('float32', new Float32Array(784), [1, 1, 28, 28]) });
window.answeredMs = performance.now();
</script>`;
const TYPES = { html: 'text/html', mjs: 'text/javascript', wasm: 'application/wasm' };
const server = createServer((request, response) => {
  const path = request.url.slice(1);
  const made = { 'ours.html': OURS, 'theirs.html': THEIRS, 'network.onnx': readFileSync(network) };
  response.setHeader('content-type', TYPES[path.split('.').pop()] ?? 'application/octet-stream');
  try {
    response.end(made[path] ?? readFileSync(join(onnxruntime, path)));
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise(ready => server.listen(0, '127.0.0.1', ready));
const address = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });

const tab = async url => {
  const opened = await (await browser.newContext()).newPage();
  await opened.goto(url);
  return opened;
};

// Milliseconds from the start of a page to its first answer.
async function oursFirst() {
  const opened = await tab(`file://${resolve(page)}`);
  const first = await opened.evaluate(() => new Promise(answered => {
    const look = () => {
      const button = document.querySelector('#gallery button[aria-pressed=false]');
      if (document.querySelector('#status.told')) return answered(performance.now());
      if (button && !document.querySelector('#gallery button[aria-pressed=true]')) button.click();
      setTimeout(look, 1);
    };
    look();
  }));
  await opened.context().close();
  return first;
}
async function theirsFirst() {
  const opened = await tab(`${address}/theirs.html`);
  const first = await (await opened.waitForFunction(() => window.answeredMs)).jsonValue();
  await opened.context().close();
  return first;
}

const ours = await tab(`${address}/ours.html`);
const theirs = await tab(`${address}/theirs.html`);
await theirs.waitForFunction(() => window.answeredMs);
const { pictures } = JSON.parse(html.match(/id="description">([^<]*)</)[1]);
const bytes = [...Buffer.from(pictures[0].split(',')[1], 'base64')];

// Milliseconds a picture, and the logits by class.
const oursOnce = () => ours.evaluate(async ([bytes, times]) => {
  const file = new Blob([new Uint8Array(bytes)]);
  let answer = await network.classify(file, 65536);
  const begun = performance.now();
  for (let turn = 0; turn < times; turn++) answer = await network.classify(file, 65536);
  const ms = (performance.now() - begun) / times;
  const { classes } = await network.describe();
  const logits = Object.fromEntries(answer.images[0].top.map(entry => [entry.class, entry.logit]));
  return { ms, logits: classes.map(name => logits[name]) };
}, [bytes, times]);
const theirsOnce = () => theirs.evaluate(async ([bytes, times]) => {
  const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
  const pen = new OffscreenCanvas(28, 28).getContext('2d');
  pen.drawImage(bitmap, 0, 0);
  const { data } = pen.getImageData(0, 0, 28, 28);
  const values = Float32Array.from({ length: 784 }, (_, at) => data[4 * at] / 255);
  const images = new ort.Tensor('float32', values, [1, 1, 28, 28]);
  let answer = await session.run({ images });
  const begun = performance.now();
  for (let turn = 0; turn < times; turn++) answer = await session.run({ images });
  const ms = (performance.now() - begun) / times;
  return { ms, logits: [...answer.logits.data] };
}, [bytes, times]);

const median = values => {
  const sorted = [...values].sort((one, other) => one - other);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
const round = value => Number(value.toFixed(3));
const figures = values => ({ median: round(median(values)), values: values.map(round) });

const first = { page: [], onnxruntime_web: [] };
const picture = { page: [], onnxruntime_web: [] };
let [answer, other] = [await oursOnce(), await theirsOnce()];
for (let pair = 0; pair < pairs; pair++) {
  first.page.push(await oursFirst());
  first.onnxruntime_web.push(await theirsFirst());
  [answer, other] = [await oursOnce(), await theirsOnce()];
  picture.page.push(answer.ms);
  picture.onnxruntime_web.push(other.ms);
}
const ratios = picture.page.map((ms, pair) => picture.onnxruntime_web[pair] / ms);
const program = gunzipSync(Buffer.from(html.match(/id="program">([^<]*)</)[1], 'base64'));
const theirProgram = readFileSync(join(onnxruntime, PROGRAM));
const gzipped = content => gzipSync(content, { level: 9 }).length;
console.log(JSON.stringify({
  browser: `Chromium ${browser.version()}`,
  onnxruntime_web: JSON.parse(readFileSync(join(onnxruntime, '../package.json'))).version,
  threads: 1,
  bytes: {
    page: html.length,
    wasm: program.length,
    wasm_gzipped: gzipped(program),
    onnxruntime_wasm: theirProgram.length,
    onnxruntime_wasm_gzipped: gzipped(theirProgram),
    onnx: readFileSync(network).length,
  },
  first_answer_ms: { page: figures(first.page), onnxruntime_web: figures(first.onnxruntime_web) },
  picture_ms: { page: figures(picture.page), onnxruntime_web: figures(picture.onnxruntime_web) },
  onnxruntime_web_over_page: figures(ratios),
  largest_logit_difference: Math.max(...answer.logits.map((logit, at) => Math.abs(logit - other.logits[at]))),
}, null, 1));
await browser.close();
server.close();
