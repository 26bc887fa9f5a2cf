// The internal API, as this page asks it. Every fault is an Error whose message can be shown.

// Longer than the service waits for its own shards.
const PATIENCE_MS = 15_000;

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (fault) {
    const late = fault.name === 'TimeoutError';
    throw new Error(late ? 'The service took too long to answer' : 'The service can’t be reached');
  }
  return answer;
}

async function wanted(path, options) {
  const answer = await ask(path, options);
  if (!answer.ok) throw new Error(await reason(answer));
  return answer.status === 204 ? null : answer.json();
}

// `{"detail":"…"}`, or FastAPI's list of what is wrong with which part.
async function reason(answer) {
  const { detail } = await answer.json().catch(() => ({}));
  if (typeof detail === 'string') return detail;
  if (Array.isArray(detail)) return detail.map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`).join('; ');
  return `${answer.status} ${answer.statusText}`;
}

const post = (type, body) => ({ method: 'POST', headers: { 'content-type': type }, body });

export const status = (query) => wanted(`status?${new URLSearchParams(query)}`);

// 503 is an answer too: it says what is wrong.
export const readiness = async () => (await ask('readyz')).json();

export const create = (creation) => wanted('event-stream/', post('application/json', JSON.stringify(creation)));

export const remove = (id) => wanted(`event-stream/${id}`, { method: 'DELETE' });

export const publish = (id, text, lines) =>
  wanted(`event-stream/${id}/events`, post(lines ? 'application/x-ndjson' : 'text/plain', text));
