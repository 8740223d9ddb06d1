"""A service under SIGSTOP: its process is there, its connections stand, and nothing answers.

Nobody is told, unlike with kill -9: a call that was sent waits for its deadline, until keepalive
notices the silence; from then on calls fail sooner, since no new handshake succeeds either. What lay
in the sockets is processed when the service goes on, late: after its callers have given up, repeated
it, or taken it back. Every job must be there once or not at all, and be paid for exactly then.

The documented keys make deadlines and keepalive short, so that this takes seconds.
"""

import concurrent.futures
import json
import tempfile
import time
import unittest
from pathlib import Path
from typing import Callable

import requests

from support import stack
from support.client import Client
from support.orders import Order, unsettled

# The gateway's time for a job: long enough to be stopped in the middle.
SIMULATOR = {"PROVIDERS": "simulator", "SIMULATOR_LATENCY_MS": "2500"}
KEEPALIVE = {"RPC_KEEPALIVE_SECONDS": "1", "RPC_KEEPALIVE_TIMEOUT_SECONDS": "2"}
PORT = {"RPC_MIN_PING_SECONDS": "1"}
# Of the edge's calls. CreateJob has more: JobSvc itself waits three seconds for BillingSvc.
DEADLINES = {
    "methodConfig": [
        {
            "name": [
                {"service": "oneshot.auth.v1.AuthService"},
                {"service": "oneshot.billing.v1.BillingService"},
                {"service": "oneshot.jobs.v1.JobService"},
                {"service": "oneshot.jobs.v1.UploadService"},
            ],
            "timeout": "2s",
        },
        {
            "name": [{"service": "oneshot.jobs.v1.JobService", "method": "CreateJob"}],
            "timeout": "6s",
        },
        {
            "name": [{"service": "oneshot.jobs.v1.JobService", "method": "WatchJob"}],
            "timeout": "100s",
        },
    ]
}
# A request that is not answered within this time hangs.
HANGS_SECONDS = 20
# How long stale admissions, leases, retries and settlements may take altogether.
RECOVERY_SECONDS = 120


def together(calls: list[Callable[[], None]]) -> None:
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result()


def setUpModule():
    file = tempfile.NamedTemporaryFile("w", suffix=".json")
    json.dump(DEADLINES, file)
    file.flush()
    unittest.addModuleCleanup(file.close)
    settings = {
        "auth": KEEPALIVE | PORT,
        "billing": PORT,
        "gpu": SIMULATOR | PORT,
        "jobs": KEEPALIVE | PORT,
        "edge": KEEPALIVE | {"RPC_SERVICE_CONFIG_FILE": file.name},
    }
    together([lambda one=one: stack.restart(one, **settings[one]) for one in settings])


def tearDownModule():
    together([lambda one=one: stack.restart(one) for one in stack.SERVICES])


