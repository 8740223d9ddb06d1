"""The RPC runtime itself: all four kinds of call, by the official gRPC client, on the echo service."""

import re
import socket
import subprocess
import threading
import unittest
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from support import rpc, stack

SERVICE = "oneshot.echo.v1.EchoService"


class Relay:
    """Passes one connection on, and counts what comes back."""

    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self.received = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.upstream = socket.create_connection((host, int(port)))
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        client, _ = self.listener.accept()
        forward = threading.Thread(target=self._copy, args=(client, self.upstream))
        forward.start()
        self._copy(self.upstream, client, counts=True)
        forward.join()
        client.close()

    def _copy(self, source, target, counts=False):
        try:
            while data := source.recv(65536):
                self.received += len(data) if counts else 0
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.thread.join()
        self.upstream.close()
        self.listener.close()


class Echo(unittest.TestCase):
    """A generated service with mutual TLS."""

    @classmethod
    def setUpClass(cls):
        certificates = stack.certificates()
        cls.server = subprocess.Popen(
            [
                f"{stack.info()['BINARIES']}/EchoServer",
                f"--certificate={certificates / 'jobs.crt'}",
                f"--key={certificates / 'jobs.key'}",
                f"--authority={certificates / 'ca.crt'}",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        # "listening on 127.0.0.1:PORT"
        port = cls.server.stdout.readline().rsplit(":", 1)[1]
        cls.target = f"127.0.0.1:{int(port)}"
        cls.methods = rpc.pool().FindServiceByName(SERVICE).methods_by_name

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(timeout=10)
        cls.server.stdout.close()

    def memory(self, what):
        """Kibibytes that the server has (VmRSS), or has had at most (VmHWM)"""
        status = Path(f"/proc/{self.server.pid}/status").read_text()
        return int(re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE).group(1))

    def channel(self, caller, target=None):
        folder = stack.certificates()
        credentials = grpc.ssl_channel_credentials(
            (folder / "ca.crt").read_bytes(),
            private_key=(folder / f"{caller}.key").read_bytes(),
            certificate_chain=(folder / f"{caller}.crt").read_bytes(),
        )
        options = [("grpc.ssl_target_name_override", "jobs")]
        return grpc.secure_channel(target or self.target, credentials, options)

    def stub(self, channel, name, kind):
        method = self.methods[name]
        return getattr(channel, kind)(
            f"/{SERVICE}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=rpc.message_class(method.output_type.full_name).FromString,
        )

    def message(self, name, **fields):
        return rpc.message_class(self.methods[name].input_type.full_name)(**fields)

    def test_unary(self):
        """A unary call answers with what it was sent, a NUL and other scripts included"""
        with self.channel("test") as channel:
            echo = self.stub(channel, "Echo", "unary_unary")
            reply = echo(self.message("Echo", payload=b"\0\xff", text="a\0é漢"), timeout=20)
            self.assertEqual((reply.payload, reply.text), (b"\0\xff", "a\0é漢"))

    def test_many(self):
        """Thousands of calls on one connection all come back"""
        with self.channel("test") as channel:
            echo = self.stub(channel, "Echo", "unary_unary")
            request = self.message("Echo", payload=bytes(1000))
            calls = [echo.future(request, timeout=60) for _ in range(3000)]
            self.assertTrue(all(call.result().payload == bytes(1000) for call in calls))

    def test_streams(self):
        """Server, client and bidirectional streams keep order and count"""
        with self.channel("test") as channel:
            download = self.stub(channel, "ServerStream", "unary_stream")
            replies = download(self.message("ServerStream", payload=b"x", count=500), timeout=20)
            self.assertEqual([reply.index for reply in replies], list(range(500)))
            upload = self.stub(channel, "ClientStream", "stream_unary")
            pieces = (self.message("ClientStream", payload=bytes(10_000)) for _ in range(300))
            total = upload(pieces, timeout=20)
            self.assertEqual((total.messages, total.bytes), (300, 3_000_000))
            chat = self.stub(channel, "Bidi", "stream_stream")
            texts = [str(number) for number in range(100)]
            replies = chat((self.message("Bidi", text=text) for text in texts), timeout=20)
            self.assertEqual([reply.text for reply in replies], texts)

    def test_errors(self):
        """A handler's code and a passed deadline arrive as what they are"""
        with self.channel("test") as channel:
            echo = self.stub(channel, "Echo", "unary_unary")
            with self.assertRaises(grpc.RpcError) as failure:
                echo(self.message("Echo", fail_code=grpc.StatusCode.ABORTED.value[0]), timeout=20)
            self.assertEqual(failure.exception.code(), grpc.StatusCode.ABORTED)
            with self.assertRaises(grpc.RpcError) as failure:
                echo(self.message("Echo", delay_ms=5000), timeout=0.2)
            self.assertEqual(failure.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_allow_list(self):
        """A service that is not on the list may not call"""
        with self.channel("gpu") as channel:
            echo = self.stub(channel, "Echo", "unary_unary")
            with self.assertRaises(grpc.RpcError) as failure:
                echo(self.message("Echo"), timeout=20)
            self.assertEqual(failure.exception.code(), grpc.StatusCode.PERMISSION_DENIED)

    def test_compression(self):
        """gzip both ways: asked for by the caller, and by the handler"""
        zeros = bytes(1_000_000)
        for request, reply in ((False, False), (True, False), (False, True), (True, True)):
            relay = Relay(self.target)
            with self.subTest(request=request, reply=reply):
                with self.channel("test", relay.target) as channel:
                    echo = self.stub(channel, "Echo", "unary_unary")
                    method = grpc.Compression.Gzip if request else grpc.Compression.NoCompression
                    answer, call = echo.with_call(
                        self.message("Echo", payload=zeros),
                        timeout=20,
                        compression=method,
                        metadata=[("x-echo", "compress" if reply else "metadata")],
                    )
                    self.assertEqual(answer.payload, zeros)
                    if not reply:
                        known = dict(call.initial_metadata())["x-echo-was-compressed"]
                        self.assertEqual(known, "true" if request else "false")
                relay.close()
                if reply:
                    self.assertLess(relay.received, 50_000)
                else:
                    self.assertGreater(relay.received, 1_000_000)

    def test_compressed_streams(self):
        """Streams are compressed in both directions, message by message"""
        with self.channel("test") as channel:
            chat = self.stub(channel, "Bidi", "stream_stream")
            requests = [
                self.message("Bidi", payload=bytes(100_000 * (number % 3)), text=str(number))
                for number in range(50)
            ]
            replies = chat(
                iter(requests),
                timeout=20,
                compression=grpc.Compression.Gzip,
                metadata=[("x-echo", "compress")],
            )
            self.assertEqual(
                [(reply.payload, reply.text) for reply in replies],
                [(request.payload, request.text) for request in requests],
            )

    def test_compressed_limit(self):
        """4 MiB and a little is too much, however small it came"""
        with self.channel("test") as channel:
            echo = self.stub(channel, "Echo", "unary_unary")
            before = self.memory("VmRSS")
            Path(f"/proc/{self.server.pid}/clear_refs").write_text("5")
            for size, code in ((4_194_000, None), (4_194_305, "max"), (100_000_000, "max")):
                message = self.message("Echo", payload=bytes(size))
                call = echo.future(message, timeout=20, compression=grpc.Compression.Gzip)
                if code is None:
                    # The reply is as large as the request, and grpcio takes 4 MiB at most as well.
                    self.assertEqual(len(call.result().payload), size)
                    before = self.memory("VmRSS")
                    Path(f"/proc/{self.server.pid}/clear_refs").write_text("5")
                else:
                    self.assertEqual(call.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            growth = self.memory("VmHWM") - before
            print(f"two messages over the limit, 104 MB: the server grew by {growth} KiB")
            self.assertLess(growth, 8 * 1024)

    def test_metadata(self):
        """Repeated keys and binary values come back in headers and trailers"""
        with self.channel("test") as channel:
            echo = self.stub(channel, "Echo", "unary_unary")
            binary = [bytes(range(256)), b"", b"\xff", b"\xff\xfe"]
            metadata = [("x-echo", "metadata"), ("x-echo-initial", "b"), ("x-echo-initial", "a")]
            metadata += [("x-echo-trailing-bin", value) for value in binary]
            _, call = echo.with_call(self.message("Echo"), timeout=20, metadata=metadata)
            initial = [value for key, value in call.initial_metadata() if key == "x-echo-initial"]
            trailing = [
                value for key, value in call.trailing_metadata() if key == "x-echo-trailing-bin"
            ]
            self.assertEqual(initial, ["b", "a"])
            self.assertEqual(trailing, binary)

    def test_large_metadata(self):
        """Metadata over 16 KiB is refused, and the connection goes on"""
        with self.channel("test") as channel:
            echo = self.stub(channel, "Echo", "unary_unary")
            with self.assertRaises(grpc.RpcError) as failure:
                echo(self.message("Echo"), timeout=20, metadata=[("filler", "x" * 20_000)])
            self.assertEqual(failure.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.assertEqual(echo(self.message("Echo", text="on"), timeout=20).text, "on")

    def test_error_text(self):
        """The text of an error keeps every kind of character"""
        with self.channel("test") as channel:
            echo = self.stub(channel, "Echo", "unary_unary")
            for text in ("naïve 50%\n\t\r", "%%41%zz", "漢字 עברית 😀 \U0010ffff\ufffd", "a" * 4000):
                with self.subTest(text[:20]), self.assertRaises(grpc.RpcError) as failure:
                    echo(self.message("Echo", fail_code=10, text=text), timeout=20)
                self.assertEqual(failure.exception.details(), text)

    def test_error_details(self):
        """google.rpc.Status with ErrorInfo, RetryInfo, BadRequest and QuotaFailure is read back"""
        with self.channel("test") as channel:
            echo = self.stub(channel, "Echo", "unary_unary")
            with self.assertRaises(grpc.RpcError) as failure:
                echo(self.message("Echo"), timeout=20, metadata=[("x-echo", "details")])
            status = rpc_status.from_call(failure.exception)
            self.assertEqual((status.code, status.message), (8, "five a day"))
            found = {}
            for detail in status.details:
                for kind in ("ErrorInfo", "RetryInfo", "BadRequest", "QuotaFailure"):
                    message = getattr(error_details_pb2, kind)()
                    if detail.Unpack(message):
                        found[kind] = message
            self.assertEqual(found["ErrorInfo"].reason, "DAILY_LIMIT_EXCEEDED")
            self.assertEqual(found["ErrorInfo"].domain, "oneshot")
            self.assertEqual(dict(found["ErrorInfo"].metadata), {"limit": "5"})
            self.assertEqual(found["RetryInfo"].retry_delay.ToMilliseconds(), 1500)
            self.assertEqual(found["BadRequest"].field_violations[0].field, "params.scale")
            self.assertEqual(found["QuotaFailure"].violations[0].subject, "plan:free")

    def test_slow_readers(self):
        """Readers that are slow hold their producers back: the sender's memory stays bounded"""
        streams, count, payload = 8, 100, bytes(1_000_000)
        with self.channel("test") as channel:
            download = self.stub(channel, "ServerStream", "unary_stream")
            request = self.message("ServerStream", payload=payload, count=count)
            before = self.memory("VmRSS")
            Path(f"/proc/{self.server.pid}/clear_refs").write_text("5")
            calls = [download(request, timeout=120) for _ in range(streams)]
            # All of them run, and then wait while one after the other is read.
            for call in calls:
                self.assertEqual(next(call).index, 0)
            for call in calls:
                self.assertEqual([reply.index for reply in call], list(range(1, count)))
            growth = self.memory("VmHWM") - before
        total = streams * count * len(payload) // 1_000_000
        print(f"{total} MB in {streams} streams to slow readers: the sender grew by {growth} KiB")
        # Of each stream one message waits, of 1 MB; one is being made, and buffers have their size.
        self.assertLess(growth, 40 * 1024)
