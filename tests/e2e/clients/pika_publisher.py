"""RabbitMQ as the Account Server uses it: streams, exchanges and confirmed publishes by pika.

usage: pika_publisher.py URL [CA [CERT KEY]]

The protocol is in README.md. With CERT and KEY the client logs in as its certificate (EXTERNAL).
"""

import contextlib
import json
import signal
import socket
import ssl
import sys
import time

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ChannelClosedByBroker

STREAM = {"x-queue-type": "stream"}
WINDOW = 1_000  # publishes on their way; the broker confirms them in batches
CONFIRM_SECONDS_MAX = 20
CONNECT_SECONDS_MAX = 10
# Without a step forward: a node that has lost others of its cluster may take half a minute to answer
# anything, also a farewell, and pika waits as long as the connection is there.
STEP_SECONDS_MAX = 30


class Broker:
    """A connection that is made when it is needed, and again after it broke. Every wait is bounded."""

    def __init__(self, url: str, files: list[str]) -> None:
        self.parameters = pika.URLParameters(url)
        # This program only listens to the broker while an order runs.
        self.parameters.heartbeat = 0
        self.parameters.blocked_connection_timeout = CONFIRM_SECONDS_MAX
        self.parameters.connection_attempts = 1
        self.parameters.socket_timeout = CONNECT_SECONDS_MAX / 2
        self.parameters.stack_timeout = CONNECT_SECONDS_MAX
        if files:
            tls = ssl.create_default_context(cafile=files[0])
            if files[1:]:
                tls.load_cert_chain(*files[1:])
                self.parameters.credentials = pika.credentials.ExternalCredentials()
            self.parameters.ssl_options = pika.SSLOptions(tls, self.parameters.host)
        self.connection = None
        self.channel = None
        self.sent = self.confirmed = 0
        self.refused: list[str] = []
        self.doing = ""  # for people: what a failure was met at
        signal.signal(signal.SIGALRM, lambda *_: self.cut())

    def begin(self, step: str) -> None:
        """A step forward. When the next takes too long, the connection is cut, of which pika tells
        whoever waits for it."""
        self.doing = step
        signal.setitimer(signal.ITIMER_REAL, STEP_SECONDS_MAX if step else 0)

    def cut(self) -> None:
        """Cuts the connection as it is: a farewell would be one more wait."""
        transport = self.connection and self.connection._impl._transport
        with contextlib.suppress(AttributeError, OSError):  # gone already
            transport._sock.shutdown(socket.SHUT_RDWR)

    def place(self) -> str:
        """Its node, for people."""
        return f"{self.parameters.host}:{self.parameters.port}"

    def open(self):
        """The channel, in confirm mode."""
        if self.channel is None or not self.channel.is_open:
            if self.connection is None or not self.connection.is_open:
                self.begin("connecting")
                self.connection = None
                self.connection = pika.BlockingConnection(self.parameters)
            self.begin("opening a channel")
            self.channel = self.connection.channel()
            self.sent = self.confirmed = 0
            # The blocking channel's own confirm mode waits for each publish.
            self.channel._impl.confirm_delivery(self.on_confirm)
            self.channel._impl.add_on_return_callback(self.on_return)
        self.begin("asking")
        return self.channel

    def on_confirm(self, frame) -> None:
        method = frame.method
        if isinstance(method, pika.spec.Basic.Nack):
            self.refused.append("not stored")
        self.confirmed = method.delivery_tag if method.multiple else self.confirmed + 1

    def on_return(self, _channel, method, _properties, _body) -> None:
        self.refused.append(f"{method.reply_text}: exchange {method.exchange!r}, "
                            f"key {method.routing_key!r}")

    def declare(self, stream: str, arguments: dict) -> None:
        self.open().queue_declare(stream, durable=True, arguments=STREAM | arguments)

    def exchange(self, exchange: str, type: str) -> None:
        self.open().exchange_declare(exchange, type, durable=True)

    def bind(self, stream: str, exchange: str, key: str) -> None:
        self.open().queue_bind(stream, exchange, key)

    def publish(self, exchange: str, key: str, bodies: list[str], copies: int) -> int:
        channel = self.open()
        self.begin("publishing")
        self.refused = []
        decoded = [body.encode("latin-1") for body in bodies]
        for _ in range(copies):
            for body in decoded:
                channel.basic_publish(exchange, key, body, mandatory=True)
                self.sent += 1
                if self.sent % WINDOW == 0:
                    self.settle()
        self.settle()
        if self.refused:
            raise ValueError(f"{len(self.refused)} refused; {self.refused[0]}")
        return len(decoded) * copies

    def settle(self) -> None:
        """Waits until every publish is confirmed."""
        self.begin(f"waiting for {self.sent - self.confirmed} confirms")
        deadline = time.monotonic() + CONFIRM_SECONDS_MAX
        late = lambda: time.monotonic() > deadline  # noqa: E731
        self.channel._flush_output(lambda: self.confirmed >= self.sent, late)
        if self.confirmed < self.sent:
            # A node that is just starting may lose what it took; its confirms never come.
            self.cut()
            self.connection = self.channel = None
            raise ValueError(f"no confirm within {CONFIRM_SECONDS_MAX} s")
        self.begin("publishing")

    def delete(self, stream: str) -> None:
        self.open().queue_delete(stream)

    def recreate(self, stream: str, arguments: dict) -> None:
        self.delete(stream)
        self.declare(stream, arguments)

    def queue_stats(self, stream: str) -> dict | None:
        try:
            found = self.open().queue_declare(stream, passive=True).method
            return {"messages": found.message_count, "consumers": found.consumer_count}
        except ChannelClosedByBroker as closed:
            # After a start of the broker, a 404 may also say that the stream isn't up yet.
            if closed.reply_code == 404 and "no queue" in closed.reply_text:
                return None
            raise


def main() -> None:
    broker = Broker(sys.argv[1], sys.argv[2:])
    orders = {name: getattr(broker, name) for name in (
        "declare", "exchange", "bind", "publish", "delete", "recreate", "queue_stats")}
    for line in sys.stdin:
        order = json.loads(line)
        name, begun = order.pop("do"), time.monotonic()
        try:
            answer = {"done": orders[name](**order)}
        except (AMQPError, AMQPConnectorException, OSError, ValueError) as failed:
            answer = {"failed": f"{type(failed).__name__}: {failed} ({name} at {broker.place()}, "
                                f"{broker.doing}, {time.monotonic() - begun:.1f} s)"}
        broker.begin("")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
