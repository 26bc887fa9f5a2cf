// Keeps a place in an event stream: for browsers and Node alike.

// The event stream is gone, or we asked for something wrong: coming back won't help.
const FINAL = new Set([1000, 1002]);

// [ordinal, event]: JSON events carry their ordinal as a member, all others behind their text.
export function parse(frame) {
  if (frame.startsWith('{')) {
    const event = JSON.parse(frame);
    return [event.ess_ordinal, event];
  }
  const [, text, ordinal] = /^(.*)\|ordinal: (\d+)\|timestamp: \d+$/s.exec(frame);
  return [Number(ordinal), text];
}

// Calls `dealWith(ordinal, event)` for each event until it answers false or the stream ends, and
// resolves to how it ended. `position.load()` gives the last ordinal dealt with, or null;
// `position.store(ordinal)` keeps it; `gap(first, last)` is told of events that are missing.
export async function listen({ location, position, dealWith, gap, WebSocket = globalThis.WebSocket }) {
  let wait = 250;
  for (;;) {
    const ending = await once({
      location, position, gap, WebSocket,
      dealWith: (ordinal, event) => {
        wait = 250;
        return dealWith(ordinal, event);
      },
    });
    if (ending.enough || FINAL.has(ending.code)) return ending;
    // Jitter: all clients were sent away at the same time.
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())));
    wait = Math.min(2 * wait, 10_000);
  }
}

// One connection, to its end.
function once({ location, position, dealWith, gap, WebSocket }) {
  return new Promise((resolve) => {
    let last = position.load();
    // 0: everything that is retained.
    const socket = new WebSocket(`${location}?stream_from_ordinal=${last ?? 0}`);
    let enough = false;
    socket.onmessage = ({ data }) => {
      const [ordinal, event] = parse(data);
      if (enough || (last !== null && ordinal <= last)) return;
      if (last !== null && ordinal > last + 1) gap(last + 1, ordinal - 1);
      enough = !dealWith(ordinal, event);
      // After the event was dealt with: a crash in between brings it again, never loses it.
      position.store(ordinal);
      last = ordinal;
      if (enough) socket.close();
    };
    // An error is always followed by a close.
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }) => resolve({ enough, code, reason });
  });
}
