// Uses the page in a real Chromium: test image, upload, drawing, class maps, a bad file, axe's rules of
// WCAG 2 A and AA, and last a server that was stopped. Run from a folder in which
//
//   npm install playwright-core axe-core
//
// was run:  node page.mjs http://127.0.0.1:8080 [PROCESS-ID-OF-THE-SERVER] [--screenshots FOLDER]
//             [--expected FILE]
//
// or, for a page of `export --to web`, which is opened offline and may send no request:
//
//           node page.mjs file:///PAGE.html --expected FILE [--names PAGE] [--screenshots FOLDER]
//
// Ends with 1 where something is found. With the process id the server is ended by SIGTERM. FILE is what
// `predict --top N --format json` of the same network printed: each of its pictures is uploaded, and
// the page is to show the same. The class names of the page of --names are HTML.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { strict as assert } from 'node:assert';

const require = createRequire(join(process.cwd(), 'anything'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const words = process.argv.slice(2);
function option(name) {
  const at = words.indexOf(name);
  return at < 0 ? undefined : words.splice(at, 2)[1];
}
const screenshots = option('--screenshots');
const expected = option('--expected');
const names = option('--names');
const [address, server] = words;
const isFile = address.startsWith('file:');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
});
const folder = mkdtempSync(join(tmpdir(), 'nin-page-'));
const bad = join(folder, 'no-picture-but-a-very-long-name-that-has-to-be-broken-somewhere-on-a-phone.png');
writeFileSync(bad, 'no picture at all');
const faults = [];
// The page rounds: a share to a tenth of a percent, a logit to a hundredth.
const SHOWN_SHARE = 0.0501;
const SHOWN_LOGIT = 0.00501;
const SHOWN_MEAN = 0.000101; // rounded to 1e-4, and sums of another order

async function open(options, at = address) {
  const context = await browser.newContext({ bypassCSP: false, ...options });
  const page = await context.newPage();
  const said = [];
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) said.push(message.text()); });
  page.on('pageerror', error => said.push(String(error)));
  page.on('request', request => {
    const own = isFile ? [at, 'blob:', 'data:'] : [at, 'blob:'];
    if (!own.some(start => request.url().startsWith(start))) said.push(`request: ${request.url()}`);
  });
  if (isFile) await context.setOffline(true);
  await page.goto(at);
  await page.waitForFunction(() => document.getElementById('about').textContent.includes('distinguishes'));
  return { page, said, close: () => context.close() };
}

const status = page => page.textContent('#status');
const answered = (page, name) => page.waitForFunction(
  name => document.getElementById('status').textContent.startsWith(name + ':'), name);
const pixels = page => page.evaluate(() => document.getElementById('picture').toDataURL());

