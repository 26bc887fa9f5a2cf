// Drives the page of a service whose events lie in RabbitMQ.
//
// usage: node page_broker.cjs URL there|away
//
// `there`: makes, uses and deletes a stream. `away`: the broker was just killed.

const assert = require('node:assert/strict');
const { accessible, drive, events, fits, listen, publish, says } = require('./browser.cjs');

const [base, broker] = process.argv.slice(2);
const NAME = 'wetter/ü';

const tile = (page, name) => page.locator('#facts > div').filter({ has: page.getByText(name, { exact: true }) });

async function use(page) {
  await says(page, 'ready', 'Ready');
  await page.getByRole('button', { name: 'New stream' }).click();
  await page.getByLabel('Routing key').fill(NAME);
  assert.ok(await page.getByLabel('Keep events for').isDisabled(), 'what ess does not make it does not limit');
  await page.getByLabel('Make the stream there').check();
  await page.getByLabel('Keep events for').fill('soon');
  await page.getByLabel('Keep at most').fill('1GiB');
  await accessible(page, 'the dialog of creation');
  await page.getByRole('button', { name: 'Create' }).click();
  await says(page, 'create-fault', 'retain_age');
  await page.getByLabel('Keep events for').fill('7d');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { level: 1, name: NAME, exact: true }).waitFor();
  await page.locator('#known').waitFor();

  await listen(page, 'now');
  await publish(page, '{"wind":4}');
  await says(page, 'said', 'Stored with ordinal 0.');
  await events(page).filter({ hasText: '"wind": 4' }).waitFor();
  await page.getByLabel('One event a line').check();
  await publish(page, 'sun\nclouds');
  await events(page).nth(2).waitFor();
  await listen(page, 'all');
  await events(page).filter({ hasText: 'clouds' }).waitFor();
  assert.match(await events(page).first().textContent(), /^0/, 'the first ordinal is 0');
  // What only the broker knows is not made up.
  for (const name of ['Ordinals kept', 'Size']) assert.equal(await tile(page, name).locator('dd > span').textContent(), '–');
  await tile(page, 'Consumers').filter({ hasText: '1 live' }).waitFor();
  await accessible(page, 'a stream');
  await fits(page, 'a stream');

  await page.getByRole('button', { name: 'Delete address' }).click();
  const dialog = page.locator('#delete-dialog');
  await dialog.filter({ hasText: 'stay in RabbitMQ, unless this service made the stream' }).waitFor();
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Streams' }).waitFor();
}

async function miss(page) {
  await says(page, 'ready', 'Not ready');
  await page.getByRole('link', { name: 'Not ready' }).click();
  const store = page.locator('#parts li.ill').filter({ hasText: 'store' });
  await store.waitFor();
  assert.match(await store.textContent(), /broker/, 'it says what is wrong');
  await accessible(page, 'the health of a service in trouble');
  await fits(page, 'the health');
  // What can't be had is said where it was asked for.
  await page.getByRole('link', { name: '← Streams' }).filter({ visible: true }).click();
  await page.getByRole('link', { name: 'kept' }).click();
  await page.locator('#known').waitFor();
  await publish(page, 'lost?');
  await says(page, 'said', 'Not published.');
}

drive({ base }, async (page, faults) => {
  await page.goto(`${base}/`);
  await (broker === 'away' ? miss(page) : use(page));
  assert.deepEqual(faults, []);
});
