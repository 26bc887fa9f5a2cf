// Rates from the differences of counters, and their small pictures.

const SAMPLES_MAX = 60;
const WIDTH = 120;
const HEIGHT = 28;
const SVG = 'http://www.w3.org/2000/svg';

// A counter that is looked at now and then. One that falls belongs to a service that was restarted.
export class Rate {
  #last = null;
  samples = [];

  look(at, total) {
    if (total == null) return;
    if (this.#last && at > this.#last.at) {
      const risen = total - this.#last.total;
      this.samples.push(risen < 0 ? 0 : (risen * 1000) / (at - this.#last.at));
      if (this.samples.length > SAMPLES_MAX) this.samples.shift();
    }
    if (!this.#last || at > this.#last.at) this.#last = { at, total };
  }

  get now() {
    return this.samples.at(-1) ?? null;
  }
}

// Rates by name. Those that haven't been looked at for as long as a picture shows are forgotten.
export class Rates {
  #rates = new Map();

  look(name, at, total) {
    const found = this.#rates.get(name) ?? { rate: new Rate(), seen: 0 };
    found.seen = at;
    found.rate.look(at, total);
    this.#rates.set(name, found);
    return found.rate;
  }

  forget(before) {
    for (const [name, { seen }] of this.#rates) if (seen < before) this.#rates.delete(name);
  }
}

// An empty picture: the number beside it says it in words.
export function spark(second = false) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', second ? 'spark second' : 'spark');
  svg.setAttribute('aria-hidden', 'true');
  for (const kind of ['area', 'line']) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', kind);
    svg.append(path);
  }
  return svg;
}

export function draw(svg, { samples }) {
  const most = Math.max(...samples, 1);
  const step = WIDTH / (SAMPLES_MAX - 1);
  const left = WIDTH - (samples.length - 1) * step;
  const points = samples.map((sample, index) => {
    const y = HEIGHT - 1 - (sample / most) * (HEIGHT - 2);
    return `${(left + index * step).toFixed(1)},${y.toFixed(1)}`;
  });
  const [area, line] = svg.children;
  const shape = points.length > 1 ? `M${points.join('L')}` : '';
  line.setAttribute('d', shape);
  area.setAttribute('d', shape && `${shape}L${WIDTH},${HEIGHT}L${left.toFixed(1)},${HEIGHT}Z`);
}
