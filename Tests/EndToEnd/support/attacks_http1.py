"""What a hostile HTTP/1.1 client does to the edge, one function an attack (RFC 9112)."""

from __future__ import annotations

import select
import socket
import time
from typing import Callable

from support.attacks import Attack, Outcome, Victim

HEAD = b"POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
ALIVE = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


class Line:
    """One connection: bytes there, bytes back."""

    def __init__(self, victim: Victim, receive_buffer: int | None = None) -> None:
        self.socket = victim.target.connect(receive_buffer)
        self.socket.setblocking(False)
        self.received = b""
        self.is_over = False
        self.sent = 0

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def write(self, text: bytes, patience: float = 5, reads: bool = True) -> bool:
        """Sends everything; false when the connection is over or takes nothing for so long."""
        deadline = time.monotonic() + patience
        while text and not self.is_over and time.monotonic() < deadline:
            try:
                count = self.socket.send(text)
                text, self.sent = text[count:], self.sent + count
                deadline = time.monotonic() + patience
            except BlockingIOError:
                select.select([self.socket] if reads else [], [self.socket], [], 0.05)
            except OSError:
                self.is_over = True
            if reads:
                self.pump(0)
        return not text

    def pump(self, seconds: float) -> None:
        """Reads what is there; waits for the first bytes at most so long."""
        while not self.is_over and select.select([self.socket], [], [], seconds)[0]:
            seconds = 0
            try:
                got = self.socket.recv(65536)
            except OSError:
                got = b""
            self.is_over = not got
            self.received += got

    def until_over(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self.is_over and time.monotonic() < deadline:
            self.pump(0.05)
        return self.is_over

    @property
    def statuses(self) -> list[str]:
        parts = self.received.split(b"HTTP/1.1 ")[1:]
        return [part[:3].decode() for part in parts]

    def seen(self, started: float | None = None) -> str:
        how = f"{' '.join(self.statuses[:3]) or 'nothing'}, {'closed' if self.is_over else 'open'}"
        return how if started is None else f"{how} after {time.monotonic() - started:.0f} s"


def refused(
    make: Callable[[], list[bytes]], statuses: set[str], *reasons: str
) -> Callable[[Victim], Outcome]:
    """Each text costs its connection: one answer and the end, whatever is sent behind it."""

    def attack(victim: Victim) -> Outcome:
        texts = make()
        wrong: list[str] = []
        found: set[str] = set()
        sent = 0
        for text in texts:
            with Line(victim) as line:
                line.write(text + ALIVE)
                line.until_over(5)
                sent += line.sent
                found.update(line.statuses)
                if not line.is_over or len(line.statuses) != 1 or not set(line.statuses) <= statuses:
                    wrong.append(f"{line.seen()} for {text[-40:]!r}")
        seen = wrong[0] if wrong else f"{len(texts)} refused by {' '.join(sorted(found))}, closed"
        return Outcome(seen, sent, not wrong, reasons=reasons)

    return attack


def ambiguous() -> list[bytes]:
    """Requests whose end two servers may see at different places (request smuggling)."""
    heads = [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        b"content-length: +5\r\n\r\nhello",
        b"content-length: 0x5\r\n\r\nhello",
        b"content-length : 5\r\n\r\nhello",
        b"content-length: 18446744073709551621\r\n\r\nhello",
        b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        b"transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding\r\n : chunked\r\n\r\n0\r\n\r\n",
        b"x: a\rtransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"x: a\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
    ]
    return [HEAD + head for head in heads]


def bad_bytes() -> list[bytes]:
    return [
        b"GET /healthz\0 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health\xffz HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nn\xff: v\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nn: a\0b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        b"\0" * 100,
    ]


def endless_head(victim: Victim) -> Outcome:
    """Fields without end: refused at 32 KiB, and what follows is dropped only for a while."""
    with Line(victim) as line:
        line.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: ")
        for _ in range(1024):
            if not line.write(b"a" * 65_536):
                break
        line.until_over(5)
        # A reset may take the answer with it. Kernel buffers hold some of what was sent.
        holds = line.is_over and line.statuses in (["431"], []) and line.sent < 16 << 20
        return Outcome(line.seen(), line.sent, holds, reasons=("headTooLarge",))


def chunk_extensions(victim: Victim) -> Outcome:
    """Chunks of one byte, each with a kilobyte of extension."""
    with Line(victim) as line:
        line.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(1024):
            if not line.write((b"1;" + b"x" * 1000 + b"\r\na\r\n") * 64):
                break
        line.until_over(5)
        holds = line.is_over and line.statuses in (["400"], ["413"], []) and line.sent < 16 << 20
        return Outcome(line.seen(), line.sent, holds, reasons=("chunkFramingTooLarge",))


def pipelined(victim: Victim) -> Outcome:
    """Requests without end whose answers are not read: reading stops, little is kept."""
    with Line(victim, receive_buffer=4096) as line:
        # Both kernels' buffers fill first.
        while line.sent < 64 << 20 and line.write(ALIVE * 500, patience=0.5, reads=False):
            pass
        return Outcome(f"stuck after {line.sent >> 10} KiB", line.sent, line.sent < 64 << 20)


def slow(
    first: bytes,
    limit: Callable[[Victim], float],
    kind: str,
    drip: bytes = b"",
) -> Callable[[Victim], Outcome]:
    """Says this, then nothing or a little now and then."""

    def attack(victim: Victim) -> Outcome:
        started = time.monotonic()
        time_limit = limit(victim)
        with Line(victim) as line:
            line.write(first)
            while not line.is_over and time.monotonic() - started < time_limit + victim.times.slack:
                line.pump(0.5)
                if drip and not line.is_over:
                    line.write(drip)
            is_early = time.monotonic() - started < time_limit * 0.8
            told = line.statuses in (["408"], []) if kind != "idle" else line.statuses == ["200"]
            holds = line.is_over and told and not is_early
            return Outcome(line.seen(started), line.sent, holds, (kind,) if kind else ())

    return attack


def unread(victim: Victim) -> Outcome:
    """A large answer, asked for again and again, of which nothing is taken."""
    started = time.monotonic()
    question = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n"
    with Line(victim, receive_buffer=4096) as line:
        line.write(question * 200, reads=False)
        # The end can be told without reading: a write fails.
        while not line.is_over and time.monotonic() - started < victim.times.write_stall + 6:
            time.sleep(0.25)
            line.write(b"x", patience=0.01, reads=False)
        taken = time.monotonic() - started
        holds = line.is_over and taken > victim.times.write_stall * 0.8
        how = f"{'closed' if line.is_over else 'open'} after {taken:.0f} s"
        return Outcome(how, line.sent, holds, ("write_stall",))


HTTP1_ATTACKS = [
    Attack("requests of ambiguous length", "protocol", refused(ambiguous, {"400"})),
    Attack("bytes that are no text", "protocol", refused(bad_bytes, {"400"})),
    Attack(
        "33 KiB of head",
        "headBytes = 32 KiB",
        refused(lambda: [HEAD + b"x: " + b"a" * 33_000 + b"\r\n\r\n"], {"431"}, "headTooLarge"),
    ),
    Attack(
        "101 fields",
        "fields = 100",
        refused(lambda: [HEAD + b"x: y\r\n" * 101 + b"\r\n"], {"431"}, "tooManyFields"),
    ),
    Attack(
        "9 KB of path",
        "targetBytes = 8 KiB",
        refused(
            lambda: [b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"], {"414"}, "targetTooLong"
        ),
    ),
    Attack(
        "2 MB of body, declared",
        "jsonBodyBytes = 1 MiB",
        refused(lambda: [HEAD + b"content-length: 2000000\r\n\r\n"], {"413"}),
    ),
    Attack("a head without end", "headBytes = 32 KiB", endless_head, growth=1 << 20),
    Attack("chunks of one byte, 1 KB each", "chunkFramingBytes = 16 KiB", chunk_extensions, growth=1 << 20),
    Attack("requests piped, answers unread", "pipelineBytes = 64 KiB", pipelined, growth=4 << 20),
    Attack(
        "half a head",
        "headTime = 10 s",
        slow(ALIVE[:-2], lambda v: v.times.header, "slow_headers"),
        waits=True,
    ),
    Attack(
        "a head by drip",
        "headTime = 10 s",
        slow(ALIVE[:-2] + b"x: ", lambda v: v.times.header, "slow_headers", drip=b"a"),
        waits=True,
    ),
    Attack(
        "no body",
        "bodyPause = 30 s",
        slow(HEAD + b"content-length: 9\r\n\r\n", lambda v: v.times.body_pause, "slow_body"),
        waits=True,
    ),
    Attack(
        "a body by drip",
        "bodyTime = 60 s",
        slow(HEAD + b"content-length: 9999\r\n\r\n", lambda v: v.times.body, "slow_body", drip=b"a"),
        waits=True,
    ),
    Attack("an idle connection", "idleTime = 60 s", slow(ALIVE, lambda v: v.times.idle, "idle"), waits=True),
    Attack("an answer that is not read", "writeStall = 30 s", unread, waits=True),
]
