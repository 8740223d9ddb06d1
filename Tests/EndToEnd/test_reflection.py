"""Server reflection, as generic tools use it: list, describe, build the messages, call."""

import contextlib
import unittest
from typing import Callable, Iterator

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FileDescriptor
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from support import rpc

VERSIONS = ("v1", "v1alpha")
EVERY = [(name, version) for name in rpc.OWNERS for version in VERSIONS]
NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT.value[0]
# Messages that our .proto files extend, and by which numbers.
EXTENSIONS = {
    "google.protobuf.MethodOptions": {50001, 50002, 72295728},
    "google.protobuf.FieldOptions": {50003},
    "google.protobuf.EnumValueOptions": {50004},
}

Request = reflection_pb2.ServerReflectionRequest
Response = reflection_pb2.ServerReflectionResponse


def info(channel: grpc.Channel, version: str) -> Callable[..., Iterator[Response]]:
    """The method of one version; the messages of both are the same, field by field."""
    return channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=Request.SerializeToString,
        response_deserializer=Response.FromString,
    )


class Database(ProtoReflectionDescriptorDatabase):
    """grpcio's own, which knows the older version alone, for both."""

    def __init__(self, channel: grpc.Channel, version: str) -> None:
        super().__init__(channel)
        if version != "v1alpha":
            self._stub.ServerReflectionInfo = info(channel, version)


def imported(file: FileDescriptor) -> dict[str, FileDescriptor]:
    """A file and everything that it imports, directly or not."""
    files = {file.name: file}
    for one in file.dependencies:
        files |= imported(one)
    return files


def symbols(file: FileDescriptor) -> Iterator[str]:
    """The full name of everything that a file declares."""

    def inside(message: Descriptor) -> Iterator[str]:
        yield message.full_name
        for part in (message.fields, message.oneofs, message.extensions):
            yield from (one.full_name for one in part)
        for kind in message.enum_types:
            yield kind.full_name
            yield from (f"{message.full_name}.{value.name}" for value in kind.values)
        for nested in message.nested_types:
            yield from inside(nested)

    for message in file.message_types_by_name.values():
        yield from inside(message)
    for kind in file.enum_types_by_name.values():
        yield kind.full_name
        yield from (f"{file.package}.{value.name}" for value in kind.values)
    for extension in file.extensions_by_name.values():
        yield extension.full_name
    for service in file.services_by_name.values():
        yield service.full_name
        yield from (method.full_name for method in service.methods)


def names_of(response: Response) -> list[str]:
    found = response.file_descriptor_response.file_descriptor_proto
    return [descriptor_pb2.FileDescriptorProto.FromString(one).name for one in found]


