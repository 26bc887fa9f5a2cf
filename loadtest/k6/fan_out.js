// One stream, many consumers, a fixed rate: how long until every one of them has an event?
//
// CONSUMERS (1000), RATE events a second (20), BYTES (256), SECONDS (30), P99 in milliseconds (100).

import { setTimeout } from 'k6/timers';
import { WebSocket } from 'k6/websockets';
import { Counter, Trend } from 'k6/metrics';
import { create, number, publish, read, remove } from './ess.js';

const consumers = number('CONSUMERS', 1000);
const rate = number('RATE', 20);
const bytes = number('BYTES', 256);
const seconds = number('SECONDS', 30);
// Time to connect before the first event, and to receive after the last.
const margin = 10;
const each = Math.min(consumers, 100);

const delivery = new Trend('ess_delivery', true);
const deliveries = new Counter('ess_deliveries');
const gaps = new Counter('ess_gaps');
const faults = new Counter('ess_faults');
const published = new Counter('ess_published');

export const options = {
  setupTimeout: '30s',
  scenarios: {
    consumers: {
      executor: 'per-vu-iterations',
      exec: 'consume',
      vus: Math.ceil(consumers / each),
      iterations: 1,
      maxDuration: `${seconds + 3 * margin}s`,
    },
    publisher: {
      executor: 'constant-arrival-rate',
      exec: 'produce',
      startTime: `${margin}s`,
      duration: `${seconds}s`,
      rate,
      timeUnit: '1s',
      preAllocatedVUs: 10,
    },
  },
  thresholds: {
    ess_delivery: [`p(99)<${number('P99', 100)}`],
    ess_gaps: ['count==0'],
    ess_faults: ['count==0'],
    dropped_iterations: ['count==0'],
    'http_req_failed{name:publish}': ['rate==0'],
  },
};

export function setup() {
  return create('fan-out');
}

// A virtual user has as many consumers as it can read for, on one event loop.
export function consume(stream) {
  const mine = Math.min(each, consumers - (__VU - 1) * each);
  for (let index = 0; index < mine; index += 1) {
    const socket = new WebSocket(stream.url);
    let last = null;
    let leaving = false;
    socket.onmessage = ({ data }) => {
      const { due, ordinal } = read(data);
      delivery.add(Date.now() - due);
      deliveries.add(1);
      if (last !== null && ordinal !== last + 1) {
        gaps.add(1);
      }
      last = ordinal;
    };
    socket.onerror = () => faults.add(1);
    socket.onclose = () => leaving || faults.add(1);
    const leave = () => {
      leaving = true;
      socket.close();
    };
    setTimeout(leave, (seconds + 2 * margin) * 1000);
  }
}

export function produce(stream) {
  if (publish(stream, 1, bytes)) {
    published.add(1);
  }
}

export function teardown(stream) {
  remove(stream);
}
