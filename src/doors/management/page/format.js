// Numbers, sizes, moments and JSON as people read them.

const plain = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const DAY = new Intl.DateTimeFormat('sv', { dateStyle: 'short' });
const UNKNOWN = '–';

export const count = (number) => (number == null ? UNKNOWN : plain.format(number));

// One of them, two of them.
export const several = (number, one) => `${count(number)} ${one}${Number(number) === 1 ? '' : 's'}`;

export function bytes(number) {
  if (number == null) return UNKNOWN;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${number.toFixed(unit === 0 || number >= 100 ? 0 : 1)} ${units[unit]}`;
}

export function rate(perSecond) {
  if (perSecond == null) return UNKNOWN;
  return `${perSecond < 10 ? Math.round(perSecond * 10) / 10 : short.format(perSecond)}/s`;
}

export function duration(seconds) {
  const units = [[86_400, 'd'], [3_600, 'h'], [60, 'min'], [1, 's']];
  const [length, unit] = units.find(([length]) => seconds >= length) ?? [1, 's'];
  return `${Math.floor(seconds / length)} ${unit}`;
}

// What is retained, as the first and the last ordinal.
export function ordinals(floor, next) {
  if (floor == null || next == null) return UNKNOWN;
  return floor < next ? `${floor} to ${next - 1}` : 'none';
}

// Local time to the millisecond; the day too when it isn't today.
export function moment(millis) {
  const at = new Date(millis);
  const day = DAY.format(at);
  const time = `${at.toLocaleTimeString('sv')}.${String(at.getMilliseconds()).padStart(3, '0')}`;
  return day === DAY.format(new Date()) ? time : `${day} ${time}`;
}

// JSON indented, token by token: numbers and strings stay as they were sent, which JSON.parse and
// JSON.stringify don't promise. `text` must be JSON.
export function indented(text) {
  const tokens = text.match(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let depth = 0;
  let out = '';
  const line = () => `\n${'  '.repeat(depth)}`;
  tokens.forEach((token, index) => {
    const empty = (token === '{' && tokens[index + 1] === '}') || (token === '[' && tokens[index + 1] === ']');
    const closesEmpty = index > 0 && '{['.includes(tokens[index - 1]) && '}]'.includes(token);
    if (token === '{' || token === '[') {
      depth += 1;
      out += empty ? token : token + line();
    } else if (token === '}' || token === ']') {
      depth -= 1;
      out += closesEmpty ? token : line() + token;
    } else if (token === ',') out += token + line();
    else out += token === ':' ? ': ' : token;
  });
  return out;
}
