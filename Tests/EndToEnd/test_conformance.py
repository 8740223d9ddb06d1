"""The RPC runtime and the edge, held to RFC 9113: what breaks it gets the error that it names.

Where a violation must not end the connection, a good request on it has to be answered afterwards.
"""

import unittest
from dataclasses import replace

from support import siege
from support.attacks import Times
from support.frames import Peer
from support.violations import CASES, Case, Server


class Conformance(unittest.TestCase):
    """The cases against one server; its subclasses are below."""

    server: Server
    # What a good request is answered with.
    good: tuple[str, tuple[str, ...]]

    def violate(self, case: Case) -> None:
        with Peer(self.server.target, case.first) as peer:
            if case.before:
                peer.write(case.before(self.server))
                self.assertTrue(peer.until(lambda: peer.streams.get(1) and peer.streams[1].is_ended))
                self.assertTrue(peer.synchronise())
                self.assertIsNone(peer.streams[1].reset)
            peer.write(case.frames(self.server), reads=True)
            getattr(self, f"judge_{case.outcome.kind.replace(' ', '_')}")(peer, case)

    def judge_connection_error(self, peer: Peer, case: Case) -> None:
        self.assertTrue(peer.until_ended(5), "the connection goes on")
        self.assertIn(peer.goaway, case.outcome.codes)

    def judge_stream_error(self, peer: Peer, case: Case) -> None:
        peer.until(lambda: peer.resets, 5)
        self.assertTrue(peer.resets, f"no RST_STREAM: {peer.streams} {peer.ended}")
        self.assertIn(peer.resets[0], case.outcome.codes)
        self.goes_on(peer, case.afterwards)

    def judge_answered(self, peer: Peer, case: Case) -> None:
        self.answers(peer, 1)
        self.goes_on(peer)

    def judge_ignored(self, peer: Peer, case: Case) -> None:
        self.assertTrue(peer.synchronise(), f"no answer to a PING: {peer.ended}")
        self.goes_on(peer)

    def goes_on(self, peer: Peer, before: bytes = b"") -> None:
        """A connection is fit for use when a good request on it is answered."""
        number = 2 * self.server.streams + 3
        peer.write(before + self.server.ask(number), reads=True)
        self.answers(peer, number)

    def answers(self, peer: Peer, number: int) -> None:
        def answer():
            return peer.streams.get(number)

        peer.until(lambda: answer() is not None and answer().is_over, 5)
        self.assertIsNotNone(answer(), f"no answer: {peer.ended}")
        self.assertTrue(answer().is_ended, f"{answer()} {peer.ended}")
        name, values = self.good
        self.assertIn(answer().value(name), values, answer())


class RPCConformance(Conformance):
    good = ("grpc-status", ("0",))

    @classmethod
    def setUpClass(cls):
        cls.echo = siege.EchoServer(Times(), secure=True)
        victim = cls.echo.server.victim
        cls.server = Server(
            victim.name,
            victim.target,
            [
                (":method", "POST"),
                (":scheme", "https"),
                (":path", f"{siege.ECHO}/Echo"),
                (":authority", "test"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            ],
            victim.ask_body,
            victim.large,
            victim.large_body,
            victim.streams,
            ("content-type", "text/plain"),
        )

    @classmethod
    def tearDownClass(cls):
        cls.echo.close()


class EdgeConformance(Conformance):
    # A login that is refused.
    good = (":status", ("401", "429"))

    @classmethod
    def setUpClass(cls):
        victim = siege.edge_victim(Times(), secure=True).victim
        cls.server = Server(
            victim.name,
            # The rates of its address are nobody else's.
            replace(victim.target, source="127.77.0.1"),
            [
                (":method", "POST"),
                (":scheme", "https"),
                (":path", "/api/v1/auth/login"),
                (":authority", "test"),
                ("content-type", "application/json"),
            ],
            b'{"email":"nobody@example.org","password":"not-a-password-1"}',
            victim.large,
            victim.large_body,
            victim.streams,
            (":path", "/nowhere"),
        )


def cases_of(base: type[Conformance]) -> type[Conformance]:
    """A test for each case, so that each is counted."""

    def test(case: Case):
        def run(self):
            self.violate(case)

        run.__doc__ = f"{base.__name__[:-11]}: §{case.section} {case.title}: {case.outcome}"
        return run

    tests = {f"test_{number:03}_{case.name}": test(case) for number, case in enumerate(CASES)}
    return type(base.__name__, (base,), tests)


def load_tests(loader, tests, pattern):
    suite = unittest.TestSuite()
    for base in (RPCConformance, EdgeConformance):
        suite.addTests(loader.loadTestsFromTestCase(cases_of(base)))
    return suite
