"""Webhooks at the ends of jobs, checked by another implementation, and kill -9 while they are sent."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
import unittest

import requests

from support import stack
from support.client import Client

SIMULATOR = {"PROVIDERS": "simulator", "SIMULATOR_LATENCY_MS": "0"}
# A lease outlives its attempt by 5 seconds.
SETTINGS = {"WEBHOOK_TIMEOUT_SECONDS": "1", "WEBHOOK_RETRY_DELAYS": "0,0"}


class Receiver:
    """The receiver of Tests/Support as a process of its own."""

    def __init__(self) -> None:
        script = stack.ROOT / "Tests" / "Support" / "fake_webhook_receiver.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        self.base = f"http://127.0.0.9:{self.port}"

    def url(self, name: str, answers: str = "200") -> str:
        return f"{self.base}/hook/{name}?answers={answers}"

    def requests(self, name: str, count: int) -> list[dict]:
        """The requests of a name, once there are so many."""
        reply = requests.get(f"{self.base}/wait/{name}?count={count}", timeout=90)
        assert len(reply.json()) >= count, reply.json()
        return reply.json()

    def stop(self) -> None:
        self.process.communicate("")


RECEIVER: Receiver


def setUpModule():
    global RECEIVER
    RECEIVER = Receiver()
    stack.restart("gpu", **SIMULATOR)
    restart_jobs()


def tearDownModule():
    stack.restart("gpu")
    stack.restart("jobs")
    RECEIVER.stop()


def settings(**more: str) -> dict[str, str]:
    places = f"127.0.0.9:{RECEIVER.port},127.0.0.8:{RECEIVER.port}"
    return SETTINGS | {"WEBHOOK_DEVELOPMENT_ENDPOINTS": places} | more


def restart_jobs(**more: str) -> None:
    stack.restart("jobs", **settings(**more))


def create(client: Client, url: str) -> dict:
    params = {"input_upload_id": client.upload_photo()}
    body = {"job_type": "face_restore", "params": params, "webhook_url": url}
    return client.ok(client.post("/api/v1/jobs", body), 201)


def is_signed(request: dict, key: str) -> bool:
    """The recipe of docs/webhooks.md."""
    headers = request["headers"]
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{request['body']}"
    secret = base64.b64decode(key.removeprefix("whsec_"))
    code = hmac.new(secret, content.encode(), hashlib.sha256)
    signatures = headers["webhook-signature"].split(" ")
    return (
        f"v1,{base64.b64encode(code.digest()).decode()}" in signatures
        and headers["x-webhook-signature"] == code.hexdigest()
        and abs(time.time() - int(headers["webhook-timestamp"])) < 300
    )


class Webhooks(unittest.TestCase):
    def test_signed(self):
        """A webhook carries the job of GET /jobs/{id} under a signature of the user's own key"""
        client = Client.registered()
        job = create(client, RECEIVER.url(client.user_id, "500,200"))
        sent = RECEIVER.requests(client.user_id, 2)
        key = client.ok(client.get("/api/v1/webhooks/secret"))["key"]
        self.assertTrue(all(is_signed(request, key) for request in sent), sent)
        other = Client.registered()
        other_key = other.ok(other.get("/api/v1/webhooks/secret"))["key"]
        self.assertFalse(is_signed(sent[0], other_key))
        self.assertEqual(len({request["headers"]["webhook-id"] for request in sent}), 1)

        notice = json.loads(sent[1]["body"])
        known = client.job(job["id"])
        self.assertEqual(notice["type"], "job.succeeded")
        self.assertEqual(notice["timestamp"], known["finished_at"])
        for artifact in notice["data"]["artifacts"] + known["artifacts"]:
            self.assertEqual(client.get(artifact.pop("output_url")).status_code, 200)
        self.assertEqual(notice["data"], known)

        path = f"/api/v1/jobs/{job['id']}/webhook"
        delivery = stack.until(
            "the delivery",
            lambda: (found := client.ok(client.get(path)))["status"] == "delivered" and found,
            pause=0.3,
        )
        self.assertEqual((delivery["attempts"], delivery["last_status"]), (2, 200))
        self.assertEqual(other.get(path).status_code, 404)
        self.assertEqual(other.post(f"{path}/replay", {}).status_code, 404)
        client.ok(client.post(f"{path}/replay", {}), 202)
        replayed = RECEIVER.requests(client.user_id, 3)[2]
        self.assertEqual(replayed["headers"]["webhook-id"], delivery["id"])
        for service in stack.SERVICES:
            log = (stack.Path(stack.info()["LOGS"]) / f"{service}.log").read_text()
            self.assertNotIn(key.removeprefix("whsec_"), log)
            self.assertNotIn(f"hook/{client.user_id}", log)

    def test_addresses(self):
        """Addresses that a webhook may not have are refused with 422"""
        client = Client.registered()
        params = {"input_upload_id": client.upload_photo()}
        for url, code in (
            ("http://example.com/", "INVALID_VALUE"),
            ("https://user@example.com/", "INVALID_VALUE"),
            ("https://example.com:22/", "INVALID_VALUE"),
            ("https://127.0.0.1/", "PRIVATE_ADDRESS_REFUSED"),
            ("https://0x7f000001/", "PRIVATE_ADDRESS_REFUSED"),
            ("https://[::ffff:169.254.169.254]/", "PRIVATE_ADDRESS_REFUSED"),
            (f"http://127.0.0.1:{RECEIVER.port}/", "INVALID_VALUE"),
        ):
            with self.subTest(url):
                body = {"job_type": "face_restore", "params": params, "webhook_url": url}
                reply = client.post("/api/v1/jobs", body)
                self.assertEqual((reply.status_code, reply.json()["error_code"]), (422, code))

    def dies_at(self, point: str) -> tuple[Client, dict]:
        """A job whose webhook is at a point where JobSvc died by SIGKILL."""
        client = Client.registered()
        restart_jobs(FAULT_POINT=point)
        job = create(client, RECEIVER.url(client.user_id))
        stack.until("the death of JobSvc", lambda: not stack.is_running("jobs"))
        state = stack.value(f"SELECT state FROM jobs.job WHERE id = '{job['id']}'")
        self.assertEqual(state, "succeeded")
        return client, job

    def test_killed_before(self):
        """A webhook survives kill -9 of JobSvc between the end of the job and its delivery"""
        client, job = self.dies_at("before_webhook")
        row = stack.query(f"SELECT id, state FROM jobs.webhook_delivery WHERE job_id = '{job['id']}'")
        self.assertEqual([state for _, state in row], ["pending"])
        stack.start("jobs", **settings())
        sent = RECEIVER.requests(client.user_id, 1)
        self.assertEqual([r["headers"]["webhook-id"] for r in sent], [f"evt_{row[0][0]}"])

    def test_killed_after(self):
        """A webhook that was sent before kill -9 of JobSvc comes again under the same id"""
        client, _ = self.dies_at("after_webhook")
        self.assertEqual(len(RECEIVER.requests(client.user_id, 1)), 1)
        stack.start("jobs", **settings())
        sent = RECEIVER.requests(client.user_id, 2)
        self.assertEqual(len({r["headers"]["webhook-id"] for r in sent}), 1)
