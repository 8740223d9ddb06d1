"""Our services, called by the official gRPC client of another language."""

import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support import rpc, stack
from support.client import Client

BACKENDS = ("auth", "billing", "jobs", "gpu")


class Common(unittest.TestCase):
    """What every service offers."""

    def test_health(self):
        """Every service says SERVING, and NOT_FOUND for a service it does not have"""
        for service in BACKENDS:
            with self.subTest(service), rpc.channel(service, "test") as channel:
                stub = health_pb2_grpc.HealthStub(channel)
                reply = stub.Check(health_pb2.HealthCheckRequest(), timeout=rpc.TIMEOUT)
                self.assertEqual(reply.status, health_pb2.HealthCheckResponse.SERVING)
                with self.assertRaises(grpc.RpcError) as failure:
                    stub.Check(
                        health_pb2.HealthCheckRequest(service="nothing"), timeout=rpc.TIMEOUT
                    )
                self.assertEqual(failure.exception.code(), grpc.StatusCode.NOT_FOUND)
                watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=rpc.TIMEOUT)
                self.assertEqual(next(watch).status, health_pb2.HealthCheckResponse.SERVING)
                watch.cancel()

    def test_unknown_method(self):
        """A method that is not there is UNIMPLEMENTED"""
        for service in BACKENDS:
            with self.subTest(service), rpc.channel(service, "test") as channel:
                call = channel.unary_unary("/oneshot.nothing.v1.Nothing/Do")
                with self.assertRaises(grpc.RpcError) as failure:
                    call(b"", timeout=rpc.TIMEOUT)
                self.assertEqual(failure.exception.code(), grpc.StatusCode.UNIMPLEMENTED)


