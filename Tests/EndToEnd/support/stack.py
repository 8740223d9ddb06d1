"""The stack under test, driven by the same scripts that operators use."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, TypeVar

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "deploy" / "scripts"
PHOTOS = ROOT / "Tests" / "Fixtures" / "photos"
SERVICES = ("auth", "billing", "gpu", "jobs", "edge")

Value = TypeVar("Value")


def script(name: str, *arguments: str, overrides: dict[str, str] | None = None) -> str:
    """Runs one of deploy/scripts; a failure shows what it printed."""
    done = subprocess.run(
        [str(SCRIPTS / name), *arguments],
        env=os.environ | (overrides or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode != 0:
        raise AssertionError(f"{name} {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


@functools.cache
def info() -> dict[str, str]:
    return dict(line.split("=", 1) for line in script("stack.sh", "info").splitlines())


def port(name: str) -> int:
    return int(info()[f"PORT_{name}"])


def url() -> str:
    return f"http://127.0.0.1:{port('EDGE')}"


def certificates() -> Path:
    return Path(info()["CERTS"])


def restart(service: str, **settings: str) -> None:
    """Restarts a service; settings are keys of its environment, for as long as it runs."""
    overrides = {f"ONESHOT_{service.upper()}_{key}": value for key, value in settings.items()}
    script("service.sh", "restart", service, overrides=overrides)


def kill(name: str) -> None:
    """kill -9, and waits until the process is gone."""
    if name in ("postgres", "redis"):
        script(f"{name}.sh", "kill")
    else:
        script("service.sh", "kill", name)


def start(name: str, **settings: str) -> None:
    if name in ("postgres", "redis"):
        script(f"{name}.sh", "start")
    else:
        overrides = {f"ONESHOT_{name.upper()}_{key}": value for key, value in settings.items()}
        script("service.sh", "start", name, overrides=overrides)


def process(service: str) -> int:
    return int(script("service.sh", "status", service))


def state_of(pid: int) -> str:
    """One letter of proc(5); empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@contextlib.contextmanager
def paused(service: str) -> Iterator[None]:
    """SIGSTOP: the process and its connections are there, and nothing moves any more."""
    pid = process(service)
    os.kill(pid, signal.SIGSTOP)
    try:
        until(f"the stop of {service}", lambda: state_of(pid) == "T")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def is_running(service: str) -> bool:
    """Whether the process of a service is there."""
    command = [str(SCRIPTS / "service.sh"), "status", service]
    return subprocess.run(command, capture_output=True, timeout=30).returncode == 0


def await_ready(service: str) -> None:
    script("service.sh", "await", service)


def ctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the operators' tool."""
    return subprocess.run(
        [str(SCRIPTS / "service.sh"), "ctl", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def query(sql: str) -> list[list[str]]:
    """Rows of a query, run as the database's superuser."""
    arguments = ("psql", "-d", "oneshot", "-At", "-F", "\x1f", "-c", sql)
    return [line.split("\x1f") for line in script("postgres.sh", *arguments).splitlines()]


def value(sql: str) -> str | None:
    rows = query(sql)
    return rows[0][0] if rows else None


def until(what: str, probe: Callable[[], Value], seconds: float = 30, pause: float = 0.05) -> Value:
    """The first true answer of a probe; fails, saying what was awaited."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} seconds: {what}")
        time.sleep(pause)


class Lock:
    """A database session that holds locks, so that a service stops at a known statement."""

    def __init__(self, *statements: str) -> None:
        self.process = subprocess.Popen(
            [str(SCRIPTS / "postgres.sh"), "psql", "-d", "oneshot", "-At"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self.held = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        self._write("BEGIN;\n" + "\n".join(statements) + "\n\\echo locks-held\n")

    def _write(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)
            if line.strip() == "locks-held":
                self.held.set()

    def wait(self) -> "Lock":
        if not self.held.wait(20):
            raise AssertionError("the lock was not granted: " + "".join(self.lines))
        return self

    def release(self) -> None:
        """Ends the session; one that died with its server is fine as well."""
        try:
            self._write("ROLLBACK;\n\\q\n")
        except (BrokenPipeError, ValueError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ready(service: str) -> dict:
    return json.loads(script("service.sh", "health", service))
