"""Violations of RFC 9113 and RFC 7541, one frame or block each, and the error that the RFC names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from support.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Target,
    block,
    frame,
    integer,
    literal,
    reset,
    settings,
    window_update,
)

PRIORITISED = 0x20
MAX_FRAME = 16_384
Fields = list[tuple[str, str]]


@dataclass
class Server:
    """A server and how to ask it for something."""

    name: str
    target: Target
    # The head of a POST, its body, and a request whose answer is larger than 64 KiB.
    fields: Fields
    body: bytes
    large: bytes
    large_body: bytes
    streams: int
    # A field with which the head alone is refused.
    refusal: tuple[str, str]

    def post(self, stream: int = 1, *more: tuple[str, str], end: bool = False) -> bytes:
        """A request whose body is still to come."""
        return self.head(stream, [*self.fields, *more], end)

    def head(self, stream: int, fields: Fields, end: bool = False) -> bytes:
        flags = END_HEADERS | (END_STREAM if end else 0)
        return frame(HEADERS, flags, stream, block(*fields))

    def changed(self, name: str, *values: str) -> bytes:
        """The head with other values of one field; without any it is left out."""
        place = [field for field, _ in self.fields].index(name)
        fields = [field for field in self.fields if field[0] != name]
        fields[place:place] = [(name, value) for value in values]
        return self.head(1, fields)

    def refused(self, *more: tuple[str, str]) -> bytes:
        """A head that is answered without waiting for its body."""
        fields = [field for field in self.fields if field[0] != self.refusal[0]]
        place = 0 if self.refusal[0].startswith(":") else len(fields)
        fields.insert(place, self.refusal)
        return self.head(1, [*fields, *more])

    def ask(self, stream: int, *more: tuple[str, str]) -> bytes:
        """A whole request."""
        return self.post(stream, *more) + frame(DATA, END_STREAM, stream, self.body)

    def ask_large(self, stream: int) -> bytes:
        """A whole request whose answer does not fit in a window."""
        if not self.large_body:
            return frame(HEADERS, END_HEADERS | END_STREAM, stream, self.large)
        head = frame(HEADERS, END_HEADERS, stream, self.large)
        return head + frame(DATA, END_STREAM, stream, self.large_body)


@dataclass
class Outcome:
    """What a server has to do; the codes are those that the RFC allows."""

    kind: str
    codes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.kind, " or ".join(self.codes))).strip()


def connection(*codes: str) -> Outcome:
    """GOAWAY with this code, and the end of the connection (§5.4.1)."""
    return Outcome("connection error", codes)


def stream(*codes: str) -> Outcome:
    """RST_STREAM with this code; the connection goes on (§5.4.2)."""
    return Outcome("stream error", codes)


ANSWERED = Outcome("answered")
IGNORED = Outcome("ignored")


@dataclass
class Case:
    section: str
    title: str
    outcome: Outcome
    frames: Callable[[Server], bytes]
    # Sent instead of the preface and an empty SETTINGS.
    first: bytes | None = None
    # Sent before the good request that follows.
    afterwards: bytes = b""
    # A request whose answer has come before the frames are sent.
    before: Callable[[Server], bytes] | None = None

    @property
    def name(self) -> str:
        return "".join(one if one.isalnum() else "_" for one in f"{self.section} {self.title}")


def indexed_head(server: Server, encoded: bytes) -> bytes:
    """The head of a request with bytes of a case's own at the end of its block."""
    return frame(HEADERS, END_HEADERS, 1, block(*server.fields) + encoded)


def split_head(server: Server, between: bytes) -> bytes:
    """A header block in two frames, and what must not stand between them."""
    fields = block(*server.fields)
    first = frame(HEADERS, 0, 1, fields[:20])
    return first + between + frame(CONTINUATION, END_HEADERS, 1, fields[20:])


def setting(identifier: int, value: int) -> bytes:
    payload = identifier.to_bytes(2, "big") + value.to_bytes(4, "big")
    return frame(SETTINGS, 0, 0, payload)


