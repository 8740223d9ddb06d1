"""The caching proxy that cacheable_unary wants between client and server.

Keeps the answers of unary calls that their server allows to be kept (`cache-control: max-age`), told
apart by method and request message. gRPC has withdrawn the GET requests of the description, whose path
held the message.
"""

from __future__ import annotations

import re
import time
from concurrent import futures

import grpc

from credentials import Credentials


class CachingProxy(grpc.GenericRpcHandler):
    """Serves every method as unary, from its memory or from the server behind it."""

    def __init__(self, server_port: int, credentials: Credentials) -> None:
        self.kept: dict[tuple[str, bytes], tuple[float, bytes, tuple]] = {}
        self.hits = 0
        self.channel = credentials.channel(server_port)
        self.server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[self])
        self.port = credentials.listen(self.server)
        self.server.start()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            return self.answer(details.method, request, context)

        return grpc.unary_unary_rpc_method_handler(handle)

    def answer(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        key = (method, request)
        expires, reply, metadata = self.kept.get(key, (0.0, b"", ()))
        if expires <= time.monotonic():
            reply, metadata, age = self.forward(method, request, context)
            if age:
                self.kept[key] = (time.monotonic() + age, reply, metadata)
        else:
            self.hits += 1
        context.send_initial_metadata(metadata)
        return reply

    def forward(
        self, method: str, request: bytes, context: grpc.ServicerContext
    ) -> tuple[bytes, tuple, int]:
        """The server's answer, and for how many seconds it may be kept."""
        metadata = [
            pair for pair in context.invocation_metadata() if not pair.key.startswith("user-agent")
        ]
        try:
            reply, call = self.channel.unary_unary(method).with_call(
                request, timeout=context.time_remaining(), metadata=metadata
            )
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
        initial = tuple(call.initial_metadata())
        control = dict(initial).get("cache-control", "")
        age = re.search(r"max-age=(\d+)", control)
        may_keep = age and "no-store" not in control and "private" not in control
        return reply, initial, int(age[1]) if may_keep else 0

    def close(self) -> None:
        self.server.stop(0).wait()
        self.channel.close()
