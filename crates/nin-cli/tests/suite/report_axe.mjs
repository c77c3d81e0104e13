// Looks at reports in a real Chromium: rules of WCAG 2 A and AA (axe-core), errors on the console,
// requests to elsewhere, and a page wider than its window; light and dark, phone and desk.
//
//   npm install axe-core playwright-core     (in any folder; then run this file from there)
//   node report_axe.mjs [--screenshots FOLDER] REPORT.html...
//
// Takes Chromium from $CHROMIUM or /usr/bin/chromium. Ends with 1 where something is found.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

const require = createRequire(join(process.cwd(), 'anything'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const files = process.argv.slice(2);
let screenshots;
if (files[0] === '--screenshots') [, screenshots] = files.splice(0, 2);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
let faults = 0;
for (const file of files) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [390, 1280]) {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
      const page = await context.newPage();
      const found = [];
      page.on('console', message => found.push(`console: ${message.text()}`));
      page.on('pageerror', error => found.push(`error: ${error}`));
      page.on('request', request => {
        if (!/^(file|data):/.test(request.url())) found.push(`request: ${request.url()}`);
      });
      await page.goto(`file://${resolve(file)}`);
      if (screenshots) {
        // Pictures further down are loaded when they are scrolled to.
        await page.evaluate(() => Promise.all([...document.images].map(image => { image.loading = 'eager'; return image.decode(); })));
        const name = `${basename(file, '.html')}-${colorScheme}-${width}.png`;
        await page.screenshot({ path: join(screenshots, name), fullPage: true });
      }

      await page.focus('#loss > svg').catch(() => {}); // a run without a line has no curves
      await page.keyboard.press('ArrowRight');
      const readout = await page.evaluate(() => document.querySelector('#loss .readout')?.textContent);
      if (readout === '') found.push('the arrow key reads no value');

      await page.evaluate(() => document.querySelectorAll('details').forEach(part => { part.open = true; }));
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run());
      found.push(...violations.map(rule => `axe: ${rule.id}, ${rule.nodes.length} times: ${rule.nodes[0].html.slice(0, 120)}`));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > width) found.push(`the page is ${wide} pixels wide`);

      console.log(`${file}, ${colorScheme}, ${width} px: ${found.length ? found.join('; ') : 'nothing found'}`);
      faults += found.length;
      await context.close();
    }
  }
}
await browser.close();
process.exitCode = faults ? 1 : 0;
