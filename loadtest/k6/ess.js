// What the scripts share: an event stream of their own, events that say when they were due.
//
// API: the internal API (http://localhost:8081); WS: the public port, where it isn't the one in the
// locations given out (ws://localhost:8080).

import http from 'k6/http';

const api = __ENV.API || 'http://localhost:8081';

// A number from the environment.
export function number(name, usual) {
  return Number(__ENV[name] || usual);
}

// Makes an event stream; setup() hands it to everybody.
export function create(name) {
  const key = `k6-${name}-${Date.now()}`;
  const answer = http.post(`${api}/event-stream/`, JSON.stringify({ routing_key: key }), {
    headers: { 'Content-Type': 'application/json' },
  });
  if (answer.status !== 201) {
    throw new Error(`no event stream: ${answer.status} ${answer.body}`);
  }
  const { id, location } = answer.json();
  const uuid = location.split('/').pop();
  const url = __ENV.WS ? `${__ENV.WS}/event-stream/${uuid}` : location;
  return { id, url };
}

// Takes it away; for teardown().
export function remove(stream) {
  http.del(`${api}/event-stream/${stream.id}`);
}

// Publishes events, one a line; each says when it was due.
export function publish(stream, count, bytes, due = Date.now()) {
  const line = `due ${due} `.padEnd(bytes, '.');
  const answer = http.post(`${api}/event-stream/${stream.id}/events`, `${line}\n`.repeat(count), {
    headers: { 'Content-Type': 'application/x-ndjson' },
    tags: { name: 'publish' },
  });
  return answer.status === 201 ? answer.json() : null;
}

// What an event says of itself.
export function read(text) {
  const due = /^due (\d+) /.exec(text);
  const ordinal = /\|ordinal: (\d+)\|timestamp: \d+$/.exec(text);
  return { due: due && Number(due[1]), ordinal: ordinal && Number(ordinal[1]) };
}
