// Opens docs/examples/listen.html in a real browser, as any page of somebody's would be.
//
// usage: node browser_example.cjs FOLDER LOCATION API ID
//
// Prints what the page shows, a line each: first with two events there, then after a reload that
// finds what came meanwhile, then when the event stream is deleted.

const http = require('node:http');
const { readFile } = require('node:fs/promises');
const { extname, join } = require('node:path');
const { drive } = require('./browser.cjs');

const [folder, location, api, id] = process.argv.slice(2);
const TYPES = { '.html': 'text/html', '.mjs': 'text/javascript' };

async function serve() {
  const server = http.createServer(async ({ url }, answer) => {
    const { pathname } = new URL(url, 'http://localhost');
    const body = await readFile(join(folder, pathname)).catch(() => null);
    answer.writeHead(body ? 200 : 404, { 'content-type': TYPES[extname(pathname)] ?? 'text/plain' });
    answer.end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const publish = (type, body) =>
  fetch(`${api}/event-stream/${id}/events`, { method: 'POST', headers: { 'content-type': type }, body });

async function shown(page, count) {
  const items = page.locator('#events > li');
  await items.nth(count - 1).waitFor();
  return items.allTextContents();
}

async function main() {
  const server = await serve();
  const base = `http://127.0.0.1:${server.address().port}`;
  try {
    await drive({ base }, async (page) => {
      await page.goto(`${base}/listen.html?location=${encodeURIComponent(location)}`);
      const first = await shown(page, 2);
      await page.goto('about:blank');
      await publish('text/plain', '{"wind": ');
      await publish('application/x-ndjson', 'a|b\nsun');
      await page.goBack();
      const more = await shown(page, 3);
      await fetch(`${api}/event-stream/${id}`, { method: 'DELETE' });
      await page.locator('#state').filter({ hasText: 'Ended' }).waitFor();
      const ended = await page.locator('#state').textContent();
      console.log([...first, ...more, ended].join('\n'));
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

main();
