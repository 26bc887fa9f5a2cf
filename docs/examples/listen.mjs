// Prints the events of an event stream and keeps its place. Node 22 has a WebSocket of its own; before
// that, `npm install ws`.
//
// usage: node listen.mjs LOCATION POSITION_FILE [COUNT]

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { listen } from './events.mjs';

const WebSocket = globalThis.WebSocket ?? createRequire(import.meta.url)('ws').WebSocket;
const [location, path, count] = process.argv.slice(2);
let left = count ? Number(count) : Infinity;

const position = {
  load() {
    try {
      return Number(readFileSync(path, 'utf8'));
    } catch (fault) {
      if (fault.code === 'ENOENT') return null;
      throw fault;
    }
  },
  // In one step: a crash leaves the old ordinal or the new one.
  store(ordinal) {
    writeFileSync(`${path}.new`, String(ordinal));
    renameSync(`${path}.new`, path);
  },
};

const ending = await listen({
  location,
  position,
  WebSocket,
  dealWith(ordinal, event) {
    console.log(ordinal, typeof event === 'string' ? event : JSON.stringify(event));
    left -= 1;
    return left > 0;
  },
  gap: (first, last) => console.error(`gap: events ${first} to ${last} are missing`),
});
console.error(ending.enough ? 'enough' : `${ending.code} ${ending.reason}`);
