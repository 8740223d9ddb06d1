"""SIGTERM under load: what was accepted is answered, what comes goes elsewhere, nothing is lost."""

import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

from support import load, stack
from support.client import Client

EXECUTABLES = {"jobs": "JobSvc", "edge": "EdgeProxy"}
# DRAIN_SECONDS of the stack's services, and what their workers may take besides.
EXIT_SECONDS = 10 + 4
UNLIMITED = {"RATE_POLICY_OVERRIDES": "user.default=off,upload=off"}
UPLOADS_LOCKED = "LOCK TABLE jobs.upload IN EXCLUSIVE MODE;"


class Child:
    """A service of the stack as a child of ours, whose exit status we learn."""

    def __init__(self, service: str, **settings: str) -> None:
        info = stack.info()
        prefix = f"ONESHOT_{service.upper()}_"
        overrides = {prefix + key: value for key, value in settings.items()}
        file = stack.script("service.sh", "env", service, overrides=overrides).strip()
        self.service = service
        self.settings = settings
        self.command = [str(Path(info["BINARIES"]) / EXECUTABLES[service])]
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": info["STATE"],
            "ONESHOT_ENV_FILE": file,
        }
        self.log = Path(info["LOGS"]) / f"{service}.log"
        self.start()

    def start(self) -> None:
        self.begin = self.log.stat().st_size
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.environment["HOME"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def until_logged(self, message: str) -> None:
        def is_logged() -> bool:
            with self.log.open("rb") as log:
                log.seek(self.begin)
                return f'"message":"{message}"'.encode() in log.read()

        stack.until(f"the line '{message}' of {self.service}", is_logged, pause=0.02)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_status(self) -> int:
        started = time.monotonic()
        status = self.process.wait(EXIT_SECONDS)
        print(f"    {self.service} ended {time.monotonic() - started:.2f} s later: {status}")
        return status

    def end(self) -> None:
        """Gives the place back to the stack."""
        self.process.kill()
        self.process.wait()
        stack.start(self.service, **self.settings)


class Terminated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # One person sends hundreds of requests a second here.
        stack.restart("edge", **UNLIMITED)

    @classmethod
    def tearDownClass(cls):
        stack.restart("edge")

    def child(self, service: str, **settings: str) -> Child:
        stack.script("service.sh", "stop", service)
        child = Child(service, **settings)
        self.addCleanup(child.end)
        child.until_logged("ready")
        return child

    def terminate_in_calls(self, child: Child, *loads: load.Load) -> None:
        """SIGTERM while every caller waits for the database; then the service is started again."""
        lock = stack.Lock(UPLOADS_LOCKED).wait()
        try:
            stack.until("calls in flight", lambda: self.in_flight(loads), pause=0.02)
            child.terminate()
            child.until_logged("draining")
        finally:
            lock.release()
        self.assertEqual(child.exit_status(), 0)
        child.start()

    def in_flight(self, loads: tuple[load.Load, ...]) -> bool:
        waiting = stack.value(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO upload%'"
        )
        return waiting != "0" and all(one.under_way == len(one.threads) for one in loads)

    def terminate_at_once(self, child: Child) -> None:
        child.terminate()
        self.assertEqual(child.exit_status(), 0)
        child.start()

    def test_service(self):
        """SIGTERM of JobSvc under load: no call fails that honours GOAWAY, none is done twice"""
        child = self.child("jobs")
        phone, peer = Client.registered(), Client.registered()
        edge = load.Load(6, 200, load.through_edge(phone)).start()
        direct = load.Load(8, 200, load.over_rpc(peer)).start()
        direct.until_answered(200)
        self.terminate_in_calls(child, direct, edge)
        for answered in (600, 1000):
            direct.until_answered(answered)
            self.terminate_at_once(child)
        self.assertEqual(set(direct.join()), {"OK"})
        self.assertLessEqual(set(edge.join()), {"OK", "503 UNAVAILABLE"})
        self.assertEqual(load.uploads(peer), direct.total)
        self.assertEqual(load.uploads(phone), edge.total)

    def test_edge(self):
        """SIGTERM of EdgeProxy under load: what was sent on a kept connection is answered"""
        child = self.child("edge", **UNLIMITED)
        phone = Client.registered()
        edge = load.Load(12, 250, load.through_edge(phone)).start()
        edge.until_answered(200)
        self.terminate_in_calls(child, edge)
        for answered in (1000, 2000):
            edge.until_answered(answered)
            self.terminate_at_once(child)
        self.assertLessEqual(set(edge.join()), {"OK", "no connection"})
        self.assertEqual(load.uploads(phone), edge.total)
