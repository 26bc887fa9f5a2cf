// One event stream, listened to like any client does: at its location, over the WebSocket.

const WAIT_MS_MIN = 500;
const WAIT_MS_MAX = 10_000;
// The stream is gone, or we asked for something wrong: coming back won't help.
const FINAL = new Set([1000, 1002]);
const JSON_HEAD = /^\{"ess_ordinal":(\d+),"ess_timestamp":(\d+),?/;
const TEXT_END = /\|ordinal: (\d+)\|timestamp: (\d+)$/;

// What a frame holds. Ordinals are BigInt: they have 64 bits. A classic exchange gives none.
export function parse(frame) {
  const json = JSON_HEAD.exec(frame);
  const marks = json ?? TEXT_END.exec(frame);
  if (!marks) return { ordinal: null, timestamp: null, text: frame, json: frame.startsWith('{') };
  const text = json ? `{${frame.slice(json[0].length)}` : frame.slice(0, marks.index);
  return { ordinal: BigInt(marks[1]), timestamp: Number(marks[2]), text, json: json !== null };
}

export class Tail {
  #location;
  #start;
  #told;
  #socket = null;
  #timer = null;
  #wait = WAIT_MS_MIN;
  #last = null;

  // `start`: a query of the public port. `told`: functions `event`, `gap(first, last)`,
  // `state(text, ended)`.
  constructor(location, start, told) {
    this.#location = location;
    this.#start = start;
    this.#told = told;
    if (start.stream_from_ordinal > 0) this.#last = BigInt(start.stream_from_ordinal);
  }

  start() {
    this.#connect();
  }

  stop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #connect() {
    const start = this.#last === null ? this.#start : { stream_from_ordinal: this.#last };
    const query = new URLSearchParams(start).toString();
    this.#told.state('Connecting…');
    let socket;
    try {
      socket = new WebSocket(query ? `${this.#location}?${query}` : this.#location);
    } catch (fault) {
      this.#told.state(`This page may not connect to ${this.#location}: ${fault.message}`, true);
      return;
    }
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#told.state('Listening.');
    };
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket && typeof data === 'string') this.#take(parse(data));
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket === socket) this.#closed(code, reason, opened);
    };
  }

  #take(event) {
    this.#wait = WAIT_MS_MIN;
    const { ordinal } = event;
    if (ordinal !== null) {
      if (this.#last !== null && ordinal > this.#last + 1n) this.#told.gap(this.#last + 1n, ordinal - 1n);
      this.#last = ordinal;
    }
    this.#told.event(event);
  }

  #closed(code, reason, opened) {
    this.#socket = null;
    if (FINAL.has(code)) {
      this.#told.state(`Ended by the service: ${reason || code}.`, true);
      return;
    }
    const why = opened
      ? `Interrupted (${reason || code})`
      : `No connection to ${this.#location} from this browser`;
    // Jitter: all clients were sent away at the same time.
    const wait = this.#wait * (0.5 + Math.random());
    this.#wait = Math.min(2 * this.#wait, WAIT_MS_MAX);
    this.#told.state(`${why}; trying again.`);
    this.#timer = setTimeout(() => this.#connect(), wait);
  }
}
