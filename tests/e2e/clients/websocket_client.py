"""Drives Python `websocket-client`; the line protocol is in README.md."""

import json
import struct
import sys
import threading

from websocket import (
    ABNF,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
)

TELLING = threading.Lock()


def tell(connection_id, happening, **more):
    line = json.dumps({"id": connection_id, "on": happening, **more}) + "\n"
    with TELLING:
        sys.stdout.write(line)
        sys.stdout.flush()


class Connection:
    def __init__(self, order):
        self.id = order["id"]
        self.url = order["url"]
        self.headers = [f"{name}: {value}" for name, value in order.get("headers", [])]
        self.socket = WebSocket(enable_multithread=True)

    def connect(self):
        try:
            self.socket.connect(self.url, header=self.headers, timeout=60)
        except OSError as wrong:
            raise RuntimeError("can't connect") from wrong

    def run(self):
        try:
            self.connect()
            # From here on the caller's deadlines count.
            self.socket.settimeout(None)
            tell(self.id, "open")
            while self.read():
                pass
        except WebSocketBadStatusException as refused:
            tell(self.id, "refused", status=refused.status_code)
        except (WebSocketConnectionClosedException, ConnectionError):
            tell(self.id, "closed", code=1006, reason="")
        except Exception as wrong:
            tell(self.id, "failed", why=repr(wrong))

    def read(self):
        # The library answers pings and close frames itself.
        opcode, frame = self.socket.recv_data_frame(control_frame=True)
        if opcode == ABNF.OPCODE_TEXT:
            tell(self.id, "text", data=frame.data.decode())
        elif opcode == ABNF.OPCODE_BINARY:
            tell(self.id, "binary")
        elif opcode == ABNF.OPCODE_PONG:
            tell(self.id, "pong", data=frame.data.decode())
        elif opcode == ABNF.OPCODE_CLOSE:
            code = struct.unpack("!H", frame.data[:2])[0] if frame.data else 1005
            tell(self.id, "closed", code=code, reason=frame.data[2:].decode())
            return False
        return True


def obey(connections, order):
    if order["do"] == "connect":
        connection = connections[order["id"]] = Connection(order)
        threading.Thread(target=connection.run, daemon=True).start()
        return
    socket = connections[order["id"]].socket
    if order["do"] == "send":
        if "text" in order:
            socket.send(order["text"])
        elif "fragments" in order:
            parts = order["fragments"]
            for index, part in enumerate(parts):
                opcode = ABNF.OPCODE_TEXT if index == 0 else ABNF.OPCODE_CONT
                last = 1 if index + 1 == len(parts) else 0
                socket.send_frame(ABNF.create_frame(part, opcode, last))
        else:
            socket.send(order["binary"].encode(), ABNF.OPCODE_BINARY)
    elif order["do"] == "ping":
        socket.ping(order["data"])
    elif order["do"] == "close":
        socket.send_close(order["code"], order["reason"].encode())
    else:
        raise ValueError(order)


CONNECTIONS = {}
for order_line in sys.stdin:
    obey(CONNECTIONS, json.loads(order_line))
