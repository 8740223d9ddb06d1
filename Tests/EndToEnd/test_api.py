"""The public API as a well-behaved application uses it."""

import json
import subprocess
import unittest
import uuid
from concurrent.futures import ThreadPoolExecutor

from support import pictures, stack
from support.client import Client


class Sessions(unittest.TestCase):
    def test_register(self):
        """Registering signs in, with ten credits on the free plan"""
        client = Client()
        session = client.ok(
            client.post(
                "/api/v1/auth/register", {"email": client.email, "password": client.password}
            ),
            201,
        )
        self.assertEqual(session["token_type"], "bearer")
        self.assertEqual(session["expires_in"], 600)
        self.assertEqual(session["user"]["email"], client.email)
        client.adopt(session)
        me = client.ok(client.get("/api/v1/auth/me"))
        self.assertEqual(me["id"], session["user"]["id"])
        self.assertEqual((me["credits"], me["plan_code"]), (10, "free"))
        self.assertEqual(me["subscription_status"], "inactive")
        self.assertRegex(me["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")

    def test_register_ignores_credits(self):
        """Credits that a client sends at registration are dropped"""
        client = Client()
        body = {"email": client.email, "password": client.password, "credits": 1000}
        client.adopt(client.ok(client.post("/api/v1/auth/register", body), 201))
        self.assertEqual(client.credits()["credits"], 10)

    def test_login_and_logout(self):
        """Logging out ends the session that was logged in, and no other"""
        client = Client.registered()
        other = dict(client.session.headers)
        account = {"email": client.email.upper(), "password": client.password}
        client.adopt(client.ok(client.post("/api/v1/auth/login", account)))
        self.assertEqual(client.ok(client.post("/api/v1/auth/logout", {}))["status"], "success")
        refused = client.get("/api/v1/auth/me")
        self.assertEqual(
            (refused.status_code, refused.json()["error_code"]), (401, "SESSION_REVOKED")
        )
        client.session.headers["Authorization"] = other["Authorization"]
        client.ok(client.get("/api/v1/auth/me"))

    def test_refresh(self):
        """A refresh token works once; its second use ends the session"""
        client = Client.registered()
        first = client.refresh_token
        client.adopt(client.ok(client.post("/api/v1/auth/refresh", {"refresh_token": first})))
        client.ok(client.get("/api/v1/auth/me"))
        self.assertNotEqual(client.refresh_token, first)
        again = client.post("/api/v1/auth/refresh", {"refresh_token": first})
        self.assertEqual(
            (again.status_code, again.json()["error_code"]), (401, "REFRESH_TOKEN_REUSED")
        )
        newest = client.post("/api/v1/auth/refresh", {"refresh_token": client.refresh_token})
        self.assertEqual(newest.status_code, 401)


class Jobs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = Client.registered()

    def test_face_restore(self):
        """A free user's photograph is restored, live, and costs one credit"""
        client = Client.registered()
        created = client.create("face_restore", {"input_upload_id": client.upload_photo()})
        job = client.ok(created, 201)
        self.assertEqual(job["id"], job["job_id"])
        self.assertEqual((job["job_type"], job["credits_cost"]), ("face_restore", 1))
        self.assertTrue(created.headers["Location"].endswith(f"/api/v1/jobs/{job['id']}"))

        events = list(client.events(job["id"]))
        self.assertEqual(events[-1]["event"], "succeeded")
        progress = [event["data"]["progress"] for event in events]
        self.assertEqual(progress, sorted(progress))
        self.assertEqual(progress[-1], 100)
        numbers = [int(event["id"]) for event in events]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        stages = {event["data"]["stage"] for event in events if event["event"] == "progress"}
        self.assertGreaterEqual(len(stages), 3, stages)

        done = client.job(job["id"])
        self.assertEqual((done["status"], done["progress"]), ("succeeded", 100))
        artifact = done["artifacts"][0]
        download = client.get(artifact["output_url"], headers={"Authorization": None})
        self.assertEqual(download.status_code, 200)
        self.assertEqual(download.headers["Content-Type"], "image/png")
        self.assertEqual(len(download.content), artifact["file_size"])
        self.assertEqual(pictures.size(download.content), (artifact["width"], artifact["height"]))
        self.assertLessEqual(max(artifact["width"], artifact["height"]), 512)

        credits = client.settled()
        self.assertEqual((credits["credits"], credits["balance"], credits["holds"]), (9, 9, []))

    def test_pro_pipelines(self):
        """A Pro user upscales and swaps faces, paid by the subscription"""
        client = Client.registered()
        client.become("pro_monthly")
        me = client.ok(client.get("/api/v1/auth/me"))
        self.assertEqual((me["plan_code"], me["subscription_status"]), ("pro", "active"))
        self.assertEqual(me["credits"], 60)

        source = client.upload_photo()
        data = (stack.PHOTOS / "astronaut.png").read_bytes()
        target = client.upload(data, "image/png", "astronaut.png")["upload_id"]
        upscale = client.ok(client.create("upscale", {"input_upload_id": target, "scale": 2}), 201)
        swap = client.ok(
            client.create(
                "face_swap",
                {
                    "src_face_upload_id": source,
                    "target_upload_id": target,
                    "blend_ratio": 0.8,
                    "face_swap_consent": True,
                    "biometric_processing_consent": True,
                },
            ),
            201,
        )
        self.assertEqual((upscale["credits_cost"], swap["credits_cost"]), (0, 0))
        larger = client.finished(upscale["id"])["artifacts"][0]
        self.assertEqual((larger["width"], larger["height"]), (1024, 1024))
        swapped = client.finished(swap["id"])
        self.assertEqual(swapped["status"], "succeeded", swapped)
        self.assertEqual(swapped["params"]["blend"], 0.8)
        self.assertEqual(client.settled()["credits"], 60)

    def test_input_by_file_url(self):
        """The address that an upload was given is accepted as the input"""
        place = self.client.upload((stack.PHOTOS / "grace_hopper.jpg").read_bytes())
        job = self.client.restore(input_upload_id=None, input_image_url=place["file_url"])
        self.assertEqual(self.client.finished(job["id"])["status"], "succeeded")

    def test_resume_and_ndjson(self):
        """A stream resumes after Last-Event-ID, and speaks NDJSON when asked to"""
        client = Client.registered()
        job = client.restore()
        events = list(client.events(job["id"]))
        resumed = list(client.events(job["id"], last_id=int(events[1]["id"])))
        self.assertEqual([event["id"] for event in resumed], [event["id"] for event in events[2:]])
        reply = client.get(
            f"/api/v1/jobs/{job['id']}/events", headers={"Accept": "application/x-ndjson"}
        )
        lines = [json.loads(line) for line in reply.text.splitlines() if line]
        self.assertEqual([line["id"] for line in lines], [int(event["id"]) for event in events])

    def test_cached_answer(self):
        """The same job again succeeds from the cache and costs nothing"""
        client = Client.registered()
        upload = client.upload_photo()
        first = client.finished(client.restore(input_upload_id=upload)["id"])
        again = client.finished(client.restore(input_upload_id=upload)["id"])
        self.assertEqual((first["status"], again["status"]), ("succeeded", "succeeded"))
        self.assertEqual(client.settled()["credits"], 9)

    def test_lists(self):
        """Lists page by cursor, filter, and skip for old clients"""
        client = Client.registered()
        upload = client.upload_photo()
        ids = []
        for _ in range(3):
            job = client.restore(input_upload_id=upload)
            client.finished(job["id"])
            ids.insert(0, job["id"])
        first = client.ok(client.get("/api/v1/jobs", params={"limit": 2}))
        self.assertEqual([job["id"] for job in first["items"]], ids[:2])
        self.assertTrue(first["has_more"])
        rest = client.ok(
            client.get("/api/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]})
        )
        self.assertEqual([job["id"] for job in rest["items"]], ids[2:])
        self.assertEqual((rest["has_more"], rest["next_cursor"]), (False, None))
        skipped = client.ok(client.get("/api/v1/jobs", params={"skip": 2, "limit": 10}))
        self.assertEqual([job["id"] for job in skipped["items"]], ids[2:])
        none = client.ok(client.get("/api/v1/jobs", params={"status": "failed"}))
        self.assertEqual(none["items"], [])
        done = client.ok(
            client.get("/api/v1/jobs", params={"status": "SUCCEEDED", "job_type": "face_restore"})
        )
        self.assertEqual(len(done["items"]), 3)

    def test_limits(self):
        """Limits say what the plan gives, what is used and what remains"""
        client = Client.registered()
        limits = client.ok(client.get("/api/v1/jobs/limits"))
        self.assertEqual(
            limits,
            {
                "plan_code": "free",
                "limits": {"daily_jobs": 5, "concurrent_jobs": 2, "max_side": 512},
                "usage": {"jobs_today": 0, "concurrent_jobs": 0},
                "remaining": {"daily_jobs": 5, "concurrent_jobs": 2},
            },
        )

    def test_spellings(self):
        """Fields are known by their aliases, in camel case, and at the top level"""
        client = Client.registered()
        body = {
            "jobType": "face_restoration",
            "parameters": {"input_upload_id": client.upload_photo(), "face_enhance": True},
        }
        job = client.finished(client.ok(client.post("/api/v1/jobs", body), 201)["id"])
        self.assertEqual(job["job_type"], "face_restore")
        self.assertEqual(job["params"]["enhance"], True)


class Idempotency(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = Client.registered()
        cls.upload = cls.client.upload_photo()

    def test_repeat(self):
        """A repeat with the same key receives the first answer, byte for byte"""
        key, params = str(uuid.uuid4()), {"input_upload_id": self.upload}
        first = self.client.create("face_restore", params, key)
        self.client.ok(first, 201)
        again = self.client.create("face_restore", params, f'"{key}"')
        self.assertEqual((again.status_code, again.content), (201, first.content))
        self.assertEqual(again.headers["Idempotent-Replayed"], "true")
        other = self.client.create("face_restore", params | {"denoise": 0.2}, key)
        self.assertEqual(
            (other.status_code, other.json()["error_code"]), (422, "IDEMPOTENCY_KEY_REUSED")
        )
        self.client.finished(first.json()["id"])

    def test_race(self):
        """Concurrent requests with one key make one job"""
        client = Client.registered()
        key, params = str(uuid.uuid4()), {"input_upload_id": client.upload_photo()}

        def create(_):
            return client.create("face_restore", params, key)

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(create, range(8)))
        good = [answer for answer in answers if answer.status_code == 201]
        busy = [answer for answer in answers if answer.status_code == 409]
        self.assertEqual(len(good) + len(busy), 8, [answer.text for answer in answers])
        self.assertEqual(
            {answer.json()["error_code"] for answer in busy} - {"IDEMPOTENCY_IN_PROGRESS"}, set()
        )
        self.assertEqual(len({answer.content for answer in good}), 1)
        self.assertEqual(len(client.ok(client.get("/api/v1/jobs"))["items"]), 1)


class Edge(unittest.TestCase):
    def test_public_pages(self):
        """Plans, health and the API's own description are open to all"""
        client = Client()
        plans = client.ok(client.get("/api/v1/payment/plans"))
        self.assertEqual([plan["code"] for plan in plans["plans"]], ["free", "pro", "premium"])
        for path in ("/health", "/healthz", "/readyz"):
            self.assertEqual(client.get(path).status_code, 200, path)
        description = client.ok(client.get("/openapi.json"))
        self.assertTrue(description["openapi"].startswith("3.1"))
        self.assertIn("post", description["paths"]["/api/v1/jobs"])

    def test_headers(self):
        """Answers carry security headers, a request id and the state of the limits"""
        client = Client.registered()
        reply = client.get("/api/v1/auth/me", headers={"X-Request-Id": "phone-1"})
        self.assertEqual(reply.headers["X-Request-Id"], "phone-1")
        self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
        self.assertIn("no-store", reply.headers["Cache-Control"])
        self.assertRegex(reply.headers["RateLimit"], r'"[^"]+";r=\d+;t=\d+')
        self.assertRegex(reply.headers["RateLimit-Policy"], r'"[^"]+";q=\d+;w=\d+')

    def test_rate_limit(self):
        """The eleventh request of a second waits as Retry-After says"""
        client = Client.registered()
        replies = [client.get("/api/v1/auth/me", patient=False) for _ in range(25)]
        refused = [reply for reply in replies if reply.status_code == 429]
        self.assertTrue(refused)
        self.assertGreaterEqual([reply.status_code for reply in replies].count(200), 9)
        self.assertEqual(refused[0].json()["error_code"], "RATE_LIMITED")
        self.assertGreaterEqual(int(refused[0].headers["Retry-After"]), 1)

    def curl(self, *arguments: str) -> str:
        command = [
            "curl",
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_version} %{http_code}",
            *arguments,
        ]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=20
        ).stdout

    def test_http_versions(self):
        """HTTP/1.1 and HTTP/2 are spoken, in clear text and over TLS"""
        clear = f"{stack.url()}/health"
        secure = f"https://localhost:{stack.port('EDGE_TLS')}/health"
        authority = ["--cacert", str(stack.certificates() / "ca.crt")]
        self.assertEqual(self.curl("--http1.1", clear), "1.1 200")
        self.assertEqual(self.curl("--http2-prior-knowledge", clear), "2 200")
        self.assertEqual(self.curl("--http1.1", *authority, secure), "1.1 200")
        self.assertEqual(self.curl("--http2", *authority, secure), "2 200")


class Operators(unittest.TestCase):
    def test_status(self):
        """oneshot status shows every service as ready"""
        done = stack.ctl("status")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for service in stack.SERVICES:
            self.assertIn(service, done.stdout)

    def test_readiness_and_metrics(self):
        """Each service times its dependencies and counts its work"""
        for service in stack.SERVICES:
            self.assertTrue(stack.ready(service)["healthy"], service)
            admin = f"http://127.0.0.1:{stack.port(service.upper() + '_ADMIN')}"
            metrics = Client().get(f"{admin}/metrics")
            self.assertEqual(metrics.status_code, 200)
            self.assertIn("# TYPE", metrics.text)
