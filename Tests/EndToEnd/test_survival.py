"""kill -9 of every process while jobs stand at every point of their life.

A scenario brings one job of a fresh user to each of these points, by holding locks in the database
so that the services stop at a known statement, and then kills one process:

    admitting        JobSvc has committed the job, BillingSvc has not decided yet
    after hold       the credits are held, the job is not yet pending
    after pending    the job is pending and its user knows it, no worker has claimed it
    after dispatch   the provider works on it
    before capture   it has succeeded, its credits are not yet captured

Afterwards every job must end, be paid exactly once if it succeeded and not at all if it did not,
and `oneshot ledger verify` must find nothing.
"""

import unittest

import requests

from support import stack
from support.client import Client
from support.orders import Order, job_of, unsettled

SIMULATOR = {"PROVIDERS": "simulator", "SIMULATOR_LATENCY_MS": "2500"}
# How long stale admissions, leases and retries may take altogether.
RECOVERY_SECONDS = 120


def setUpModule():
    stack.restart("gpu", **SIMULATOR)


def tearDownModule():
    stack.restart("gpu")


def lock_account(user_id: str) -> stack.Lock:
    """Stops BillingSvc before it decides anything about the credits of a user."""
    return stack.Lock(
        f"SELECT count(*) FROM (SELECT FROM billing.ledger_account WHERE owner_id = '{user_id}' "
        "FOR UPDATE) AS locked;"
    ).wait()


class Scenario:
    """Five users, each with a job at another point."""

    def __init__(self) -> None:
        self.points = {
            name: Order()
            for name in (
                "admitting",
                "after hold",
                "after pending",
                "after dispatch",
                "before capture",
            )
        }
        self.locks: list[stack.Lock] = []

    def prepare(self) -> None:
        admitting, held, pending, running, succeeded = self.points.values()
        # Succeeded, and its capture waits.
        assert succeeded.send()
        succeeded.until_state("running")
        self.locks.append(lock_account(succeeded.user))
        succeeded.until_state("succeeded")
        # With the provider, for as long as the simulator takes.
        assert running.send()
        running.until_state("running")
        # Held: the account is free again, but the job's row is ours.
        account = lock_account(held.user)
        held.send_in_background()
        job = held.until_state("admitting")
        row = stack.Lock(f"SELECT id FROM jobs.job WHERE id = '{job}' FOR UPDATE;").wait()
        self.locks.append(row)
        account.release()
        stack.until(
            "the hold",
            lambda: stack.value(
                f"SELECT job_id FROM billing.credit_hold WHERE job_id = '{job}' AND state = 'held'"
            ),
        )
        # Admitting: the account is ours.
        self.locks.append(lock_account(admitting.user))
        admitting.send_in_background()
        admitting.until_state("admitting")
        # Pending: whoever claims it waits for the table of attempts.
        self.locks.append(stack.Lock("LOCK TABLE jobs.attempt IN EXCLUSIVE MODE;").wait())
        assert pending.send()
        assert job_of(running.user, "running"), "the simulator was too quick"

    def release(self) -> None:
        for lock in self.locks:
            lock.release()

    def settle(self) -> None:
        """Repeats what was not answered, and waits until nothing is open."""
        for name, order in self.points.items():
            if order.thread:
                order.thread.join(40)
            stack.until(f"an answer ({name})", order.send, RECOVERY_SECONDS, pause=1)
        users = [order.user for order in self.points.values()]
        stack.until("the end of all that is open", lambda: not unsettled(users), RECOVERY_SECONDS)


