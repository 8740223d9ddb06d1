#!/usr/bin/env python3
"""gRPC's interop cases between our client and server and the official Python library's.

Starts the servers on free ports, runs every case of every pair in clear text and with mutual TLS,
prints the matrix and the counts; the exit code is 0 when all passed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from caching_proxy import CachingProxy
from credentials import Credentials
from official_client import CASES, CaseFailure, OfficialClient, Soak
from official_server import OfficialServer

import grpc

# client → server
PAIRS = (("ours", "ours"), ("grpcio", "ours"), ("ours", "grpcio"))
TRANSPORTS = ("plain", "mTLS")
# Seconds for one case of our client; a soak has iterations of a second at most.
CASE_TIMEOUT = 60


class OurServer:
    """The process interop-server."""

    def __init__(self, binaries: Path, credentials: Credentials) -> None:
        self.process = subprocess.Popen(
            [str(binaries / "interop-server"), "--port=0", *tls_flags(credentials)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        # "listening on 127.0.0.1:PORT"
        line = self.process.stdout.readline()
        if "listening on" not in line:
            raise RuntimeError(f"interop-server did not start: {line}")
        self.port = int(line.rsplit(":", 1)[1])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)
        assert self.process.stdout
        self.process.stdout.close()


class OurClient:
    """The process interop-client, one for each case."""

    def __init__(self, binaries: Path, port: int, credentials: Credentials, soak: Soak) -> None:
        self.command = [
            str(binaries / "interop-client"),
            f"--server_port={port}",
            f"--soak_iterations={soak.iterations}",
            *tls_flags(credentials),
        ]

    def run(self, case: str) -> None:
        done = subprocess.run(
            [*self.command, f"--test_case={case}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CASE_TIMEOUT,
        )
        sys.stdout.write("".join(f"{line}\n" for line in done.stdout.splitlines() if "soak" in line))
        if done.returncode != 0 or f"{case}: passed" not in done.stdout:
            raise CaseFailure((done.stdout + done.stderr).strip() or f"exit code {done.returncode}")

    def close(self) -> None:
        pass


def tls_flags(credentials: Credentials) -> list[str]:
    folder = credentials.folder
    if not folder:
        return ["--use_tls=false"]
    return [
        "--use_tls=true",
        f"--cert_file={folder / 'test.crt'}",
        f"--key_file={folder / 'test.key'}",
        f"--ca_file={folder / 'ca.crt'}",
    ]


class Column:
    """One client with one server over one transport."""

    def __init__(
        self,
        binaries: Path,
        certificates: Path,
        client: str,
        server: str,
        transport: str,
        soak: Soak,
    ) -> None:
        self.client, self.server, self.transport = client, server, transport
        self.title = f"{client} → {server} {transport}"
        self.binaries = binaries
        self.credentials = Credentials(certificates if transport == "mTLS" else None)
        self.soak = soak

    def open(self) -> None:
        """Starts the server, a cache in front of it, and a client of each."""
        # What is to be closed, the last one first.
        self.parts: list = []
        try:
            if self.server == "ours":
                server = OurServer(self.binaries, self.credentials)
            else:
                server = OfficialServer(self.credentials)
            self.parts.append(server)
            self.proxy = CachingProxy(server.port, self.credentials)
            self.parts.append(self.proxy)
            self.direct = self.connect(server.port)
            self.cached = self.connect(self.proxy.port)
        except BaseException:
            self.close()
            raise

    def connect(self, port: int) -> OurClient | OfficialClient:
        if self.client == "ours":
            client = OurClient(self.binaries, port, self.credentials, self.soak)
        else:
            client = OfficialClient(port, self.credentials, self.soak)
        self.parts.append(client)
        return client

    def run(self, case: str) -> None:
        """Raises what is wrong."""
        if case != "cacheable_unary":
            self.direct.run(case)
            return
        hits = self.proxy.hits
        self.cached.run(case)
        if self.proxy.hits != hits + 1:
            raise CaseFailure("the second answer did not come from the cache")

    def close(self) -> None:
        while self.parts:
            self.parts.pop().close()


def columns(binaries: Path, certificates: Path, soak: Soak) -> list[Column]:
    return [
        Column(binaries, certificates, client, server, transport, soak)
        for client, server in PAIRS
        for transport in TRANSPORTS
    ]


def print_table(table: list[Column], results: dict[tuple[str, str], str | None]) -> None:
    """Rows are cases, columns are pairs."""
    head = max(map(len, CASES))
    print(f"\n{'client → server':<{head}}  " + "  ".join(column.title for column in table))
    for case in CASES:
        cells = []
        for column in table:
            failed = results[(case, column.title)]
            cells.append(("FAILED" if failed else "ok").ljust(len(column.title)))
        print(f"{case:<{head}}  " + "  ".join(cells).rstrip())
    print(flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", type=Path, required=True, help="folder of our programs")
    parser.add_argument("--certificates", type=Path, required=True)
    parser.add_argument("--soak_iterations", type=int, default=10)
    options = parser.parse_args()
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    started = time.monotonic()
    table = columns(options.binaries, options.certificates, Soak(options.soak_iterations))
    results: dict[tuple[str, str], str | None] = {}
    for column in table:
        print(f"--- {column.title}", flush=True)
        column.open()
        try:
            for case in CASES:
                error = None
                try:
                    column.run(case)
                except (CaseFailure, grpc.RpcError, subprocess.TimeoutExpired) as failure:
                    error = str(failure)
                    print(f"{case}: {error}", flush=True)
                results[(case, column.title)] = error
        finally:
            column.close()
    print_table(table, results)
    failed = sum(error is not None for error in results.values())
    print(f"{time.monotonic() - started:.1f} seconds")
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
