"""Drives Python `websockets`; the line protocol is in README.md."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

LINE_BYTES_MAX = 64 * 1024 * 1024


def tell(connection_id, happening, **more):
    sys.stdout.write(json.dumps({"id": connection_id, "on": happening, **more}) + "\n")
    sys.stdout.flush()


class Connection:
    def __init__(self, order):
        self.id = order["id"]
        self.url = order["url"]
        self.headers = [tuple(pair) for pair in order.get("headers", [])]
        self.socket = None

    async def run(self):
        try:
            self.socket = await connect(
                self.url,
                additional_headers=self.headers,
                max_size=None,
                ping_interval=None,
                open_timeout=60,
                proxy=None,
            )
        except InvalidStatus as refused:
            return tell(self.id, "refused", status=refused.response.status_code)
        tell(self.id, "open")
        try:
            while True:
                message = await self.socket.recv()
                if isinstance(message, str):
                    tell(self.id, "text", data=message)
                else:
                    tell(self.id, "binary")
        except ConnectionClosed as closed:
            received = closed.rcvd
            code, reason = (received.code, received.reason) if received else (1006, "")
            tell(self.id, "closed", code=code, reason=reason)

    async def guarded(self):
        try:
            await self.run()
        except Exception as wrong:
            tell(self.id, "failed", why=repr(wrong))

    async def pinged(self, data):
        waiter = await self.socket.ping(data)
        await waiter
        tell(self.id, "pong", data=data)


async def obey(connections, tasks, order):
    if order["do"] == "connect":
        connection = connections[order["id"]] = Connection(order)
        tasks.append(asyncio.create_task(connection.guarded()))
        return
    connection = connections[order["id"]]
    if order["do"] == "send":
        if "text" in order:
            await connection.socket.send(order["text"])
        elif "fragments" in order:
            await connection.socket.send(order["fragments"])
        else:
            await connection.socket.send(order["binary"].encode())
    elif order["do"] == "ping":
        tasks.append(asyncio.create_task(connection.pinged(order["data"])))
    elif order["do"] == "close":
        tasks.append(
            asyncio.create_task(connection.socket.close(order["code"], order["reason"]))
        )
    else:
        raise ValueError(order)


async def main():
    orders = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    connections, tasks = {}, []
    while line := await orders.readline():
        await obey(connections, tasks, json.loads(line))
    for task in tasks:
        task.cancel()


asyncio.run(main())
