// The list of received events. Everything in it is bounded: the rows shown, and the rows that wait
// for the next frame or, while paused, for the person. What finds no room is left out, and said so.

import { element } from './dom.js';
import { count, indented, moment, several } from './format.js';

export const SHOWN_MAX = 300;
export const WAITING_MAX = 1_000;
const WAITING_CHARS_MAX = 8 * 1024 * 1024;
const TEXT_CHARS_MAX = 16 * 1024;

export class Events {
  #list;
  #changed;
  #waiting = [];
  #chars = 0;
  #leftOut = 0;
  #drawing = false;
  #paused = false;
  pretty = true;

  // `changed` is called when the numbers of waiting and left out events have changed.
  constructor(list, changed) {
    this.#list = list;
    this.#changed = changed;
  }

  get paused() {
    return this.#paused;
  }

  pause(paused) {
    this.#paused = paused;
    this.#later();
    this.#changed();
  }

  clear() {
    this.#waiting = [];
    this.#chars = 0;
    this.#leftOut = 0;
    this.#list.replaceChildren();
    this.#changed();
  }

  event({ ordinal, timestamp, text, json }) {
    this.#wait({ ordinal, timestamp, json, length: text.length, text: text.slice(0, TEXT_CHARS_MAX) });
  }

  gap(first, last) {
    const which = first === last ? `Ordinal ${first} is` : `Ordinals ${first} to ${last} are`;
    this.#wait({ told: `Gap: ${which} missing, not retained any more or not deliverable.`, text: '' });
  }

  // What waits, as a sentence for whoever has paused.
  get summary() {
    if (!this.#paused) return '';
    const lost = this.#leftOut > 0 ? `; ${count(this.#leftOut)} left out, the oldest` : '';
    return `Paused: ${several(this.#waiting.length, 'event')} waiting${lost}.`;
  }

  #wait(row) {
    this.#waiting.push(row);
    this.#chars += row.text.length;
    while (this.#waiting.length > WAITING_MAX || this.#chars > WAITING_CHARS_MAX) {
      this.#chars -= this.#waiting.shift().text.length;
      this.#leftOut += 1;
    }
    if (this.#paused) this.#changed();
    this.#later();
  }

  #later() {
    if (this.#drawing || this.#paused) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      if (!this.#paused) this.#draw();
    });
  }

  #draw() {
    const list = this.#list;
    const following = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    // One row is for what was left out.
    const passed = Math.max(0, this.#waiting.length - (SHOWN_MAX - 1));
    const left = this.#leftOut + passed;
    const rows = this.#waiting.slice(passed).map((row) => this.#row(row));
    if (left > 0) {
      const why = 'they came faster than this page shows them';
      rows.unshift(told(`${several(left, 'event')} left out here: ${why}.`));
    }
    this.#waiting = [];
    this.#chars = 0;
    this.#leftOut = 0;
    list.append(...rows);
    while (list.children.length > SHOWN_MAX) list.firstElementChild.remove();
    if (following) list.scrollTop = list.scrollHeight;
  }

  #row({ ordinal, timestamp, text, json, length, told: note }) {
    if (note) return told(note);
    const head = element('div');
    if (ordinal !== null) {
      const at = element('time', { dateTime: new Date(timestamp).toISOString() }, moment(timestamp));
      head.append(element('b', {}, `${ordinal}`), at);
    }
    if (length > text.length) head.append(`the first ${count(text.length)} of ${count(length)} characters`);
    const whole = json && length === text.length;
    return element('li', {}, head, element('pre', {}, whole && this.pretty ? indented(text) : text));
  }
}

const told = (text) => element('li', { className: 'told' }, text);
