#!/usr/bin/env python3
"""Writes Tests/Fuzz/Seeds: where each fuzz target begins. Run it with the environment of the tests
after the format of a target's input or the schema changed; the seeds are committed.

    "$(deploy/scripts/venv.sh)/bin/python" Tests/Fuzz/make_seeds.py
"""

import gzip
import json
import pathlib
import random
import struct
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "Codec"))

from compare import DESCRIBE, REFUSED, Official, Probe, ROOT  # noqa: E402
from messages import Messages  # noqa: E402

# The order of the targets' own lists.
MESSAGES = ("Scalars", "EachOptional", "EachList", "EachMapKey", "EachMapValue", "EachOneof", "EachWellKnown",
            "Tree", "Nothing", "google.protobuf.Value", "EachUnpacked", "BenchJob")
DOCUMENTS = ("EachScalar", "EachOptional", "EachList", "EachMapKey", "EachMapValue", "EachOneof", "EachWellKnown",
             "Tree", "Options", "google.protobuf.Any", "google.protobuf.Value", "google.protobuf.FieldMask")
LARGEST = 1500


def full(name: str) -> str:
    return name if "." in name else f"oneshot.sample.v1.{name}"


def write(target: str, name: str, data: bytes) -> None:
    folder = HERE / "Seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def messages(official: Official) -> None:
    made = Messages(random.Random(1), official.classes)
    for index, name in enumerate(MESSAGES):
        for number in range(2):
            data = made.make(full(name)).SerializeToString(deterministic=True)
            if len(data) <= LARGEST:
                write("FuzzMessage", f"{name}-{number}", bytes((index,)) + data)
    for index, name in enumerate(DOCUMENTS):
        if name == "Options":
            text = '{"inputUrl": "a", "source_url": "b", "password": "c", "other": "d", "balance": null}'
            write("FuzzJSON", name, bytes((index,)) + text.encode())
            continue
        for number in range(2):
            message = made.make(full(name))
            document = official.print(message)
            data = message.SerializeToString(deterministic=True)
            text = "" if document is REFUSED else json.dumps(document, ensure_ascii=False)
            if text and len(text) <= LARGEST:
                write("FuzzJSON", f"{name}-{number}", bytes((index | 0x40 * number,)) + text.encode())
                write("FuzzJSON", f"{name}-{number}-bytes", bytes((index | 0x80,)) + data)


def http1() -> None:
    requests = {
        "get": b"GET /api/v1/jobs?limit=10 HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\n\r\n",
        "post": b"POST /api/v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "chunked": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n"
                   b"3;a=b\r\nabc\r\n0\r\nx: y\r\n\r\n",
        "expect": b"PUT /u HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        "old": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "absolute": b"GET http://[::1]:80/x%20y HTTP/1.1\r\nHost: [::1]:80\r\nCookie: a=b\r\n\r\n",
        "smuggle": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "options": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    }
    for name, request in requests.items():
        write("FuzzHTTP1", name, b"\x06" + request)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def http2() -> None:
    # :method POST, :scheme http, :path /a, :authority b, then a literal field.
    head = b"\x83\x86\x44\x02/a\x41\x01b\x40\x01x\x01y"
    post = frame(1, 4, 1, head) + frame(0, 1, 1, b"\0\0\0\0\x02\x0a\0")
    frames = {
        "post": post,
        "two": post + frame(1, 5, 3, head) + frame(8, 0, 0, struct.pack(">I", 1000)),
        "continuation": frame(1, 1, 1, head[:5]) + frame(9, 0, 1, head[5:9]) + frame(9, 4, 1, head[9:]),
        "trailers": frame(1, 4, 1, head) + frame(0, 0, 1, b"abc") + frame(1, 5, 1, b"\x40\x01t\x01v"),
        "padded": frame(1, 0x2C, 1, b"\x02" + b"\0\0\0\0\x10" + head + b"\0\0") + frame(0, 9, 1, b"\x01a\0"),
        "reset": frame(1, 4, 1, head) + frame(3, 0, 1, struct.pack(">I", 8)),
        "settings": frame(4, 0, 0, struct.pack(">HIHIHI", 1, 0, 4, 0, 5, 16384)) + frame(4, 1, 0) + post,
        "ping": frame(6, 0, 0, b"12345678") + frame(6, 1, 0, b"12345678") + frame(2, 0, 3, b"\0\0\0\0\x10"),
        "goaway": post + frame(7, 0, 0, struct.pack(">II", 1, 0) + b"bye"),
        "table": frame(1, 5, 1, b"\x3f\xe1\x1f" + head) + frame(1, 5, 3, b"\xbe\x83\x86\x84\x41\x01b"),
        "extension": frame(0x42, 0xFF, 5, b"what") + frame(16, 0, 0, b"\0\0\0\x01u=1") + post,
    }
    answer = frame(1, 4, 1, b"\x88") + frame(0, 0, 1, b"abc") + frame(1, 5, 1, b"\x40\x01s\x010")
    for name, data in frames.items():
        write("FuzzHTTP2", name, b"\x00" + data)
    write("FuzzHTTP2", "pieces", b"\x2a" + post)
    write("FuzzHTTP2", "client", b"\x80" + frame(4, 1, 0) + answer)
    write("FuzzHTTP2", "client-push", b"\x80" + frame(5, 4, 1, b"\0\0\0\x02" + head))
    write("FuzzHTTP2", "no-preface", b"\x40GET / HTTP/1.1\r\n\r\n")


def framing() -> None:
    packed = gzip.compress(b"hello " * 50, mtime=0)
    bomb = gzip.compress(bytes(1 << 20), mtime=0)
    bodies = {
        "one": b"\0\0\0\0\x03abc",
        "three": b"\0\0\0\0\0" * 2 + b"\0\0\0\0\x01a",
        "gzip": b"\1" + struct.pack(">I", len(packed)) + packed,
        "bomb": b"\1" + struct.pack(">I", len(bomb)) + bomb,
        "large": b"\0\xff\xff\xff\xff",
        "flag": b"\2\0\0\0\0",
    }
    for name, body in bodies.items():
        write("FuzzFraming", name, b"\x02" + body)


def main() -> None:
    messages(Official(Probe(ROOT / ".build/release/codec-probe").run(DESCRIBE, "", b"")))
    http1()
    http2()
    framing()


if __name__ == "__main__":
    main()
