"""Messages of grpc.testing, compiled from our proto files now."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parents[3]
SERVICE = "grpc.testing.TestService"
UNIMPLEMENTED_SERVICE = "grpc.testing.UnimplementedService"


@functools.cache
def pool() -> descriptor_pool.DescriptorPool:
    """The files of proto/grpc/testing, in a pool of their own."""
    folder = ROOT / "proto"
    files = sorted(str(path) for path in (folder / "grpc" / "testing").glob("*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".pb") as output:
        subprocess.run(
            ["protoc", f"-I{folder}", f"--descriptor_set_out={output.name}", *files], check=True
        )
        compiled = descriptor_pb2.FileDescriptorSet.FromString(Path(output.name).read_bytes())
    result = descriptor_pool.DescriptorPool()
    for file in compiled.file:
        result.Add(file)
    return result


@functools.cache
def message(name: str) -> type:
    """The class of a message, `SimpleRequest`."""
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(f"grpc.testing.{name}"))
