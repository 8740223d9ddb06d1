"""Measures echo servers: CPU, rate, latency, memory of one call; ours beside its peers.

The servers are pinned to core 0, the generator (h2load) to core 1; all servers stand by while one is
loaded, and every round loads each of them with each row in turn. Ratios are medians over rounds.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import resource
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import grpc

import echo_pb2

HERE = pathlib.Path(__file__).resolve().parent
SERVICE = "/oneshot.echo.v1.EchoService"
SERVER_CORE, LOAD_CORE = "0", "1"
# Rounds in which the rest of the machine used more than this share of a core do not count.
MAX_OTHER_LOAD = 0.3
TRIES = 3
# A ratio this close to a bar takes more rounds.
NEAR_BAR = 0.15
NEAR_ROUNDS = 7
LOAD_TIMEOUT = 60  # seconds
REPLIES = 100


@dataclasses.dataclass(frozen=True)
class Row:
    """One kind of load."""

    name: str
    payload: int
    clients: int
    streams: int
    rate: int = 0  # calls per second; 0: as fast as the server answers
    is_stream: bool = False
    is_timed: bool = False  # h2load logs every call: wanted where latency is a goal

    @property
    def path(self) -> str:
        return f"{SERVICE}/{'ServerStream' if self.is_stream else 'Echo'}"

    @property
    def request(self) -> bytes:
        payload = bytes(self.payload)
        if self.is_stream:
            return frame(echo_pb2.ServerStreamRequest(payload=payload, count=REPLIES))
        return frame(echo_pb2.EchoRequest(payload=payload))

    @property
    def reply_bytes(self) -> int:
        payload = bytes(self.payload)
        if not self.is_stream:
            return len(frame(echo_pb2.EchoResponse(payload=payload)))
        replies = (echo_pb2.ServerStreamResponse(payload=payload, index=i) for i in range(REPLIES))
        return sum(len(frame(reply)) for reply in replies)


ROWS = {
    "100": Row("100 B, -c8 -m32", 100, 8, 32),
    "1k": Row("1 KB, -c8 -m32", 1000, 8, 32),
    "m4": Row("100 B, -c8 -m4", 100, 8, 4, is_timed=True),
    "one": Row("100 B, -c1 -m1", 100, 1, 1, is_timed=True),
    "rate": Row("100 B, 2000/s on 8", 100, 8, 32, rate=2000, is_timed=True),
    "stream": Row("stream of 100, -c8 -m4", 100, 8, 4, is_stream=True),
}
PEERS = {
    "c": "C floor",
    "ours": "ours",
    "cpp": "gRPC C++",
    "swift": "grpc-swift-2",
    "swift-static": "the same, static",
    "python": "grpcio",
    "base": "baseline",
}
DEFAULT_PEERS = "c,ours,cpp,swift,swift-static,python"

# Goals: name, row, metric, (release bar, aim) of ours divided by each peer's.
GOALS = [
    ("G1", "100", "cpu_us", {"c": (4.0, 2.5), "cpp": (0.55, 0.35), "swift": (0.085, 0.05)}),
    ("G2", "1k", "cpu_us", {"c": (3.5, 2.2), "cpp": (0.6, 0.4), "swift": (0.085, None)}),
    ("G3", "rate", "cpu_us", {"c": (1.8, 1.4), "cpp": (0.45, None), "swift": (0.10, None)}),
    ("G4", "one", "cpu_us", {"c": (1.4, 1.2), "cpp": (0.65, None), "swift": (0.15, None)}),
    ("G5", "one", "p50_us", {"c": (1.2, 1.1), "cpp": (0.85, None), "swift": (0.25, None)}),
    ("G5", "one", "p99_us", {"c": (1.4, None)}),
    ("G6", "m4", "p99_us", {"c": (2.5, 1.5), "cpp": (0.5, None), "swift": (0.12, None)}),
    ("G7", "stream", "cpu_us", {"c": (5.0, 3.0), "cpp": (0.08, None), "swift": (0.08, None)}),
    ("G8", "process", "rss_mb", {"swift": (0.6, None), "cpp": (None, 1.0)}),
    ("G8", "process", "start_ms", {"swift": (1.5, 0.5)}),
]
METRICS = {
    "cpu_us": "CPU us",
    "rate": "calls/s",
    "p50_us": "p50 us",
    "p99_us": "p99 us",
    "start_rss_mb": "RSS MB at start",
    "rss_mb": "RSS MB, peak",
    "start_ms": "start ms",
}
SECURITIES = {"plain": "clear", "tls": "TLS"}
# Peak memory is that after these.
HEAVY_ROWS = {"100", "1k"}


def frame(message) -> bytes:
    """A gRPC frame: not compressed, length, message."""
    text = message.SerializeToString()
    return b"\0" + struct.pack(">I", len(text)) + text


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process, to the nanosecond (the clock of another process)."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def busy_seconds() -> float:
    """CPU time of the whole machine."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running peer."""

    core = SERVER_CORE

    def __init__(self, command: list[str], log: pathlib.Path, is_secure: bool, **options) -> None:
        self.port = free_port()
        self.is_secure = is_secure
        started = time.monotonic()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", self.core, *command, "--port", str(self.port)],
                **{"stdout": output, "stderr": output, **options},
            )
        while not self.is_listening():
            if self.process.poll() is not None or time.monotonic() - started > 20:
                self.stop()
                raise SystemExit(f"{command[0]} does not start\n{log.read_text()}")
            time.sleep(0.0005)
        self.start_ms = (time.monotonic() - started) * 1000
        self.start_rss_mb = self.peak_rss_mb

    def is_listening(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def peak_rss_mb(self) -> float:
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Bench:
    load_timeout = LOAD_TIMEOUT

    def __init__(
        self, arguments: argparse.Namespace, folder: pathlib.Path, rows: dict[str, Row] | None = None
    ) -> None:
        self.arguments = arguments
        self.folder = folder
        self.rows = rows or ROWS
        for key, row in self.rows.items():
            (folder / f"request-{key}").write_bytes(row.request)
        self.calls: dict[tuple[str, str, bool], int] = {}
        self.dropped = 0

    def command(self, peer: str, is_secure: bool) -> list[str]:
        build = self.arguments.build
        command = {
            "c": [str(build / "echod")],
            "ours": [str(self.arguments.binaries / "EchoServer")],
            "cpp": [str(build / "grpc-cpp")],
            "swift": [str(build / "grpc-swift/release/GRPCSwiftEcho")],
            "swift-static": [str(HERE / "GRPCSwift/.build/release/GRPCSwiftEcho")],
            "python": [sys.executable, str(HERE / "GRPCPython/echo.py")],
            "base": [os.environ.get("BASELINE", "")],
        }[peer]
        if is_secure:
            command += ["--certificate", str(self.file("test.crt")), "--key"]
            command += [str(self.file("test.key")), "--authority", str(self.file("ca.crt"))]
        return command

    def file(self, name: str) -> pathlib.Path:
        return self.arguments.certificates / name

    def start(self, peer: str, is_secure: bool) -> Server:
        return Server(self.command(peer, is_secure), self.folder / f"{peer}.log", is_secure)

    def check(self, peer: str, server: Server) -> None:
        """What h2load does not look at: status and bytes of the replies, with a real client."""
        address = f"127.0.0.1:{server.port}"
        if server.is_secure:
            files = [self.file(name).read_bytes() for name in ("ca.crt", "test.key", "test.crt")]
            channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(*files))
        else:
            channel = grpc.insecure_channel(address)
        with channel:
            for row in (ROWS["100"], ROWS["1k"]):
                payload = os.urandom(row.payload)
                call = channel.unary_unary(row.path, response_deserializer=echo_pb2.EchoResponse.FromString)
                request = echo_pb2.EchoRequest(payload=payload, text="é")
                reply, state = call.with_call(request.SerializeToString(), timeout=20)
                if state.code() != grpc.StatusCode.OK or (reply.payload, reply.text) != (payload, "é"):
                    raise SystemExit(f"{peer}: the reply is not the request")
            row = ROWS["stream"]
            payload = os.urandom(row.payload)
            call = channel.unary_stream(row.path, response_deserializer=echo_pb2.ServerStreamResponse.FromString)
            request = echo_pb2.ServerStreamRequest(payload=payload, count=REPLIES)
            replies = [(r.payload, r.index) for r in call(request.SerializeToString(), timeout=20)]
            if replies != [(payload, index) for index in range(REPLIES)]:
                raise SystemExit(f"{peer}: the stream is not what was asked for")

    def load(self, key: str, server: Server, calls: int, log: pathlib.Path | None = None) -> float:
        """Runs h2load; returns calls per second after checking that each had its reply."""
        row = self.rows[key]
        command = ["taskset", "-c", LOAD_CORE, "h2load", f"-n{calls}", f"-c{row.clients}", f"-m{row.streams}"]
        command += ["-d", str(self.folder / f"request-{key}"), "-H", "te: trailers"]
        command += ["-H", "content-type: application/grpc"]
        if row.rate:
            command += [f"--rps={row.rate // row.clients}"]
        if log:
            log.unlink(missing_ok=True)
            command += [f"--log-file={log}"]
        environment = dict(os.environ)
        if server.is_secure:
            environment["LD_PRELOAD"] = str(self.arguments.build / "client_certificate.so")
            environment["BENCH_CERTIFICATE"] = str(self.file("test.crt"))
            environment["BENCH_KEY"] = str(self.file("test.key"))
        scheme = "https" if server.is_secure else "http"
        command += [f"{scheme}://127.0.0.1:{server.port}{row.path}"]
        try:
            output = subprocess.run(
                command, capture_output=True, text=True, env=environment, timeout=self.load_timeout
            ).stdout
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{row.name}: no end after {self.load_timeout} seconds; a reply is missing")
        answered = f"{calls} succeeded, 0 failed" in output
        data = re.search(r"\((\d+)\) data", output)
        if not answered or not data or int(data[1]) != calls * row.reply_bytes:
            raise SystemExit(f"{row.name}: not every call had its reply\n{output}")
        return float(re.search(r"finished in .*?, ([\d.]+) req/s", output)[1])

    def calls_for(self, key: str, peer: str, server: Server) -> int:
        """As many calls as take the wished time, found once; also the warming-up."""
        row, seconds = self.rows[key], self.arguments.seconds
        if row.rate:
            return int(row.rate * max(seconds, 2)) // row.clients * row.clients
        known = self.calls.get((key, peer, server.is_secure))
        if known:
            self.load(key, server, max(known // 10, row.clients))
            return known
        calls = 50 * row.clients
        while True:
            rate = self.load(key, server, calls)
            if calls / rate > seconds / 8:
                break
            calls *= 5
        calls = max(int(rate * seconds), 20) // row.clients * row.clients
        self.calls[key, peer, server.is_secure] = calls
        return calls

    def measure(self, key: str, peer: str, server: Server) -> dict | None:
        """One load; None when the machine was busy with something else each time."""
        row = self.rows[key]
        log = self.folder / "calls" if row.is_timed else None
        calls = self.calls_for(key, peer, server)
        for _ in range(TRIES):
            before = cpu_seconds(server.pid), children_seconds(), busy_seconds(), time.monotonic()
            rate = self.load(key, server, calls, log)
            after = cpu_seconds(server.pid), children_seconds(), busy_seconds(), time.monotonic()
            cpu, generator, busy, wall = (b - a for a, b in zip(before, after))
            if (busy - cpu - generator) / wall <= MAX_OTHER_LOAD:
                break
            self.dropped += 1
            print(f"  {row.name}, {PEERS[peer]}: dropped, the machine was busy", file=sys.stderr)
        else:
            return None
        per_call = REPLIES if row.is_stream else 1
        result = {
            "cpu_us": cpu * 1e6 / calls / per_call,
            "rate": rate * per_call,
            "generator": generator / wall,
        }
        if log:
            times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
            result["p50_us"] = times[len(times) // 2]
            result["p99_us"] = times[len(times) * 99 // 100]
        return result

    def round(self, peers: list[str], rows: list[str], is_secure: bool, is_first: bool) -> dict:
        """Loads every peer with every row; results by row and peer."""
        results: dict[str, dict] = {key: {} for key in rows}
        with contextlib.ExitStack() as stack:
            servers = {}
            for peer in peers:
                servers[peer] = server = self.start(peer, is_secure)
                stack.callback(server.stop)
                if is_first:
                    self.check(peer, server)
            for key in rows:
                for peer, server in servers.items():
                    results[key][peer] = self.measure(key, peer, server)
            results["process"] = {
                peer: {"start_rss_mb": server.start_rss_mb, "start_ms": server.start_ms}
                | ({"rss_mb": server.peak_rss_mb} if HEAVY_ROWS <= set(rows) else {})
                for peer, server in servers.items()
            }
        return results


def summarize(rounds: list[dict]) -> dict:
    """Medians of every figure, and of its ratio to ours in the same round."""
    summary: dict = {}
    for key in (*ROWS, "process"):
        for metric in (*METRICS, "generator"):
            values: dict[str, list[float]] = {}
            ratios: dict[str, list[float]] = {}
            for one in rounds:
                found = {p: r[metric] for p, r in one.get(key, {}).items() if r and metric in r}
                for peer, value in found.items():
                    values.setdefault(peer, []).append(value)
                    if peer != "ours" and "ours" in found:
                        ratios.setdefault(peer, []).append(found["ours"] / value)
            if values:
                summary.setdefault(key, {})[metric] = {
                    "median": {p: round(statistics.median(v), 3) for p, v in values.items()},
                    "ratio": {p: round(statistics.median(v), 4) for p, v in ratios.items()},
                    "rounds": {p: len(v) for p, v in values.items()},
                }
    return summary


def judge(summary: dict) -> list[dict]:
    """One verdict a goal and peer."""
    verdicts = []
    for goal, key, metric, bars in GOALS:
        figures = summary.get(key, {}).get(metric, {})
        for peer, (must, aim) in bars.items():
            ratio = figures.get("ratio", {}).get(peer)
            if ratio is None:
                continue
            is_near = any(bar and abs(ratio / bar - 1) < NEAR_BAR for bar in (must, aim))
            verdicts.append(
                {
                    "goal": goal,
                    "row": key,
                    "metric": metric,
                    "peer": peer,
                    "ratio": ratio,
                    "must": must,
                    "aim": aim,
                    "must_met": must is None or ratio <= must,
                    "aim_met": aim is None or ratio <= aim,
                    "rounds": figures["rounds"][peer],
                    "wants_rounds": is_near and figures["rounds"][peer] < NEAR_ROUNDS,
                }
            )
    return verdicts


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}" if value >= 10 else f"{value:.2f}"


def print_markdown(head: list[str], lines: list[list[str]]) -> None:
    """A table that reads well as it is, too."""
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    rule = ["-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    for line in (head, rule, *lines):
        cells = (c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths)))
        print("| " + " | ".join(cells) + " |")


def print_table(report: dict) -> None:
    figures = [
        (key, metric, security, report[security]["rows"][key][metric], report[security]["rows"][key])
        for key in (*ROWS, "process")
        for metric in METRICS
        for security in SECURITIES
        if metric in report.get(security, {}).get("rows", {}).get(key, {})
    ]
    peers = [p for p in PEERS if any(p in figure["median"] for *_, figure, _ in figures)]
    others = [p for p in peers if p != "ours"]
    lines = []
    for key, metric, security, figure, row in figures:
        name = ROWS[key].name if key in ROWS else "process"
        unit = METRICS[metric] + (" a reply" if key == "stream" and metric == "cpu_us" else "")
        used = row.get("generator", {}).get("median", {})
        lines.append(
            [f"{name}: {unit}", SECURITIES[security]]
            + [number(figure["median"].get(p)) for p in peers]
            + [f"{figure['ratio'][p]:.3f}" if p in figure["ratio"] else "-" for p in others]
            + [f"{max(used.values()):.2f}" if used else "-", str(min(figure["rounds"].values()))]
        )
    head = ["figure", ""] + [PEERS[p] for p in peers] + [f"/ {p}" for p in others]
    print_markdown(head + ["load", "rounds"], lines)


def print_goals(verdicts: list[dict]) -> None:
    """One line a goal."""
    lines = []
    for goal, key, metric, _ in GOALS:
        found = [v for v in verdicts if (v["goal"], v["row"], v["metric"]) == (goal, key, metric)]
        if not found:
            continue
        bar = lambda name: ", ".join(f"{v[name]:g} {v['peer']}" for v in found if v[name]) or "-"
        met = lambda name: "met" if all(v[name] for v in found) else "missed: " + ", ".join(
            v["peer"] for v in found if not v[name]
        )
        ratios = ", ".join(f"{v['ratio']:.3g} {v['peer']}" for v in found)
        rounds = min(v["rounds"] for v in found)
        lines.append(
            [
                goal,
                f"{ROWS[key].name if key in ROWS else 'process'}: {METRICS[metric]}",
                bar("must"),
                bar("aim"),
                ratios,
                met("must_met"),
                met("aim_met") if any(v["aim"] for v in found) else "-",
                f"{rounds}{' (7 wanted)' if any(v['wants_rounds'] for v in found) else ''}",
            ]
        )
    print_markdown(["goal", "figure", "must <=", "aim <=", "ours / peer", "must", "aim", "rounds"], lines)


def chosen(text: str, known: dict, what: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in known:
            raise SystemExit(f"error: no {what} is called '{name}'; known: {', '.join(known)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(prog="rpc.sh")
    parser.add_argument("--peers", default=DEFAULT_PEERS, help="comma-separated")
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated")
    parser.add_argument("--security", default="plain,tls", help="plain, tls or both")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each load")
    parser.add_argument("--quick", action="store_true", help="ours and the floor, in clear, 3 rounds")
    parser.add_argument("--add", action="store_true", help="add the rounds to those of the last report")
    for name in ("build", "certificates", "binaries", "report"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.security = "plain"
        if arguments.peers == DEFAULT_PEERS:
            arguments.peers = "c,ours"
    peers = chosen(arguments.peers, PEERS, "peer")
    rows = chosen(arguments.rows, ROWS, "row")
    securities = chosen(arguments.security, SECURITIES, "security")

    report: dict = {}
    if arguments.add and arguments.report.exists():
        report = json.loads(arguments.report.read_text())
    dropped = report.get("dropped", 0)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments, pathlib.Path(folder))
        for security in securities:
            rounds = report.setdefault(security, {}).setdefault("rounds", [])
            for turn in range(arguments.rounds):
                print(f"{security}: round {turn + 1} of {arguments.rounds}", file=sys.stderr)
                rounds.append(bench.round(peers, rows, security == "tls", turn == 0))
                report["dropped"] = dropped + bench.dropped
                # After each round: a run that is cut off has not been for nothing.
                write_report(report, arguments.report)
    print_report(report)
    print(f"written to {arguments.report}")


def write_report(report: dict, path: pathlib.Path) -> None:
    for security in SECURITIES:
        if security in report:
            report[security]["rows"] = summarize(report[security]["rounds"])
            report[security]["goals"] = judge(report[security]["rows"])
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=2))


def print_report(report: dict) -> None:
    print_table(report)
    for security, title in SECURITIES.items():
        if report.get(security, {}).get("goals"):
            print(f"\ngoals, {title}" + (" (the bars were set for clear text)" if security == "tls" else ""))
            print_goals(report[security]["goals"])
    print(
        f"\nservers on core {SERVER_CORE}, h2load on core {LOAD_CORE}; 'load': the most that h2load used of"
        f" its core, above 0.9 calls/s are a lower bound;\nratios are ours / peer, medians over the rounds;"
        f" {report['dropped']} loads dropped: more than {MAX_OTHER_LOAD} of a core was busy with something else"
    )


if __name__ == "__main__":
    main()
