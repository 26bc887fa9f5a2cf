// A real browser with the service's page in it, for the programs beside this one.
//
// Everything is waited for, nothing slept for; the browser is gone when the program is.

const assert = require('node:assert/strict');
const { chromium } = require('playwright-core');
const axe = require('axe-core');

const PATIENCE_MS = 60_000;
const OVERALL_MS = 180_000;

// What must never be: complaints of the browser, but for the answer to what was wrong on purpose, and
// requests to anywhere else.
function watch(page, base, faults) {
  const host = new URL(base).hostname;
  const outside = (url) => !url.startsWith('data:') && new URL(url).hostname !== host;
  page.on('console', (message) => {
    const wanted = /status of (422|503)/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !wanted) faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('request', (request) => outside(request.url()) && faults.push(`outside: ${request.url()}`));
  page.on('websocket', (socket) => outside(socket.url()) && faults.push(`outside: ${socket.url()}`));
}

// No rule of axe-core that decides is broken.
async function accessible(page, what) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
  assert.deepEqual(told, [], `accessibility of ${what}`);
}

async function fits(page, what) {
  const [wide, has] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(wide <= has, `${what} is ${wide} wide in a window of ${has}`);
}

const events = (page) => page.locator('#events > li');
const says = (page, id, text) => page.locator(`#${id}`).filter({ hasText: text }).waitFor();

async function publish(page, text) {
  await page.getByLabel('Event', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Publish' }).click();
  await page.waitForFunction(() => /^(Stored|Not published)/.test(document.getElementById('said').textContent));
}

async function listen(page, from, value) {
  if (await page.getByRole('button', { name: 'Stop' }).isVisible()) {
    await page.getByRole('button', { name: 'Stop' }).click();
  }
  await page.getByLabel('Begin').selectOption(from);
  if (from === 'ordinal') await page.getByLabel('Ordinal', { exact: true }).fill(value);
  if (from === 'time') await page.getByLabel('Time (yours)').fill(value);
  await page.getByRole('button', { name: 'Listen' }).click();
  await says(page, 'listening', 'Listening.');
}

// Opens a page and does `what` with it; ends this program with 0 when everything was as it should be,
// else with the first thing that was not.
async function drive({ base, size = '1280x800', colorScheme = 'light' }, what) {
  // Ends the browser too: it listens to a pipe of this process.
  setTimeout(() => {
    console.error(`not done after ${OVERALL_MS} ms`);
    process.exit(2);
  }, OVERALL_MS).unref();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  });
  const [width, height] = size.split('x').map(Number);
  const faults = [];
  let page;
  try {
    const context = await browser.newContext({
      viewport: { width, height }, colorScheme, reducedMotion: 'reduce', locale: 'en',
    });
    context.setDefaultTimeout(PATIENCE_MS);
    page = await context.newPage();
    watch(page, base, faults);
    await what(page, faults, context);
  } catch (fault) {
    const seen = await page?.locator('body').innerText({ timeout: 1_000 }).catch(() => '');
    console.error(faults.join('\n'), seen?.slice(0, 3_000));
    console.error(fault);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

module.exports = { accessible, drive, events, fits, listen, publish, says };
