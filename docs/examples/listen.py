"""Prints the events of an event stream and keeps its place: `pip install websockets`.

usage: listen.py LOCATION POSITION_FILE [COUNT]

The file holds the last ordinal that was dealt with; there is none at first. With COUNT it ends after so
many events.
"""

import json
import os
import random
import sys
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

# The event stream is gone, or we asked for something wrong: coming back won't help.
FINAL = {1000, 1002}


def load(path):
    """The last ordinal that was dealt with, or None."""
    try:
        with open(path) as file:
            return int(file.read())
    except FileNotFoundError:
        return None


def store(path, ordinal):
    """In one step: a crash leaves the old ordinal or the new one."""
    with open(path + ".new", "w") as file:
        file.write(str(ordinal))
    os.replace(path + ".new", path)


def parse(frame):
    """(ordinal, event): JSON events carry their ordinal as a member, all others behind their text."""
    if frame.startswith("{"):
        event = json.loads(frame)
        return event["ess_ordinal"], event
    text, ordinal, _timestamp = frame.rsplit("|", 2)
    return int(ordinal.removeprefix("ordinal: ")), text


def listen(location, path, deal_with):
    """Calls deal_with(ordinal, event) until it answers False or the stream ends; says how it ended."""
    wait = 0.25
    while True:
        last = load(path)
        try:
            # 0: everything that is retained.
            with connect(f"{location}?stream_from_ordinal={last or 0}", max_size=None) as socket:
                for frame in socket:
                    wait = 0.25
                    ordinal, event = parse(frame)
                    if last is not None and ordinal <= last:
                        continue
                    if last is not None and ordinal > last + 1:
                        print(f"gap: events {last + 1} to {ordinal - 1} are missing", file=sys.stderr)
                    go_on = deal_with(ordinal, event)
                    # After the event was dealt with: a crash in between brings it again, never loses it.
                    store(path, ordinal)
                    last = ordinal
                    if not go_on:
                        return "enough"
                closed = socket.protocol.close_exc
        except ConnectionClosed as fault:
            closed = fault
        except (OSError, TimeoutError) as fault:
            print(f"can't connect: {fault}", file=sys.stderr)
            closed = None
        if closed is not None and closed.rcvd is not None and closed.rcvd.code in FINAL:
            return f"{closed.rcvd.code} {closed.rcvd.reason}"
        # Jitter: all clients were sent away at the same time.
        time.sleep(wait * random.uniform(0.5, 1.5))
        wait = min(2 * wait, 10)


def main(location, path, count=None):
    left = [int(count) if count else None]

    def show(ordinal, event):
        text = event if isinstance(event, str) else json.dumps(event)
        print(ordinal, text, flush=True)
        if left[0] is not None:
            left[0] -= 1
        return left[0] != 0

    print(listen(location, path, show), file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
