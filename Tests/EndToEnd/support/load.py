"""Load of a fixed number of calls, each repeated until it is answered well, and all it met on the way.

Every call reserves a place for an upload, which is one row: so the answers can be held against what
was done. A call that failed after it was processed, or that was processed twice, shows.
"""

from __future__ import annotations

import collections
import http.client
import json
import threading
import time
from typing import Callable

import grpc

from support import rpc, stack
from support.client import Client

PHOTO = {"filename": "me.jpg", "content_type": "image/jpeg"}
# A call that has not succeeded after all this time never will.
PATIENCE_SECONDS = 30
# Before a call is repeated that was refused.
PAUSE_SECONDS = 0.05


class Load:
    """Threads that make `calls` calls each; `make` gives a thread what sends one call."""

    def __init__(self, threads: int, calls: int, make: Callable[[], Callable[[], str]]) -> None:
        self.total = threads * calls
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.failure: BaseException | None = None
        # Calls that were begun and have not ended.
        self.under_way = 0
        self.lock = threading.Lock()
        self.threads = [
            threading.Thread(target=self._run, args=(make, calls), daemon=True)
            for _ in range(threads)
        ]

    def start(self) -> "Load":
        self.started = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def _run(self, make: Callable[[], Callable[[], str]], calls: int) -> None:
        try:
            send = make()
            for _ in range(calls):
                self._until_answered(send)
        except BaseException as failure:
            self.failure = failure

    def _until_answered(self, send: Callable[[], str]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            with self.lock:
                self.under_way += 1
            outcome = send()
            with self.lock:
                self.under_way -= 1
                self.outcomes[outcome] += 1
            if outcome == "OK":
                return
            if time.monotonic() > end:
                raise AssertionError(f"no good answer, at last {outcome}")
            time.sleep(PAUSE_SECONDS)

    @property
    def answered(self) -> int:
        return self.outcomes["OK"]

    def until_answered(self, calls: int) -> None:
        stack.until(
            f"{calls} answers", lambda: self.failure or self.answered >= calls, 60, pause=0.01
        )

    def join(self) -> collections.Counter[str]:
        """Waits for the last answer; how all attempts of all calls ended."""
        for thread in self.threads:
            thread.join(4 * PATIENCE_SECONDS)
        if self.failure:
            raise self.failure
        seconds = time.monotonic() - self.started
        assert self.answered == self.total, f"{self.answered} of {self.total} calls have ended"
        rate = self.total / seconds
        print(f"    {self.total} calls, {rate:.0f} a second: {dict(self.outcomes)}", flush=True)
        return self.outcomes


def through_edge(client: Client) -> Callable[[], Callable[[], str]]:
    """Calls on kept-alive HTTP/1.1 connections of the edge, one for each thread."""
    headers = {
        "Authorization": client.session.headers["Authorization"],
        "Content-Type": "application/json",
    }
    body = json.dumps(PHOTO)

    def make() -> Callable[[], str]:
        connection = http.client.HTTPConnection("127.0.0.1", stack.port("EDGE"), timeout=20)

        def send() -> str:
            try:
                if connection.sock is None:
                    connection.connect()
            except ConnectionError:
                return "no connection"
            try:
                connection.request("POST", "/api/v1/uploads/presign", body, headers)
                reply = connection.getresponse()
                text = reply.read()
            except (ConnectionError, http.client.HTTPException) as failure:
                connection.close()
                return f"sent, not answered: {type(failure).__name__}"
            if reply.status == 200:
                return "OK"
            return f"{reply.status} {json.loads(text)['error_code']}"

        return send

    return make


def over_rpc(client: Client) -> Callable[[], Callable[[], str]]:
    """Calls of JobSvc by grpcio, as the edge makes them, all on one connection."""
    service = rpc.Service(
        "oneshot.jobs.v1.UploadService",
        "edge",
        rpc.principal(client.user_id, client.user_id),
        # As gRPC does by itself, but for a shorter pause before it connects anew.
        {"grpc.enable_retries": 1, "grpc.initial_reconnect_backoff_ms": 100},
    )

    def send() -> str:
        try:
            service("PresignUpload", wait_for_ready=True, **PHOTO)
            return "OK"
        except grpc.RpcError as failure:
            return f"{failure.code().name}: {failure.details()}"

    return lambda: send


def uploads(client: Client) -> int:
    return int(stack.value(f"SELECT count(*) FROM jobs.upload WHERE user_id = '{client.user_id}'"))
