#!/usr/bin/env python3
"""The cases of gRPC's interop description on the official Python library.

https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md, section "Client".
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import queue
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc

import protos
from credentials import NAME, Credentials
from relay import Relay

TIMEOUT = 20
INITIAL = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
TRAILING = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")
SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
REQUESTS = (27182, 8, 1828, 45904)
RESPONSES = (31415, 9, 2653, 58979)


class CaseFailure(AssertionError):
    """What a case saw instead of what the description says."""


def expect(what: str, value: Any, wanted: Any) -> None:
    if value != wanted:
        raise CaseFailure(f"{what} is {value!r} instead of {wanted!r}")


def expect_zeros(payload: Any, size: int) -> None:
    expect("the payload's type", payload.type, 0)
    expect("the payload's size", len(payload.body), size)
    if payload.body.strip(b"\0"):
        raise CaseFailure("the payload is not all zeros")


def failure(call: Callable[[], Any]) -> grpc.RpcError:
    """The error with which a call ends."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise CaseFailure("the call succeeded, though it should have failed")


def zeros(count: int) -> Any:
    return protos.message("Payload")(body=bytes(count))


def large(request: int = 271828, response: int = 314159, **fields: Any) -> Any:
    return protos.message("SimpleRequest")(
        response_size=response, payload=zeros(request), **fields
    )


def flag(value: bool) -> Any:
    return protos.message("BoolValue")(value=value)


def ping(request: int, *responses: int) -> Any:
    return protos.message("StreamingOutputCallRequest")(
        payload=zeros(request), response_parameters=[{"size": size} for size in responses]
    )


class Requests:
    """A stream of requests that a case feeds while it reads."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue = queue.SimpleQueue()

    def send(self, message: Any) -> None:
        self.queue.put(message)

    def finish(self) -> None:
        self.queue.put(None)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.queue.get, None)


class Stub:
    """TestService on one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        for method in protos.pool().FindServiceByName(protos.SERVICE).methods:
            kind = "_".join(
                "stream" if streaming else "unary"
                for streaming in (method.client_streaming, method.server_streaming)
            )
            invoke = getattr(channel, kind)(
                f"/{protos.SERVICE}/{method.name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=protos.message(method.output_type.name).FromString,
            )
            setattr(self, method.name, invoke)


@dataclasses.dataclass
class Soak:
    iterations: int = 10
    max_failures: int = 0
    max_latency_ms: int = 1000
    overall_timeout_s: float | None = None
    min_ms_between_rpcs: int = 0
    request_size: int = 271828
    response_size: int = 314159


class OfficialClient:
    """Runs cases against one server; a case raises what is wrong."""

    def __init__(
        self,
        port: int,
        credentials: Credentials,
        soak: Soak | None = None,
        name: str = NAME,
        host: str = "127.0.0.1",
    ) -> None:
        self.soak = soak or Soak()
        # Shows which responses were compressed.
        self.relay = Relay(port, host)
        self.connect = lambda: credentials.channel(self.relay.port, name)
        self.channel = self.connect()
        self.stub = Stub(self.channel)

    def close(self) -> None:
        self.channel.close()
        self.relay.close()

    def run(self, case: str) -> None:
        getattr(self, case)()

    # --- unary ---------------------------------------------------------------------------------

    def empty_unary(self) -> None:
        response = self.stub.EmptyCall(protos.message("Empty")(), timeout=TIMEOUT)
        expect("the size of the response", response.ByteSize(), 0)

    def cacheable_unary(self) -> None:
        """Passes only behind a cache: the server's answer is another one each time."""
        body = f"{os.getpid()}.{time.time_ns()}".encode()
        request = protos.message("SimpleRequest")(payload={"body": body})
        first, second = (
            self.stub.CacheableUnaryCall(
                request, timeout=TIMEOUT, metadata=[("x-user-ip", "1.2.3.4")]
            )
            for _ in range(2)
        )
        if not first.payload.body:
            raise CaseFailure("the first response has no payload")
        expect("the second payload", second.payload.body, first.payload.body)

    def large_unary(self) -> None:
        self.large_on(self.stub, 271828, 314159)

    def large_on(self, stub: Stub, request: int, response: int) -> None:
        reply = stub.UnaryCall(large(request, response), timeout=TIMEOUT)
        expect_zeros(reply.payload, response)

    # --- compression: the library compresses a whole call, and a message that does not become smaller
    # travels as it is. So the second message of a stream has random bytes.

    def client_compressed_unary(self) -> None:
        request = large(expect_compressed=flag(True))
        error = failure(lambda: self.stub.UnaryCall(request, timeout=TIMEOUT))
        expect("the probe's status", error.code(), grpc.StatusCode.INVALID_ARGUMENT)
        reply = self.stub.UnaryCall(request, timeout=TIMEOUT, compression=grpc.Compression.Gzip)
        expect_zeros(reply.payload, 314159)
        request = large(expect_compressed=flag(False))
        reply = self.stub.UnaryCall(request, timeout=TIMEOUT)
        expect_zeros(reply.payload, 314159)

    def server_compressed_unary(self) -> None:
        for wanted in (True, False):
            before = self.relay.to_client
            reply = self.stub.UnaryCall(
                large(response_compressed=flag(wanted)), timeout=TIMEOUT
            )
            expect_zeros(reply.payload, 314159)
            on_wire = self.relay.to_client - before
            expect(f"compressed ({on_wire} bytes on the wire)", on_wire < 314159, wanted)

    def client_compressed_streaming(self) -> None:
        message = protos.message("StreamingInputCallRequest")
        first = message(payload=zeros(27182), expect_compressed=flag(True))
        error = failure(lambda: self.stub.StreamingInputCall(iter([first]), timeout=TIMEOUT))
        expect("the probe's status", error.code(), grpc.StatusCode.INVALID_ARGUMENT)
        second = message(
            payload={"body": os.urandom(45904)}, expect_compressed=flag(False)
        )
        reply = self.stub.StreamingInputCall(
            iter([first, second]), timeout=TIMEOUT, compression=grpc.Compression.Gzip
        )
        expect("the aggregated size", reply.aggregated_payload_size, 73086)

    def server_compressed_streaming(self) -> None:
        sizes = ((31415, True), (92653, False))
        request = protos.message("StreamingOutputCallRequest")(
            response_parameters=[
                {"size": size, "compressed": flag(compressed)} for size, compressed in sizes
            ]
        )
        before = self.relay.to_client
        replies = list(self.stub.StreamingOutputCall(request, timeout=TIMEOUT))
        on_wire = self.relay.to_client - before
        expect("the number of responses", len(replies), 2)
        for reply, (size, _) in zip(replies, sizes):
            expect_zeros(reply.payload, size)
        # The second message alone travels in full.
        if not 92653 <= on_wire < 92653 + 31415 // 2:
            raise CaseFailure(f"{on_wire} bytes on the wire")

    # --- streams -------------------------------------------------------------------------------

    def client_streaming(self) -> None:
        message = protos.message("StreamingInputCallRequest")
        requests = iter([message(payload=zeros(size)) for size in REQUESTS])
        reply = self.stub.StreamingInputCall(requests, timeout=TIMEOUT)
        expect("the aggregated size", reply.aggregated_payload_size, 74922)

    def server_streaming(self) -> None:
        request = protos.message("StreamingOutputCallRequest")(
            response_parameters=[{"size": size} for size in RESPONSES]
        )
        replies = list(self.stub.StreamingOutputCall(request, timeout=TIMEOUT))
        expect("the number of responses", len(replies), 4)
        for reply, size in zip(replies, RESPONSES):
            expect_zeros(reply.payload, size)

    def ping_pong(self) -> None:
        requests = Requests()
        replies = self.stub.FullDuplexCall(iter(requests), timeout=TIMEOUT)
        for request, response in zip(REQUESTS, RESPONSES):
            requests.send(ping(request, response))
            # Nothing more is sent before the answer is here.
            expect_zeros(next(replies).payload, response)
        requests.finish()
        expect("what is left", list(replies), [])

    def empty_stream(self) -> None:
        replies = self.stub.FullDuplexCall(iter([]), timeout=TIMEOUT)
        expect("the responses", list(replies), [])

    # --- metadata and status -------------------------------------------------------------------

    def custom_metadata(self) -> None:
        metadata = [INITIAL, TRAILING]
        reply, call = self.stub.UnaryCall.with_call(large(), timeout=TIMEOUT, metadata=metadata)
        expect_zeros(reply.payload, 314159)
        self.expect_echo(call)
        call = self.stub.FullDuplexCall(
            iter([ping(271828, 314159)]), timeout=TIMEOUT, metadata=metadata
        )
        replies = list(call)
        expect("the number of responses", len(replies), 1)
        expect_zeros(replies[0].payload, 314159)
        self.expect_echo(call)

    @staticmethod
    def expect_echo(call: Any) -> None:
        expect(INITIAL[0], dict(call.initial_metadata()).get(INITIAL[0]), INITIAL[1])
        expect(TRAILING[0], dict(call.trailing_metadata()).get(TRAILING[0]), TRAILING[1])

    def expect_status(self, call: Callable[[], Any], message: str) -> None:
        error = failure(call)
        expect("the status", error.code(), grpc.StatusCode.UNKNOWN)
        expect("the message", error.details(), message)

    def status_code_and_message(self) -> None:
        status = {"code": 2, "message": "test status message"}
        unary = protos.message("SimpleRequest")(response_status=status)
        self.expect_status(
            lambda: self.stub.UnaryCall(unary, timeout=TIMEOUT), status["message"]
        )
        stream = protos.message("StreamingOutputCallRequest")(response_status=status)
        self.expect_status(
            lambda: list(self.stub.FullDuplexCall(iter([stream]), timeout=TIMEOUT)),
            status["message"],
        )

    def special_status_message(self) -> None:
        request = protos.message("SimpleRequest")(
            response_status={"code": 2, "message": SPECIAL_MESSAGE}
        )
        self.expect_status(lambda: self.stub.UnaryCall(request, timeout=TIMEOUT), SPECIAL_MESSAGE)

    def expect_unimplemented(self, service: str) -> None:
        call = self.channel.unary_unary(f"/{service}/UnimplementedCall")
        error = failure(lambda: call(b"", timeout=TIMEOUT))
        expect("the status", error.code(), grpc.StatusCode.UNIMPLEMENTED)

    def unimplemented_method(self) -> None:
        self.expect_unimplemented(protos.SERVICE)

    def unimplemented_service(self) -> None:
        self.expect_unimplemented(protos.UNIMPLEMENTED_SERVICE)

    # --- calls that are given up ---------------------------------------------------------------

    def cancel_after_begin(self) -> None:
        requests = Requests()
        call = self.stub.StreamingInputCall.future(iter(requests), timeout=TIMEOUT)
        call.cancel()
        expect("cancelled", call.cancelled(), True)
        expect("the status", call.code(), grpc.StatusCode.CANCELLED)
        requests.finish()

    def cancel_after_first_response(self) -> None:
        requests = Requests()
        call = self.stub.FullDuplexCall(iter(requests), timeout=TIMEOUT)
        requests.send(ping(REQUESTS[0], RESPONSES[0]))
        expect_zeros(next(call).payload, RESPONSES[0])
        call.cancel()
        error = failure(lambda: next(call))
        expect("the status", error.code(), grpc.StatusCode.CANCELLED)
        requests.finish()

    def timeout_on_sleeping_server(self) -> None:
        # Connected already: the millisecond is for the server, not for the handshake.
        self.stub.EmptyCall(protos.message("Empty")(), timeout=TIMEOUT)
        requests = Requests()
        requests.send(ping(REQUESTS[0]))
        call = self.stub.FullDuplexCall(iter(requests), timeout=0.001)
        error = failure(lambda: next(call))
        expect("the status", error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        requests.finish()

    # --- soak ----------------------------------------------------------------------------------

    def rpc_soak(self) -> None:
        self.run_soak(lambda: self.soak_call(self.stub))

    def channel_soak(self) -> None:
        def iterate() -> None:
            with self.connect() as channel:
                self.soak_call(Stub(channel))

        self.run_soak(iterate)

    def soak_call(self, stub: Stub) -> None:
        self.large_on(stub, self.soak.request_size, self.soak.response_size)

    def run_soak(self, iterate: Callable[[], None]) -> None:
        soak = self.soak
        timeout = soak.overall_timeout_s or soak.iterations * soak.max_latency_ms / 1000 + 1
        end = time.monotonic() + timeout
        latencies, failures = [], 0
        for index in range(soak.iterations):
            started = time.monotonic()
            if started >= end:
                break
            verdict = "succeeded"
            try:
                iterate()
            except (grpc.RpcError, CaseFailure) as error:
                verdict = f"failed: {error}"
            latencies.append(round((time.monotonic() - started) * 1000))
            if verdict == "succeeded" and latencies[-1] > soak.max_latency_ms:
                verdict = f"exceeds max acceptable latency: {soak.max_latency_ms}"
            failures += verdict != "succeeded"
            print(f"soak iteration: {index} elapsed_ms: {latencies[-1]} {verdict}", flush=True)
            rest = started + soak.min_ms_between_rpcs / 1000 - time.monotonic()
            if rest > 0:
                time.sleep(rest)
        expect("the number of iterations in time", len(latencies), soak.iterations)
        if failures > soak.max_failures:
            raise CaseFailure(f"{failures} iterations failed, {soak.max_failures} may")


CASES = (
    "empty_unary",
    "cacheable_unary",
    "large_unary",
    "client_compressed_unary",
    "server_compressed_unary",
    "client_streaming",
    "client_compressed_streaming",
    "server_streaming",
    "server_compressed_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "rpc_soak",
    "channel_soak",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server_host", default="127.0.0.1")
    parser.add_argument("--server_host_override", default=NAME)
    parser.add_argument("--server_port", type=int, required=True)
    parser.add_argument("--test_case", default="all", help="several with commas, or all")
    parser.add_argument("--certificates", type=Path, help="folder; turns mutual TLS on")
    parser.add_argument("--soak_iterations", type=int, default=10)
    parser.add_argument("--soak_max_failures", type=int, default=0)
    parser.add_argument("--soak_per_iteration_max_acceptable_latency_ms", type=int, default=1000)
    parser.add_argument("--soak_overall_timeout_seconds", type=float)
    parser.add_argument("--soak_min_time_ms_between_rpcs", type=int, default=0)
    parser.add_argument("--soak_request_size", type=int, default=271828)
    parser.add_argument("--soak_response_size", type=int, default=314159)
    options = parser.parse_args()
    soak = Soak(
        options.soak_iterations,
        options.soak_max_failures,
        options.soak_per_iteration_max_acceptable_latency_ms,
        options.soak_overall_timeout_seconds,
        options.soak_min_time_ms_between_rpcs,
        options.soak_request_size,
        options.soak_response_size,
    )
    client = OfficialClient(
        options.server_port,
        Credentials(options.certificates),
        soak,
        options.server_host_override,
        options.server_host,
    )
    failed = 0
    for case in CASES if options.test_case == "all" else options.test_case.split(","):
        try:
            client.run(case)
            print(f"{case}: passed", flush=True)
        except (grpc.RpcError, CaseFailure) as error:
            failed += 1
            print(f"{case}: failed: {error}", flush=True)
    client.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
