"""Measures whether a call costs more where there are more connections, streams or loops.

Three tables: server CPU of a unary call with 1 to 1,000 connections, ours beside the C floor; the same
beside 0 to 10,000 streams that only wait; and the work of four loops that share 4 to 8 connections.
"""

import argparse
import contextlib
import json

import pathlib
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import rpc

CONNECTIONS = (1, 10, 100, 1000)
IDLE_STREAMS = (0, 1000, 10_000)
STREAMS_PER_CONNECTION = 1000
LOOPS = 4
CLIENTS = (4, 5, 6, 7, 8)
CALLS = 60_000
# Bar for the busiest loop against the idlest, at a fixed rate (docs/decisions/2026-11-21-shared-loops.md).
MAX_IMBALANCE = 1.5


def load(folder: pathlib.Path, port: int, calls: int, clients: int, streams: int, rate: int = 0) -> float:
    """Runs h2load; returns its use of its core after checking that each call was answered."""
    row = rpc.ROWS["100"]
    command = ["taskset", "-c", rpc.LOAD_CORE, "h2load", f"-n{calls}", f"-c{clients}", f"-m{streams}"]
    command += ["-d", str(folder / "request"), "-H", "te: trailers", "-H", "content-type: application/grpc"]
    command += [f"--rps={rate // clients}"] if rate else []
    started, before = time.monotonic(), rpc.children_seconds()
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{row.path}"], capture_output=True, text=True, timeout=100
    ).stdout
    data = re.search(r"\((\d+)\) data", output)
    if f"{calls} succeeded, 0 failed" not in output or int(data[1]) != calls * row.reply_bytes:
        raise SystemExit(f"not every call had its reply\n{output}")
    return (rpc.children_seconds() - before) / (time.monotonic() - started)


class IdleStreams:
    """Streams of a bidirectional call that were opened and on which nothing happens."""

    def __init__(self, port: int, count: int) -> None:
        self.sockets: list[socket.socket] = []
        for first in range(0, count, STREAMS_PER_CONNECTION):
            self.open(port, min(STREAMS_PER_CONNECTION, count - first))

    def open(self, port: int, count: int) -> None:
        connection = socket.create_connection(("127.0.0.1", port))
        self.sockets.append(connection)
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": f"{rpc.SERVICE}/Bidi",
            ":authority": "127.0.0.1",
            "te": "trailers",
            "content-type": "application/grpc",
            "grpc-timeout": "10M",
        }
        # HPACK without a table: each field literally (RFC 7541 §6.2.2).
        block = b"".join(
            b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
            for name, value in fields.items()
        )
        frames = [self.frame(4, 0, 0, b"")] + [
            self.frame(1, 4, 2 * index + 1, block) for index in range(count)
        ]
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"".join(frames) + self.frame(4, 1, 0, b""))
        # The answer to this PING comes after everything before it was read.
        connection.sendall(self.frame(6, 0, 0, b"all read"))
        connection.settimeout(20)
        received = b""
        while b"all read" not in received:
            received += connection.recv(65536) or exit("the server has closed the connection")

    @staticmethod
    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload) << 8 | kind) + struct.pack(">BI", flags, stream) + payload

    def close(self) -> None:
        for connection in self.sockets:
            connection.close()