async function check(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  for (const rule of violations) faults.push(`${name}: axe ${rule.id}, ${rule.nodes.length} times: ${rule.nodes[0].html.slice(0, 140)} ${rule.nodes[0].failureSummary}`);
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  if (wide > window) faults.push(`${name}: the page is ${wide} pixels wide in ${window}`);
  if (!screenshots) return;
  await page.evaluate(() => scrollTo(0, 0)); // else the panel that stays in sight stands in the middle
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

for (const colorScheme of ['light', 'dark']) {
  for (const [device, width, height] of [['phone', 390, 844], ['desk', 1280, 900]]) {
    // axe is put into the page, which the page's own policy forbids: the policy is tested below.
    const { page, said, close } = await open({ colorScheme, viewport: { width, height }, bypassCSP: true });
    const name = part => `page-${part}-${colorScheme}-${device}`;
    await check(page, name('empty'));
    await page.click('#gallery li:nth-child(19) button');
    await answered(page, 'Test image (Ankle boot)');
    await page.locator('#cells summary').click();
    await check(page, name('answer'));
    await page.locator('#cells summary').click();
    await page.setInputFiles('#file', bad);
    await page.waitForSelector('#problem:not([hidden])');
    assert.equal(await page.textContent('#problem .name'), `${basename(bad)}: no answer`);
    await check(page, name('bad-file'));
    // The browser itself logs each failed request.
    assert.deepEqual(said.filter(text => !text.includes('status of 415')), []);
    await close();
  }
}

{
  const { page, said, close } = await open({ viewport: { width: 1280, height: 900 } });

  const { images: others } = expected ? JSON.parse(readFileSync(expected, 'utf8')) : { images: [] };

  // Upload, and switch class maps, by pointer and by keyboard.
  const picture = isFile ? readFileSync(others[0].path) : Buffer.from(await (await page.request.get(`${address}/v1/gallery/2`)).body());
  const file = join(folder, 'trousers.png');
  writeFileSync(file, picture);
  const answer = isFile ? others[0] : (await (await page.request.post(`${address}/v1/predict?top=65536`, { data: picture })).json()).images[0];
  const [rows, columns] = [answer.maps[0].values.length, answer.maps[0].values[0].length];
  await page.setInputFiles('#file', file);
  await answered(page, 'trousers.png');
  assert.ok((await status(page)).includes(answer.top[0].class), await status(page));
  const bars = await page.locator('#bars .name').allTextContents();
  assert.deepEqual(bars, answer.top.map(entry => entry.class));
  const shown = new Set([await pixels(page)]);
  for (const rank of [1, 2]) {
    await page.locator('#bars label').nth(rank).click();
    const caption = await page.textContent('#caption');
    const cells = answer.maps[rank].values.flat();
    const mean = cells.reduce((sum, value) => sum + value, 0) / cells.length;
    const [, shownMean] = caption.match(/ map is ([-0-9.]+), equal/);
    assert.ok(caption.startsWith(`${answer.top[rank].class}: the mean of its ${columns}×${rows} map is `), caption);
    assert.ok(Math.abs(shownMean - mean) <= SHOWN_MEAN, caption);
    shown.add(await pixels(page));
  }
  await page.keyboard.press('ArrowDown');
  assert.ok((await page.textContent('#caption')).startsWith(answer.top[3].class));
  shown.add(await pixels(page));
  await page.uncheck('#overlay');
  shown.add(await pixels(page));
  assert.ok(shown.size >= 4, `${shown.size} different pictures of 5`);
  await page.check('#overlay');

  // Pictures from elsewhere: of each the page shows what predict printed.
  for (const { path, top, inverted, maps } of others) {
    await page.setInputFiles('#file', path);
    await answered(page, basename(path));
    const rows = await page.locator('#bars label').evaluateAll(labels => labels.map(label =>
      ['.name', '.share', '.logit'].map(part => label.querySelector(part).textContent)));
    assert.deepEqual(rows.map(([name]) => name), top.map(entry => entry.class), path);
    rows.forEach(([name, share, logit], rank) => {
      const off = Math.abs(parseFloat(share) - top[rank].probability * 100);
      assert.ok(off <= SHOWN_SHARE, `${path}: ${name} ${share}, not ${top[rank].probability}`);
      const away = Math.abs(parseFloat(logit.replace('logit ', '')) - top[rank].logit);
      assert.ok(away <= SHOWN_LOGIT, `${path}: ${name} ${logit}, not ${top[rank].logit}`);
    });
    const caption = await page.textContent('#caption');
    assert.equal(caption.includes('Light and dark were inverted'), inverted, path);
    const size = `${maps[0].values[0].length}×${maps[0].values.length}`;
    assert.ok(caption.startsWith(`${top[0].class}: the mean of its ${size} map is `), caption);
  }
  if (others.length) {
    await page.setInputFiles('#file', file);
    await answered(page, 'trousers.png');
  }

  // Draw.
  await page.check('input[name=source][value=draw]', { force: true });
  const box = await page.locator('#drawing').boundingBox();
  await page.mouse.move(box.x + 60, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + 200, box.y + 60, { steps: 5 });
  await page.mouse.move(box.x + 200, box.y + 220, { steps: 5 });
  await page.mouse.up();
  await answered(page, 'Your drawing');
  assert.equal(await page.locator('#bars label').count(), 10);
  if (screenshots) await page.screenshot({ path: join(screenshots, 'page-drawing.png'), fullPage: true });
  await page.click('#clear');

  // The camera (Chromium's pretended one).
  await page.check('input[name=source][value=camera]', { force: true });
  await page.click('#camera-start');
  await page.waitForSelector('#camera-take:not([disabled])');
  await page.click('#camera-take');
  await answered(page, "Camera picture");
  await page.check('input[name=source][value=file]', { force: true });
  assert.equal(await page.evaluate(() => document.getElementById('video').srcObject), null);

  // Dropped and pasted.
  for (const kind of ['drop', 'paste']) {
    await page.evaluate(([kind, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], `${kind}.png`));
      const event = kind === 'drop' ? new DragEvent(kind, { dataTransfer: data, bubbles: true }) : new ClipboardEvent(kind, { clipboardData: data, bubbles: true });
      document.getElementById('drop').dispatchEvent(event);
    }, [kind, [...picture]]);
    await answered(page, `${kind}.png`);
  }

  // A bad file, and a good one behind it.
  await page.setInputFiles('#file', bad);
  await page.waitForSelector('#problem:not([hidden])');
  assert.match(await page.textContent('#problem'), /Neither JPEG, PNG, WebP, GIF, BMP nor TIFF/);
  assert.equal(await page.isVisible('#result'), false);
  await page.setInputFiles('#file', file);
  await answered(page, 'trousers.png');
  assert.equal(await page.isVisible('#problem'), false);

  // A picture that claims more pixels than any limit.
  const huge = join(folder, 'huge.bmp');
  const header = Buffer.alloc(58);
  header.write('BM');
  header.writeUInt32LE(54, 10);
  [40, 9000, 9000, 1 | 24 << 16].forEach((value, at) => header.writeUInt32LE(value, 14 + 4 * at));
  writeFileSync(huge, header);
  await page.setInputFiles('#file', huge);
  await page.waitForFunction(() => document.getElementById('problem').textContent.includes('more than the limit'));
  await page.setInputFiles('#file', file);
  await answered(page, 'trousers.png');

  // The policy lets nothing in that is not the server's own.
  const blocked = await page.evaluate(() => new Promise(resolve => {
    document.addEventListener('securitypolicyviolation', event => resolve(event.violatedDirective), { once: true });
    const script = document.createElement('script');
    script.textContent = 'document.title = "taken over"';
    document.body.append(script);
    setTimeout(() => resolve('nothing'), 2000);
  }));
  assert.match(blocked, /script-src/);
  const known = /status of 41[35]|Content Security Policy/;
  assert.deepEqual(said.filter(text => !known.test(text)), []);
  said.length = 0;

  // The server is stopped.
  if (server) {
    process.kill(Number(server), 'SIGTERM');
    for (let tries = 0; tries < 200; tries++) {
      const answers = await fetch(`${address}/healthz`).then(() => true, () => false);
      if (!answers) break;
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    await page.setInputFiles('#file', file);
    await page.waitForFunction(() => document.getElementById('problem').textContent.includes('does not respond'));
    assert.ok(await page.isVisible('#problem button'));
    if (screenshots) await page.screenshot({ path: join(screenshots, 'page-stopped.png'), fullPage: true });
    assert.deepEqual(said.filter(text => !text.includes('ERR_CONNECTION_REFUSED')), []);
  }
  await close();
}