class Stopped(unittest.TestCase):
    def answers(self, calls: dict[str, Callable[[], requests.Response]]) -> dict[str, str]:
        """Sends all requests at once; how each was answered, none may hang."""
        started = time.monotonic()

        def answer(call: Callable[[], requests.Response]) -> str:
            reply = call()
            told = f"{reply.status_code}"
            if not reply.ok:
                problem = reply.json()
                self.assertEqual(problem["status"], reply.status_code, reply.text)
                self.assertTrue(problem["request_id"], reply.text)
                told += f" {problem['error_code']}"
            if reply.status_code == 503:
                self.assertGreaterEqual(int(reply.headers["Retry-After"]), 1)
            return told

        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            sent = {name: pool.submit(answer, call) for name, call in calls.items()}
            told = {name: one.result() for name, one in sent.items()}
        for name, text in told.items():
            print(f"    {name}: {text}", flush=True)
        print(f"    all within {time.monotonic() - started:.1f} s", flush=True)
        return told

    def away(self, calls: dict[str, Callable[[], requests.Response]]) -> None:
        """Requests that need the stopped service."""
        self.assertLessEqual(
            set(self.answers(calls).values()), {"504 DEADLINE_EXCEEDED", "503 UNAVAILABLE"}
        )

    def well(self, calls: dict[str, Callable[[], requests.Response]]) -> None:
        """Requests that do not need it."""
        self.assertEqual(set(self.answers(calls).values()), {"200"})

    def found_dead(self, call: Callable[[], requests.Response]) -> None:
        """Waits for keepalive: no connection is left, and calls wait for none any longer."""
        started = time.monotonic()
        stack.until("the peer to be found dead", lambda: call().status_code == 503, 60)
        print(f"    found dead {time.monotonic() - started:.1f} s later", flush=True)

    def back(self, call: Callable[[], requests.Response]) -> None:
        """Five seconds are what a service that has come back may take."""
        started = time.monotonic()
        stack.until("an answer", lambda: call().ok, seconds=5, pause=0.2)
        print(f"    back after {time.monotonic() - started:.1f} s", flush=True)

    def settle(self, orders: list[Order], keyless: list[Order] = []) -> None:
        """Repeats what was not answered, and looks what has become of jobs and credits."""
        for order in orders:
            stack.until("an answer", lambda: order.job_id or order.send(), RECOVERY_SECONDS, 0.5)
        users = [order.user for order in orders + keyless]
        stack.until("the end of all that is open", lambda: not unsettled(users), RECOVERY_SECONDS)
        for order in orders + keyless:
            rows = stack.query(
                "SELECT j.id, j.state, coalesce(h.state, 'none'), coalesce(h.amount, 0) "
                "FROM jobs.job j LEFT JOIN billing.credit_hold h ON h.job_id = j.id "
                f"WHERE j.user_id = '{order.user}' ORDER BY j.id"
            )
            print(f"    {[row[1:3] for row in rows]}", flush=True)
            succeeded = [row[0] for row in rows if row[1] == "succeeded"]
            self.assertEqual([row[0] for row in rows if row[2] == "captured"], succeeded, rows)
            if order in orders:
                self.assertEqual(succeeded, [order.job_id], rows)
            self.assertLessEqual(len(succeeded), 1, rows)
            visible = order.client.ok(order.client.get("/api/v1/jobs"))["items"]
            self.assertEqual([job["id"] for job in visible], succeeded)
            credits = order.client.credits()
            self.assertEqual((credits["credits"], credits["held"]), (10 - len(succeeded), 0))
        done = stack.ctl("ledger", "verify")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def calls(self, client: Client) -> dict[str, dict[str, Callable[[], requests.Response]]]:
        """Requests by the service that they need."""
        account = {"email": client.email, "password": client.password}
        options = {"timeout": HANGS_SECONDS}
        photo = {"filename": "me.jpg", "content_type": "image/jpeg"}
        return {
            "auth": {
                "login": lambda: client.post("/api/v1/auth/login", account, **options),
                "me": lambda: client.get("/api/v1/auth/me", **options),
            },
            "billing": {
                "credits": lambda: client.get("/api/v1/credits/me", **options),
                "plans": lambda: client.get("/api/v1/payment/plans", **options),
            },
            "jobs": {
                "list": lambda: client.get("/api/v1/jobs", **options),
                "presign": lambda: client.post("/api/v1/uploads/presign", photo, **options),
            },
            "edge": {"readyz": lambda: client.get("/readyz", **options)},
        }

    def others(self, client: Client, stopped: str) -> dict[str, Callable[[], requests.Response]]:
        return {
            name: call
            for service, calls in self.calls(client).items()
            if service != stopped
            for name, call in calls.items()
        }

    def order(self, order: Order, with_key: bool = True) -> Callable[[], requests.Response]:
        key = order.key if with_key else None
        return lambda: order.client.create(
            "face_restore", order.params, key, timeout=HANGS_SECONDS
        )

    def orders(self, first: Order, second: Order, keyless: Order) -> dict[str, Callable[[], requests.Response]]:
        """Two creations with keys and one without"""
        return {
            "create": self.order(first),
            "create, too": self.order(second),
            "create without key": self.order(keyless, with_key=False),
        }

    def was_interrupted(self, job_id: str) -> bool:
        """Whether JobSvc has lost the gateway while it followed the job."""
        log = Path(stack.info()["LOGS"]) / "jobs.log"
        lines = [line for line in log.read_text().splitlines() if job_id in line]
        return any(json.loads(line)["message"] == "run interrupted" for line in lines)

    def test_auth(self):
        """Under a stopped AuthSvc signing in times out, and the signed-in go on"""
        client = Client.registered()
        needed = self.calls(client)["auth"]
        order = Order()
        with stack.paused("auth"):
            self.away(needed)
            self.well(self.others(client, "auth"))
            self.assertTrue(order.send())
        self.back(needed["me"])
        self.back(needed["login"])
        self.settle([order])

    def test_jobs(self):
        """Jobs ordered from a stopped JobSvc are there once or not at all, as are their charges"""
        client = Client.registered()
        needed = self.calls(client)["jobs"]
        running, first, second, keyless = (Order() for _ in range(4))
        self.assertTrue(running.send())
        running.until_state("running")
        with stack.paused("jobs"):
            self.away(needed | self.orders(first, second, keyless))
            self.well(self.others(client, "jobs"))
            self.found_dead(needed["list"])
            # Now there is no connection on which a request could lie until later.
            self.away({"create again": self.order(second)})
        self.back(needed["list"])
        self.settle([running, first, second], keyless=[keyless])

    def test_billing(self):
        """Credits are neither lost nor spent twice while BillingSvc is stopped"""
        client = Client.registered()
        needed = self.calls(client)["billing"]
        running, first, second, keyless = (Order() for _ in range(4))
        self.assertTrue(running.send())
        running.until_state("running")
        with stack.paused("billing"):
            self.away(needed | self.orders(first, second, keyless))
            others = self.others(client, "billing")
            self.well(others)
            self.assertIsNone(others["me"]().json()["credits"])
            self.found_dead(needed["credits"])
            self.away({"create again": self.order(second)})
            # The provider does not wait for the till.
            running.until_state("succeeded")
        self.back(needed["credits"])
        self.settle([running, first, second], keyless=[keyless])

    def test_gpu(self):
        """Jobs wait for a stopped GPUGateway, and are done and paid for once when it goes on"""
        client = Client.registered()
        running, waiting = Order(), Order()
        self.assertTrue(running.send())
        running.until_state("running")
        with stack.paused("gpu"):
            self.well(self.others(client, "gpu"))
            self.assertTrue(waiting.send())
            stack.until("the gateway to be missed", lambda: self.was_interrupted(running.job_id))
        self.settle([running, waiting])
        # The run was found again: it is the first attempt that succeeded.
        attempts = f"SELECT number, state FROM jobs.attempt WHERE job_id = '{running.job_id}'"
        self.assertEqual(stack.query(attempts), [["1", "done"]])
