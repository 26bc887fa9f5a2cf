"""Writes the corpus: what real clients make a real broker deliver. See README.md.

Each scenario writes to a stream of its own and says what bodies it wrote, in order; the Deliver
frames of the stream go to `<name>.frames` (as on the wire: u32 length, frame), and what must be
found in them to `<name>.expected`. The service's code has no part in it.
"""

import argparse
import asyncio
import gzip
import pathlib
import struct
import subprocess
import time

import lz4.frame
import pika
import rstream
import snappy
import zstandard
from rstream.compression import ICompressionCodec, StreamCompressionCodecs

import amqp10
from stream_client import StreamClient, batch, message

FOLDER = pathlib.Path(__file__).parent
# A record that is there and has no body that can be delivered.
UNREADABLE = None
SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


# --- AMQP 0.9.1 -------------------------------------------------------------------------------


def pika_channel(context):
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", context.amqp_port))


@scenario
def pika_plain(context):
    """As the Account Server does it: an exchange, the routing key of the stream, no properties."""
    bodies = [b'{"event":%d}' % n for n in range(8)]
    with pika_channel(context) as connection:
        channel = connection.channel()
        channel.exchange_declare("event-streams", "direct", durable=True)
        channel.queue_bind(context.stream, "event-streams", routing_key="key")
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("event-streams", "key", body)
    return bodies


@scenario
def pika_properties(context):
    headers = {"text": "täxt", "number": 7, "flag": True, "list": [1, "two"], "map": {"a": 1}}
    everything = pika.BasicProperties(
        content_type="application/json", content_encoding="utf-8", headers=headers,
        delivery_mode=2, priority=5, correlation_id="correlation", reply_to="reply",
        expiration="60000", message_id="message-1", timestamp=1_746_042_171, type="type",
        user_id="guest", app_id="app",
    )
    persistent = pika.BasicProperties(delivery_mode=2)
    bodies = [b"everything", b"persistent", b"headers"]
    with pika_channel(context) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body, properties in zip(
            bodies, [everything, persistent, pika.BasicProperties(headers=headers)]
        ):
            channel.basic_publish("", context.stream, body, properties)
    return bodies


@scenario
def pika_sizes(context):
    """One more than each width of a length, and bytes that are no text."""
    bodies = [b"x" * n for n in [0, 1, 255, 256, 257, 3000]] + [bytes(range(256))]
    with pika_channel(context) as connection:
        channel = connection.channel()
        for body in bodies:
            channel.basic_publish("", context.stream, body)
    return bodies


# --- the Python stream client -----------------------------------------------------------------


class RegisteredCodec(ICompressionCodec):
    """A codec that a user of rstream brings along, as its documentation shows."""

    def __init__(self, code, pack):
        self.code, self.pack, self.count, self.plain, self.packed = code, pack, 0, b"", b""

    def compress(self, messages):
        self.count, self.plain = len(messages), rows([bytes(each) for each in messages])
        self.packed = self.pack(self.plain)

    def uncompress(self, compressed_data, uncompressed_data_size):
        raise NotImplementedError

    def compressed_size(self):
        return len(self.packed)

    def uncompressed_size(self):
        return len(self.plain)

    def messages_count(self):
        return self.count

    def compression_type(self):
        return self.code

    def data(self):
        return self.packed


def rstream_run(context, work):
    async def run():
        async with rstream.Producer(
            "localhost", context.stream_port, username="guest", password="guest"
        ) as producer:
            await work(producer)

    asyncio.run(run())


@scenario
def rstream_plain(context):
    """AMQP 1.0 messages, and bytes sent as they are, which are no message."""
    properties = rstream._pyamqp.message.Properties(message_id="rstream-1", subject="subject")
    sent = [
        rstream.AMQPMessage(body=b"rstream"),
        rstream.AMQPMessage(body=b"properties", properties=properties),
        rstream.AMQPMessage(body=b"application", application_properties={"id": 3}),
        rstream.AMQPMessage(value="value"),
        b'{"raw":"bytes"}',
    ]

    async def work(producer):
        for each in sent:
            await producer.send_wait(context.stream, each)
        await producer.send_batch(
            context.stream, [rstream.AMQPMessage(body=b"batch %d" % n) for n in range(3)]
        )

    rstream_run(context, work)
    return [b"rstream", b"properties", b"application", b"value", UNREADABLE] + [
        b"batch %d" % n for n in range(3)
    ]


