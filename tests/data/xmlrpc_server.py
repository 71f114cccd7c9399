"""The XML-RPC server of Locust's old example, on Python 3, for tests that load a real one.

    xmlrpc_server.py [--port 8877] [--sleep 1.0]

It prints the address it listens on; port 0 takes a free one. Each call takes a random time of up to `--sleep` seconds.
Every connection has a thread, so that many users can be served at once, and is kept. It counts the calls that come in by
their method: `counts` gives them, and is not counted itself. `echo` gives back what it is given, `faulty` a fault.
"""

import argparse
import random
import threading
import time
from collections import Counter
from socketserver import ThreadingMixIn
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

lock = threading.Lock()
counts = Counter()


class Handler(SimpleXMLRPCRequestHandler):
    protocol_version = "HTTP/1.1"
    # The head and the body go out in two writes, the second of which waits for the first to be acknowledged otherwise.
    disable_nagle_algorithm = True


class Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True

    def _dispatch(self, method, params):
        if method != "counts":
            with lock:
                counts[method] += 1
        return super()._dispatch(method, params)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8877)
    parser.add_argument("--sleep", type=float, default=1.0)
    options = parser.parse_args()

    def get_time():
        time.sleep(random.random() * options.sleep)
        return time.time()

    def get_random_number(low, high):
        time.sleep(random.random() * options.sleep)
        return random.randint(low, high)

    def echo(value):
        return value

    def faulty(code, text):
        raise Fault(code, text)

    def show_counts():
        with lock:
            return dict(counts)

    server = Server(
        ("127.0.0.1", options.port), Handler, logRequests=False, allow_none=True, use_builtin_types=True
    )
    server.register_function(get_time, "get_time")
    server.register_function(get_random_number, "get_random_number")
    server.register_function(echo, "echo")
    server.register_function(faulty, "faulty")
    server.register_function(show_counts, "counts")
    print(f"Listening on http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
