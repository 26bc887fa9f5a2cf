// Drives the service's page in a real browser, as a person would, and then without a mouse.
//
// usage: node page.cjs URL WIDTHxHEIGHT light|dark
//
// Ends with 0 when everything was as it should be, else with the first thing that was not.
// Everything is waited for, nothing slept for; the browser is gone when this program is.

const assert = require('node:assert/strict');
const http = require('node:http');
const { accessible, drive, events, fits, listen, publish, says } = require('./browser.cjs');

const [base, size, colorScheme] = process.argv.slice(2);
// A name that has to be escaped wherever it goes.
const NAME = `<b>wetter</b> "ü"/${colorScheme} & ?#%`;

async function api(method, path, body, type = 'application/json') {
  const answer = await fetch(base + path, { method, body, headers: body && { 'content-type': type } });
  const text = await answer.text();
  return { status: answer.status, value: text && JSON.parse(text) };
}

async function create(page) {
  await says(page, 'ready', 'Ready');
  await accessible(page, 'the overview');
  await fits(page, 'the overview');
  await page.getByRole('button', { name: 'New stream' }).click();
  await accessible(page, 'the dialog of creation');
  await page.getByLabel('Routing key').fill('x'.repeat(256));
  await page.getByRole('button', { name: 'Create' }).click();
  await says(page, 'create-fault', 'at most 255 bytes');
  await page.getByLabel('Routing key').fill(NAME);
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { level: 1, name: NAME, exact: true }).waitFor();
  await page.locator('#known').waitFor();
  const { value } = await api('GET', '/event-stream/');
  const { id } = value.event_streams.find(({ routing_key: key }) => key === NAME);
  return id;
}

async function follow(page, id) {
  await listen(page, 'now');
  await publish(page, '{"wind":12345678901234567890,"gusts":[1.50,{}]}');
  await says(page, 'said', 'Stored with ordinal 1.');
  const shown = await events(page).first().locator('pre').textContent();
  // Indented, and every digit as it was sent.
  assert.equal(shown, '{\n  "wind": 12345678901234567890,\n  "gusts": [\n    1.50,\n    {}\n  ]\n}');

  // Paused: what comes is kept, up to a bound, and what is left out is told.
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByLabel('One event a line').check();
  await publish(page, 'a <i>b</i>\nc');
  await says(page, 'listening', 'Paused: 2 events waiting.');
  assert.equal(await events(page).count(), 1);
  await page.getByRole('button', { name: 'Pause' }).click();
  await events(page).nth(2).waitFor();
  assert.equal(await page.locator('#events i').count(), 0, 'a text became markup');
  await page.getByRole('button', { name: 'Pause' }).click();
  const many = Array.from({ length: 1_200 }, (_, index) => `event ${index}`).join('\n');
  await api('POST', `/event-stream/${id}/events`, many, 'application/x-ndjson');
  await says(page, 'listening', 'Paused: 1,000 events waiting; 200 left out, the oldest.');
  await page.getByRole('button', { name: 'Pause' }).click();
  await events(page).filter({ hasText: 'events left out here' }).waitFor({ state: 'attached' });
  await events(page).filter({ hasText: 'event 1199' }).waitFor();
  assert.ok((await events(page).count()) <= 300, 'the list is bounded');

  // What can't be delivered is said where it was published, and is a gap where it is listened to.
  await page.getByLabel('One event a line').uncheck();
  await publish(page, '{"wind":');
  await says(page, 'said', 'will be delivered to nobody');
  await publish(page, 'after');
  await events(page).filter({ hasText: 'Gap: Ordinal 1204 is missing' }).waitFor();
  await accessible(page, 'a stream');
  await fits(page, 'a stream');
}

async function begin(page) {
  await listen(page, 'ordinal', '1202');
  await events(page).filter({ hasText: 'after' }).waitFor();
  assert.match(await events(page).first().textContent(), /^1203/);
  await listen(page, 'all');
  await events(page).filter({ hasText: 'after' }).waitFor();
  await listen(page, 'time', '2001-01-01T00:00:00');
  await events(page).filter({ hasText: 'after' }).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByLabel('Begin').selectOption('ordinal');
  await page.getByLabel('Ordinal', { exact: true }).fill('-1');
  await page.getByRole('button', { name: 'Listen' }).click();
  await says(page, 'listening', 'An ordinal is a whole number');
}

async function look(page) {
  await listen(page, 'now');
  await page.getByRole('link', { name: '← Streams' }).filter({ visible: true }).click();
  const row = page.locator('#streams tbody tr').filter({ hasText: NAME });
  await row.filter({ hasText: '1 to 1205' }).waitFor();
  await page.getByLabel('Name contains').fill('WETTER');
  await row.waitFor();
  await page.getByLabel('Name contains').fill('nowhere');
  await says(page, 'more', 'No stream’s name contains that.');
  await page.getByLabel('Name contains').fill('');
  await row.waitFor();
  await page.getByRole('link', { name: 'Ready' }).click();
  await page.locator('#parts li').filter({ hasText: 'store' }).waitFor();
  await accessible(page, 'the health');
  await fits(page, 'the health');
}

