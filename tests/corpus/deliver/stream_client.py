"""The RabbitMQ stream protocol on a plain socket: as little as capture.py needs.

Deliver frames are kept as they arrive, byte for byte. Nothing here is shared with the service.
"""

import socket
import struct

DECLARE_PUBLISHER, PUBLISH, PUBLISH_CONFIRM, SUBSCRIBE, DELIVER, CREDIT = 1, 2, 3, 7, 8, 9
STORE_OFFSET, CREATE, DELETE, PEER_PROPERTIES = 10, 13, 14, 17
SASL_HANDSHAKE, SASL_AUTHENTICATE, TUNE, OPEN, HEARTBEAT = 18, 19, 20, 21, 23
FIRST = struct.pack(">H", 1)


def text(value: str) -> bytes:
    return struct.pack(">h", len(value.encode())) + value.encode()


def data(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


def message(body: bytes) -> bytes:
    """An entry of a publish frame: one record."""
    return data(body)


def batch(code: int, records: int, inflated: int, body: bytes) -> bytes:
    """An entry of a publish frame: a sub-entry batch that says of itself what it is told to."""
    return struct.pack(">BHII", 0x80 | code << 4, records, inflated, len(body)) + body


class StreamClient:
    """One connection, one subscription at the most."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.buffer = b""
        self.correlation = 0
        self.publishing_id = 0
        self.confirmed = 0
        self.delivered: list[bytes] = []
        self.request(PEER_PROPERTIES, struct.pack(">i", 0))
        self.request(SASL_HANDSHAKE, b"")
        self.request(SASL_AUTHENTICATE, text("PLAIN") + data(b"\0guest\0guest"))
        self.read_until(lambda key, _: key == TUNE)
        self.send(TUNE, struct.pack(">II", 0, 0))
        self.request(OPEN, text("/"))

    def close(self) -> None:
        self.socket.close()

    def create(self, stream: str) -> None:
        self.request(CREATE, text(stream) + struct.pack(">i", 0))

    def delete(self, stream: str) -> None:
        self.request(DELETE, text(stream))

    def declare(self, publisher: int, stream: str, name: str = "") -> None:
        self.request(DECLARE_PUBLISHER, bytes([publisher]) + text(name) + text(stream))

    def publish(self, publisher: int, entries: list[bytes]) -> None:
        """Sends all entries in one frame, which the broker makes one chunk of if it is idle."""
        body = bytes([publisher]) + struct.pack(">i", len(entries))
        for entry in entries:
            self.publishing_id += 1
            body += struct.pack(">Q", self.publishing_id) + entry
        wanted = self.confirmed + len(entries)
        self.send(PUBLISH, body)
        self.read_until(lambda *_: self.confirmed >= wanted)

    def store_offset(self, reference: str, stream: str, offset: int) -> None:
        self.send(STORE_OFFSET, text(reference) + text(stream) + struct.pack(">Q", offset))

    def deliver(self, stream: str, records: int) -> list[bytes]:
        """The Deliver frames of a stream from its start, until so many records came."""
        first = struct.pack(">H", 1)
        self.request(SUBSCRIBE, b"\0" + text(stream) + first + struct.pack(">Hi", 10, 0))

        def enough(*_: object) -> bool:
            counts = [struct.unpack_from(">I", frame, 9)[0] for frame in self.delivered]
            return sum(counts) >= records

        self.read_until(enough)
        return self.delivered

    def request(self, key: int, body: bytes) -> None:
        self.correlation += 1
        self.send(key, struct.pack(">I", self.correlation) + body)
        answer = self.read_until(lambda got, _: got == key | 0x8000)
        correlation, code = struct.unpack_from(">IH", answer, 4)
        assert correlation == self.correlation, "answers come in order"
        assert code == 1, f"request {key} was refused with code {code}"

    def send(self, key: int, body: bytes) -> None:
        self.socket.sendall(struct.pack(">IHH", len(body) + 4, key, 1) + body)

    def read_until(self, wanted) -> bytes:
        """Reads frames until one is wanted, and returns it."""
        while True:
            frame = self.read_frame()
            key = struct.unpack_from(">H", frame)[0]
            if key == DELIVER:
                self.delivered.append(frame)
                self.send(CREDIT, b"\0" + struct.pack(">H", 1))
            elif key == PUBLISH_CONFIRM:
                self.confirmed += struct.unpack_from(">I", frame, 5)[0]
            if wanted(key, frame):
                return frame

    def read_frame(self) -> bytes:
        (length,) = struct.unpack(">I", self.read_bytes(4))
        return self.read_bytes(length)

    def read_bytes(self, count: int) -> bytes:
        while len(self.buffer) < count:
            received = self.socket.recv(65536)
            assert received, "the broker hung up"
            self.buffer += received
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken
