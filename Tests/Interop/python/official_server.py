#!/usr/bin/env python3
"""grpc.testing.TestService on the official Python library, as gRPC's interop description says.

https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md, section "Server".
"""

from __future__ import annotations

import argparse
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any, Iterator

import grpc

import protos
from credentials import Credentials
from relay import Relay

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
CODES = {code.value[0]: code for code in grpc.StatusCode}


class Meter:
    """Tells by the bytes on the wire whether the messages of a call were compressed.

    Calls are looked at one at a time, which is how the cases make them.
    """

    # Frame heads, metadata, window updates, a TLS handshake.
    OVERHEAD = 8 * 1024

    def __init__(self) -> None:
        self.relay: Relay | None = None
        self.seen = 0

    def take(self) -> int:
        """Bytes since the last call ended."""
        assert self.relay
        before, self.seen = self.seen, self.relay.to_server
        return self.seen - before

    def check(self, context: grpc.ServicerContext, requests: list[Any]) -> None:
        """Ends the call unless each message came as its expect_compressed says."""
        received = self.take()
        expected = [one for one in requests if one.HasField("expect_compressed")]
        if not expected:
            return
        plain = sum(one.ByteSize() for one in expected if not one.expect_compressed.value)
        if not plain <= received <= plain + self.OVERHEAD:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"{received} bytes came; uncompressed messages have {plain}",
            )


class TestService:
    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    # --- the methods ---------------------------------------------------------------------------

    def EmptyCall(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.echo(context)
        self.meter.take()
        return protos.message("Empty")()

    def UnaryCall(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.meter.check(context, [request])
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        self.echo(context)
        self.fail(request, context)
        return protos.message("SimpleResponse")(
            payload=self.payload(request.response_type, request.response_size, context)
        )

    def CacheableUnaryCall(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.meter.take()
        context.send_initial_metadata([("cache-control", "max-age=60, public")])
        return protos.message("SimpleResponse")(
            payload=protos.message("Payload")(body=str(time.time_ns()).encode())
        )

    def StreamingOutputCall(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self.meter.take()
        if any(one.compressed.value for one in request.response_parameters):
            context.set_compression(grpc.Compression.Gzip)
        self.echo(context)
        yield from self.answers(request, context)

    def StreamingInputCall(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
        self.echo(context)
        received = list(requests)
        self.meter.check(context, received)
        return protos.message("StreamingInputCallResponse")(
            aggregated_payload_size=sum(len(one.payload.body) for one in received)
        )

    def FullDuplexCall(
        self, requests: Iterator[Any], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        self.echo(context)
        for request in requests:
            yield from self.answers(request, context)
        self.meter.take()

    def HalfDuplexCall(
        self, requests: Iterator[Any], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        self.echo(context)
        for request in list(requests):
            yield from self.answers(request, context)
        self.meter.take()

    # --- what they have in common --------------------------------------------------------------

    def answers(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self.fail(request, context)
        for one in request.response_parameters:
            if one.interval_us:
                time.sleep(one.interval_us / 1e6)
            if not one.compressed.value:
                context.disable_next_message_compression()
            yield protos.message("StreamingOutputCallResponse")(
                payload=self.payload(request.response_type, one.size, context)
            )

    @staticmethod
    def payload(kind: int, size: int, context: grpc.ServicerContext) -> Any:
        if kind != 0 or size < 0:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no such payload")
        return protos.message("Payload")(body=bytes(size))

    @staticmethod
    def echo(context: grpc.ServicerContext) -> None:
        metadata = list(context.invocation_metadata())
        initial = [tuple(pair) for pair in metadata if pair.key == INITIAL]
        trailing = [tuple(pair) for pair in metadata if pair.key == TRAILING]
        context.set_trailing_metadata(trailing)
        if initial:
            context.send_initial_metadata(initial)

    @staticmethod
    def fail(request: Any, context: grpc.ServicerContext) -> None:
        if request.response_status.code:
            context.abort(CODES[request.response_status.code], request.response_status.message)


def handlers(service: TestService) -> grpc.GenericRpcHandler:
    """The methods of our schema; UnimplementedCall is not among them."""
    kinds = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    table = {}
    for method in protos.pool().FindServiceByName(protos.SERVICE).methods:
        make = kinds[(method.client_streaming, method.server_streaming)]
        table[method.name] = make(
            getattr(service, method.name),
            request_deserializer=protos.message(method.input_type.name).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
    return grpc.method_handlers_generic_handler(protos.SERVICE, table)


class OfficialServer:
    """The server behind its meter."""

    def __init__(self, credentials: Credentials, port: int = 0) -> None:
        meter = Meter()
        # Calls that are cancelled keep their thread until the handler notices.
        self.server = grpc.server(futures.ThreadPoolExecutor(16))
        self.server.add_generic_rpc_handlers((handlers(TestService(meter)),))
        self.relay = meter.relay = Relay(credentials.listen(self.server, port))
        self.port = self.relay.port
        self.server.start()

    def close(self) -> None:
        self.server.stop(0).wait()
        self.relay.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="port behind the relay")
    parser.add_argument("--certificates", type=Path, help="folder; turns mutual TLS on")
    options = parser.parse_args()
    server = OfficialServer(Credentials(options.certificates), options.port)
    print(f"listening on 127.0.0.1:{server.port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
