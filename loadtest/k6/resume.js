// Consumers that are cut off again and again, and go on behind the last event they had: each must
// have every ordinal once, in order.
//
// CONSUMERS (100), RATE events a second (200), SECONDS (30), CUTS of each consumer (10).

import { setTimeout } from 'k6/timers';
import { WebSocket } from 'k6/websockets';
import { Counter } from 'k6/metrics';
import { create, number, publish, read, remove } from './ess.js';

const consumers = number('CONSUMERS', 100);
const rate = number('RATE', 200);
const seconds = number('SECONDS', 30);
const cuts = number('CUTS', 10);
const batch = Math.max(1, Math.round(rate / 10));

const events = new Counter('ess_events');
const resumes = new Counter('ess_resumes');
const wrong = new Counter('ess_gaps_or_repeats');
const incomplete = new Counter('ess_incomplete');

export const options = {
  scenarios: {
    consumers: {
      executor: 'per-vu-iterations',
      exec: 'consume',
      vus: consumers,
      iterations: 1,
      maxDuration: `${seconds + 30}s`,
    },
    publisher: {
      executor: 'constant-arrival-rate',
      exec: 'produce',
      duration: `${seconds}s`,
      rate: 10,
      timeUnit: '1s',
      preAllocatedVUs: 10,
    },
  },
  thresholds: {
    ess_gaps_or_repeats: ['count==0'],
    ess_incomplete: ['count==0'],
    ess_resumes: ['count>0'],
    'http_req_failed{name:publish}': ['rate==0'],
  },
};

export function setup() {
  const stream = create('resume');
  // The first ordinal is another in RabbitMQ: it is asked for, not assumed.
  const { first_ordinal: begin } = publish(stream, 1, 64);
  return { ...stream, begin };
}

export function consume(stream) {
  let last = stream.begin - 1;
  const until = Date.now() + (seconds + 5) * 1000;
  const connect = () => {
    const from = Math.max(last, 0);
    const socket = new WebSocket(`${stream.url}?stream_from_ordinal=${from}`);
    let cut = false;
    socket.onmessage = ({ data }) => {
      // What comes after the cut isn't had: it comes again.
      if (cut) {
        return;
      }
      const { ordinal } = read(data);
      // Behind ordinal 0 means everything: in RabbitMQ there is an event 0.
      if (ordinal === 0 && last === 0) {
        return;
      }
      if (ordinal !== last + 1) {
        wrong.add(1);
      }
      last = ordinal;
      events.add(1);
    };
    setTimeout(() => {
      cut = true;
      socket.close();
      if (Date.now() < until) {
        resumes.add(1);
        connect();
      } else if (last < stream.begin + Math.floor(0.9 * rate * seconds)) {
        incomplete.add(1);
      }
    }, ((seconds + 6) * 1000) / (cuts + 1));
  };
  connect();
}

export function produce(stream) {
  publish(stream, batch, 64);
}

export function teardown(stream) {
  remove(stream);
}
