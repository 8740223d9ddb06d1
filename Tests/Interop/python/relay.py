"""A TCP relay that counts the bytes that pass.

The official Python library does not show a message's compressed flag. The bytes on the wire show as
well whether 314,159 zeros were compressed, also through TLS.
"""

from __future__ import annotations

import contextlib
import socket
import threading


class Relay:
    """Listens on a free port and passes everything on to one server."""

    BUFFER = 64 * 1024

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self.target = (target_host, target_port)
        # Each is written by one thread at a time for each connection; the lock keeps sums whole.
        self.lock = threading.Lock()
        self.to_server = 0
        self.to_client = 0
        self.sockets: set[socket.socket] = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.sockets |= {client, server}
            for arguments in ((client, server, "to_server"), (server, client, "to_client")):
                threading.Thread(target=self._pass, args=arguments, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counter: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(self.BUFFER):
                # Counted before it is passed on: who has received a message finds it counted.
                with self.lock:
                    setattr(self, counter, getattr(self, counter) + len(data))
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for one in self.sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
