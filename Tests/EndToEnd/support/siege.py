"""Attacks a server and notes what it cost: memory, another client's answers, log lines, counters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from support import rpc, stack
from support.attacks import ATTACKS, Attack, Outcome, Times, Victim, attacks_on
from support.attacks_http1 import HTTP1_ATTACKS
from support.frames import Target, block

ECHO = "/oneshot.echo.v1.EchoService"
LATENCY_BAR = 1000.0


def grpc_head(path: str, *more: tuple[str, str]) -> bytes:
    return block(
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "test"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        *more,
    )


def grpc_frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def echo_request(name: str = "EchoRequest", **fields) -> bytes:
    kind = rpc.message_class(f"oneshot.echo.v1.{name}")
    return grpc_frame(kind(**fields).SerializeToString())


@dataclass
class Row:
    """One attack on one server, as it went."""

    victim: str
    attack: Attack
    outcome: Outcome
    growth: int
    answers: int
    failures: int
    worst: float
    problems: list[str] = field(default_factory=list)


class Server:
    """A server under siege: its process, its log, its counters."""

    def __init__(
        self, victim: Victim, pid: int, log: Path, metrics_port: int | None = None
    ) -> None:
        self.victim, self.pid, self.log, self.metrics_port = victim, pid, log, metrics_port

    def resident(self, name: str = "VmRSS") -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"process {self.pid} of {self.victim.name} is gone")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def lines(self) -> list[dict]:
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            if '"connection ended"' in line:
                found.append(json.loads(line))
        return found

    def counters(self) -> dict[str, int]:
        """Ended connections by kind; the echo server has no counters but its lines."""
        return self.metric("http2_connections_ended_total", "kind")

    def failures(self) -> dict[str, int]:
        """Requests that broke HTTP at the edge, by reason."""
        return self.metric("edge_protocol_failures_total", "reason")

    def metric(self, name: str, label: str) -> dict[str, int]:
        if self.metrics_port is None:
            return {}
        page = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5)
        found: dict[str, int] = {}
        for labels, value in re.findall(rf"^{name}\{{([^}}]*)\}} ([0-9.]+)", page.read().decode(), re.M):
            text = re.search(rf'{label}="([^"]*)"', labels)
            if text:
                found[text[1]] = int(float(value))
        return found


def kind_of(line: dict) -> str:
    return line.get("kind") or line.get("metadata", {}).get("kind", "?")


class Witness:
    """Another client, in a process of its own."""

    def __init__(self, victim: Victim) -> None:
        caller = victim.target.caller
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("bystander.py")),
                str(victim.target.port),
                f"{caller[0]}:{caller[1]}" if caller else "",
                "1" if victim.target.secure else "0",
                victim.get.hex(),
                victim.ask_body.hex(),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.until("answers for the other client", lambda: self.report()[0] > 0, seconds=20)

    def report(self) -> tuple[int, int, float]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answers, failures, worst = self.process.stdout.readline().split()
        return int(answers), int(failures), float(worst)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


class Siege:
    """Runs attacks on one server, with another client beside them."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.witness = Witness(server.victim)

    def close(self) -> None:
        self.witness.stop()

    def run(self, attack: Attack) -> Row:
        """One attack alone, with everything that it cost."""
        server = self.server
        lines, counters, failures_before = len(server.lines()), server.counters(), server.failures()
        self.witness.report()
        server.forget_peak()
        before = server.resident()
        outcome = attack.run(server.victim)
        answers, failures, worst = self.witness.report()
        while answers == 0 and failures == 0:
            answers, failures, worst = self.witness.report()
        row = Row(
            server.victim.name, attack, outcome, server.resident("VmHWM") - before, answers, failures, worst
        )
        self.judge(row)
        self.judge_reports(row, lines, counters)
        for reason in outcome.reasons:
            if server.failures().get(reason, 0) <= failures_before.get(reason, 0):
                row.problems.append(f"not counted as {reason}")
        return row

    def judge(self, row: Row) -> None:
        if not row.outcome.holds:
            row.problems.append(f"seen: {row.outcome.seen} after {row.outcome.frames} frames")
        if row.growth > row.attack.growth:
            row.problems.append(f"{row.growth >> 20} MiB of growth")
        if row.failures:
            row.problems.append(f"{row.failures} calls of another client failed")

    def judge_reports(self, row: Row, lines: int, counters: dict[str, int]) -> None:
        """Exactly one line, and where there are counters one count, of a kind that fits."""
        kinds = row.outcome.kinds
        wanted = 1 if kinds else 0

        def noticed() -> list[dict]:
            return [line for line in self.server.lines()[lines:] if kind_of(line) != "idle"]

        if wanted and "idle" not in kinds:
            try:
                stack.until("a log line", noticed, seconds=6)
            except AssertionError:
                pass
        found = [kind_of(line) for line in noticed()]
        if "idle" not in kinds and (len(found) != wanted or not set(found) <= set(kinds)):
            row.problems.append(f"log lines {found}, expected one of {kinds or 'none'}")
        if self.server.metrics_port is not None:
            now = self.server.counters()
            counted = {k: n - counters.get(k, 0) for k, n in now.items() if n != counters.get(k, 0)}
            if "idle" not in kinds:
                counted.pop("idle", None)
            if sum(counted.values()) != wanted or not set(counted) <= set(kinds):
                row.problems.append(f"counters {counted}, expected one of {kinds or 'none'}")

    def run_beside(self, attacks: list[Attack]) -> list[Row]:
        """Attacks that wait for a timer, all at once; cost and reports are judged for all together."""
        server = self.server
        lines, counters = len(server.lines()), server.counters()
        self.witness.report()
        server.forget_peak()
        before = server.resident()
        outcomes: dict[str, Outcome] = {}

        def one(attack: Attack) -> None:
            try:
                outcomes[attack.title] = attack.run(server.victim)
            except Exception as error:  # noqa: BLE001 - shown in the row
                outcomes[attack.title] = Outcome(f"{type(error).__name__}: {error}", 0, False)

        threads = [threading.Thread(target=one, args=(attack,)) for attack in attacks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answers, failures, worst = self.witness.report()
        growth = server.resident("VmHWM") - before
        rows = [
            Row(server.victim.name, attack, outcomes[attack.title], growth, answers, failures, worst)
            for attack in attacks
        ]
        for row in rows:
            self.judge(row)
        expected = [row.outcome.kinds for row in rows if row.outcome.kinds and "idle" not in row.outcome.kinds]

        def noticed() -> list[str]:
            return [kind_of(line) for line in server.lines()[lines:] if kind_of(line) != "idle"]

        try:
            stack.until("the log lines", lambda: len(noticed()) >= len(expected), seconds=6)
        except AssertionError:
            pass
        found = noticed()
        if server.metrics_port is not None:
            now = server.counters()
            counted = [k for k, n in now.items() if k != "idle" for _ in range(n - counters.get(k, 0))]
            if sorted(counted) != sorted(found):
                rows[0].problems.append(f"counters {counted} beside log lines {found}")
        if len(found) != len(expected):
            rows[0].problems.append(f"log lines {found} for {len(expected)} ended connections")
        return rows


def edge_victim(times: Times, secure: bool = False) -> Server:
    get = (":method", "GET"), (":scheme", "http"), (":authority", "test")
    post = block(
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/api/v1/auth/login"),
        (":authority", "test"),
        ("content-type", "application/json"),
    )
    victim = Victim(
        "edge, TLS" if secure else "edge",
        Target(stack.port("EDGE_TLS" if secure else "EDGE"), secure=secure),
        times,
        get=block(*get, (":path", "/healthz")),
        post=post,
        large=block(*get, (":path", "/openapi.json")),
        large_body=b"",
        ask_body=b"",
        is_grpc=False,
        streams=100,
    )
    return service_server(victim, "edge")


def edge_http1_victim(times: Times) -> Server:
    """The edge as HTTP/1.1 clients see it; the other client speaks HTTP/2."""
    server = edge_victim(times)
    server.victim.name = "edge, HTTP/1.1"
    server.victim.target.speaks = "http/1.1"
    return server


def service_server(victim: Victim, service: str) -> Server:
    pid = int(stack.script("service.sh", "status", service))
    log = Path(stack.info()["LOGS"]) / f"{service}.log"
    return Server(victim, pid, log, stack.port(f"{service.upper()}_ADMIN"))


def rpc_victim(times: Times, service: str = "billing") -> Server:
    """A service's RPC port, with mutual TLS."""
    health = grpc_head("/grpc.health.v1.Health/Check")
    # "The file that defines this name": the largest answer that every service has.
    symbol = b"oneshot.billing.v1.BillingService"
    reflection = grpc_head("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    victim = Victim(
        f"{service}, mutual TLS",
        Target(stack.port(service.upper()), (stack.certificates(), "ctl")),
        times,
        get=health,
        post=health,
        large=reflection,
        # "Give me the file that defines this": the largest answer that a service has.
        large_body=grpc_frame(b"\x22" + bytes((len(symbol),)) + symbol),
        ask_body=grpc_frame(b""),
        is_grpc=True,
        streams=1000,
        answers_much=False,
    )
    return service_server(victim, service)


class EchoServer:
    """The echo service in clear text or with mutual TLS, with limits of a test's own."""

    def __init__(self, times: Times, secure: bool = False, options: tuple[str, ...] = ()) -> None:
        folder = stack.certificates()
        self.log = Path(stack.info()["LOGS"]) / f"echo{'-tls' if secure else ''}.log"
        certificate = (
            f"--certificate={folder / 'jobs.crt'}",
            f"--key={folder / 'jobs.key'}",
            f"--authority={folder / 'ca.crt'}",
        )
        self.errors = self.log.open("w")
        self.process = subprocess.Popen(
            [
                f"{stack.info()['BINARIES']}/EchoServer",
                f"--header-seconds={times.header:g}",
                f"--idle-seconds={times.idle:g}",
                f"--body-pause-seconds={times.body_pause:g}",
                f"--body-seconds={times.body:g}",
                f"--write-stall-seconds={times.write_stall:g}",
                "--streams=1000",
                *(certificate if secure else ()),
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        assert self.process.stdout
        port = int(self.process.stdout.readline().rsplit(":", 1)[1])
        victim = Victim(
            "gRPC, mutual TLS" if secure else "gRPC, clear text",
            Target(port, (folder, "test") if secure else None),
            times,
            get=grpc_head(f"{ECHO}/Echo"),
            post=grpc_head(f"{ECHO}/Echo"),
            large=grpc_head(f"{ECHO}/ServerStream"),
            large_body=echo_request("ServerStreamRequest", payload=bytes(8192), count=10_000),
            ask_body=echo_request(text="hello"),
            is_grpc=True,
            streams=1000,
            text_tag=0x12,
        )
        self.server = Server(victim, self.process.pid, self.log)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)
        assert self.process.stdout
        self.process.stdout.close()
        self.errors.close()


def attacks_by(server: Server, waits: bool) -> list[Attack]:
    attacks = ATTACKS if server.victim.target.speaks == "h2" else HTTP1_ATTACKS
    return attacks_on(server.victim, attacks, waits)


def strike(server: Server, show: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """The attacks that do not wait, one after the other."""
    siege = Siege(server)
    rows: list[Row] = []
    try:
        for attack in attacks_by(server, waits=False):
            rows.append(siege.run(attack))
            show(rows[-1])
        return rows
    finally:
        siege.close()


def outwait(server: Server, show: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """The attacks that wait for timers, beside each other."""
    siege = Siege(server)
    try:
        rows = siege.run_beside(attacks_by(server, waits=True))
        for row in rows:
            show(row)
        return rows
    finally:
        siege.close()