def trailers(*fields: tuple[str, str], end: bool = True) -> bytes:
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), 1, block(*fields))


def too_many_streams(server: Server) -> bytes:
    """Requests whose answers cannot be sent, one more than the server allows."""
    return b"".join(server.post(2 * number + 1) for number in range(server.streams + 1))


NO_WINDOW = PREFACE + settings(window=0)
PROTOCOL, SIZE, FLOW = "PROTOCOL_ERROR", "FRAME_SIZE_ERROR", "FLOW_CONTROL_ERROR"
CLOSED, COMPRESSION = "STREAM_CLOSED", "COMPRESSION_ERROR"

FRAMES = [
    Case(
        "3.4",
        "a preface that is none",
        connection(PROTOCOL),
        lambda s: b"",
        b"GET / HTTP/2.0\r\n\r\nno\r\n\r\n",
    ),
    Case(
        "3.4",
        "a preface without SETTINGS",
        connection(PROTOCOL),
        lambda s: b"",
        PREFACE + frame(PING, 0, 0, bytes(8)),
    ),
    Case("4.1", "a frame of an unknown type", IGNORED, lambda s: frame(0xEE, 0xFF, 0, b"whatever")),
    Case("4.1", "unknown flags of a PING", IGNORED, lambda s: frame(PING, 0xFE, 0, bytes(8))),
    Case(
        "4.1",
        "the reserved bit of a stream identifier",
        ANSWERED,
        lambda s: s.post(1) + frame(DATA, END_STREAM, 1 | 1 << 31, s.body),
    ),
    Case(
        "4.2",
        "DATA over the largest frame",
        connection(SIZE),
        lambda s: s.post() + frame(DATA, 0, 1, bytes(MAX_FRAME + 1)),
    ),
    Case(
        "4.2",
        "HEADERS over the largest frame",
        connection(SIZE),
        lambda s: indexed_head(s, literal("x", bytes(MAX_FRAME))),
    ),
    Case(
        "4.2",
        "an unknown frame over the largest frame",
        connection(SIZE),
        lambda s: frame(0xEE, 0, 0, bytes(MAX_FRAME + 1)),
    ),
    Case("6.1", "DATA on stream 0", connection(PROTOCOL), lambda s: frame(DATA, 0, 0, b"x")),
    Case(
        "6.1",
        "padding longer than its DATA",
        connection(PROTOCOL),
        lambda s: s.post() + frame(DATA, PADDED, 1, b"\x05abc"),
    ),
    Case(
        "6.1",
        "padded DATA",
        ANSWERED,
        lambda s: s.post() + frame(DATA, PADDED | END_STREAM, 1, b"\x07" + s.body + bytes(7)),
    ),
    Case("6.2", "HEADERS on stream 0", connection(PROTOCOL), lambda s: s.post(0)),
    Case(
        "6.2",
        "padding longer than its HEADERS",
        connection(PROTOCOL),
        lambda s: frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + block(*s.fields)[:30]),
    ),
    Case(
        "6.2",
        "HEADERS with padding and a priority",
        ANSWERED,
        lambda s: frame(
            HEADERS,
            END_HEADERS | PADDED | PRIORITISED,
            1,
            b"\x04" + (0).to_bytes(4, "big") + b"\x10" + block(*s.fields) + bytes(4),
        )
        + frame(DATA, END_STREAM, 1, s.body),
    ),
    Case(
        "6.3",
        "PRIORITY on stream 0",
        connection(PROTOCOL),
        lambda s: frame(PRIORITY, 0, 0, bytes(5)),
    ),
    Case(
        "6.3",
        "PRIORITY of four bytes",
        connection(SIZE),
        lambda s: s.post() + frame(PRIORITY, 0, 1, bytes(4)),
    ),
    Case(
        "6.3",
        "PRIORITY on an idle stream",
        IGNORED,
        lambda s: frame(PRIORITY, 0, 99, bytes(4) + b"\x10"),
    ),
    Case(
        "6.4",
        "RST_STREAM on stream 0",
        connection(PROTOCOL),
        lambda s: frame(RST_STREAM, 0, 0, bytes(4)),
    ),
    Case(
        "6.4",
        "RST_STREAM of three bytes",
        connection(SIZE),
        lambda s: s.post() + frame(RST_STREAM, 0, 1, bytes(3)),
    ),
    Case(
        "6.4",
        "RST_STREAM with an unknown code",
        IGNORED,
        lambda s: s.post() + frame(RST_STREAM, 0, 1, b"\xff" * 4),
    ),
    Case(
        "6.5",
        "an answer to SETTINGS with a payload",
        connection(SIZE),
        lambda s: frame(SETTINGS, ACK, 0, bytes(6)),
    ),
    Case("6.5", "SETTINGS on a stream", connection(PROTOCOL), lambda s: frame(SETTINGS, 0, 1, b"")),
    Case(
        "6.5", "SETTINGS of five bytes", connection(SIZE), lambda s: frame(SETTINGS, 0, 0, bytes(5))
    ),
    Case("6.5.2", "ENABLE_PUSH of 2", connection(PROTOCOL), lambda s: setting(2, 2)),
    Case("6.5.2", "INITIAL_WINDOW_SIZE of 2^31", connection(FLOW), lambda s: setting(4, 1 << 31)),
    Case(
        "6.5.2",
        "MAX_FRAME_SIZE of 2^14-1",
        connection(PROTOCOL),
        lambda s: setting(5, (1 << 14) - 1),
    ),
    Case("6.5.2", "MAX_FRAME_SIZE of 2^24", connection(PROTOCOL), lambda s: setting(5, 1 << 24)),
    Case("6.5.2", "an unknown setting", IGNORED, lambda s: setting(0xEE, 7)),
    Case(
        "6.5.3",
        "the last of equal settings counts",
        ANSWERED,
        lambda s: frame(SETTINGS, 0, 0, setting(4, 0)[9:] + setting(4, 1 << 20)[9:]) + s.ask(1),
    ),
    Case(
        "6.6",
        "PUSH_PROMISE of a client",
        connection(PROTOCOL),
        lambda s: s.post()
        + frame(PUSH_PROMISE, END_HEADERS, 1, (2).to_bytes(4, "big") + block(*s.fields)),
    ),
    Case("6.7", "PING on a stream", connection(PROTOCOL), lambda s: frame(PING, 0, 1, bytes(8))),
    Case("6.7", "PING of seven bytes", connection(SIZE), lambda s: frame(PING, 0, 0, bytes(7))),
    Case("6.7", "an answer to no PING", IGNORED, lambda s: frame(PING, ACK, 0, bytes(8))),
    Case(
        "6.8", "GOAWAY on a stream", connection(PROTOCOL), lambda s: frame(GOAWAY, 0, 1, bytes(8))
    ),
    Case(
        "6.9",
        "WINDOW_UPDATE of 0 for the connection",
        connection(PROTOCOL),
        lambda s: window_update(0, 0),
    ),
    Case(
        "6.9",
        "WINDOW_UPDATE of 0 for a stream",
        connection(PROTOCOL),
        lambda s: s.post() + window_update(1, 0),
    ),
    Case(
        "6.9",
        "WINDOW_UPDATE of three bytes",
        connection(SIZE),
        lambda s: frame(WINDOW_UPDATE, 0, 0, bytes(3)),
    ),
    Case(
        "6.9.1",
        "a window of the connection over 2^31-1",
        connection(FLOW),
        lambda s: window_update(0, (1 << 31) - 1),
    ),
    Case(
        "6.9.1",
        "a window of a stream over 2^31-1",
        stream(FLOW),
        lambda s: s.post() + window_update(1, (1 << 31) - 1),
    ),
    # The RFC asks for a connection error; libnghttp2 resets the streams that it concerns.
    Case(
        "6.9.2",
        "SETTINGS that lift a window over 2^31-1",
        stream(FLOW),
        lambda s: s.ask_large(1) + window_update(1, (1 << 31) - 1) + setting(4, 1 << 16),
        NO_WINDOW,
    ),
    Case(
        "6.9.2",
        "a window below zero that is opened again",
        ANSWERED,
        lambda s: setting(4, 3) + s.ask(1) + setting(4, 0) + setting(4, 1 << 16),
    ),
    Case(
        "6.10",
        "CONTINUATION on stream 0",
        connection(PROTOCOL),
        lambda s: frame(CONTINUATION, END_HEADERS, 0, b""),
    ),
    Case(
        "6.10",
        "CONTINUATION without HEADERS",
        connection(PROTOCOL),
        lambda s: frame(CONTINUATION, END_HEADERS, 1, b""),
    ),
    Case(
        "6.10",
        "CONTINUATION after END_HEADERS",
        connection(PROTOCOL),
        lambda s: s.post() + frame(CONTINUATION, END_HEADERS, 1, b""),
    ),
    Case(
        "6.10",
        "a block in three frames",
        ANSWERED,
        lambda s: split_head(s, frame(CONTINUATION, 0, 1, b""))
        + frame(DATA, END_STREAM, 1, s.body),
    ),
    Case(
        "6.10",
        "DATA inside a block",
        connection(PROTOCOL),
        lambda s: split_head(s, frame(DATA, 0, 1, b"x")),
    ),
    Case(
        "6.10",
        "PING inside a block",
        connection(PROTOCOL),
        lambda s: split_head(s, frame(PING, 0, 0, bytes(8))),
    ),
    Case(
        "6.10", "HEADERS inside a block", connection(PROTOCOL), lambda s: split_head(s, s.post(3))
    ),
    Case(
        "6.10",
        "CONTINUATION of another stream",
        connection(PROTOCOL),
        lambda s: split_head(s, frame(CONTINUATION, END_HEADERS, 3, b"")),
    ),
    Case(
        "6.10",
        "an unknown frame inside a block",
        connection(PROTOCOL),
        lambda s: split_head(s, frame(0xEE, 0, 0, b"x")),
    ),
]

