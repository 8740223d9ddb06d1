"""Mutual TLS with the development certificates, or clear text."""

from __future__ import annotations

from pathlib import Path

import grpc

# Every certificate of ours names it besides its service.
NAME = "localhost"


class Credentials:
    """What both ends of a connection prove themselves with; no folder: clear text."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def _pair(self) -> tuple[bytes, bytes]:
        assert self.folder
        return (self.folder / "test.key").read_bytes(), (self.folder / "test.crt").read_bytes()

    def _authority(self) -> bytes:
        assert self.folder
        return (self.folder / "ca.crt").read_bytes()

    def channel(self, port: int, name: str = NAME) -> grpc.Channel:
        # Channels of one process share connections unless told not to.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        target = f"127.0.0.1:{port}"
        if not self.folder:
            return grpc.insecure_channel(target, options)
        key, certificate = self._pair()
        credentials = grpc.ssl_channel_credentials(self._authority(), key, certificate)
        options.append(("grpc.ssl_target_name_override", name))
        return grpc.secure_channel(target, credentials, options)

    def listen(self, server: grpc.Server, port: int = 0) -> int:
        """Opens a port of a server, a free one for 0."""
        address = f"127.0.0.1:{port}"
        if not self.folder:
            return server.add_insecure_port(address)
        credentials = grpc.ssl_server_credentials(
            [self._pair()], root_certificates=self._authority(), require_client_auth=True
        )
        return server.add_secure_port(address, credentials)
