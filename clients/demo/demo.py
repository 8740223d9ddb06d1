#!/usr/bin/env python3
"""A phone's visit to OneShot, over the public JSON API and nothing else.

Signs up, uploads photographs, restores one as a free user, is refused a job over the plan, becomes
Pro by the development billing event, upscales one photograph and swaps the faces of two, follows
each job live and downloads the pictures. Needs Python's standard library alone.
"""

from __future__ import annotations

import argparse
import http.client
import json
import mimetypes
import secrets
import struct
import sys
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

TIMEOUT_SECONDS = 60
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class DemoError(Exception):
    """Something that a person running the demo should read."""


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)


class Api:
    """The public API as an application would wrap it."""

    def __init__(self, base_url: str) -> None:
        self.base = urllib.parse.urlsplit(base_url)
        self.token: str | None = None

    def open(self, method: str, url: str, body: bytes | None, headers: dict[str, str]):
        """Sends one request; the connection belongs to the caller."""
        target = urllib.parse.urlsplit(url)
        secure = (target.scheme or self.base.scheme) == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(target.netloc or self.base.netloc, timeout=TIMEOUT_SECONDS)
        path = target.path + (f"?{target.query}" if target.query else "")
        connection.request(method, path, body=body, headers=headers)
        return connection, connection.getresponse()

    def send(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        """Sends one request, again when the server asks to wait a moment."""
        while True:
            connection, response = self.open(method, url, body, headers)
            reply = Reply(response.status, response.headers, response.read())
            connection.close()
            wait = response.headers.get("Retry-After", "")
            if reply.status != 429 or not wait.isdigit() or int(wait) > 30:
                return reply
            time.sleep(max(int(wait), 1))

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def call(self, method: str, path: str, body: dict | None = None) -> Reply:
        headers = self.headers() | {"Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        return self.send(method, path, data, headers)

    def expect(self, status: int, method: str, path: str, body: dict | None = None) -> dict:
        reply = self.call(method, path, body)
        if reply.status != status:
            raise DemoError(
                f"{method} {path}: {reply.status} instead of {status}: {reply.body.decode()}"
            )
        return reply.json()

    def events(self, path: str) -> Iterator[dict]:
        """Server-sent events of one stream, each with its type under "event"."""
        headers = self.headers() | {"Accept": "text/event-stream"}
        connection, response = self.open("GET", path, None, headers)
        if response.status != 200:
            raise DemoError(f"GET {path}: {response.status}: {response.read().decode()}")
        name, data = "message", []
        for raw in response:
            line = raw.decode().rstrip("\r\n")
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif not line:
                if data:
                    yield json.loads("\n".join(data)) | {"event": name}
                name, data = "message", []
        connection.close()


class Progress:
    """A bar on a terminal, a line per step elsewhere."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.last = None
        self.is_terminal = sys.stdout.isatty()

    def show(self, percent: int, stage: str) -> None:
        if (percent, stage) == self.last:
            return
        self.last = (percent, stage)
        if self.is_terminal:
            filled = percent * 30 // 100
            bar = "█" * filled + "░" * (30 - filled)
            print(f"\r    {self.title:<13} {bar} {percent:3d} %  {stage:<12}", end="", flush=True)
        else:
            print(f"    {self.title:<13} {percent:3d} %  {stage}", flush=True)

    def end(self) -> None:
        if self.is_terminal:
            print()


@dataclass
class Result:
    title: str
    seconds: float
    before: int
    after: int
    width: int
    height: int
    path: Path


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


def note(text: str) -> None:
    print(f"    {text}", flush=True)


def png_size(data: bytes) -> tuple[int, int]:
    if not data.startswith(PNG_SIGNATURE) or data[12:16] != b"IHDR":
        raise DemoError("the download is not a PNG picture")
    return struct.unpack(">II", data[16:24])


class Demo:
    def __init__(self, api: Api, out: Path) -> None:
        self.api = api
        self.out = out
        self.user_id = ""
        self.results: list[Result] = []

    def credits(self) -> int:
        return self.api.expect(200, "GET", "/api/v1/credits/me")["credits"]

    def sign_up(self) -> None:
        account = {
            "email": f"demo-{secrets.token_hex(6)}@example.com",
            "password": secrets.token_urlsafe(18),
        }
        say(f"registering {account['email']} and signing in")
        self.api.expect(201, "POST", "/api/v1/auth/register", account)
        session = self.api.expect(200, "POST", "/api/v1/auth/login", account)
        self.api.token = session["access_token"]
        me = self.api.expect(200, "GET", "/api/v1/auth/me")
        self.user_id = me["id"]
        note(f"plan {me['plan_code']}, {me['credits']} credits")

    def upload(self, photo: Path) -> str:
        content_type = mimetypes.guess_type(photo.name)[0] or "application/octet-stream"
        data = photo.read_bytes()
        place = self.api.expect(
            200,
            "POST",
            "/api/v1/uploads/presign",
            {"filename": photo.name, "content_type": content_type, "file_size": len(data)},
        )
        reply = self.api.send("PUT", place["upload_url"], data, {"Content-Type": content_type})
        if reply.status not in (200, 201, 204):
            raise DemoError(f"upload of {photo.name}: {reply.status}: {reply.body.decode()}")
        note(f"uploaded {photo.name} ({len(data):,} bytes)")
        return place["upload_id"]

    def refused(self, job_type: str, params: dict) -> None:
        reply = self.api.call("POST", "/api/v1/jobs", {"job_type": job_type, "params": params})
        problem = reply.json()
        if (reply.status, problem.get("error_code")) != (422, "PARAMETER_VIOLATION"):
            raise DemoError(
                f"a job over the plan was answered {reply.status}: {reply.body.decode()}"
            )
        note(
            f"refused as it should be: {reply.status} {problem['error_code']}: {problem['detail']}"
        )

    def become_pro(self) -> None:
        say("upgrading to Pro by the development billing event")
        event = {
            "event_type": "subscription_created",
            "user_id": self.user_id,
            "product_id": "pro_monthly",
        }
        self.api.expect(200, "POST", "/api/v1/billing/mock_event", event)
        me = self.api.expect(200, "GET", "/api/v1/auth/me")
        if me["plan_code"] != "pro":
            raise DemoError(f"the plan is still {me['plan_code']}")
        note(f"plan {me['plan_code']} ({me['subscription_status']}), {me['credits']} credits")

    def follow(self, title: str, job_id: str) -> None:
        """Shows progress until the job ends; a stream that breaks off is opened again."""
        progress = Progress(title)
        deadline = time.monotonic() + 300
        last_id = 0
        while time.monotonic() < deadline:
            for event in self.api.events(f"/api/v1/jobs/{job_id}/events?after={last_id}"):
                last_id = event.get("id", last_id)
                progress.show(event.get("progress", 0), event.get("stage") or event["event"])
                if event["event"] in ("succeeded", "failed", "cancelled"):
                    progress.end()
                    if event["event"] != "succeeded":
                        raise DemoError(
                            f"{title} {event['event']}: "
                            f"{event.get('error_code')} {event.get('message')}"
                        )
                    return
        raise DemoError(f"{title} did not end within five minutes")

    def run_job(self, title: str, job_type: str, params: dict) -> None:
        say(f"{title}: POST /api/v1/jobs {job_type}")
        before = self.credits()
        started = time.monotonic()
        job = self.api.expect(201, "POST", "/api/v1/jobs", {"job_type": job_type, "params": params})
        self.follow(title, job["id"])
        seconds = time.monotonic() - started
        artifact = self.api.expect(200, "GET", f"/api/v1/jobs/{job['id']}")["artifacts"][0]
        reply = self.api.send("GET", artifact["output_url"], None, {})
        if reply.status != 200:
            raise DemoError(f"download: {reply.status}: {reply.body.decode()}")
        width, height = png_size(reply.body)
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / f"{job_type}.png"
        path.write_bytes(reply.body)
        self.results.append(Result(title, seconds, before, self.credits(), width, height, path))

    def summary(self) -> None:
        say("finished pictures")
        for result in self.results:
            note(
                f"{result.title:<13} {result.seconds:5.1f} s"
                f"   credits {result.before} → {result.after}"
                f"   {result.width}×{result.height}   {result.path}"
            )


def run(url: str, photo: Path, face: Path, worn: Path, out: Path) -> None:
    demo = Demo(Api(url), out)
    demo.sign_up()

    say("uploading photographs")
    photo_id = demo.upload(photo)
    worn_id = photo_id if worn == photo else demo.upload(worn)
    face_id = demo.upload(face)

    demo.run_job(
        "face restore", "face_restore", {"input_upload_id": worn_id, "face_restore": "gfpgan"}
    )
    say("asking for 1024 pixels, which the free plan does not give")
    demo.refused("face_restore", {"input_upload_id": photo_id, "max_side": 1024})

    demo.become_pro()
    demo.run_job("upscale", "upscale", {"input_upload_id": photo_id, "scale": 2})
    demo.run_job(
        "face swap",
        "face_swap",
        {
            "src_face_upload_id": face_id,
            "target_upload_id": photo_id,
            "blend": 0.8,
            "face_swap_consent": True,
            "deepfake_awareness_consent": True,
            "biometric_processing_consent": True,
        },
    )
    demo.summary()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="public address of OneShot")
    parser.add_argument("--photo", type=Path, required=True, help="the picture to work on")
    parser.add_argument("--face", type=Path, required=True, help="the picture that gives its face")
    parser.add_argument("--worn", type=Path, help="the picture to restore; --photo if not given")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results")
    options = parser.parse_args()
    try:
        worn = options.worn or options.photo
        run(options.url, options.photo, options.face, worn, options.out)
    except (DemoError, OSError, http.client.HTTPException) as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
