"""A client of the public API, with an address and an account of its own."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import time
import uuid
from typing import Any, Iterator
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import HTTPAdapter

from support import stack

# Each client connects from its own loopback address, so that rates kept per address do not make
# one test depend on another. The first number differs from run to run.
_addresses = itertools.count(int.from_bytes(os.urandom(2), "big") * 64)

TIMEOUT = 30

# Everything secret that clients were given or made up, for the test of the logs.
_secrets: dict[str, str] = {}


def note_secret(kind: str, text: str) -> None:
    _secrets[f"{kind} {len(_secrets)}"] = text


def secrets_seen() -> dict[str, str]:
    return dict(_secrets)


class FromAddress(HTTPAdapter):
    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(pool_maxsize=32)

    def init_poolmanager(self, *arguments, **options):
        options["source_address"] = (self.address, 0)
        super().init_poolmanager(*arguments, **options)


class Client:
    """One person with one phone."""

    def __init__(self) -> None:
        number = next(_addresses) % 0xFEFFFE + 2
        self.address = f"127.{number >> 16 & 255 or 1}.{number >> 8 & 255}.{number & 255}"
        self.session = requests.Session()
        self.session.mount("http://", FromAddress(self.address))
        self.base = stack.url()
        self.email = f"user-{uuid.uuid4().hex}@example.com"
        self.password = secrets.token_urlsafe(16)
        note_secret("password", self.password)
        self.user_id = ""
        self.refresh_token = ""

    # --- requests ---------------------------------------------------------------------------

    def request(
        self, method: str, path: str, *, patient: bool = True, **options
    ) -> requests.Response:
        """Sends one request; a patient client waits when it was too quick."""
        target = path if path.startswith("http") else self.base + path
        options.setdefault("timeout", TIMEOUT)
        options.setdefault("allow_redirects", False)
        while True:
            response = self.session.request(method, target, **options)
            if response.status_code != 429 or not patient:
                return response
            if response.json().get("error_code") != "RATE_LIMITED":
                return response
            time.sleep(min(max(float(response.headers.get("Retry-After", "1")), 0.2), 10))

    def get(self, path: str, **options) -> requests.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options) -> requests.Response:
        if body is not None:
            options["json"] = body
        return self.request("POST", path, **options)

    def ok(self, response: requests.Response, status: int = 200) -> dict:
        if response.status_code != status:
            raise AssertionError(
                f"{response.request.method} {response.request.url}: "
                f"{response.status_code} instead of {status}: {response.text}"
            )
        return response.json()

    # --- what an application does -----------------------------------------------------------

    @classmethod
    def registered(cls) -> "Client":
        client = cls()
        account = {"email": client.email, "password": client.password}
        client.adopt(client.ok(client.post("/api/v1/auth/register", account), 201))
        return client

    def adopt(self, session: dict) -> None:
        self.session.headers["Authorization"] = f"Bearer {session['access_token']}"
        self.refresh_token = session["refresh_token"]
        note_secret("access", session["access_token"])
        note_secret("refresh", session["refresh_token"])
        self.user_id = session.get("user", {}).get("id", self.user_id)

    def become(self, product: str) -> None:
        event = {
            "event_type": "subscription_created",
            "user_id": self.user_id,
            "product_id": product,
        }
        self.ok(self.post("/api/v1/billing/mock_event", event))

    def credits(self) -> dict:
        return self.ok(self.get("/api/v1/credits/me"))

    def presign(self, filename: str, content_type: str) -> dict:
        body = {"filename": filename, "content_type": content_type}
        place = self.ok(self.post("/api/v1/uploads/presign", body))
        note_secret("signature", parse_qsl(urlsplit(place["upload_url"]).query)[-1][1])
        return place

    def put(self, place: dict, data: bytes, content_type: str) -> requests.Response:
        headers = {"Content-Type": content_type, "Authorization": None}
        return self.request("PUT", place["upload_url"], data=data, headers=headers)

    def upload(
        self, data: bytes, content_type: str = "image/jpeg", filename: str = "me.jpg"
    ) -> dict:
        place = self.presign(filename, content_type)
        response = self.put(place, data, content_type)
        if response.status_code not in (200, 201, 204):
            raise AssertionError(f"upload: {response.status_code}: {response.text}")
        return place

    def upload_photo(self) -> str:
        return self.upload((stack.PHOTOS / "grace_hopper.jpg").read_bytes())["upload_id"]

    def create(
        self, job_type: str, params: dict, key: str | None = None, **options
    ) -> requests.Response:
        headers = {"Idempotency-Key": key} if key else {}
        body = {"job_type": job_type, "params": params}
        return self.post("/api/v1/jobs", body, headers=headers, **options)

    def restore(self, **params) -> dict:
        """Starts a face_restore of a photograph."""
        params.setdefault("input_upload_id", self.upload_photo())
        return self.ok(self.create("face_restore", params), 201)

    def job(self, job_id: str) -> dict:
        return self.ok(self.get(f"/api/v1/jobs/{job_id}"))

    def answered(self, path: str) -> dict:
        """The answer of a service that has just come back; five seconds are what it may take."""
        reply = stack.until(
            f"an answer of {path}",
            lambda: (reply := self.get(path)).status_code == 200 and reply,
            seconds=5,
            pause=0.2,
        )
        return reply.json()

    def finished(self, job_id: str) -> dict:
        """The job, once its events have said that it ended (asking again and again is limited)."""
        events = list(self.events(job_id))
        assert events[-1]["event"] in ("succeeded", "failed", "cancelled"), events
        return self.job(job_id)

    def running(self, job_id: str) -> None:
        """Returns when the job runs."""
        for event in self.events(job_id):
            if event["data"]["status"] == "running":
                return
        raise AssertionError(f"job {job_id} never ran")

    def settled(self) -> dict:
        """The credits, once nothing is held."""
        return stack.until(
            "the end of every hold",
            lambda: (credits := self.credits())["held"] == 0 and credits,
            pause=0.3,
        )

    def events(self, job_id: str, last_id: int | None = None) -> Iterator[dict]:
        """Server-sent events as dictionaries of their fields; data is decoded."""
        headers = {"Accept": "text/event-stream"}
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        path = f"/api/v1/jobs/{job_id}/events"
        with self.get(path, headers=headers, stream=True, timeout=60) as response:
            if response.status_code != 200:
                raise AssertionError(f"{response.status_code}: {response.text}")
            kind = response.headers["Content-Type"]
            assert kind.startswith("text/event-stream"), kind
            event: dict[str, Any] = {}
            for line in response.iter_lines(chunk_size=1, decode_unicode=True):
                field, _, text = line.partition(":")
                if field:
                    event[field] = text.removeprefix(" ")
                elif not line and "data" in event:
                    event["data"] = json.loads(event["data"])
                    yield event
                    event = {}
