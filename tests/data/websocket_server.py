"""A WebSocket server on the package websockets: echoes, in the ways that its paths say.

usage: websocket_server.py (deflate|plain)

Prints its port, serves until SIGTERM, and prints then what it has seen, as JSON.

/           messages come back as they were sent
/fragments  messages come back in fragments of up to 1000 units, with a ping between each two
/push       a message of the server's own every 10 ms, until the client goes
"""

import asyncio
import json
import signal
import sys
from collections import Counter

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

PIECE = 1000

seen = Counter()


async def fragments(connection, message):
    """The pieces of a message; a ping is answered before the next one goes."""
    for start in range(0, len(message), PIECE):
        if start:
            await (await connection.ping())
            seen["pongs"] += 1
        yield message[start : start + PIECE]


async def push(connection):
    number = 0
    while True:
        await connection.send(json.dumps({"type": "push", "id": number}))
        seen["pushes"] += 1
        number += 1
        await asyncio.sleep(0.01)


async def handle(connection):
    seen["connections"] += 1
    seen["compressed"] += bool(connection.protocol.extensions)
    path = connection.request.path
    try:
        if path == "/push":
            await push(connection)
        async for message in connection:
            seen["messages"] += 1
            seen["bytes"] += len(message)
            if path == "/fragments" and len(message) > PIECE:
                await connection.send(fragments(connection, message))
            else:
                await connection.send(message)
    except ConnectionClosed:
        pass
    code = connection.protocol.close_rcvd.code if connection.protocol.close_rcvd else "none"
    seen[f"closed {code}"] += 1


async def main():
    deflate = {"deflate": "deflate", "plain": None}[sys.argv[1]]
    stop = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set_result, None)
    async with serve(
        handle,
        "127.0.0.1",
        0,
        compression=deflate,
        max_size=64 << 20,
        select_subprotocol=lambda _, offered: "chat" if "chat" in offered else None,
    ) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await stop
    print(json.dumps(seen), flush=True)


asyncio.run(main())