class Reflection(unittest.TestCase):
    @contextlib.contextmanager
    def asking(self, name: str, version: str) -> Iterator[grpc.Channel]:
        """A part of a test: one service of the stack in one version, over mutual TLS."""
        with self.subTest(name, version=version):
            with rpc.channel(rpc.OWNERS[name], "test") as channel:
                yield channel

    def test_describe(self):
        """What a tool learns of every service is what protoc makes of its .proto files"""
        for name, version in EVERY:
            with self.asking(name, version) as channel:
                database = Database(channel, version)
                self.assertIn(name, database.get_services())
                learned = descriptor_pool.DescriptorPool(database).FindServiceByName(name)
                wanted = imported(rpc.pool().FindServiceByName(name).file)
                files = imported(learned.file)
                self.assertEqual(set(files), set(wanted))
                for path, file in files.items():
                    if path.startswith("oneshot/"):
                        self.assertEqual(proto(file), proto(wanted[path]), path)

    def test_symbols(self):
        """Everything that a file declares leads to it, fields and values of enums included"""
        for name, version in EVERY:
            with self.asking(name, version) as channel:
                file = rpc.pool().FindServiceByName(name).file
                asked = sorted(symbols(file))
                self.assertGreater(len(asked), 10)
                requests = (Request(file_containing_symbol=one) for one in asked)
                answers = list(info(channel, version)(requests, timeout=rpc.TIMEOUT))
                self.assertEqual(len(answers), len(asked))
                everything = set(imported(file))
                for symbol, answer in zip(asked, answers):
                    names = names_of(answer)
                    self.assertEqual(names[:1], [file.name], symbol)
                    self.assertEqual(set(names), everything, symbol)
                    self.assertEqual(len(names), len(everything), symbol)

    def test_files(self):
        """Every file comes by its name, with all that it imports"""
        for name, version in EVERY:
            with self.asking(name, version) as channel:
                files = imported(rpc.pool().FindServiceByName(name).file)
                requests = (Request(file_by_filename=path) for path in files)
                answers = info(channel, version)(requests, timeout=rpc.TIMEOUT)
                for (path, file), answer in zip(files.items(), answers, strict=True):
                    self.assertEqual(set(names_of(answer)), set(imported(file)), path)

    def test_extensions(self):
        """Extensions are listed by the message they extend, and lead to their files"""
        for name, version in EVERY:
            with self.asking(name, version) as channel:
                database = Database(channel, version)
                pool = descriptor_pool.DescriptorPool(database)
                for extended, numbers in EXTENSIONS.items():
                    self.assertEqual(set(database.FindAllExtensionNumbers(extended)), numbers)
                    # The database asks for the file of an extension, but returns none.
                    asked = [
                        reflection_pb2.ExtensionRequest(
                            containing_type=extended, extension_number=number
                        )
                        for number in sorted(numbers)
                    ]
                    requests = (Request(file_containing_extension=one) for one in asked)
                    answers = info(channel, version)(requests, timeout=rpc.TIMEOUT)
                    for one, answer in zip(asked, answers, strict=True):
                        file = pool.FindFileByName(names_of(answer)[0])
                        self.assertIn(
                            (one.containing_type, one.extension_number),
                            {
                                (found.containing_type.full_name, found.number)
                                for found in file.extensions_by_name.values()
                            },
                        )
                        self.assertEqual(set(names_of(answer)), set(imported(file)))
                self.assertEqual(list(database.FindAllExtensionNumbers("google.protobuf.Any")), [])

    def test_options(self):
        """Our options of methods can be read with nothing but what reflection says"""
        for name, version in EVERY:
            with self.asking(name, version) as channel:
                pool = descriptor_pool.DescriptorPool(Database(channel, version))
                options_class = message_factory.GetMessageClass(
                    pool.FindMessageTypeByName("google.protobuf.MethodOptions")
                )
                extension = pool.FindExtensionByName("oneshot.options.v1.rpc")
                for method in pool.FindServiceByName(name).methods:
                    options = options_class.FromString(method.GetOptions().SerializeToString())
                    known = rpc.policy(rpc.pool().FindMethodByName(method.full_name))
                    self.assertEqual(
                        options.Extensions[extension].SerializeToString(deterministic=True),
                        known.SerializeToString(deterministic=True),
                    )

    def test_call(self):
        """With no .proto file at hand a tool lists, describes and calls"""
        for name, version in EVERY:
            with self.asking(name, version) as channel:
                database = Database(channel, version)
                self.assertIn("grpc.health.v1.Health", database.get_services())
                pool = descriptor_pool.DescriptorPool(database)
                check = pool.FindMethodByName("grpc.health.v1.Health.Check")
                reply = dynamic_call(channel, check)
                status = check.output_type.fields_by_name["status"].enum_type
                self.assertEqual(status.values_by_number[reply.status].name, "SERVING")
        for version in VERSIONS:
            with rpc.channel("billing", "edge") as channel:
                pool = descriptor_pool.DescriptorPool(Database(channel, version))
                method = pool.FindMethodByName("oneshot.billing.v1.BillingService.ListPlans")
                plans = {plan.code: plan for plan in dynamic_call(channel, method).plans}
                self.assertIn("free", plans)

    def test_errors(self):
        """What is not known is NOT_FOUND with its name, and the stream goes on"""
        extension = reflection_pb2.ExtensionRequest(
            containing_type="google.protobuf.MethodOptions", extension_number=12345
        )
        unknown = [
            (Request(file_containing_symbol="no.such.Thing"), "no.such.Thing"),
            (Request(file_containing_symbol="oneshot.jobs.v1.JobService.No"), "JobService.No"),
            (Request(file_containing_symbol=""), ""),
            (Request(file_by_filename="no/such.proto"), "no/such.proto"),
            (Request(file_containing_extension=extension), "12345"),
            (Request(all_extension_numbers_of_type="no.such.Thing"), "no.such.Thing"),
        ]
        for name, version in EVERY:
            with self.asking(name, version) as channel:
                requests = [request for request, _ in unknown]
                requests += [Request(host="example.org"), Request(host="a.b", list_services="*")]
                answers = info(channel, version)(iter(requests), timeout=rpc.TIMEOUT)
                *missing, empty, listed = answers
                for (request, text), answer in zip(unknown, missing, strict=True):
                    self.assertEqual(answer.error_response.error_code, NOT_FOUND, request)
                    self.assertIn(text, answer.error_response.error_message)
                    self.assertEqual(answer.original_request, request)
                self.assertEqual(empty.error_response.error_code, INVALID_ARGUMENT)
                self.assertEqual((empty.valid_host, listed.valid_host), ("example.org", "a.b"))
                self.assertTrue(listed.list_services_response.service)


def proto(file: FileDescriptor) -> descriptor_pb2.FileDescriptorProto:
    """A file as its bytes say; options that one pool knows and another does not are alike."""
    result = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(result)
    return descriptor_pb2.FileDescriptorProto.FromString(
        result.SerializeToString(deterministic=True)
    )


def dynamic_call(channel: grpc.Channel, method):
    """Calls a unary method without arguments, its messages made from their descriptors."""
    request = message_factory.GetMessageClass(method.input_type)()
    response = message_factory.GetMessageClass(method.output_type)
    call = channel.unary_unary(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )
    return call(request, timeout=rpc.TIMEOUT)
