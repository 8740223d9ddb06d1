"""Everything that a client can get wrong, and the status and error_code that it is told."""

import http.client
import json
import re
import tempfile
import time
import unittest
import uuid
from pathlib import Path
from urllib.parse import urlsplit

from support import pictures, stack, tokens
from support.client import Client

JOBS = "/api/v1/jobs"


class BadInput(unittest.TestCase):
    """Shared by the classes below: one user, and a check of status and code."""

    @classmethod
    def setUpClass(cls):
        cls.client = Client.registered()

    def refused(self, reply, status: int, code: str) -> dict:
        """Checks status and code, and the shape that every error has."""
        self.assertEqual(
            (reply.status_code, reply.json().get("error_code")), (status, code), reply.text
        )
        problem = reply.json()
        self.assertEqual(problem["status"], status)
        for member in ("detail", "title", "type", "request_id"):
            self.assertTrue(problem[member], member)
        return problem

    def raw(self, body: bytes, path: str = JOBS, content_type: str = "application/json"):
        return self.client.post(path, data=body, headers={"Content-Type": content_type})


class Bodies(BadInput):
    def test_malformed(self):
        """Malformed JSON is 400 MALFORMED_JSON"""
        bodies = {
            "empty": b"",
            "cut": b'{"job_type": "upscale"',
            "trailing": b'{"job_type": "upscale"} x',
            "bare word": b"upscale",
            "not UTF-8": b'{"job_type": "\xff\xfe"}',
            "lone surrogate": b'{"job_type": "\\ud800"}',
            "deep": b'{"params":' + b"[" * 5000 + b"]" * 5000 + b"}",
        }
        for name, body in bodies.items():
            with self.subTest(name):
                self.refused(self.raw(body), 400, "MALFORMED_JSON")

    def test_wrong_types(self):
        """A value of the wrong type is 422 INVALID_VALUE"""
        bodies = {
            "number for string": b'{"job_type": 5}',
            "object for string": b'{"job_type": {}}',
            "string for object": b'{"job_type": "upscale", "params": "x"}',
            "string for bool": b'{"job_type": "face_restore", "params": {"enhance": "yes"}}',
            "fraction for int": b'{"job_type": "upscale", "params": {"scale": 1.5}}',
            "beyond int32": b'{"job_type": "upscale", "params": {"scale": 99999999999}}',
        }
        for name, body in bodies.items():
            with self.subTest(name):
                self.refused(self.raw(body), 422, "INVALID_VALUE")

    def test_ranges(self):
        """A value out of its range is 422 INVALID_VALUE"""
        upload = self.client.upload_photo()
        for job_type, params in (
            ("upscale", {"scale": 3}),
            ("upscale", {"scale": 2, "tile": 10}),
            ("face_restore", {"denoise": 1.5}),
            ("face_restore", {"face_restore": "photoshop"}),
            ("face_restore", {"max_side": 0}),
        ):
            with self.subTest(params):
                reply = self.client.create(job_type, {"input_upload_id": upload} | params)
                self.refused(reply, 422, "INVALID_VALUE")

    def test_unknown_field(self):
        """An unknown field is 422 UNKNOWN_FIELD and named by its pointer"""
        problem = self.refused(
            self.raw(b'{"job_type": "upscale", "colour": 1}'), 422, "UNKNOWN_FIELD"
        )
        self.assertIn("colour", str(problem))
        problem = self.refused(
            self.raw(b'{"job_type": "upscale", "params": {"colour": 1}}'), 422, "UNKNOWN_FIELD"
        )
        self.assertIn("/params/colour", str(problem))
        for field in ("user_id", "status", "credits_cost"):
            reply = self.raw(b'{"job_type": "upscale", "%s": "1"}' % field.encode())
            self.refused(reply, 422, "UNKNOWN_FIELD")

    def test_two_spellings(self):
        """Two spellings of one field are 422 DUPLICATE_FIELD"""
        for body in (
            b'{"job_type": "upscale", "jobType": "upscale"}',
            b'{"job_type": "upscale", "params": {}, "parameters": {}}',
            b'{"job_type": "upscale", "params": {"scale": 2, "scale_factor": 2}}',
            b'{"job_type": "upscale", "job_type": "upscale"}',
        ):
            with self.subTest(body):
                self.refused(self.raw(body), 422, "DUPLICATE_FIELD")

    def test_oversized(self):
        """A body over the route's limit is 413 BODY_TOO_LARGE"""
        body = b'{"job_type": "upscale", "client_ref": "' + b"x" * 70_000 + b'"}'
        self.refused(self.raw(body), 413, "BODY_TOO_LARGE")

    def test_media_type(self):
        """Anything but JSON is 415 UNSUPPORTED_MEDIA_TYPE"""
        self.refused(self.raw(b"a=b", content_type="text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE")

    def test_problem_json(self):
        """Errors are problem+json for those who ask for it"""
        reply = self.client.get("/api/v1/nothing", headers={"Accept": "application/problem+json"})
        self.assertTrue(reply.headers["Content-Type"].startswith("application/problem+json"))
        self.refused(reply, 404, "ROUTE_NOT_FOUND")


class Routes(BadInput):
    def test_unknown_route(self):
        """A route that is not there is 404 ROUTE_NOT_FOUND"""
        for path in (
            "/",
            "/api/v1/nothing",
            "/api/v2/jobs",
            "/oneshot.jobs.v1.JobService/GetJob",
            "/api/v1/jobs/a/b",
            "/api/v1/%2e%2e/jobs",
        ):
            with self.subTest(path):
                self.refused(self.client.get(path), 404, "ROUTE_NOT_FOUND")

    def test_wrong_method(self):
        """A method that a route does not have is 405, with those it has"""
        reply = self.client.request("DELETE", "/api/v1/jobs")
        self.refused(reply, 405, "METHOD_NOT_ALLOWED")
        allowed = {name.strip() for name in reply.headers["Allow"].split(",")}
        self.assertLessEqual({"GET", "POST"}, allowed)

    def test_query(self):
        """Bad query parameters are named"""
        self.refused(self.client.get(JOBS, params={"colour": 1}), 400, "UNKNOWN_PARAMETER")
        self.refused(self.client.get(JOBS, params={"cursor": "nonsense"}), 400, "INVALID_CURSOR")
        for limit in ("0", "101", "many"):
            with self.subTest(limit):
                reply = self.client.get(JOBS, params={"limit": limit})
                self.refused(reply, 422, "INVALID_VALUE")


class Accounts(BadInput):
    def register(self, email: str, password: str = "correct horse battery"):
        return Client().post("/api/v1/auth/register", {"email": email, "password": password})

    def test_register(self):
        """Bad accounts are refused, each for its reason"""
        fresh = f"{uuid.uuid4().hex}@example.com"
        self.refused(self.register("nobody"), 422, "INVALID_EMAIL")
        self.refused(self.register(fresh, "short"), 422, "WEAK_PASSWORD")
        self.refused(self.register(fresh, "password123"), 422, "WEAK_PASSWORD")
        self.refused(self.register(self.client.email.upper()), 409, "EMAIL_TAKEN")
        self.refused(Client().post("/api/v1/auth/register", {}), 422, "MISSING_FIELD")

    def test_login(self):
        """A wrong password and an unknown address are told apart by nobody"""
        known = {"email": self.client.email, "password": "not the password"}
        unknown = {"email": f"{uuid.uuid4().hex}@example.com", "password": "not the password"}
        problems = [
            self.refused(Client().post("/api/v1/auth/login", body), 401, "INVALID_CREDENTIALS")
            for body in (known, unknown)
        ]
        self.assertEqual(problems[0]["detail"], problems[1]["detail"])


class Tokens(BadInput):
    def me(self, authorization: str | None):
        return self.client.get("/api/v1/auth/me", headers={"Authorization": authorization})

    def test_none(self):
        """No token is 401 UNAUTHENTICATED"""
        reply = self.me(None)
        self.refused(reply, 401, "UNAUTHENTICATED")
        self.assertIn("Bearer", reply.headers["WWW-Authenticate"])

    def test_forged(self):
        """A token that is not ours is 401 INVALID_TOKEN"""
        good = self.client.session.headers["Authorization"].removeprefix("Bearer ")
        header, claims = tokens.parts(good)
        later = claims | {"exp": int(time.time()) + 3600}
        ours = stack.certificates() / "jwt.private.pem"
        with tempfile.TemporaryDirectory() as folder:
            theirs = tokens.new_key(Path(folder) / "theirs.pem")
            forged = {
                "nonsense": "x",
                "no signature": f"{tokens.unsigned({'alg': 'none', 'typ': 'JWT'}, later)}.",
                "another algorithm": f"{tokens.unsigned({'alg': 'HS256'}, later)}.{'A' * 43}",
                "another key": tokens.signed(header, later, theirs),
                "another signature": good[:-8]
                + ("AAAAAAAA" if good[-8:] != "AAAAAAAA" else "BBBBBBBB"),
                "zero signature": f"{tokens.unsigned(header, claims)}.{tokens.encode(bytes(64))}",
                "another audience": tokens.signed(header, later | {"aud": "elsewhere"}, ours),
                "another issuer": tokens.signed(header, later | {"iss": "elsewhere"}, ours),
                "huge": "x" * 16_000,
            }
        for name, token in forged.items():
            with self.subTest(name):
                self.refused(self.me(f"Bearer {token}"), 401, "INVALID_TOKEN")

    def test_expired(self):
        """A token after its time is 401 TOKEN_EXPIRED"""
        good = self.client.session.headers["Authorization"].removeprefix("Bearer ")
        header, claims = tokens.parts(good)
        old = claims | {"iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600}
        token = tokens.signed(header, old, stack.certificates() / "jwt.private.pem")
        self.refused(self.me(f"Bearer {token}"), 401, "TOKEN_EXPIRED")

    def test_identity_headers(self):
        """Headers that only the edge may set change nothing"""
        other = Client.registered()
        headers = {
            "x-oneshot-user-id": other.user_id,
            "Grpc-Metadata-x-oneshot-user-id": other.user_id,
        }
        me = self.client.ok(self.client.get("/api/v1/auth/me", headers=headers))
        self.assertEqual(me["id"], self.client.user_id)


class OthersJobs(BadInput):
    def test_hidden(self):
        """Another person's job is as absent as one that never was"""
        job = self.client.restore()["id"]
        stranger = Client.registered()
        for method, suffix in (("GET", ""), ("POST", "/cancel"), ("GET", "/events")):
            with self.subTest(f"{method} {suffix}"):
                options = {"json": {}} if method == "POST" else {}
                theirs = stranger.request(method, f"{JOBS}/{job}{suffix}", **options)
                nobodys = stranger.request(method, f"{JOBS}/{uuid.uuid4()}{suffix}", **options)
                theirs, nobodys = (
                    self.refused(reply, 404, "NOT_FOUND") for reply in (theirs, nobodys)
                )
                self.assertEqual(theirs["detail"], nobodys["detail"])
        self.assertEqual(stranger.ok(stranger.get(JOBS))["items"], [])
        self.assertEqual(self.client.finished(job)["status"], "succeeded")

    def test_not_an_id(self):
        """Something that is no id is not found either"""
        self.refused(self.client.get(f"{JOBS}/not-a-uuid"), 404, "NOT_FOUND")

    def test_upload(self):
        """Another person's upload is no input"""
        place = self.client.upload((stack.PHOTOS / "grace_hopper.jpg").read_bytes())
        stranger = Client.registered()
        by_id = stranger.create("face_restore", {"input_upload_id": place["upload_id"]})
        self.refused(by_id, 404, "UPLOAD_NOT_FOUND")
        by_url = stranger.create("face_restore", {"input_url": place["file_url"]})
        self.assertIn(by_url.json()["error_code"], ("UPLOAD_NOT_FOUND", "PRIVATE_ADDRESS_REFUSED"))
        self.assertEqual(stranger.credits()["credits"], 10)


class Inputs(BadInput):
    """Pictures that are none, and places that nobody may make us look into."""

    def fails(self, client: Client, reply, *codes: str) -> None:
        """The job is refused, or fails and costs nothing."""
        if reply.status_code == 201:
            job = client.finished(reply.json()["id"])
            self.assertEqual(job["status"], "failed", job)
            self.assertIn(job["error_code"], codes)
            client.settled()
        else:
            self.assertIn(reply.status_code, (413, 422), reply.text)
            self.assertIn(reply.json()["error_code"], codes)
        self.assertEqual(client.credits()["credits"], 10)

    def test_not_pictures(self):
        """Bytes that are no picture, or one too large or too small, are INPUT_INVALID"""
        for name, data in {
            "text": b"this is not a picture" * 100,
            "script": b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
            "cut": (stack.PHOTOS / "astronaut.png").read_bytes()[:3000],
            "50,000 by 50,000": pictures.png(50_000, 50_000, rows=1),
            "too small": pictures.png(16, 16),
        }.items():
            with self.subTest(name):
                client = Client.registered()
                place = client.presign("me.png", "image/png")
                put = client.put(place, data, "image/png")
                if put.status_code >= 400:
                    self.refused(put, 422, "INPUT_INVALID")
                    continue
                reply = client.create("face_restore", {"input_upload_id": place["upload_id"]})
                self.fails(client, reply, "INPUT_INVALID")

    def test_no_face(self):
        """A face swap without a face to give fails with NO_FACE_FOUND"""
        client = Client.registered()
        blank = client.upload(pictures.png(256, 256), "image/png", "wall.png")["upload_id"]
        reply = client.create(
            "face_swap",
            {
                "src_face_upload_id": blank,
                "target_upload_id": client.upload_photo(),
                "face_swap_consent": True,
                "deepfake_awareness_consent": True,
            },
        )
        self.fails(client, reply, "NO_FACE_FOUND")

    def test_private_addresses(self):
        """Addresses inside are refused, however they are written"""
        edge = stack.port("EDGE_ADMIN")
        for url in (
            f"http://127.0.0.1:{edge}/metrics",
            f"http://2130706433:{edge}/metrics",
            f"http://0x7f.1:{edge}/metrics",
            f"http://[::1]:{edge}/metrics",
            f"http://[::ffff:127.0.0.1]:{edge}/metrics",
            f"http://localhost:{edge}/metrics",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/me.jpg",
            "http://192.168.1.1/me.jpg",
            "http://0.0.0.0/me.jpg",
        ):
            with self.subTest(url):
                client = Client.registered()
                reply = client.create("face_restore", {"input_url": url})
                self.fails(client, reply, "PRIVATE_ADDRESS_REFUSED")

    def test_other_schemes(self):
        """Only http and https are fetched"""
        for url in (
            "file:///etc/passwd",
            "ftp://example.com/me.jpg",
            "gopher://example.com/",
            "me.jpg",
        ):
            with self.subTest(url):
                reply = self.client.create("face_restore", {"input_url": url})
                self.refused(reply, 422, "INVALID_VALUE")

    def test_uploads(self):
        """Uploads must be known, finished, and as they were signed"""
        reply = self.client.create("face_restore", {"input_upload_id": str(uuid.uuid4())})
        self.refused(reply, 404, "UPLOAD_NOT_FOUND")
        place = self.client.presign("me.jpg", "image/jpeg")
        reply = self.client.create("face_restore", {"input_upload_id": place["upload_id"]})
        self.refused(reply, 409, "UPLOAD_INCOMPLETE")
        self.refused(self.client.create("face_restore", {}), 422, "MISSING_FIELD")
        presign = self.client.post(
            "/api/v1/uploads/presign",
            {"filename": "a.exe", "content_type": "application/x-msdownload"},
        )
        self.refused(presign, 422, "INVALID_VALUE")
        unnamed = self.client.post("/api/v1/uploads/presign", {"content_type": "image/png"})
        self.refused(unnamed, 422, "MISSING_FIELD")

    def test_signed_links(self):
        """A signed link that was altered is refused"""
        place = self.client.presign("me.jpg", "image/jpeg")
        url, data = place["upload_url"], b"\xff\xd8\xff"
        altered = {
            "another file": url.replace("me.jpg", "you.jpg"),
            "a longer life": url.replace("expires=", "expires=9"),
            "another signature": url[:-4] + ("0000" if not url.endswith("0000") else "1111"),
        }
        for name, link in altered.items():
            with self.subTest(name):
                reply = self.client.put({"upload_url": link}, data, "image/jpeg")
                self.refused(reply, 403, "SIGNED_URL_INVALID")
        self.refused(self.client.put(place, data, "text/html"), 415, "UNSUPPORTED_MEDIA_TYPE")
        # Signed for writing, not for reading.
        self.refused(self.client.get(url), 403, "SIGNED_URL_INVALID")
        old = re.sub(r"expires=\d+", "expires=1000000000", url)
        late = self.client.put({"upload_url": old}, data, "image/jpeg")
        self.refused(late, 403, "SIGNED_URL_INVALID")
        for path in ("/files/../../etc/passwd", "/files/%2e%2e/%2e%2e/etc/passwd", "/files/"):
            self.assertIn(self.client.get(path).status_code, (400, 403, 404))

    def test_upload_too_large(self):
        """An upload over 20 MB is refused before it is sent"""
        link = urlsplit(self.client.presign("me.jpg", "image/jpeg")["upload_url"])
        connection = http.client.HTTPConnection(link.netloc, timeout=10)
        connection.putrequest("PUT", f"{link.path}?{link.query}")
        connection.putheader("Content-Type", "image/jpeg")
        connection.putheader("Content-Length", str(21 * 1024 * 1024))
        connection.endheaders()
        reply = connection.getresponse()
        problem = json.loads(reply.read())
        self.assertEqual((reply.status, problem["error_code"]), (413, "BODY_TOO_LARGE"))
        connection.close()

    def test_upload_beyond_its_link(self):
        """An upload that hides its length is cut off at the limit with 413"""

        def pieces():
            for _ in range(21):
                yield bytes(1024 * 1024)

        place = self.client.presign("me.jpg", "image/jpeg")
        reply = self.client.put(place, pieces(), "image/jpeg")
        self.refused(reply, 413, "BODY_TOO_LARGE")


class Plans(BadInput):
    def test_max_side(self):
        """Over the plan's picture size is 422 PARAMETER_VIOLATION, in the contract's words"""
        params = {"input_upload_id": self.client.upload_photo(), "max_side": 1024}
        problem = self.refused(
            self.client.create("face_restore", params), 422, "PARAMETER_VIOLATION"
        )
        self.assertEqual(
            problem["detail"], "Parameter 'max_side' value 1024 exceeds plan limit of 512"
        )

    def test_premium_feature(self):
        """A feature of the paid plans is 402 PAYMENT_REQUIRED"""
        params = {"input_upload_id": self.client.upload_photo(), "premium_feature": True}
        problem = self.refused(self.client.create("face_restore", params), 402, "PAYMENT_REQUIRED")
        self.assertEqual(problem["detail"], "This feature requires a Pro or Premium subscription")

    def test_consents(self):
        """A face swap without its consents says which are missing"""
        upload = self.client.upload_photo()
        params = {
            "src_face_upload_id": upload,
            "target_upload_id": upload,
            "face_swap_consent": True,
        }
        reply = self.client.create("face_swap", params)
        problem = self.refused(reply, 422, "CONSENT_REQUIRED")
        self.assertEqual(problem["detail"]["code"], "consent_required")
        self.assertEqual(
            problem["detail"]["required_consents"],
            ["face_swap_consent", "deepfake_awareness_consent"],
        )
        self.assertEqual(problem["detail"]["missing_consents"], ["deepfake_awareness_consent"])

    def test_job_type(self):
        """An unknown job type is 422 UNKNOWN_JOB_TYPE"""
        self.refused(self.client.create("time_travel", {}), 422, "UNKNOWN_JOB_TYPE")

    def test_billing_event(self):
        """A billing event that nobody understands is refused or has no effect"""
        event = {
            "event_type": "subscription_created",
            "user_id": self.client.user_id,
            "product_id": "pro_monthly",
        }
        refusals = {
            "no user": ({"user_id": "nobody"}, "INVALID_VALUE"),
            "no type": ({"event_type": ""}, "MISSING_FIELD"),
            "no product": ({"product_id": None}, "MISSING_FIELD"),
            "a long id": ({"event_id": "e" * 129}, "INVALID_VALUE"),
            "a date beyond all dates": ({"expires_at": "292277-01-09T04:00:54Z"}, "INVALID_VALUE"),
            "no date": ({"expires_at": "infinity"}, "INVALID_VALUE"),
            "a number for a date": ({"expires_at": 9223372036854775807}, "INVALID_VALUE"),
        }
        for name, (change, code) in refusals.items():
            with self.subTest(name):
                reply = self.client.post("/api/v1/billing/mock_event", event | change)
                self.refused(reply, 422, code)
        for change in ({"event_type": "billing_issue"}, {"product_id": "gold_weekly"}):
            reply = self.client.post("/api/v1/billing/mock_event", event | change)
            self.assertFalse(self.client.ok(reply)["webhook_response"]["processed"])
        self.assertEqual(self.client.ok(self.client.get("/api/v1/auth/me"))["plan_code"], "free")
