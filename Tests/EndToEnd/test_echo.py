"""The RPC runtime itself: all four kinds of call, by the official gRPC client, on the echo service."""

import subprocess
import unittest

import grpc

from support import rpc, stack

SERVICE = "oneshot.echo.v1.EchoService"


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

    def channel(self, caller):
        folder = stack.certificates()
        credentials = grpc.ssl_channel_credentials(
            (folder / "ca.crt").read_bytes(),
            private_key=(folder / f"{caller}.key").read_bytes(),
            certificate_chain=(folder / f"{caller}.crt").read_bytes(),
        )
        options = [("grpc.ssl_target_name_override", "jobs")]
        return grpc.secure_channel(self.target, credentials, options)

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