class Survival(unittest.TestCase):
    def check(self, scenario: Scenario) -> None:
        for name, order in scenario.points.items():
            with self.subTest(name):
                job = order.client.answered(f"/api/v1/jobs/{order.job_id}")
                self.assertEqual(job["status"], "succeeded", job)
                rows = stack.query(
                    "SELECT j.id, j.state, coalesce(h.state, 'none'), coalesce(h.amount, 0) "
                    "FROM jobs.job j LEFT JOIN billing.credit_hold h ON h.job_id = j.id "
                    f"WHERE j.user_id = '{order.user}'"
                )
                charged = [row for row in rows if row[2] == "captured"]
                self.assertEqual(len([row for row in rows if row[1] == "succeeded"]), 1, rows)
                self.assertEqual([row[0] for row in charged], [order.job_id], rows)
                self.assertEqual(order.client.answered("/api/v1/credits/me")["credits"], 9)
        done = stack.ctl("ledger", "verify")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def survives(self, victim: str, **settings: str) -> None:
        scenario = Scenario()
        try:
            scenario.prepare()
            stack.kill(victim)
            stack.start(victim, **settings)
        finally:
            scenario.release()
        for service in stack.SERVICES:
            stack.await_ready(service)
        scenario.settle()
        self.check(scenario)

    def test_jobs(self):
        """Jobs and credits survive kill -9 of JobSvc"""
        self.survives("jobs")

    def test_billing(self):
        """Jobs and credits survive kill -9 of BillingSvc"""
        self.survives("billing")

    def test_gpu(self):
        """Jobs and credits survive kill -9 of GPUGateway"""
        self.survives("gpu", **SIMULATOR)

    def test_auth(self):
        """Jobs and credits survive kill -9 of AuthSvc"""
        self.survives("auth")

    def test_edge(self):
        """Jobs and credits survive kill -9 of EdgeProxy"""
        self.survives("edge")

    def test_redis(self):
        """Jobs and credits survive kill -9 of Redis"""
        self.survives("redis")

    def test_postgres(self):
        """Jobs and credits survive kill -9 of PostgreSQL"""
        self.survives("postgres")


class Without(unittest.TestCase):
    """What goes on while something is away."""

    def unavailable(self, reply: requests.Response) -> None:
        """The answer of a service that is away: told as such, with a time to come back."""
        told = (reply.status_code, reply.json()["error_code"])
        self.assertEqual(told, (503, "UNAVAILABLE"), reply.text)
        self.assertGreaterEqual(int(reply.headers["Retry-After"]), 1)

    def test_services_away(self):
        """What a service that is away would answer is 503 UNAVAILABLE with Retry-After"""
        client = Client.registered()
        account = {"email": client.email, "password": client.password}
        calls = {
            "auth": lambda: client.post("/api/v1/auth/login", account),
            "billing": lambda: client.get("/api/v1/credits/me"),
            "jobs": lambda: client.get("/api/v1/jobs"),
        }
        for service, call in calls.items():
            with self.subTest(service):
                stack.kill(service)
                try:
                    self.unavailable(call())
                finally:
                    stack.start(service)
                stack.until(f"an answer of {service}", lambda: call().ok, pause=0.2)

    def test_redis_away(self):
        """Without Redis reading goes on, and signing in is refused with 503"""
        client = Client.registered()
        stack.kill("redis")
        try:
            me = client.get("/api/v1/auth/me", timeout=5)
            self.assertEqual(me.status_code, 200, me.text)
            account = {"email": client.email, "password": client.password}
            login = client.post("/api/v1/auth/login", account, timeout=5)
            self.unavailable(login)
        finally:
            stack.start("redis")
        stack.until(
            "signing in again",
            lambda: client.post("/api/v1/auth/login", account).status_code == 200,
            pause=0.5,
        )

    def test_billing_away(self):
        """Without BillingSvc people sign in, and the balance is null"""
        client = Client.registered()
        stack.kill("billing")
        try:
            me = client.ok(client.get("/api/v1/auth/me", timeout=10))
            self.assertIsNone(me["credits"])
            job = client.create(
                "face_restore", {"input_upload_id": client.upload_photo()}, timeout=20
            )
            self.unavailable(job)
        finally:
            stack.start("billing")
        self.assertEqual(client.answered("/api/v1/credits/me")["credits"], 10)

    def test_slow_jobs_outlive_a_restart(self):
        """A drained JobSvc leaves its running jobs to the next one"""
        client = Client.registered()
        job = client.restore()
        client.running(job["id"])
        stack.restart("jobs")
        client.answered(f"/api/v1/jobs/{job['id']}")
        self.assertEqual(client.finished(job["id"])["status"], "succeeded")