async function remove(page, id) {
  await page.goto(`${base}/#/stream/${encodeURIComponent(NAME)}`);
  const dialog = page.locator('#delete-dialog');
  await page.getByRole('button', { name: `Delete address ${id}` }).click();
  await dialog.filter({ hasText: '1,205 events' }).filter({ hasText: 'will be lost' }).waitFor();
  await accessible(page, 'the dialog of deletion');
  // The harmless answer is at hand.
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Keep it');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.equal((await api('GET', `/event-stream/${id}`)).status, 200);
  await page.getByRole('button', { name: `Delete address ${id}` }).click();
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Streams' }).waitFor();
  assert.equal((await api('GET', `/event-stream/${id}`)).status, 404);
}

// Presses Tab until `target` has the focus; everything on the way shows that it has it.
async function tabTo(page, target) {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    const seen = await page.evaluate(() => {
      const { activeElement: focused } = document;
      return focused === document.body || getComputedStyle(focused).outlineStyle !== 'none';
    });
    assert.ok(seen, `the focus can't be seen on the way to ${target}`);
    if (await target.evaluate((node) => node === document.activeElement)) return;
  }
  assert.fail(`no way to ${target} by keyboard`);
}

async function withoutMouse(page) {
  const press = (key) => page.keyboard.press(key);
  await page.goto(`${base}/`);
  await says(page, 'ready', 'Ready');
  await press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  assert.equal(new URL(page.url()).hash, '', 'the view stays');
  await tabTo(page, page.getByRole('button', { name: 'New stream' }));
  await press('Enter');
  await page.keyboard.type('keys');
  await press('Enter');
  await page.getByRole('heading', { level: 1, name: 'keys' }).waitFor();
  await page.locator('#known').waitFor();
  // The reading goes on at the new title.
  assert.equal(await page.evaluate(() => document.activeElement.id), 'stream-title');
  await tabTo(page, page.getByRole('button', { name: 'Listen' }));
  await press('Enter');
  await says(page, 'listening', 'Listening.');
  await tabTo(page, page.getByLabel('Event', { exact: true }));
  await page.keyboard.type('typed');
  await press('Control+Enter');
  await events(page).filter({ hasText: 'typed' }).waitFor();
  await tabTo(page, page.getByRole('button', { name: 'Delete address' }));
  await press('Enter');
  await tabTo(page, page.locator('#delete-dialog').getByRole('button', { name: 'Delete', exact: true }));
  await press('Enter');
  await says(page, 'said', 'is deleted');
}

// A page of another site makes its visitor's browser try everything that it can without asking.
async function foreign(context) {
  const { value: victim } = await api('POST', '/event-stream/', '{"routing_key":"victim"}');
  const server = http.createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end('<!doctype html><title>elsewhere</title><form method="post" enctype="text/plain"><input name="a" value="b"></form>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const read = await page.evaluate(async ({ base, id }) => {
    const tried = [
      [`/event-stream/${id}/events`, { method: 'POST', mode: 'no-cors', body: 'forged' }],
      ['/event-stream/', { method: 'POST', mode: 'no-cors', body: '{"routing_key":"forged"}' }],
      ['/event-stream/', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"routing_key":"forged"}' }],
      [`/event-stream/${id}`, { method: 'DELETE' }],
      ['/status', {}],
    ];
    const texts = await Promise.all(tried.map(([path, options]) =>
      fetch(base + path, options).then((answer) => answer.text()).catch(() => '')));
    return texts.join('');
  }, { base, id: victim.id });
  assert.equal(read, '', 'a page of another site can read an answer');
  await page.evaluate(({ action }) => {
    document.forms[0].action = action;
    document.forms[0].submit();
  }, { action: `${base}/event-stream/${victim.id}/events` });
  await page.getByText('may not change anything here').waitFor();
  await page.close();
  server.close();
  const { value } = await api('GET', `/event-stream/${victim.id}`);
  assert.equal(value.next_ordinal, 1, 'a page of another site has published');
  const { value: all } = await api('GET', '/event-stream/');
  assert.deepEqual(all.event_streams.map(({ routing_key: key }) => key), ['victim']);
  await api('DELETE', `/event-stream/${victim.id}`);
}

// More streams than are drawn; the service's own answer would take minutes to prepare.
async function crowded(context) {
  const page = await context.newPage();
  const asked = [];
  await page.route('**/status?*', async (route) => {
    asked.push(new URL(route.request().url()).searchParams);
    const answer = await route.fetch();
    const status = await answer.json();
    const consumers = { live: 1, catching_up: 1, stalled: 0, closing: 0 };
    const stream = { shard: 0, open: true, floor: 1, next_ordinal: 9, bytes: 9, published: 9, delivered: 9,
      lost: 0, consumers, lag: 3, seconds_left: 90, event_streams: [] };
    const streams = Array.from({ length: 300 }, (_, index) => ({ ...stream, routing_key: `s-${index}` }));
    await route.fulfill({ json: { ...status, registered: 10_000, matching: 10_000, streams } });
  });
  await page.goto(`${base}/`);
  await says(page, 'more', '9,700 more match');
  assert.equal(await page.locator('#streams tbody tr').count(), 300);
  assert.equal(asked[0].get('limit'), '300');
  await page.locator('#streams tbody tr').first().filter({ hasText: 'loses events in 1 min' }).waitFor();
  // A question may be under way.
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await page.close();
}

drive({ base, size, colorScheme }, async (page, faults, context) => {
  await page.goto(`${base}/`);
  const id = await create(page);
  await follow(page, id);
  await begin(page);
  await look(page);
  await remove(page, id);
  await withoutMouse(page);
  await page.goto(`${base}/docs`);
  await accessible(page, 'the description');
  await fits(page, 'the description');
  assert.deepEqual(faults, []);
  await foreign(context);
  await crowded(context);
});
