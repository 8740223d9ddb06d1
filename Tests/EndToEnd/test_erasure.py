"""A user is erased everywhere, although every service dies by kill -9 on the way."""

import unittest
import uuid
from pathlib import Path

from support import rpc, stack
from support.client import Client

SCHEMAS = ("auth", "billing", "jobs", "gpu")
# They know that a user was erased, so that nothing late brings the user back.
TOMBSTONES = {"auth.erasure", "billing.erased_user", "jobs.erased_user", "gpu.erased_user"}
DONE = 4


def setUpModule():
    stack.restart("gpu", PROVIDERS="simulator", SIMULATOR_LATENCY_MS="0")


def tearDownModule():
    stack.restart("gpu")


def traces(text: str) -> set[str]:
    """Tables with a row that holds a text, as it is or within bytes."""
    tables = stack.query(
        "SELECT schemaname || '.' || tablename FROM pg_tables "
        f"WHERE schemaname IN {SCHEMAS} ORDER BY 1"
    )
    hexadecimal = text.encode().hex()
    probes = " UNION ALL ".join(
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name} t WHERE "
        f"strpos(t::text, '{text}') > 0 OR strpos(t::text, '{hexadecimal}') > 0)"
        for (name,) in tables
    )
    return {name for (name,) in stack.query(probes)}


def files(text: str) -> list[Path]:
    """Stored pictures under a path that holds a text."""
    store = Path(stack.info()["STATE"]) / "store"
    return [path for path in store.rglob("*") if text in str(path) and path.is_file()]


class Erasure(unittest.TestCase):
    def erase(self, user_id: str):
        service = rpc.Service("oneshot.auth.v1.AuthService", "ctl")
        try:
            return service("EraseUser", user_id=user_id)
        finally:
            service.close()

    def person(self) -> Client:
        """A user with a plan, a finished job, and a picture that no job uses."""
        client = Client.registered()
        client.become("pro_monthly")
        params = {"input_upload_id": client.upload_photo()}
        job = client.ok(client.create("face_restore", params, str(uuid.uuid4())), 201)
        self.assertEqual(client.finished(job["id"])["status"], "succeeded")
        client.settled()
        client.upload_photo()
        return client

    def test_erasure(self):
        """An erasure survives kill -9 of every service, and leaves nothing but a whole ledger"""
        client, other = self.person(), self.person()
        user, email = client.user_id, client.email
        self.assertGreater(len(traces(user)), 8)
        self.assertEqual(len(files(user)), 3)
        entries = "SELECT count(*), sum(amount) FROM billing.ledger_entry"
        books = stack.query(entries)

        # Each service stands in the middle of its part when it dies.
        row = f"SELECT id FROM jobs.job WHERE user_id = '{user}' FOR UPDATE;"
        lock = stack.Lock(row).wait()
        try:
            erasure = self.erase(user)
            self.assertEqual(traces(email), set())
            stack.until("the jobs' turn", lambda: self.erase(user).step == 2)
            stack.until("the wait for the lock", lambda: waiting("oneshot-jobs"))
            stack.kill("jobs")
            stack.kill("auth")
        finally:
            lock.release()
        stack.start("auth")
        stack.kill("gpu")
        stack.start("jobs")
        stack.await_ready("auth")
        stack.start("gpu", PROVIDERS="simulator", SIMULATOR_LATENCY_MS="0")
        hurry(user)
        stack.until("the end of the pictures", lambda: not files(user), 90)
        # The rows of uploads stay until nothing can come by their addresses any more.
        stack.query(
            f"UPDATE jobs.upload SET expires_at = now() - interval '1 hour' WHERE user_id = '{user}'"
        )
        account = f"SELECT id FROM billing.ledger_account WHERE owner_id = '{user}' FOR UPDATE;"
        lock = stack.Lock(account).wait()
        try:
            hurry(user)
            stack.until("the ledger's turn", lambda: self.erase(user).step == 3, 90)
            stack.until("the wait for the lock", lambda: waiting("oneshot-billing"))
            stack.kill("billing")
        finally:
            lock.release()
        stack.start("billing")
        stack.await_ready("billing")
        hurry(user)
        stack.until("the end of the erasure", lambda: self.erase(user).step == DONE, 90)

        done = self.erase(user)
        self.assertEqual(done.erasure_id, erasure.erasure_id)
        self.assertGreaterEqual(done.completed_at.ToDatetime(), erasure.requested_at.ToDatetime())
        self.assertEqual(traces(user), TOMBSTONES)
        self.assertEqual(files(user), [])
        self.assertEqual(stack.query(entries), books)
        verified = stack.ctl("ledger", "verify")
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

        # The access token has not expired; the edges know that its session ended.
        self.assertEqual(client.get("/api/v1/auth/me").status_code, 401)
        self.assertEqual(client.get("/api/v1/jobs").status_code, 401)
        self.assertEqual(other.ok(other.get("/api/v1/auth/me"))["plan_code"], "pro")
        self.assertEqual(len(files(other.user_id)), 3)


def hurry(user_id: str) -> None:
    """Makes the next try due now: a lease ends after half a minute, and tries become rare."""
    stack.query(f"UPDATE auth.erasure SET due_at = now() WHERE user_id = '{user_id}'")


def waiting(application: str) -> bool:
    """Whether a statement of a service waits for a lock."""
    return stack.value(
        "SELECT count(*) FROM pg_stat_activity "
        f"WHERE application_name = '{application}' AND wait_event_type = 'Lock'"
    ) != "0"