// Class names are text.
if (names) {
  const { page, said, close } = await open({ viewport: { width: 390, height: 844 } }, names);
  const { images: [{ path }] } = JSON.parse(readFileSync(expected, 'utf8'));
  await page.setInputFiles('#file', path);
  await answered(page, basename(path));
  const shown = await page.locator('#bars .name').allTextContents();
  assert.ok(shown.some(name => name.startsWith('</script><script>')), shown);
  assert.equal(await page.title(), 'nin: what is in this picture, and where?');
  assert.deepEqual(said, []);
  await close();
}

// A browser without SIMD, without WebAssembly, or without gzip is told so.
if (isFile) {
  for (const [script, words] of [
    ['WebAssembly.validate = () => false', 'SIMD'],
    ['delete window.WebAssembly', 'does not run WebAssembly'],
    ['delete window.DecompressionStream', 'cannot unpack'],
  ]) {
    const page = await (await browser.newContext()).newPage();
    await page.addInitScript(script);
    await page.goto(address);
    await page.waitForSelector('#problem:not([hidden])');
    assert.ok((await page.textContent('#problem')).includes(words), await page.textContent('#problem'));
  }
}
await browser.close();
for (const fault of faults) console.log(fault);
console.log(faults.length ? `${faults.length} faults` : 'nothing found');
process.exitCode = faults.length ? 1 : 0;