class Scale:
    def __init__(self, arguments: argparse.Namespace, folder: pathlib.Path) -> None:
        self.arguments = arguments
        self.folder = folder
        (folder / "request").write_bytes(rpc.ROWS["100"].request)

    def start(self, peer: str, *options: str) -> rpc.Server:
        binary = {"ours": self.arguments.binaries / "EchoServer", "c": self.arguments.build / "echod"}[peer]
        return rpc.Server([str(binary), *options], self.folder / f"{peer}.log", is_secure=False)

    def cpu_of_calls(self, server: rpc.Server, clients: int, streams: int, calls: int = CALLS) -> dict:
        """CPU of one call while the rest of the machine is quiet."""
        load(self.folder, server.port, max(calls // 10, clients), clients, streams)
        for _ in range(rpc.TRIES):
            before = rpc.cpu_seconds(server.pid), rpc.busy_seconds(), rpc.children_seconds(), time.monotonic()
            used = load(self.folder, server.port, calls, clients, streams)
            after = rpc.cpu_seconds(server.pid), rpc.busy_seconds(), rpc.children_seconds(), time.monotonic()
            cpu, busy, generator, wall = (b - a for a, b in zip(before, after))
            if (busy - cpu - generator) / wall <= rpc.MAX_OTHER_LOAD:
                break
            print("  dropped, the machine was busy", file=sys.stderr)
        return {"cpu_us": cpu * 1e6 / calls, "generator": used}

    def connections(self) -> list[dict]:
        """A call on 1 to 1,000 connections, eight in flight on each."""
        found: dict[tuple[int, str], list[dict]] = {}
        with contextlib.ExitStack() as stack:
            servers = {peer: self.start(peer) for peer in ("c", "ours")}
            for server in servers.values():
                stack.callback(server.stop)
            for _ in range(self.arguments.rounds):
                for clients in CONNECTIONS:
                    for peer, server in servers.items():
                        found.setdefault((clients, peer), []).append(self.cpu_of_calls(server, clients, 8))
            memory = servers["ours"].peak_rss_mb
        rows = []
        for clients in CONNECTIONS:
            row = {"connections": clients}
            for peer in ("c", "ours"):
                rounds = found[clients, peer]
                row[peer] = statistics.median(one["cpu_us"] for one in rounds)
                row[f"load {peer}"] = statistics.median(one["generator"] for one in rounds)
            pairs = zip(found[clients, "ours"], found[clients, "c"])
            row["/ c"] = statistics.median(ours["cpu_us"] / floor["cpu_us"] for ours, floor in pairs)
            rows.append(row)
        for row in rows:
            row["/ 1 connection"] = row["ours"] / rows[0]["ours"]
        rows[-1]["peak RSS MB"] = memory
        return rows

    def idle_streams(self) -> list[dict]:
        """A call on eight connections, while other connections hold streams on which nothing happens."""
        found: dict[int, list[dict]] = {}
        for _ in range(self.arguments.rounds):
            for count in IDLE_STREAMS:
                server = self.start("ours", "--body-seconds", "600")
                before = server.peak_rss_mb
                streams = IdleStreams(server.port, count)
                opened = server.peak_rss_mb
                result = self.cpu_of_calls(server, 8, 32)
                cpu = rpc.cpu_seconds(server.pid)
                time.sleep(2)
                result["idle"] = (rpc.cpu_seconds(server.pid) - cpu) / 2 * 1000
                result["kb"] = (opened - before) * 1024 / count if count else 0
                found.setdefault(count, []).append(result)
                streams.close()
                server.stop()
        rows = [
            {
                "idle streams": count,
                "CPU us a call": statistics.median(one["cpu_us"] for one in found[count]),
                "CPU ms of a second without calls": statistics.median(one["idle"] for one in found[count]),
                "KB a stream": statistics.median(one["kb"] for one in found[count]),
                "load": statistics.median(one["generator"] for one in found[count]),
            }
            for count in IDLE_STREAMS
        ]
        for row in rows:
            row["/ none"] = row["CPU us a call"] / rows[0]["CPU us a call"]
        return rows

    def loops(self) -> list[dict]:
        """Four loops on one core: how evenly do a few clients' connections give them work?"""
        rows = []
        for clients in CLIENTS:
            row: dict = {"connections": clients, "of the busiest / idlest loop": f"{-(-clients // LOOPS)} / {clients // LOOPS}"}
            for name, rate in (("as fast as it goes", 0), ("2000 calls/s", 2000)):
                ratios = []
                for _ in range(self.arguments.rounds):
                    server = self.start("ours", "--loops", str(LOOPS))
                    before = loop_seconds(server.pid)
                    load(self.folder, server.port, 4000 if rate else CALLS, clients, 32, rate)
                    work = [b - a for a, b in zip(before, loop_seconds(server.pid))]
                    ratios.append(max(work) / min(work))
                    server.stop()
                row[f"busiest / idlest, {name}"] = statistics.median(ratios)
            rows.append(row)
        return rows


def loop_seconds(pid: int) -> list[float]:
    """CPU time of each event loop's thread."""
    tasks = sorted(pathlib.Path(f"/proc/{pid}/task").iterdir())
    loops = [task for task in tasks if (task / "comm").read_text().startswith("loop-")]
    return [int((task / "schedstat").read_text().split()[0]) / 1e9 for task in loops]


def print_rows(title: str, rows: list[dict]) -> None:
    print(f"\n{title}")
    head = list(dict.fromkeys(name for row in rows for name in row))
    lines = [[rpc.number(row[name]) if isinstance(row.get(name), float) else str(row.get(name, "")) for name in head] for row in rows]
    rpc.print_markdown(head, lines)


TABLES = {
    "connections": "CPU us of a 100 B call, 8 in flight on each connection",
    "idle_streams": "CPU of a 100 B call, -c8 -m32, beside streams that wait",
    "loops": f"work of {LOOPS} loops that share one core (bar: {MAX_IMBALANCE} at 2000 calls/s)",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scale.sh")
    parser.add_argument("--tables", default=",".join(TABLES), help="comma-separated")
    parser.add_argument("--rounds", type=int, default=3)
    for name in ("build", "binaries", "report"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    report = json.loads(arguments.report.read_text()) if arguments.report.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        scale = Scale(arguments, pathlib.Path(folder))
        for table in rpc.chosen(arguments.tables, TABLES, "table"):
            report[table] = getattr(scale, table)()
            print_rows(TABLES[table], report[table])
    arguments.report.parent.mkdir(exist_ok=True)
    arguments.report.write_text(json.dumps(report, indent=2))
    print(f"\nservers on core {rpc.SERVER_CORE}, h2load on core {rpc.LOAD_CORE}; written to {arguments.report}")


if __name__ == "__main__":
    main()
