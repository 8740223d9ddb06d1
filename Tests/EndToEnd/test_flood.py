"""Hostile HTTP/2 peers against a gRPC port and the edge; time limits are set short for it.

`make flood` does the same with the limits of production and prints what it cost.
"""

import unittest

from support import siege, stack
from support.attacks import Times

TIMES = Times(header=2, idle=3, body_pause=2, body=4, write_stall=2)


def setUpModule():
    stack.restart(
        "edge",
        HEAD_SECONDS="2",
        IDLE_SECONDS="3",
        BODY_PAUSE_SECONDS="2",
        BODY_SECONDS="4",
        WRITE_STALL_SECONDS="2",
    )
    stack.restart(
        "billing",
        RPC_HEADER_SECONDS="2",
        RPC_IDLE_SECONDS="3",
        RPC_BODY_PAUSE_SECONDS="2",
        RPC_BODY_SECONDS="4",
        RPC_WRITE_STALL_SECONDS="2",
    )


def tearDownModule():
    stack.restart("edge")
    stack.restart("billing")


class Flood(unittest.TestCase):
    """Each attack ends within its bar, costs little memory, leaves others alone, and is reported once."""

    def besiege(self, server: siege.Server) -> None:
        rows = siege.strike(server) + siege.outwait(server)
        self.assertGreaterEqual(len(rows), 15)
        for row in rows:
            with self.subTest(attack=row.attack.title):
                self.assertEqual(row.problems, [], row.attack.title)
                self.assertGreater(row.answers, 0)

    def besiege_echo(self, secure: bool) -> None:
        echo = siege.EchoServer(TIMES, secure)
        self.addCleanup(echo.close)
        self.besiege(echo.server)

    def test_clear_text(self):
        """A gRPC port in clear text withstands every attack"""
        self.besiege_echo(secure=False)

    def test_mutual_tls(self):
        """A gRPC port with mutual TLS withstands every attack of a peer that has a certificate"""
        self.besiege_echo(secure=True)

    def test_service(self):
        """A service counts each connection that it ends, by kind"""
        self.besiege(siege.rpc_victim(TIMES))

    def test_edge(self):
        """The edge withstands every attack in clear text"""
        self.besiege(siege.edge_victim(TIMES))

    def test_edge_tls(self):
        """The edge withstands every attack behind TLS"""
        self.besiege(siege.edge_victim(TIMES, secure=True))

    def test_edge_http1(self):
        """The edge withstands every attack over HTTP/1.1"""
        self.besiege(siege.edge_http1_victim(TIMES))