@scenario
def rstream_batches(context):
    """Its own sub-entry batches, plain and gzip, and the codecs a user would register."""
    codecs = rstream.CompressionType
    register = StreamCompressionCodecs.register_codec
    register(codecs.Snappy, RegisteredCodec(2, snappy.compress))
    register(codecs.Lz4, RegisteredCodec(3, lz4.frame.compress))
    register(codecs.Zstd, RegisteredCodec(4, zstandard.compress))
    bodies = []

    async def work(producer):
        for codec in [codecs.No, codecs.Gzip, codecs.Snappy, codecs.Lz4, codecs.Zstd]:
            group = [b"%s event %d" % (codec.name.encode(), n) for n in range(5)]
            bodies.extend(group)
            await producer.send_sub_entry(
                context.stream, [rstream.AMQPMessage(body=body) for body in group], codec
            )

    rstream_run(context, work)
    return bodies


# --- frames put together by hand --------------------------------------------------------------


def rows(messages):
    return b"".join(struct.pack(">I", len(each)) + each for each in messages)


def published(context, entries, name=""):
    client = StreamClient(context.stream_port)
    client.declare(1, context.stream, name)
    client.publish(1, entries)
    client.close()


@scenario
def encodings(context):
    """Every section and every encoding AMQP 1.0 has for it."""
    pairs = amqp10.messages()
    published(context, [message(encoded) for encoded, _ in pairs])
    return [body for _, body in pairs]


@scenario
def rust_client(context):
    """Messages as the Rust stream client encodes them; it can't speak to this broker itself."""
    if context.rust is None:
        return None
    lines = subprocess.run([context.rust], check=True, capture_output=True, text=True).stdout
    published(context, [message(bytes.fromhex(line)) for line in lines.split()])
    return [b"rust plain", b"rust properties", b"rust annotations", b"", b"x" * 300]


@scenario
def named_producer(context):
    """The broker keeps the sequence in the chunk's trailer: counted in the head, not delivered."""
    bodies = [b"named %d" % n for n in range(3)]
    published(context, [message(amqp10.data(body)) for body in bodies], name="producer")
    return bodies


def zstd_as_go(plain):
    """Streamed, so without content size, and with a checksum."""
    packer = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compressobj()
    return packer.compress(plain) + packer.flush()


def lz4_as_java(plain):
    return lz4.frame.compress(
        plain, block_size=lz4.frame.BLOCKSIZE_MAX64KB, block_linked=False, store_size=False
    )


def lz4_as_go(plain):
    return lz4.frame.compress(
        plain, block_size=lz4.frame.BLOCKSIZE_MAX4MB, block_linked=False, store_size=False,
        content_checksum=True,
    )


def lz4_linked(plain):
    return lz4.frame.compress(
        plain, block_size=lz4.frame.BLOCKSIZE_MAX64KB, block_linked=True, block_checksum=True
    )


def snappy_framed(plain):
    packer = snappy.StreamCompressor()
    return packer.add_chunk(plain)


PACKERS = [
    ("none", 0, bytes),
    ("gzip", 1, gzip.compress),
    ("snappy_framed", 2, snappy_framed),
    ("snappy_bare", 2, snappy.compress),
    ("lz4_java", 3, lz4_as_java),
    ("lz4_go", 3, lz4_as_go),
    ("lz4_linked", 3, lz4_linked),
    ("zstd", 4, zstandard.compress),
    ("zstd_go", 4, zstd_as_go),
]


def batch_scenario(name, code, pack):
    """A batch between two messages, and one of more than a block."""

    def run(context):
        small = [b"%s %d" % (name.encode(), n) for n in range(4)] + [b""]
        # More than a block of 64 KiB where that is compressed well, so that the file stays small.
        large = [b"%d" % n * (1200 if pack is not bytes else 20) for n in range(10, 50)]
        entries = [message(amqp10.data(b"before"))]
        for group in [small, large]:
            plain = rows([amqp10.data(body) for body in group])
            entries.append(batch(code, len(group), len(plain), pack(plain)))
        entries.append(message(amqp10.data(b"behind")))
        published(context, entries)
        return [b"before"] + small + large + [b"behind"]

    SCENARIOS[f"batch_{name}"] = run


for packer in PACKERS:
    batch_scenario(*packer)


