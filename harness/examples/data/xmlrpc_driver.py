"""A driver of loadr-bench: each call it is given is one of an XML-RPC server's methods, with its parameters.

One JSON object a line comes in, and one goes out: harness/scenarios.md, "Drivers". It measures what it does itself, so that
the time of this program's start and of JSON is not the server's.
"""

import json
import os
import sys
import time
import xmlrpc.client


class Measured(xmlrpc.client.Transport):
    """Counts the bytes of answers."""

    received = 0

    def parse_response(self, response):
        body = response.read()
        self.received = len(body)
        parser, unmarshaller = self.getparser()
        parser.feed(body)
        parser.close()
        return unmarshaller.close()


def main():
    transport = Measured()
    server = xmlrpc.client.ServerProxy(os.environ["SERVER"], transport=transport, allow_none=True)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        call = json.loads(line)
        answer = {"id": call["id"]}
        begun = time.perf_counter()
        try:
            answer["result"] = getattr(server, call["call"])(*call["params"])
        except xmlrpc.client.Fault as fault:
            answer["error"] = f"Fault {fault.faultCode}: {fault.faultString}"
        except (OSError, xmlrpc.client.Error) as error:
            answer["error"] = str(error)
        answer["ms"] = (time.perf_counter() - begun) * 1000
        answer["bytes"] = transport.received
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
