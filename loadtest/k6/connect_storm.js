// Everybody comes at once, as after an outage: how long from connect to the first event?
//
// RATE connects a second (500), SECONDS (20), HISTORY events the stream has (1000), P99 in
// milliseconds (500).

import { WebSocket } from 'k6/websockets';
import { Counter, Trend } from 'k6/metrics';
import { create, number, publish, remove } from './ess.js';

const rate = number('RATE', 500);

const first = new Trend('ess_connect_to_first_event', true);
const arrived = new Counter('ess_arrived');
const faults = new Counter('ess_faults');

export const options = {
  scenarios: {
    storm: {
      executor: 'constant-arrival-rate',
      duration: `${number('SECONDS', 20)}s`,
      rate,
      timeUnit: '1s',
      preAllocatedVUs: rate,
      maxVUs: 4 * rate,
    },
  },
  thresholds: {
    ess_connect_to_first_event: [`p(99)<${number('P99', 500)}`],
    ess_faults: ['count==0'],
    dropped_iterations: ['count==0'],
  },
};

export function setup() {
  const stream = create('storm');
  publish(stream, number('HISTORY', 1000), 256);
  return stream;
}

export default function storm(stream) {
  const began = Date.now();
  const socket = new WebSocket(`${stream.url}?stream_from_ordinal=0`);
  let had = false;
  socket.onmessage = () => {
    if (!had) {
      had = true;
      first.add(Date.now() - began);
      arrived.add(1);
      socket.close();
    }
  };
  socket.onerror = () => had || faults.add(1);
}

export function teardown(stream) {
  remove(stream);
}
