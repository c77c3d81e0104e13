// Uses a page of `export --to lesson` in a real Chromium, from disk and offline: trains to an accuracy, pauses, resumes, downloads
// the weights, compares the two draws, and runs axe's rules of WCAG 2 A and AA. Run from a folder in which
//
//   npm install playwright-core axe-core
//
// was run:  node lesson_page.mjs file:///LESSON.html WEIGHTS [--screenshots FOLDER]
//
// Ends with 1 where something is found. Writes the downloaded weights to a file, and prints the steps, the seconds and the
// milliseconds a step that the training took.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { strict as assert } from 'node:assert';

const require = createRequire(join(process.cwd(), 'anything'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const words = process.argv.slice(2);
const at = words.indexOf('--screenshots');
const screenshots = at < 0 ? undefined : words.splice(at, 2)[1];
const [address, weights] = words;
const ENOUGH = 0.80; // of the test images
const MOST_MS = 300_000; // for the training
const faults = [];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

async function open(options) {
  const context = await browser.newContext({ acceptDownloads: true, ...options });
  await context.setOffline(true);
  const page = await context.newPage();
  const said = [];
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) said.push(message.text()); });
  page.on('pageerror', error => said.push(String(error)));
  page.on('request', request => {
    if (![address, 'blob:', 'data:'].some(start => request.url().startsWith(start))) said.push(`request: ${request.url()}`);
  });
  await page.goto(address);
  await page.waitForSelector('#train:not([disabled])');
  return { page, said, close: () => context.close() };
}

async function check(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  for (const rule of violations) faults.push(`${name}: axe ${rule.id}, ${rule.nodes.length} times: ${rule.nodes[0].html.slice(0, 140)} ${rule.nodes[0].failureSummary}`);
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  if (wide > window) faults.push(`${name}: the page is ${wide} pixels wide in ${window}`);
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
}

const status = page => page.textContent('#status');
const stepOf = async page => Number((await status(page)).match(/Step (\d+) of/)[1]);
const saysStep = (page, least) => page.waitForFunction(
  least => Number(document.getElementById('status').textContent.match(/Step (\d+) of/)?.[1]) >= least, least, { timeout: MOST_MS });

// The page before, while and after a few steps, in each size and scheme.
for (const colorScheme of ['light', 'dark']) {
  for (const [device, width, height] of [['phone', 390, 844], ['desk', 1280, 900]]) {
    // axe is put into the page, which the page's own policy forbids.
    const { page, said, close } = await open({ colorScheme, viewport: { width, height }, bypassCSP: true });
    const name = part => `lesson-${part}-${colorScheme}-${device}`;
    await check(page, name('new'));
    await page.click('#train');
    await saysStep(page, 50);
    await page.click('#train');
    await page.waitForFunction(() => document.getElementById('train').textContent === 'Resume');
    await check(page, name('paused'));
    assert.deepEqual(said, []);
    await close();
  }
}

// A training with the page's own policy.
const { page, said, close } = await open({ viewport: { width: 1280, height: 900 } });
const maps = () => page.evaluate(() => [...document.querySelectorAll('#seen canvas')].map(canvas => canvas.toDataURL()));
const begun = performance.now();
await page.click('#train');
await saysStep(page, 1);
const first = await maps();
assert.equal(first.length, 10);
await saysStep(page, 60);
await page.click('#train');
await page.waitForFunction(() => document.getElementById('train').textContent === 'Resume');
const paused = await stepOf(page);
await page.waitForTimeout(500);
assert.equal(await stepOf(page), paused, 'a paused training takes no steps');
await page.click('#train');
await page.waitForFunction(enough => {
  const [, share] = document.getElementById('status').textContent.match(/: ([\d.]+) % of \d+ test images/) ?? [];
  return share >= enough;
}, ENOUGH * 100, { timeout: MOST_MS });
const secs = (performance.now() - begun) / 1000;
const [, stepMs] = (await status(page)).match(/([\d.]+) ms a step/);
await page.click('#train');
await page.waitForFunction(() => document.getElementById('train').textContent === 'Resume');
const steps = await stepOf(page);
assert.ok((await maps()).every((map, index) => map !== first[index]), 'the maps change');
assert.ok((await page.textContent('#closed')).startsWith('Every class is open'), await page.textContent('#closed'));
const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save')]);
assert.equal(download.suggestedFilename(), 'lesson.safetensors');
await download.saveAs(weights);
if (screenshots) await page.screenshot({ path: join(screenshots, 'lesson-trained.png'), fullPage: true });
const shown = await status(page);

// Start over, with another seed.
await page.click('#restart');
await page.fill('#seed', '7');
await page.selectOption('#initialization', 'kaiming');
await page.click('#train');
await saysStep(page, 5);
await page.click('#restart');

// The collapse: one draw stays at ln 10, the other learns.
await page.click('#draws');
await page.waitForSelector('#draws:not([disabled])', { timeout: MOST_MS });
const said0 = await page.textContent('#draw-0 p');
const said1 = await page.textContent('#draw-1 p');
assert.match(said0, /^10 of 10 classes were closed at the start, 10 after \d+ steps: 10 % of/);
assert.match(said1, /^\d of 10 classes were closed at the start, \d after/);
const learned = Number(said1.match(/: (\d+) % of/)[1]);
assert.ok(learned >= 30, said1);
if (screenshots) await page.screenshot({ path: join(screenshots, 'lesson-draws.png'), fullPage: true });
assert.equal(await page.isVisible('#problem'), false);
assert.deepEqual(said, []);
await close();
await browser.close();
for (const fault of faults) console.log(fault);
console.log(JSON.stringify({ steps, secs, step_ms: Number(stepMs), status: shown, draws: [said0, said1] }));
process.exitCode = faults.length ? 1 : 0;
