"""Publishes by the stream protocol, plain and in sub-entry batches, with Python rstream.

usage: rstream_publisher.py URL PORT [CA [CERT KEY]]

User, password and vhost come from the URL, the stream port from PORT. The protocol is in README.md.
With CERT and KEY the client shows its certificate, but logs in by password: the stream listener of
RabbitMQ 3.10.8 crashes on EXTERNAL (rabbit_stream_reader hands rabbit_auth_mechanism_ssl the state
`peer_properties_exchanged` instead of a new one).
"""

import asyncio
import json
import logging
import ssl
import sys
from urllib.parse import unquote, urlsplit

from rstream import AMQPMessage, CompressionType, Producer
from rstream.exceptions import ClientError, ServerError

FRAME_BYTES = 500_000  # of messages; the broker takes frames of 1 MiB
CONFIRM_SECONDS_MAX = 60
BATCHES = {"none": CompressionType.No, "gzip": CompressionType.Gzip}


def producer() -> Producer:
    url, port, files = urlsplit(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    tls = ssl.create_default_context(cafile=files[0]) if files else None
    if files[1:]:
        tls.load_cert_chain(*files[1:])
    return Producer(
        url.hostname, port, ssl_context=tls, vhost=unquote(url.path[1:]) or "/",
        username=unquote(url.username or "guest"), password=unquote(url.password or "guest"),
    )


async def publish(
    producer: Producer, stream: str, bodies: list[str], copies: int, batch: str | None, raw: bool
) -> int:
    """As many frames as it takes, or one sub-entry of all of it; answers when all is confirmed."""
    decoded = [body.encode("latin-1") for body in bodies] * copies
    # The library sends bytes as they are; a message becomes AMQP 1.0 with one Data section.
    events = decoded if raw else [bytes(AMQPMessage(body=body)) for body in decoded]
    # A sub-entry has one publishing id, however many events are in it.
    wanted = 1 if batch else len(events)
    confirmed = asyncio.Semaphore(0)
    refused = []

    def on_confirm(status) -> None:
        if not status.is_confirmed:
            refused.append(status.response_code)
        confirmed.release()

    async def all_confirmed() -> None:
        for _ in range(wanted):
            await confirmed.acquire()

    if batch:
        await producer.send_sub_entry(stream, events, BATCHES[batch], on_publish_confirm=on_confirm)
    else:
        frame, size = [], 0
        for event in events:
            if frame and size + len(event) > FRAME_BYTES:
                await producer.send_batch(stream, frame, on_publish_confirm=on_confirm)
                frame, size = [], 0
            frame.append(event)
            size += len(event) + 16
        if frame:
            await producer.send_batch(stream, frame, on_publish_confirm=on_confirm)
    await asyncio.wait_for(all_confirmed(), CONFIRM_SECONDS_MAX)
    if refused:
        raise ValueError(f"{len(refused)} refused; code {refused[0]}")
    return len(events)


async def main() -> None:
    logging.disable(logging.CRITICAL)
    loop = asyncio.get_running_loop()
    async with producer() as connected:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            assert order.pop("do") == "publish"
            try:
                answer = {"done": await publish(connected, **order)}
            except (ClientError, ServerError, OSError, ValueError, TimeoutError) as failed:
                answer = {"failed": f"{type(failed).__name__}: {failed}"}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