STREAMS = [
    Case(
        "5.1",
        "DATA on an idle stream",
        connection(PROTOCOL),
        lambda s: frame(DATA, END_STREAM, 1, b"x"),
    ),
    Case(
        "5.1",
        "RST_STREAM on an idle stream",
        connection(PROTOCOL),
        lambda s: frame(RST_STREAM, 0, 1, bytes(4)),
    ),
    Case(
        "5.1",
        "WINDOW_UPDATE on an idle stream",
        connection(PROTOCOL),
        lambda s: window_update(1, 1),
    ),
    Case(
        "5.1",
        "DATA after END_STREAM",
        connection(CLOSED),
        lambda s: s.ask_large(1) + frame(DATA, END_STREAM, 1, b"x"),
        NO_WINDOW,
    ),
    Case(
        "5.1",
        "HEADERS after END_STREAM",
        connection(CLOSED),
        lambda s: s.ask_large(1) + trailers(("x", "y")),
        NO_WINDOW,
    ),
    Case(
        "5.1",
        "WINDOW_UPDATE and PRIORITY after END_STREAM",
        ANSWERED,
        lambda s: s.ask(1) + window_update(1, 9) + frame(PRIORITY, 0, 1, bytes(4) + b"\x10"),
    ),
    Case(
        "5.1",
        "frames after RST_STREAM",
        IGNORED,
        lambda s: s.post()
        + frame(RST_STREAM, 0, 1, (8).to_bytes(4, "big"))
        + window_update(1, 9)
        + frame(RST_STREAM, 0, 1, bytes(4)),
    ),
    Case(
        "5.1",
        "DATA after RST_STREAM",
        connection(CLOSED),
        lambda s: s.post() + reset(1) + frame(DATA, END_STREAM, 1, s.body),
    ),
    Case(
        "5.1",
        "HEADERS after RST_STREAM",
        connection(CLOSED),
        lambda s: s.post() + reset(1) + trailers(("x", "y")),
    ),
    Case(
        "5.1.1",
        "a stream identifier below an earlier one",
        connection(PROTOCOL),
        lambda s: s.ask(5) + s.ask(3),
    ),
    Case("5.1.1", "an even stream identifier", connection(PROTOCOL), lambda s: s.post(2)),
    Case(
        "5.1.2",
        "a stream over the limit",
        stream("REFUSED_STREAM"),
        too_many_streams,
        afterwards=reset(1),
    ),
]