class Certificates(unittest.TestCase):
    """Who may come in, and who may call what."""

    def refused(self, channel: grpc.Channel) -> None:
        stub = health_pb2_grpc.HealthStub(channel)
        with self.assertRaises(grpc.RpcError) as failure:
            stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
        self.assertEqual(failure.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_no_certificate(self):
        """A caller without a certificate is not let in"""
        for service in BACKENDS:
            with self.subTest(service), rpc.channel(service, None) as channel:
                self.refused(channel)

    def test_another_authority(self):
        """A certificate of another authority is not let in, whatever it says"""
        with tempfile.TemporaryDirectory() as folder:
            subject = "URI:spiffe://oneshot/edge,DNS:edge"
            subprocess.run(
                [
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-days",
                    "1",
                    "-subj",
                    "/CN=edge",
                    "-addext",
                    f"subjectAltName={subject}",
                    "-keyout",
                    f"{folder}/edge.key",
                    "-out",
                    f"{folder}/edge.crt",
                ],
                check=True,
                capture_output=True,
            )
            for service in BACKENDS:
                with self.subTest(service):
                    with rpc.channel(service, "edge", authority=Path(folder)) as channel:
                        self.refused(channel)

    def test_no_service_name(self):
        """The public address's certificate, which names no service, opens nothing"""
        certificates = stack.certificates()
        with tempfile.TemporaryDirectory() as folder:
            for suffix in ("crt", "key"):
                Path(folder, f"edge.{suffix}").write_bytes(
                    (certificates / f"public.{suffix}").read_bytes()
                )
            with rpc.channel("billing", "edge", authority=Path(folder)) as channel:
                method = rpc.pool().FindMethodByName("oneshot.billing.v1.BillingService.ListPlans")
                with self.assertRaises(grpc.RpcError) as failure:
                    rpc.call(
                        channel, method, rpc.message_class("oneshot.billing.v1.ListPlansRequest")()
                    )
                self.assertIn(
                    failure.exception.code(),
                    (
                        grpc.StatusCode.UNAVAILABLE,
                        grpc.StatusCode.PERMISSION_DENIED,
                        grpc.StatusCode.UNAUTHENTICATED,
                    ),
                )

    def test_allow_lists(self):
        """Every method refuses every service that its policy does not name"""
        channels = {
            (service, caller): rpc.channel(service, caller)
            for service in BACKENDS
            for caller in rpc.CALLERS
        }
        refusals = 0
        for method in rpc.methods():
            service = rpc.OWNERS[method.containing_service.full_name]
            allowed = set(rpc.policy(method).allow)
            self.assertTrue(allowed, method.full_name)
            request = rpc.message_class(method.input_type.full_name)()
            for caller in sorted(set(rpc.CALLERS) - allowed):
                with self.subTest(f"{caller} calls {method.full_name}"):
                    with self.assertRaises(grpc.RpcError) as failure:
                        rpc.call(channels[service, caller], method, request)
                    self.assertEqual(failure.exception.code(), grpc.StatusCode.PERMISSION_DENIED)
                    refusals += 1
        for channel in channels.values():
            channel.close()
        self.assertGreater(refusals, 100)


class Methods(unittest.TestCase):
    """Every core method, called as the services that may."""

    @classmethod
    def setUpClass(cls):
        cls.services: list[rpc.Service] = []

    @classmethod
    def tearDownClass(cls):
        for service in cls.services:
            service.close()

    def service(self, name: str, caller: str, metadata=None) -> rpc.Service:
        service = rpc.Service(name, caller, metadata)
        self.services.append(service)
        return service

    def assert_all_called(self, *names: str) -> None:
        """Every method of these services was called through `service`"""
        wanted = {
            method.full_name
            for name in names
            for method in rpc.pool().FindServiceByName(name).methods
        }
        called = {method for service in self.services for method in service.called}
        self.assertEqual(wanted - called, set())

    def user(self) -> tuple[str, list[tuple[str, str]]]:
        """The id of a registered user, and the metadata that speaks for them."""
        public = self.service("oneshot.auth.v1.AuthService", "edge")
        email = f"{uuid.uuid4().hex}@example.com"
        user = public("Register", email=email, password="correct horse battery").user.id
        session = stack.value(f"SELECT id FROM auth.user_session WHERE user_id = '{user}'")
        assert session
        return user, rpc.principal(user, session)

    def upload(self, principal: list[tuple[str, str]]) -> str:
        """The upload id of a photograph."""
        uploads = self.service("oneshot.jobs.v1.UploadService", "edge", principal)
        place = uploads("PresignUpload", filename="me.jpg", content_type="image/jpeg")
        photo = (stack.PHOTOS / "grace_hopper.jpg").read_bytes()
        put = Client().put({"upload_url": place.upload_url}, photo, "image/jpeg")
        put.raise_for_status()
        return place.upload_id

    def test_auth(self):
        """AuthService: register, login, refresh, me, verify, logout, erase"""
        public = self.service("oneshot.auth.v1.AuthService", "edge")
        email, password = f"{uuid.uuid4().hex}@example.com", "correct horse battery"
        registered = public("Register", email=email, password=password)
        self.assertEqual(registered.user.credits, 10)
        login = public("Login", email=email, password=password)
        self.assertEqual(login.user.id, registered.user.id)
        refreshed = public("Refresh", refresh_token=login.refresh_token)
        self.assertNotEqual(refreshed.refresh_token, login.refresh_token)

        session = stack.value(
            f"SELECT id FROM auth.user_session WHERE user_id = '{login.user.id}' "
            "ORDER BY id DESC LIMIT 1"
        )
        assert session
        signed_in = self.service(
            "oneshot.auth.v1.AuthService", "edge", rpc.principal(login.user.id, session)
        )
        self.assertEqual(signed_in("GetMe").email, email)
        self.assertTrue(public("VerifySession", session_id=session).active)
        self.assertEqual(signed_in("Logout").status, "success")
        self.assertFalse(public("VerifySession", session_id=session).active)

        ctl = self.service("oneshot.auth.v1.AuthService", "ctl")
        erasure = ctl("EraseUser", user_id=login.user.id)
        self.assertEqual(ctl("EraseUser", user_id=login.user.id).erasure_id, erasure.erasure_id)
        with self.assertRaises(grpc.RpcError) as failure:
            public("Login", email=email, password=password)
        self.assertEqual(failure.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
        self.assert_all_called("oneshot.auth.v1.AuthService")

    def test_auth_errors(self):
        """A refusal carries its reason in google.rpc.ErrorInfo"""
        public = self.service("oneshot.auth.v1.AuthService", "edge")
        with self.assertRaises(grpc.RpcError) as failure:
            public("Login", email="nobody@example.com", password="not the password")
        self.assertEqual(failure.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
        details = dict(failure.exception.trailing_metadata())["grpc-status-details-bin"]
        self.assertIn(b"INVALID_CREDENTIALS", details)
        self.assertIn(b"google.rpc.ErrorInfo", details)

    def test_billing(self):
        """BillingService: plans, grants, holds, captures, releases, events"""
        user, principal = self.user()
        # Billing events by hand are taken from this machine only; the edge says who asks.
        here = ("x-oneshot-client-address", "127.0.0.1")
        edge = self.service("oneshot.billing.v1.BillingService", "edge", [*principal, here])
        jobs = self.service("oneshot.billing.v1.BillingService", "jobs")
        ctl = self.service("oneshot.billing.v1.BillingService", "ctl")

        self.assertEqual(
            [plan.code for plan in edge("ListPlans").plans], ["free", "pro", "premium"]
        )
        granted = ctl("GrantCredits", user_id=user, amount=5, kind=1, reference=f"test:{user}")
        self.assertEqual((granted.balance, granted.changed), (15, True))
        again = ctl("GrantCredits", user_id=user, amount=5, kind=1, reference=f"test:{user}")
        self.assertEqual((again.balance, again.changed), (15, False))

        spent, returned = str(uuid.uuid4()), str(uuid.uuid4())
        for job in (spent, returned):
            hold = jobs("HoldCredits", job_id=job, user_id=user, job_type="face_restore")
            self.assertEqual((hold.state, hold.credits_cost), (1, 1))
        repeated = jobs("HoldCredits", job_id=spent, user_id=user, job_type="face_restore")
        self.assertTrue(repeated.repeated_call)
        self.assertEqual(jobs("GetUsage", user_id=user).concurrent_jobs, 2)
        self.assertEqual(edge("GetCredits").held, 2)
        self.assertTrue(jobs("CaptureHold", job_id=spent, user_id=user).changed)
        self.assertFalse(jobs("CaptureHold", job_id=spent, user_id=user).changed)
        self.assertTrue(jobs("ReleaseHold", job_id=returned, user_id=user, reason=1).changed)
        credits = edge("GetCredits")
        self.assertEqual((credits.credits, credits.held), (14, 0))

        late = str(uuid.uuid4())
        jobs("ReleaseHold", job_id=late, user_id=user, reason=4)
        with self.assertRaises(grpc.RpcError):
            jobs("HoldCredits", job_id=late, user_id=user, job_type="face_restore")

        self.assertEqual(jobs("GetEntitlements", user_id=user).entitlements.plan_code, "free")
        event = edge(
            "MockEvent", event_type="subscription_created", user_id=user, product_id="pro_monthly"
        )
        self.assertTrue(event.webhook_response.processed)
        self.assertEqual(jobs("GetEntitlements", user_id=user).entitlements.plan_code, "pro")

        auth = self.service("oneshot.billing.v1.BillingService", "auth")
        self.assertTrue(auth("EraseUserData", user_id=user, pseudonym=str(uuid.uuid4())).done)
        with self.assertRaises(grpc.RpcError) as failure:
            jobs("GetEntitlements", user_id=user)
        self.assertEqual(failure.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
        self.assert_all_called("oneshot.billing.v1.BillingService")

    def test_jobs(self):
        """JobService and UploadService: presign, create, watch (a stream), get, list, cancel"""
        user, principal = self.user()
        jobs = self.service("oneshot.jobs.v1.JobService", "edge", principal)
        params = {"input_upload_id": self.upload(principal)}
        created = jobs("CreateJob", job_type="face_restore", params=params)
        self.assertEqual(jobs("GetLimits").usage.jobs_today, 1)
        events = jobs("WatchJob", job_id=created.id)
        self.assertEqual(events[-1].event, "succeeded")
        self.assertGreaterEqual(len(events), 4)
        self.assertEqual(len(jobs("WatchJob", job_id=created.id, after=events[-2].id)), 1)
        self.assertTrue(jobs("GetJob", job_id=created.id).job.artifacts[0].output_url)
        self.assertEqual([job.id for job in jobs("ListJobs").items], [created.id])
        self.assertEqual(jobs("CancelJob", job_id=created.id).job.status, 3)

        self.assertTrue(jobs("GetWebhookSecret").key.startswith("whsec_"))
        # The job has no address to tell.
        for method in ("GetWebhook", "ReplayWebhook"):
            with self.assertRaises(grpc.RpcError) as failure:
                jobs(method, job_id=created.id)
            self.assertEqual(failure.exception.code(), grpc.StatusCode.NOT_FOUND)
        auth = self.service("oneshot.jobs.v1.JobService", "auth")
        # The address of the upload works for an hour yet.
        self.assertFalse(auth("EraseUserData", user_id=user).done)
        self.assert_all_called("oneshot.jobs.v1.JobService", "oneshot.jobs.v1.UploadService")

    def test_gpu(self):
        """GPUGatewayService: providers, a run and its stream, attaching, cancelling"""
        user, principal = self.user()
        upload = self.upload(principal)
        key = stack.value(f"SELECT object_key FROM jobs.upload WHERE id = '{upload}'")
        gpu = self.service("oneshot.gpu.v1.GPUGatewayService", "jobs")
        self.assertTrue(gpu("ListProviders").providers[0].healthy)

        run, job = str(uuid.uuid4()), str(uuid.uuid4())
        events = gpu(
            "RunJob",
            run_id=run,
            job_id=job,
            user_id=user,
            attempt=1,
            spec={
                "max_side": 512,
                "face_restore": {
                    "input": {"object_key": key},
                    "model": "gfpgan",
                    "scale": 1,
                    "denoise": 0.5,
                },
            },
            policy={"watermark": True, "artifact_prefix": f"artifacts/{user}/{job}/"},
        )
        self.assertEqual([event.sequence for event in events], list(range(1, len(events) + 1)))
        self.assertEqual(events[-1].WhichOneof("event"), "succeeded", events[-1])
        artifact = events[-1].succeeded.artifacts[0]
        self.assertEqual(artifact.mime_type, "image/png")
        attached = gpu("AttachJob", run_id=run, job_id=job, after_sequence=events[-2].sequence)
        self.assertEqual([event.WhichOneof("event") for event in attached], ["succeeded"])
        outcome = gpu("CancelRun", run_id=run, job_id=job).outcome
        self.assertEqual(outcome, 3)
        self.assertTrue(gpu("EraseUserData", user_id=user).done)
        self.assert_all_called("oneshot.gpu.v1.GPUGatewayService")
