// Which view is shown, and asking the service anew while somebody looks.

import * as api from './api.js';
import * as dialogs from './dialogs.js';
import { by, setText } from './dom.js';
import { moment } from './format.js';
import * as health from './health.js';
import * as overview from './overview.js';
import * as stream from './stream.js';

const INTERVAL_MS = 2_000;
// One question in so many asks for the health too.
const READINESS_EACH = 3;

let view = null;
let store = 'log';
let timer = null;
let asked = 0;
let untilReadiness = 0;

// The view that the address names.
function route() {
  const { hash } = window.location;
  const named = /^#\/stream\/(.+)$/.exec(hash);
  if (named) {
    try {
      return { id: 'stream', name: decodeURIComponent(named[1]) };
    } catch {
      return { id: 'overview' };
    }
  }
  return { id: hash === '#/health' ? 'health' : 'overview' };
}

function enter() {
  const first = view === null;
  view = route();
  if (view.id === 'stream') stream.open(view.name, poll);
  else stream.close();
  for (const id of ['overview', 'health', 'stream']) by(id).hidden = id !== view.id;
  const title = by(`${view.id}-title`);
  document.title = `${title.textContent} · ESS`;
  // Whoever came by a link inside the page goes on reading at the new title.
  if (!first) title.focus();
  untilReadiness = 0;
  poll();
}

function query() {
  if (view.id === 'stream') return stream.query();
  return view.id === 'health' ? { limit: 0 } : overview.query();
}

// Asks once; the answer to an older question is thrown away.
async function poll() {
  clearTimeout(timer);
  if (document.hidden) return;
  const readinessWanted = untilReadiness === 0;
  untilReadiness = readinessWanted ? READINESS_EACH - 1 : untilReadiness - 1;
  asked += 1;
  const mine = asked;
  try {
    const [status, readiness] = await Promise.all([api.status(query()), readinessWanted ? api.readiness() : null]);
    if (mine !== asked) return;
    show(status, readiness);
    by('away').hidden = true;
  } catch (fault) {
    if (mine !== asked) return;
    away(fault);
  }
  timer = setTimeout(poll, INTERVAL_MS);
}

function show(status, readiness) {
  store = status.service.store;
  setText(by('version'), status.service.version);
  if (readiness) health.showReadiness(readiness);
  if (view.id === 'overview') overview.show(status);
  if (view.id === 'health') health.showShards(status);
  if (view.id === 'stream') stream.show(status);
}

function away({ message }) {
  untilReadiness = 0;
  if (by('away').hidden) setText(by('away'), `${message} (${moment(Date.now())}). Trying again.`);
  by('away').hidden = false;
  setText(by('ready'), 'No answer');
  by('ready').className = 'pill ill';
}

// A pause after the last key, so that a word is one question.
function soon() {
  clearTimeout(timer);
  timer = setTimeout(poll, 200);
}

by('contains').oninput = soon;
by('order').onchange = poll;
by('search').onsubmit = (event) => {
  event.preventDefault();
  poll();
};
by('create').onclick = () => dialogs.create(store, (name) => {
  window.location.hash = `#/stream/${encodeURIComponent(name)}`;
});
// Not by its address: that names the view.
document.querySelector('.skip').onclick = (event) => {
  event.preventDefault();
  by('main').focus();
};
document.addEventListener('visibilitychange', poll);
window.addEventListener('hashchange', enter);
enter();
