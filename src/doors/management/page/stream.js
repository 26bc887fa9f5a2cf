// One stream: its state, its events as they come, publishing, its addresses.

import * as api from './api.js';
import * as dialogs from './dialogs.js';
import { by, element, reconcile, say, setText } from './dom.js';
import { Events } from './events.js';
import { bytes, count, ordinals, rate } from './format.js';
import { all, kinds, left, tiles } from './overview.js';
import { Rate } from './spark.js';
import { Tail } from './tail.js';

let name = null;
let store = 'log';
let stream = null;
let tail = null;
let state = '';
let rates;
let refresh;
const events = new Events(by('events'), showListening);

// Shows the stream `chosen`; `again` asks the service anew.
export function open(chosen, again) {
  if (name === chosen) return;
  close();
  name = chosen;
  refresh = again;
  rates = { published: new Rate(), delivered: new Rate() };
  by('known').hidden = true;
  by('unknown').hidden = true;
  by('facts').replaceChildren();
  by('addresses').replaceChildren();
  by('event').value = '';
  setText(by('stream-title'), name);
  state = 'Not listening.';
  events.clear();
  showListening();
}

export function close() {
  stop();
  name = null;
  stream = null;
}

export const query = () => ({ routing_key: name, limit: 1 });

export function show({ at, service, streams }) {
  store = service.store;
  stream = streams.find(({ routing_key: key }) => key === name) ?? null;
  by('unknown').hidden = stream !== null;
  by('known').hidden = stream === null;
  if (!stream) return;
  rates.published.look(at, stream.published);
  rates.delivered.look(at, stream.delivered);
  showFacts();
  reconcile(by('addresses'), stream.event_streams, ({ id }) => id, makeAddress, () => {});
}

function showFacts() {
  tiles(by('facts'), [
    ['Published', rate(rates.published.now), rates.published],
    ['Delivered', rate(rates.delivered.now), rates.delivered],
    ['Consumers', count(all(stream.consumers)), kinds(stream.consumers)],
    ['Largest lag', count(stream.lag), left(stream)],
    ['Ordinals kept', ordinals(stream.floor, stream.next_ordinal)],
    ['Size', bytes(stream.bytes)],
    ['Home', `shard ${stream.shard}`, stream.open ? '' : 'not open there'],
  ]);
}

function makeAddress({ id, location }) {
  const copy = element('button', { type: 'button', aria: { label: `Copy location ${id}` } }, 'Copy');
  copy.onclick = async () => {
    try {
      await navigator.clipboard.writeText(location);
      say('The location is copied.');
    } catch {
      say('This browser doesn’t let the page copy here: select the location instead.');
    }
  };
  const remove = element(
    'button', { type: 'button', className: 'danger', aria: { label: `Delete address ${id}` } }, 'Delete…',
  );
  remove.onclick = () => dialogs.remove(store, stream, id, (last) => {
    if (last) window.location.hash = '#/';
    else refresh();
  });
  return element(
    'li', {}, element('span', { className: 'quiet' }, `${id}`),
    element('span', { className: 'location' }, location), copy, remove,
  );
}

// Listening

function start() {
  const { value } = by('from');
  if (value === 'all') return { stream_from_ordinal: '0' };
  if (value === 'ordinal') {
    const ordinal = by('ordinal').value.trim();
    if (!/^\d{1,20}$/.test(ordinal)) throw new Error('An ordinal is a whole number, 0 or more.');
    return { stream_from_ordinal: ordinal };
  }
  if (value === 'time') {
    const time = Date.parse(by('time').value);
    if (Number.isNaN(time)) throw new Error('Say a day and a time.');
    return { stream_from_timestamp: String(time) };
  }
  return {};
}

function listen() {
  const [first] = stream.event_streams;
  let query;
  try {
    query = start();
  } catch (fault) {
    tell(fault.message);
    return;
  }
  events.clear();
  tail = new Tail(first.location, query, {
    event: (event) => events.event(event),
    gap: (from, to) => events.gap(from, to),
    state: (text, ended) => {
      if (ended) stop();
      tell(text);
    },
  });
  tail.start();
  showButtons();
}

function stop() {
  tail?.stop();
  tail = null;
  if (events.paused) events.pause(false);
  showButtons();
}

function tell(text) {
  state = text;
  showListening();
}

function showListening() {
  setText(by('listening'), events.summary || state);
}

function showButtons() {
  by('start').textContent = tail ? 'Stop' : 'Listen';
  by('start').classList.toggle('main', !tail);
  by('pause').disabled = !tail;
  by('pause').setAttribute('aria-pressed', String(events.paused));
}

by('listen').onsubmit = (event) => {
  event.preventDefault();
  if (tail) {
    stop();
    tell('Not listening.');
  } else if (stream) {
    listen();
  }
};
by('pause').onclick = () => {
  events.pause(!events.paused);
  showButtons();
};
by('clear').onclick = () => events.clear();
by('pretty').onchange = ({ target }) => {
  events.pretty = target.checked;
};
by('from').onchange = ({ target }) => {
  by('ordinal-label').hidden = target.value !== 'ordinal';
  by('time-label').hidden = target.value !== 'time';
};

// Publishing and addresses

by('publish').onsubmit = async (event) => {
  event.preventDefault();
  const text = by('event').value;
  try {
    const receipt = await api.publish(stream.event_streams[0].id, text, by('lines').checked);
    say(published(receipt));
    refresh();
  } catch (fault) {
    say(`Not published. ${fault.message}`);
  }
};
by('event').onkeydown = (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) by('publish').requestSubmit();
};
by('another').onclick = async () => {
  try {
    await api.create({ routing_key: name });
    say('There is one more address.');
    refresh();
  } catch (fault) {
    say(fault.message);
  }
};

function published({ first_ordinal: first, last_ordinal: last, undeliverable }) {
  const which = first === last ? `Stored with ordinal ${first}.` : `Stored with ordinals ${first} to ${last}.`;
  if (!undeliverable) return which;
  const [{ ordinal, reason }] = undeliverable;
  return `${which} But ${ordinal} will be delivered to nobody: ${reason}.`;
}
