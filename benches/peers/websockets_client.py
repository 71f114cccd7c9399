"""A load on a WebSocket server by the client of the Python package websockets.

usage: python websockets_client.py URL CONNECTIONS SECONDS MESSAGE

Each connection sends the message, waits for the next one that comes, and so on. Prints one JSON object: messages
answered, the seconds that took, and the CPU time spent meanwhile; connecting is before that.
"""

import asyncio
import json
import resource
import sys
import time

from websockets.asyncio.client import connect


def cpu():
    return resource.getrusage(resource.RUSAGE_SELF)


async def converse(socket, message, deadline):
    answered = 0
    while time.perf_counter() < deadline:
        await socket.send(message)
        answer = await socket.recv()
        if answer != message:
            raise SystemExit(f"{answer!r} came for {message!r}")
        answered += 1
    return answered


async def load(url, connections, seconds, message):
    # No compression, as for the others, and no pings of its own.
    open_one = lambda: connect(url, compression=None, ping_interval=None)
    sockets = await asyncio.gather(*(open_one() for _ in range(connections)))
    before, start = cpu(), time.perf_counter()
    deadline = start + seconds
    counts = await asyncio.gather(*(converse(socket, message, deadline) for socket in sockets))
    elapsed, after = time.perf_counter() - start, cpu()
    print(
        json.dumps(
            {
                "requests": sum(counts),
                "seconds": elapsed,
                "cpu_user_s": after.ru_utime - before.ru_utime,
                "cpu_system_s": after.ru_stime - before.ru_stime,
            }
        )
    )
    await asyncio.gather(*(socket.close() for socket in sockets))


if __name__ == "__main__":
    url, connections, seconds, message = sys.argv[1:]
    asyncio.run(load(url, int(connections), float(seconds), message))