@scenario
def broken_batches(context):
    """The broker doesn't look inside: what a wrong publisher writes is delivered as it is."""
    plain = rows([amqp10.data(b"a"), amqp10.data(b"b")])
    cut = rows([amqp10.data(b"a"), amqp10.data(b"b")])[:-1]
    packed = gzip.compress(plain)
    bad = UNREADABLE
    wrong = [
        (batch(0, 4, len(plain), plain), [b"a", b"b", bad, bad]),
        (batch(0, 1, len(plain), plain), [b"a"]),
        (batch(0, 2, len(cut), cut), [b"a", bad]),
        (batch(1, 2, len(plain), packed[:-9]), [bad, bad]),
        (batch(1, 2, len(plain), plain), [bad, bad]),
        (batch(1, 2, len(plain) - 1, packed), [bad, bad]),
        (batch(1, 2, 0xFFFFFFFF, packed), [bad, bad]),
        (batch(2, 2, len(plain), packed), [bad, bad]),
        (batch(3, 2, len(plain), packed), [bad, bad]),
        (batch(4, 2, len(plain), packed), [bad, bad]),
        (batch(7, 3, len(plain), plain), [bad, bad, bad]),
        (batch(0, 0, 0, b""), []),
    ]
    entries, bodies = [], []
    for entry, found in wrong:
        entries += [entry, message(amqp10.data(b"neighbour"))]
        bodies += found + [b"neighbour"]
    published(context, entries)
    return bodies


@scenario
def stored_offset(context):
    """A consumer's offset, stored while nobody publishes, becomes a chunk that takes an offset."""
    client = StreamClient(context.stream_port)
    client.declare(1, context.stream)
    client.publish(1, [message(amqp10.data(b"0")), message(amqp10.data(b"1"))])
    client.store_offset("consumer", context.stream, 1)
    # The next answer comes behind it on this connection; the broker's writer gets them in order.
    client.declare(2, context.stream)
    time.sleep(0.5)
    client.publish(1, [message(amqp10.data(b"3"))])
    client.close()
    return [b"0", b"1", ..., b"3"]


# --- from the broker's files ------------------------------------------------------------------


def chunks_on_disk(context):
    """All chunks of the stream's first segment, which never reach a client in this form."""
    (segment,) = context.data.glob(f"__{context.stream}_*/*.segment")
    content, place = segment.read_bytes(), 8
    while place < len(content):
        data_bytes, trailer_bytes, filter_bytes = struct.unpack_from(">IIB", content, place + 36)
        assert filter_bytes == 0, "no filters were asked for"
        end = place + 48 + data_bytes + trailer_bytes
        yield content[place:end]
        place = end


# --- files ------------------------------------------------------------------------------------


def escaped(body: bytes) -> str:
    """As Rust's `escape_ascii`."""
    known = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 39: "\\'", 92: "\\\\"}
    plain = {byte: chr(byte) for byte in range(32, 127)}
    return "".join((plain | known).get(byte, f"\\x{byte:02x}") for byte in body)


def piece_of(body: bytes) -> tuple[int, bytes]:
    """How often which piece makes up a body: a long dull one fits on a short line."""
    for length in range(1, len(body) // 8 if len(body) > 200 else 1):
        count = len(body) // length
        if body == body[:length] * count:
            return count, body[:length]
    return 1, body


def write(name, frames, bodies, between):
    kept = b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)
    (FOLDER / f"{name}.frames").write_bytes(kept)
    lines = ["between\t%d\t%d" % between]
    for offset, body in enumerate(bodies):
        if body is not ...:
            found = "unreadable"
            if body is not UNREADABLE:
                count, piece = piece_of(body)
                found = f"body\t{count}\t{escaped(piece)}"
            lines.append(f"{offset}\t{found}")
    (FOLDER / f"{name}.expected").write_text("\n".join(lines) + "\n")
    print(f"{name}: {len(kept)} bytes in {len(frames)} frames")


def capture(context, name, work):
    context.stream = f"corpus_{name}"
    client = StreamClient(context.stream_port)
    client.create(context.stream)
    try:
        begin = int(time.time() * 1000)
        bodies = work(context)
        if bodies is None:
            return
        records = sum(body is not ... for body in bodies)
        frames = client.deliver(context.stream, records)
        write(name, frames, bodies, (begin, int(time.time() * 1000)))
        if context.data is not None and name in ["stored_offset", "named_producer"]:
            for index, chunk in enumerate(chunks_on_disk(context)):
                (FOLDER / f"{name}_{index}.chunk").write_bytes(chunk)
    finally:
        client.delete(context.stream)
        client.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--amqp-port", type=int, default=5672)
    arguments.add_argument("--stream-port", type=int, default=5552)
    arguments.add_argument("--rust", help="rust_client.rs, built")
    arguments.add_argument("--data", type=pathlib.Path, help="the broker's folder of streams")
    arguments.add_argument("only", nargs="*", help="names of scenarios; all if none is given")
    context = arguments.parse_args()
    for name in context.only or SCENARIOS:
        capture(context, name, SCENARIOS[name])


if __name__ == "__main__":
    main()
