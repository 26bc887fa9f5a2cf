// Gives a fresh service some traffic and takes pictures of its page.
//
// usage: node make.cjs URL FOLDER

const { chromium } = require('playwright-core');
const { WebSocket } = require('ws');

const [base, folder] = process.argv.slice(2);
// Longer than a small picture of a rate shows.
const TRAFFIC_MS = Number(process.env.TRAFFIC_MS ?? 125_000);
const TICK_MS = 250;
const STREAMS = [
  // Name, events a second, consumers.
  ['weather.stations', 40, 25],
  ['orders', 12, 8],
  ['telemetry/plant-7/press-12', 160, 5],
  ['squonk-jobs', 4, 3],
  ['audit', 1, 1],
  ['grüße', 0.3, 0],
];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function post(path, type, body) {
  const answer = await fetch(base + path, { method: 'POST', headers: { 'content-type': type }, body });
  return answer.json();
}

const reading = () =>
  JSON.stringify({ station: Math.ceil(Math.random() * 900), wind: { speed: Math.round(Math.random() * 90) / 10, from: 'NW' } });

async function traffic(until) {
  const made = [];
  for (const [name, rate, consumers] of STREAMS) {
    const stream = await post('/event-stream/', 'application/json', JSON.stringify({ routing_key: name }));
    for (let index = 0; index < consumers; index += 1) new WebSocket(stream.location);
    made.push({ ...stream, rate, owed: 0 });
  }
  for (let tick = 0; Date.now() < until(); tick += 1) {
    for (const stream of made) {
      const wave = 1 + 0.6 * Math.sin(tick / 40 + stream.id) + 0.3 * Math.random();
      stream.owed += (stream.rate * wave * TICK_MS) / 1000;
      const lines = Array.from({ length: Math.floor(stream.owed) }, reading);
      stream.owed -= lines.length;
      if (lines.length > 0) await post(`/event-stream/${stream.id}/events`, 'application/x-ndjson', lines.join('\n'));
    }
    await sleep(TICK_MS);
  }
}

async function open(browser, width, height, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale: 'en' });
  return context.newPage();
}

async function picture(page, name) {
  await page.screenshot({ path: `${folder}/${name}.png` });
}

async function main() {
  let end = Infinity;
  const flowing = traffic(() => end);
  await sleep(1_000);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  try {
    const desk = await open(browser, 1100, 640, 'light');
    const phone = await open(browser, 360, 700, 'dark');
    const stream = await open(browser, 1100, 760, 'light');
    await Promise.all([desk.goto(`${base}/`), phone.goto(`${base}/`)]);
    await stream.goto(`${base}/#/stream/orders`);
    await sleep(TRAFFIC_MS);
    await stream.getByRole('button', { name: 'Listen' }).click();
    await stream.getByLabel('Event', { exact: true }).fill('{"order":');
    await sleep(1_500);
    await stream.getByRole('button', { name: 'Publish' }).click();
    await stream.locator('#events').getByText('Gap').waitFor();
    await stream.getByRole('button', { name: 'Pause' }).click();
    await stream.evaluate(() => window.scrollTo(0, 0));
    await picture(desk, 'streams');
    await picture(stream, 'stream');
    await picture(phone, 'phone');
  } finally {
    await browser.close();
    end = 0;
  }
  await flowing;
  process.exit(0);
}

main().catch((fault) => {
  console.error(fault);
  process.exit(1);
});
