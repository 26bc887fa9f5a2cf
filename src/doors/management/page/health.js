// Is it ready, and if not, why: what /readyz answers, and the load of each shard.

import { by, element, reconcile, setText } from './dom.js';
import { bytes, count } from './format.js';
import { all, rateCell, updateRate } from './overview.js';
import { Rates } from './spark.js';

const published = new Rates();
const delivered = new Rates();

export function showReadiness({ status, parts }) {
  const well = status === 'ready';
  const pill = by('ready');
  setText(pill, well ? 'Ready' : 'Not ready');
  pill.className = well ? 'pill well' : 'pill ill';
  const make = () => element('li', {}, element('b'), element('span'));
  reconcile(by('parts'), Object.entries(parts), ([name]) => name, make, (item, [name, part]) => {
    item.className = part.status === 'ok' ? '' : 'ill';
    setText(item.firstChild, name);
    setText(item.lastChild, part.reason ?? part.status);
  });
}

export function showShards({ at, shards }) {
  reconcile(by('shards').tBodies[0], shards, ({ shard }) => shard, make, (row, shard) => {
    const [, first, second, streams, consumers, size] = row.cells;
    updateRate(first, published.look(shard.shard, at, shard.published));
    updateRate(second, delivered.look(shard.shard, at, shard.delivered));
    setText(streams, shard.late ? 'no answer in time' : count(shard.streams));
    setText(consumers, shard.late ? count(null) : count(all(shard.consumers)));
    setText(size, bytes(shard.bytes));
  });
}

function make({ shard }) {
  const number = (name) => element('td', { className: 'number', data: { name } });
  return element(
    'tr', {}, element('th', { scope: 'row' }, `Shard ${shard}`), rateCell('Published', false),
    rateCell('Delivered', true), number('Streams'), number('Consumers'), number('Size'),
  );
}
