"""An HTTP/2 peer that says what it likes: frames written and read by hand (RFC 9113)."""

from __future__ import annotations

import select
import socket
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
CODES = (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED "
    "FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM "
    "INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
).split()


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def integer(value: int, bits: int, first: int = 0) -> bytes:
    """An HPACK integer with a prefix of so many bits (RFC 7541 §5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((first | value,))
    out = bytearray((first | limit,))
    value -= limit
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    out.append(value)
    return bytes(out)


def literal(name: bytes | str, value: bytes | str, first: int = 0x00) -> bytes:
    """A field that is spelled out; `first` 0x40 has it remembered as well."""
    name = name.encode() if isinstance(name, str) else name
    value = value.encode() if isinstance(value, str) else value
    return bytes((first,)) + integer(len(name), 7) + name + integer(len(value), 7) + value


def block(*fields: tuple[bytes | str, bytes | str]) -> bytes:
    return b"".join(literal(name, value) for name, value in fields)


def settings(**values: int) -> bytes:
    names = {"header_table": 1, "push": 2, "streams": 3, "window": 4, "frame": 5, "list": 6}
    payload = b"".join(
        names[name].to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in values.items()
    )
    return frame(SETTINGS, 0, 0, payload)


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def reset(stream: int, code: int = 8) -> bytes:
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


@dataclass
class Target:
    """Where to connect; `tls` is a folder of certificates and the name of the caller in it."""

    port: int
    caller: tuple[Path, str] | None = None
    secure: bool = False
    # Our own address.
    source: str = "127.0.0.1"
    speaks: str = "h2"

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        plain = socket.socket()
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(10)
        plain.bind((self.source, 0))
        plain.connect(("127.0.0.1", self.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.secure and not self.caller:
            return plain
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([self.speaks])
        if self.caller:
            folder, name = self.caller
            context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
        return context.wrap_socket(plain)


@dataclass
class Stream:
    headers: list[dict[str, str]] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    is_ended: bool = False
    reset: str | None = None

    @property
    def is_over(self) -> bool:
        return self.is_ended or self.reset is not None

    def value(self, name: str) -> str | None:
        return next((part[name] for part in reversed(self.headers) if name in part), None)


class Peer:
    """One connection. `ended` says how it ended, None while it goes on."""

    def __init__(
        self,
        target: Target,
        first: bytes | None = None,
        acknowledges: bool = True,
        receive_buffer: int | None = None,
    ) -> None:
        self.acknowledges = acknowledges
        self.streams: dict[int, Stream] = {}
        self.resets: list[str] = []
        self.pongs = 0
        self.settings_acks = 0
        self.goaway: str | None = None
        self.last_stream: int | None = None
        self.ended: str | None = None
        self.sent = 0
        self._buffer = bytearray()
        self._decoder = hpack.Decoder()
        self._decoder.max_header_list_size = 1 << 20
        self.socket = target.connect(receive_buffer)
        self.socket.setblocking(False)
        self.write(PREFACE + settings() if first is None else first)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # Writing

    def write(self, payload: bytes, patience: float = 10, reads: bool = False) -> bool:
        """Sends everything; false when the connection ended or takes nothing for so long."""
        view = memoryview(payload)
        deadline = time.monotonic() + patience
        while view and self.ended is None:
            try:
                count = self.socket.send(view)
                view = view[count:]
                deadline = time.monotonic() + patience
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if reads:
                    self.pump(0)
                if time.monotonic() > deadline:
                    return False
                select.select([self.socket] if reads else [], [self.socket], [], 0.05)
            except OSError as error:
                self._end(error)
        return not view

    def flood(self, frames: bytes, count: int, reads: bool = True, patience: float = 10) -> bool:
        """Sends `count` frames at once and looks at what came back meanwhile."""
        self.sent += count
        done = self.write(frames, patience, reads)
        if reads:
            self.pump(0.002)
        else:
            time.sleep(0.005)
        return done and self.ended is None and self.goaway is None and not self._has_fin()

    def _has_fin(self) -> bool:
        """Whether the other side has ended its half, told without reading (CLOSE_WAIT)."""
        try:
            return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 8
        except OSError:
            return True

    # Reading

    def pump(self, seconds: float) -> None:
        """Reads what is there; waits for the first bytes at most so long."""
        while self.ended is None:
            waits = not (isinstance(self.socket, ssl.SSLSocket) and self.socket.pending())
            if waits and not select.select([self.socket], [], [], seconds)[0]:
                return
            seconds = 0
            try:
                received = self.socket.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
            except OSError as error:
                return self._end(error)
            if not received:
                return self._end(None)
            self._buffer += received
            self._parse()

    def until(self, condition, seconds: float = 10) -> bool:
        """Reads until the condition holds or the connection ends."""
        deadline = time.monotonic() + seconds
        while not condition() and self.ended is None and time.monotonic() < deadline:
            self.pump(0.05)
        return bool(condition())

    def until_ended(self, seconds: float) -> bool:
        return self.until(lambda: self.ended is not None, seconds)

    def synchronise(self, seconds: float = 5) -> bool:
        """A PING there and back: everything sent before was looked at."""
        wanted = self.pongs + 1
        self.write(frame(PING, 0, 0, b"together"), reads=True)
        return self.until(lambda: self.pongs >= wanted, seconds)

    def _end(self, error: OSError | None) -> None:
        how = "closed" if error is None else "reset"
        self.ended = f"GOAWAY {self.goaway}" if self.goaway else how

    def _parse(self) -> None:
        while len(self._buffer) >= 9:
            length = int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < 9 + length:
                return
            kind, flags = self._buffer[3], self._buffer[4]
            number = int.from_bytes(self._buffer[5:9], "big")
            payload = bytes(self._buffer[9 : 9 + length])
            del self._buffer[: 9 + length]
            self._take(kind, flags, number, payload)

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == PING and flags & ACK:
            self.pongs += 1
        elif kind == PING and self.acknowledges:
            self.write(frame(PING, ACK, 0, payload))
        elif kind == SETTINGS and flags & ACK:
            self.settings_acks += 1
        elif kind == SETTINGS and self.acknowledges:
            self.write(frame(SETTINGS, ACK, 0))
        elif kind == GOAWAY:
            self.goaway = CODES[int.from_bytes(payload[4:8], "big")]
            self.last_stream = int.from_bytes(payload[:4], "big")
        elif number:
            self._take_stream(kind, flags, self.streams.setdefault(number, Stream()), payload)

    def _take_stream(self, kind: int, flags: int, stream: Stream, payload: bytes) -> None:
        if kind == RST_STREAM:
            stream.reset = CODES[int.from_bytes(payload, "big")]
            self.resets.append(stream.reset)
        elif kind == HEADERS:
            stream.headers.append(dict(self._decoder.decode(payload)))
        elif kind == DATA:
            stream.data += payload
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            stream.is_ended = True
