"""Our services as any gRPC client sees them: grpcio, and messages made from the .proto files."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterator

import google.api.annotations_pb2
import grpc

# Imported for what they register: the well-known types that our files use.
from google.protobuf import struct_pb2, timestamp_pb2  # noqa: F401
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor

from support import stack

OWNERS = {
    "oneshot.auth.v1.AuthService": "auth",
    "oneshot.billing.v1.BillingService": "billing",
    "oneshot.jobs.v1.JobService": "jobs",
    "oneshot.jobs.v1.UploadService": "jobs",
    "oneshot.gpu.v1.GPUGatewayService": "gpu",
}
CALLERS = ("edge", "auth", "jobs", "billing", "gpu", "ctl", "test")
TIMEOUT = 20


@functools.cache
def pool() -> descriptor_pool.DescriptorPool:
    """Every message of the services' APIs, compiled by protoc now."""
    folders = {name.split(".")[1] for name in OWNERS} | {"echo", "options"}
    protos = sorted(
        str(path)
        for folder in folders
        for path in (stack.ROOT / "proto" / "oneshot" / folder).rglob("*.proto")
    )
    common = Path(google.api.annotations_pb2.__file__).parents[2]
    with tempfile.NamedTemporaryFile(suffix=".pb") as file:
        subprocess.run(
            [
                "protoc",
                f"-I{stack.ROOT / 'proto'}",
                f"-I{common}",
                "--include_imports",
                f"--descriptor_set_out={file.name}",
                *protos,
            ],
            check=True,
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(file.name).read_bytes()).file
    result = descriptor_pool.Default()
    for one in files:
        if one.name.startswith("oneshot/"):
            result.AddSerializedFile(one.SerializeToString())
    for one in files:
        if one.name.startswith("oneshot/"):
            message_factory.GetMessageClassesForFiles([one.name], result)
    return result


@functools.cache
def message_class(name: str) -> type:
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(name))


def methods() -> Iterator[MethodDescriptor]:
    """Every method of the five services' APIs."""
    for service in OWNERS:
        yield from pool().FindServiceByName(service).methods


def policy(method: MethodDescriptor) -> Any:
    """oneshot.options.v1.rpc of a method."""
    extension = pool().FindExtensionByName("oneshot.options.v1.rpc")
    # Options were parsed before the extension was known; read them again.
    options = descriptor_pb2.MethodOptions.FromString(method.GetOptions().SerializeToString())
    return options.Extensions[extension]


def channel(
    service: str,
    caller: str | None,
    authority: Path | None = None,
    arguments: dict[str, int] = {},
) -> grpc.Channel:
    """A connection to a service with the certificate of a caller; without one for None."""
    certificates = stack.certificates()
    folder = authority or certificates
    pair: dict[str, bytes] = {}
    if caller:
        pair = {
            "private_key": (folder / f"{caller}.key").read_bytes(),
            "certificate_chain": (folder / f"{caller}.crt").read_bytes(),
        }
    credentials = grpc.ssl_channel_credentials((certificates / "ca.crt").read_bytes(), **pair)
    options = {"grpc.ssl_target_name_override": service, "grpc.enable_retries": 0} | arguments
    address = f"127.0.0.1:{stack.port(service.upper())}"
    return grpc.secure_channel(address, credentials, list(options.items()))


def principal(user_id: str, session_id: str) -> list[tuple[str, str]]:
    """The metadata with which the edge says who asks."""
    return [
        ("x-oneshot-user-id", user_id),
        ("x-oneshot-session-id", session_id),
        ("x-oneshot-role", "user"),
    ]


def call(channel: grpc.Channel, method: MethodDescriptor, request: Any, **options) -> Any:
    """Calls a unary or server-streaming method; a stream is returned as a list."""
    service = method.containing_service.full_name
    path = f"/{service}/{method.name}"
    response = message_class(method.output_type.full_name)
    stub = channel.unary_stream if method.server_streaming else channel.unary_unary
    invoke = stub(
        path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    options.setdefault("timeout", TIMEOUT)
    result = invoke(request, **options)
    return list(result) if method.server_streaming else result


class Service:
    """The API of one service, called as one caller."""

    def __init__(
        self,
        name: str,
        caller: str,
        metadata: list[tuple[str, str]] | None = None,
        arguments: dict[str, int] = {},
    ) -> None:
        self.descriptor = pool().FindServiceByName(name)
        self.channel = channel(OWNERS[name], caller, arguments=arguments)
        self.metadata = metadata or []
        self.called: set[str] = set()

    def __call__(self, method: str, wait_for_ready: bool = False, **fields) -> Any:
        descriptor = self.descriptor.methods_by_name[method]
        self.called.add(descriptor.full_name)
        request = message_class(descriptor.input_type.full_name)(**fields)
        return call(
            self.channel,
            descriptor,
            request,
            metadata=self.metadata,
            wait_for_ready=wait_for_ready,
        )

    def close(self) -> None:
        self.channel.close()
