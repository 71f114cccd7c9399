"""Python's xmlrpc.client as the other side of a codec.

    xmlrpc_marshal.py write SEED COUNT    random values, each on a line: what it is, and as response and call
    xmlrpc_marshal.py read                for each line of XML on standard input, in base64, what it says

What a value is, in JSON: its type with its value, so that no type is taken for another; doubles as their bits.
"""

import base64
import json
import random
import struct
import sys
from xmlrpc.client import Binary, DateTime, Fault, dumps, loads

# Not the carriage return: Python writes it as it is, and every reader of XML takes it for a line feed.
CHARACTERS = "aZ09 \t\n<>&\"'];#é€\U0001f600\ud7ff\ue000\ufffd"


def text(rng):
    return "".join(rng.choice(CHARACTERS) for _ in range(rng.randrange(12)))


def scalar(rng):
    kind = rng.randrange(7)
    if kind == 0:
        return rng.choice([0, -1, 2**31 - 1, -(2**31), rng.randrange(-1000, 1000)])
    if kind == 1:
        return rng.random() < 0.5
    if kind == 2:
        while True:
            (number,) = struct.unpack(">d", rng.randbytes(8))
            if number - number == 0:
                return number
    if kind == 3:
        date = f"{rng.randrange(1, 10000):04}{rng.randrange(1, 13):02}{rng.randrange(1, 29):02}"
        return DateTime(f"{date}T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}")
    if kind == 4:
        return Binary(rng.randbytes(rng.randrange(120)))
    if kind == 5:
        return None
    return text(rng)


def value(rng, depth=4):
    kind = rng.randrange(6) if depth else 2
    if kind == 0:
        return [value(rng, depth - 1) for _ in range(rng.randrange(5))]
    if kind == 1:
        return {text(rng): value(rng, depth - 1) for _ in range(rng.randrange(5))}
    return scalar(rng)


def described(value):
    if value is None:
        return ["nil"]
    if isinstance(value, bool):
        return ["boolean", value]
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["double", struct.pack(">d", value).hex()]
    if isinstance(value, str):
        return ["string", value]
    if isinstance(value, DateTime):
        return ["dateTime", value.value]
    if isinstance(value, Binary):
        return ["base64", value.data.hex()]
    if isinstance(value, (list, tuple)):
        return ["array", [described(item) for item in value]]
    return ["struct", [[name, described(item)] for name, item in value.items()]]


def write(seed, count):
    rng = random.Random(seed)
    for _ in range(count):
        one = value(rng)
        code, string = rng.randrange(-1000, 1000), text(rng)
        documents = {
            "response": dumps((one,), methodresponse=True, allow_none=True),
            "call": dumps((one, code), "a.b", allow_none=True),
            "fault": dumps(Fault(code, string)),
        }
        encoded = {key: base64.b64encode(xml.encode()).decode() for key, xml in documents.items()}
        print(json.dumps({"value": described(one), "code": code, "string": string, **encoded}))


def read():
    for line in sys.stdin:
        try:
            params, method = loads(base64.b64decode(line), use_datetime=False)
            print(json.dumps({"params": [described(param) for param in params], "method": method}))
        except Fault as fault:
            print(json.dumps({"code": fault.faultCode, "string": fault.faultString}))


if sys.argv[1] == "write":
    write(int(sys.argv[2]), int(sys.argv[3]))
else:
    read()