MESSAGES = [
    Case(
        "8.1",
        "trailers without END_STREAM",
        stream(PROTOCOL),
        lambda s: s.post() + frame(DATA, 0, 1, s.body[:1]) + trailers(("x", "y"), end=False),
    ),
    Case(
        "8.1",
        "a pseudo-header in trailers",
        stream(PROTOCOL),
        lambda s: s.post() + frame(DATA, 0, 1, s.body[:1]) + trailers((":path", "/")),
    ),
    Case(
        "8.1",
        "trailers after a body",
        ANSWERED,
        lambda s: s.post() + frame(DATA, 0, 1, s.body) + trailers(("x", "y")),
    ),
    Case(
        "8.1.1",
        "content-length below the body",
        stream(PROTOCOL),
        lambda s: s.post(1, ("content-length", "1")) + frame(DATA, END_STREAM, 1, s.body),
    ),
    Case(
        "8.1.1",
        "content-length above the body",
        stream(PROTOCOL),
        lambda s: s.post(1, ("content-length", "9999")) + frame(DATA, END_STREAM, 1, s.body),
    ),
    Case(
        "8.1.1",
        "content-length without a body",
        stream(PROTOCOL),
        lambda s: s.post(1, ("content-length", "1"), end=True),
    ),
    Case(
        "8.1.1",
        "content-length that is no number",
        stream(PROTOCOL),
        lambda s: s.post(1, ("content-length", "1x")),
    ),
    Case(
        "8.1.1",
        "content-length twice",
        stream(PROTOCOL),
        lambda s: s.post(1, ("content-length", "1"), ("content-length", "2")),
    ),
    Case(
        "8.1.1",
        "content-length of the body",
        ANSWERED,
        lambda s: s.ask(1, ("content-length", str(len(s.body)))),
    ),
    *(
        Case(
            "8.2.1",
            f"{what} in a name",
            stream(PROTOCOL),
            lambda s, name=name: s.post(1, (name, "x")),
        )
        for what, name in (
            ("an upper-case letter", "X-Upper"),
            ("a space", "x y"),
            ("a control character", "x\x7f"),
            ("a colon", "x:y"),
        )
    ),
    Case("8.2.1", "an empty name", stream(PROTOCOL), lambda s: s.post(1, ("", "x"))),
    *(
        Case(
            "8.2.1",
            f"{what} in a value",
            stream(PROTOCOL),
            lambda s, value=value: s.post(1, ("x", value)),
        )
        for what, value in (("CR", "a\rb"), ("LF", "a\nb"), ("NUL", "a\0b"))
    ),
    *(
        Case(
            "8.2.2",
            f"{name}: {value}",
            stream(PROTOCOL),
            lambda s, name=name, value=value: s.post(1, (name, value)),
        )
        for name, value in (
            ("connection", "close"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
        )
    ),
    Case(
        "8.3",
        "a pseudo-header after a field",
        stream(PROTOCOL),
        lambda s: s.head(1, [s.fields[0], ("x", "y"), *s.fields[1:]]),
    ),
    Case(
        "8.3",
        "an unknown pseudo-header",
        stream(PROTOCOL),
        lambda s: s.head(1, [(":what", "x"), *s.fields]),
    ),
    Case(
        "8.3",
        "a pseudo-header of responses",
        stream(PROTOCOL),
        lambda s: s.head(1, [(":status", "200"), *s.fields]),
    ),
    *(
        Case("8.3.1", f"no {name}", stream(PROTOCOL), lambda s, name=name: s.changed(name))
        for name in (":method", ":scheme", ":path")
    ),
    *(
        Case(
            "8.3.1",
            f"{name} twice",
            stream(PROTOCOL),
            lambda s, name=name: s.changed(name, *2 * (dict(s.fields)[name],)),
        )
        for name in (":method", ":scheme", ":path", ":authority")
    ),
    Case("8.3.1", "an empty path", stream(PROTOCOL), lambda s: s.changed(":path", "")),
    Case(
        "8.3.1", "a path without a slash", stream(PROTOCOL), lambda s: s.changed(":path", "nothing")
    ),
    Case("8.5", "CONNECT with a path", stream(PROTOCOL), lambda s: s.changed(":method", "CONNECT")),
]

# RFC 7541. All are connection errors: both sides' tables differ from here on (RFC 9113 §4.3).
HPACK = [
    Case("4.3", title, connection(COMPRESSION), lambda s, encoded=encoded: indexed_head(s, encoded))
    for title, encoded in (
        ("HPACK index 0", b"\x80"),
        ("HPACK index out of the tables", integer(200, 7, 0x80)),
        ("HPACK name index out of the tables", integer(200, 4) + b"\x01x"),
        ("an HPACK string longer than its block", b"\x00\x7f\x00x"),
        ("an HPACK integer without end", b"\x7f" + b"\xff" * 12),
        ("a Huffman code padded with zeros", b"\x00\x01x\x81\x1e"),
        ("a Huffman code padded by more than 7 bits", b"\x00\x01x\x82\x1f\xff"),
        ("a Huffman code with the end of string", b"\x00\x01x\x84\xff\xff\xff\xff"),
        ("a table size update after a field", integer(0, 5, 0x20)),
    )
] + [
    Case(
        "4.3",
        "a table size update over the limit",
        connection(COMPRESSION),
        lambda s: frame(HEADERS, END_HEADERS, 1, integer(4097, 5, 0x20) + block(*s.fields)),
    ),
    Case(
        "4.3",
        "a table size update before the fields",
        ANSWERED,
        lambda s: frame(HEADERS, END_HEADERS, 1, integer(0, 5, 0x20) + block(*s.fields))
        + frame(DATA, END_STREAM, 1, s.body),
    ),
]

# A client whose request was refused by its head may still send its body: what it does wrong is told.
REFUSED = [
    Case(
        "6.9.1",
        "a window over its maximum, behind a refusal",
        stream(FLOW),
        lambda s: window_update(1, 2**31 - 1) * 2,
        before=lambda s: s.refused(),
    ),
    Case(
        "8.1",
        "HEADERS without END_STREAM behind a refusal",
        stream(PROTOCOL),
        lambda s: frame(DATA, 0, 1, b"x") + trailers(("x", "y"), end=False),
        before=lambda s: s.refused(),
    ),
    Case(
        "8.3",
        "a pseudo field in trailers behind a refusal",
        stream(PROTOCOL),
        lambda s: trailers((":method", "POST")),
        before=lambda s: s.refused(),
    ),
    Case(
        "8.1.1",
        "content-length below the body, behind a refusal",
        stream(PROTOCOL),
        lambda s: frame(DATA, END_STREAM, 1, b"xy"),
        before=lambda s: s.refused(("content-length", "1")),
    ),
    Case(
        "5.1",
        "DATA after RST_STREAM, behind a refusal",
        connection(CLOSED),
        lambda s: reset(1) + frame(DATA, 0, 1, b"x"),
        before=lambda s: s.refused(),
    ),
    Case(
        "5.1",
        "HEADERS after RST_STREAM, behind a refusal",
        connection(CLOSED),
        lambda s: reset(1) + trailers(("x", "y")),
        before=lambda s: s.refused(),
    ),
    Case(
        "8.1",
        "the rest of a request, behind a refusal",
        IGNORED,
        lambda s: frame(DATA, 0, 1, b"x") + frame(DATA, END_STREAM, 1, b"y"),
        before=lambda s: s.refused(),
    ),
]

CASES = FRAMES + STREAMS + MESSAGES + HPACK + REFUSED
