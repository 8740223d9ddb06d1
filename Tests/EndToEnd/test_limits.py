"""Plan limits, credits and cancelling, on a simulated provider whose pace is known."""

import unittest

from support import stack
from support.client import Client


def setUpModule():
    stack.restart("gpu", PROVIDERS="simulator", SIMULATOR_LATENCY_MS="1500")


def tearDownModule():
    stack.restart("gpu")


class Limits(unittest.TestCase):
    def refused(self, reply, status: int, code: str) -> dict:
        self.assertEqual(
            (reply.status_code, reply.json().get("error_code")), (status, code), reply.text
        )
        return reply.json()

    def test_concurrent(self):
        """A third job beside two running ones is 429 CONCURRENT_LIMIT_EXCEEDED"""
        client = Client.registered()
        upload = client.upload_photo()
        jobs = [client.restore(input_upload_id=upload, denoise=0.1 * part) for part in (1, 2)]
        third = {"input_upload_id": upload, "denoise": 0.3}
        self.refused(client.create("face_restore", third), 429, "CONCURRENT_LIMIT_EXCEEDED")
        for job in jobs:
            self.assertEqual(client.finished(job["id"])["status"], "succeeded")
        client.settled()
        client.ok(client.create("face_restore", third), 201)

    def test_daily(self):
        """The sixth job of a day is 429 DAILY_LIMIT_EXCEEDED, in the contract's words"""
        client = Client.registered()
        upload = client.upload_photo()
        for number in range(5):
            job = client.restore(input_upload_id=upload, denoise=0.1 + 0.1 * number)
            client.ok(client.post(f"/api/v1/jobs/{job['id']}/cancel", {}))
            client.settled()
        reply = client.create("face_restore", {"input_upload_id": upload, "denoise": 0.9})
        problem = self.refused(reply, 429, "DAILY_LIMIT_EXCEEDED")
        self.assertEqual(
            problem["detail"],
            "Daily job limit exceeded (5/5). Please upgrade your plan or wait until tomorrow.",
        )
        self.assertGreater(int(reply.headers["Retry-After"]), 0)
        self.assertEqual(client.credits()["credits"], 10)

    def test_cancel(self):
        """Cancelling ends a running job, gives its credit back and may be repeated"""
        client = Client.registered()
        job = client.restore()
        path = f"/api/v1/jobs/{job['id']}"
        client.running(job["id"])
        self.assertEqual(client.credits()["held"], 1)
        for _ in range(2):
            self.assertEqual(client.ok(client.post(f"{path}/cancel", {}))["status"], "cancelled")
        self.assertEqual(list(client.events(job["id"]))[-1]["event"], "cancelled")
        self.assertEqual(client.settled()["credits"], 10)

    def test_cancel_after_the_end(self):
        """Cancelling a job that has ended answers how it ended"""
        client = Client.registered()
        job = client.finished(client.restore()["id"])
        answer = client.ok(client.post(f"/api/v1/jobs/{job['id']}/cancel", {}))
        self.assertEqual(answer["status"], "succeeded")


def restart_billing(**settings: str) -> None:
    """Restarts BillingSvc, and waits until the three services that call it have noticed."""
    stack.restart("billing", **settings)
    client = Client.registered()
    client.answered("/api/v1/credits/me")
    client.answered("/api/v1/jobs/limits")
    stack.until(
        "the balance in AuthSvc",
        lambda: client.answered("/api/v1/auth/me")["credits"] is not None,
        seconds=5,
        pause=0.2,
    )


class Credits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        restart_billing(DEFAULT_CREDITS="1")

    @classmethod
    def tearDownClass(cls):
        restart_billing()

    def test_not_enough(self):
        """A job that costs more than there is, is 402 NOT_ENOUGH_CREDITS"""
        client = Client.registered()
        upload = client.upload_photo()
        reply = client.create(
            "face_swap",
            {
                "src_face_upload_id": upload,
                "target_upload_id": upload,
                "face_swap_consent": True,
                "deepfake_awareness_consent": True,
            },
        )
        self.assertEqual(
            (reply.status_code, reply.json()["error_code"]), (402, "NOT_ENOUGH_CREDITS")
        )
        credits = client.credits()
        self.assertEqual((credits["credits"], credits["held"]), (1, 0))


class Failures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        stack.restart(
            "gpu", PROVIDERS="simulator", SIMULATOR_LATENCY_MS="100", SIMULATOR_FAILURE_RATE="1"
        )

    @classmethod
    def tearDownClass(cls):
        stack.restart("gpu", PROVIDERS="simulator", SIMULATOR_LATENCY_MS="1500")

    def test_provider_fails(self):
        """A provider that fails every attempt fails the job, which costs nothing"""
        client = Client.registered()
        job = client.finished(client.restore()["id"])
        self.assertEqual(job["status"], "failed")
        self.assertIn(job["error_code"], ("PROVIDER_FAILED", "PROVIDER_UNAVAILABLE"))
        self.assertEqual(client.settled()["credits"], 10)
        attempts = stack.value(f"SELECT count(*) FROM jobs.attempt WHERE job_id = '{job['id']}'")
        self.assertEqual(attempts, "3")
