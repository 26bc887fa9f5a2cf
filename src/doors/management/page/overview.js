// All streams: totals, and a table of those that match.

import { by, element, reconcile, setText } from './dom.js';
import { bytes, count, duration, ordinals, rate } from './format.js';
import { Rate, Rates, draw, spark } from './spark.js';

// Rows drawn at most; the service sends no more.
const ROWS_MAX = 300;

const totals = { published: new Rate(), delivered: new Rate() };
const published = new Rates();
const delivered = new Rates();

// What the service is asked for.
export function query() {
  return { contains: by('contains').value, order: by('order').value, limit: ROWS_MAX };
}

// A cell with a rate and its picture.
export function rateCell(name, second) {
  const cell = element('td', { data: { name } });
  cell.append(element('div', { className: 'rate' }, element('span'), spark(second)));
  return cell;
}

export function updateRate(cell, counted) {
  setText(cell.querySelector('span'), rate(counted.now));
  draw(cell.querySelector('svg'), counted);
}

// Numbers with their names and, below each, its picture or something smaller.
export function tiles(list, items) {
  const make = ([name, , below]) => {
    const more = below instanceof Rate ? spark(name === 'Delivered') : element('small');
    return element('div', {}, element('dt', {}, name), element('dd', {}, element('span'), more));
  };
  reconcile(list, items, ([name]) => name, make, (made, [, text, below]) => {
    setText(made.querySelector('span'), text);
    if (below instanceof Rate) draw(made.querySelector('svg'), below);
    else setText(made.querySelector('small'), below ?? '');
  });
}

const KINDS = [['live', 'live'], ['catching_up', 'catching up'], ['stalled', 'stalled'], ['closing', 'closing']];

export const all = (consumers) => KINDS.reduce((sum, [kind]) => sum + consumers[kind], 0);

// How many of which kind, those kinds that there are.
export const kinds = (consumers) =>
  KINDS.filter(([kind]) => consumers[kind] > 0).map(([kind, name]) => `${count(consumers[kind])} ${name}`).join(', ');

export function show({ at, totals: sums, matching, registered, streams }) {
  totals.published.look(at, sums.published);
  totals.delivered.look(at, sums.delivered);
  showTotals(sums, registered);
  for (const stream of streams) {
    stream.publishedRate = published.look(stream.routing_key, at, stream.published);
    stream.deliveredRate = delivered.look(stream.routing_key, at, stream.delivered);
  }
  published.forget(at - 120_000);
  delivered.forget(at - 120_000);
  reconcile(by('streams').tBodies[0], streams, (stream) => stream.routing_key, makeRow, updateRow);
  by('streams').hidden = streams.length === 0;
  setText(by('more'), leftOver(matching, streams.length, registered));
}

function leftOver(matching, shown, all) {
  if (all === 0) return 'There is no stream yet.';
  if (matching === 0) return 'No stream’s name contains that.';
  if (matching > shown) return `${count(matching - shown)} more match: say more of the name to see them.`;
  return matching < all ? `${count(matching)} of ${count(all)} streams.` : '';
}

function showTotals(sums, registered) {
  tiles(by('totals'), [
    ['Published', rate(totals.published.now), totals.published],
    ['Delivered', rate(totals.delivered.now), totals.delivered],
    ['Streams', count(registered)],
    ['Consumers', count(all(sums.consumers)), kinds(sums.consumers)],
    ['Stored', bytes(sums.bytes)],
  ]);
}

// When the slowest consumer begins to lose events.
export const left = ({ seconds_left: seconds }) => (seconds === null ? '' : `loses events in ${duration(seconds)}`);

const number = (name) => element('td', { className: 'number', data: { name } });

function makeRow({ routing_key: name }) {
  const link = element('a', { href: `#/stream/${encodeURIComponent(name)}` }, name);
  const explained = (title) => {
    const cell = number(title);
    cell.append(element('span'), ' ', element('small'));
    return cell;
  };
  return element(
    'tr', {}, element('th', { scope: 'row' }, link), rateCell('Published', false),
    rateCell('Delivered', true), explained('Consumers'), explained('Largest lag'),
    number('Ordinals kept'), number('Size'),
  );
}

function updateRow(row, stream) {
  const [, first, second, consumers, lag, kept, size] = row.cells;
  updateRate(first, stream.publishedRate);
  updateRate(second, stream.deliveredRate);
  setText(consumers.querySelector('span'), count(all(stream.consumers)));
  setText(consumers.querySelector('small'), kinds(stream.consumers));
  setText(lag.querySelector('span'), count(stream.lag));
  setText(lag.querySelector('small'), left(stream));
  setText(kept, ordinals(stream.floor, stream.next_ordinal));
  setText(size, bytes(stream.bytes));
}
