"""A peer of the benchmark: the echo service on grpcio's asyncio server."""

import argparse
import asyncio
from pathlib import Path

import grpc

import echo_pb2

SERVICE = "oneshot.echo.v1.EchoService"


async def echo(request: echo_pb2.EchoRequest, _) -> echo_pb2.EchoResponse:
    return echo_pb2.EchoResponse(payload=request.payload, text=request.text)


async def server_stream(request: echo_pb2.ServerStreamRequest, _):
    for index in range(request.count):
        yield echo_pb2.ServerStreamResponse(payload=request.payload, index=index)


HANDLERS = {
    "Echo": grpc.unary_unary_rpc_method_handler(
        echo,
        request_deserializer=echo_pb2.EchoRequest.FromString,
        response_serializer=echo_pb2.EchoResponse.SerializeToString,
    ),
    "ServerStream": grpc.unary_stream_rpc_method_handler(
        server_stream,
        request_deserializer=echo_pb2.ServerStreamRequest.FromString,
        response_serializer=echo_pb2.ServerStreamResponse.SerializeToString,
    ),
}


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--authority", type=Path)
    arguments = parser.parse_args()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, HANDLERS)])
    address = f"127.0.0.1:{arguments.port}"
    if arguments.certificate:
        credentials = grpc.ssl_server_credentials(
            [(arguments.key.read_bytes(), arguments.certificate.read_bytes())],
            arguments.authority.read_bytes(),
            require_client_auth=True,
        )
        server.add_secure_port(address, credentials)
    else:
        server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


asyncio.run(main())
