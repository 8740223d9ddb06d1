"""gRPC's interop cases: our client and server with each other and with the official library's."""

import sys
import unittest
from pathlib import Path

from support import stack

sys.path.insert(0, str(stack.ROOT / "Tests" / "Interop" / "python"))

from matrix import PAIRS, TRANSPORTS, Column  # noqa: E402
from official_client import CASES, Soak  # noqa: E402

SOAK = Soak(iterations=3)


class Interop(unittest.TestCase):
    """One column of the matrix; its subclasses are below."""

    column: tuple[str, str, str]

    @classmethod
    def setUpClass(cls):
        binaries = Path(stack.info()["BINARIES"])
        cls.running = Column(binaries, stack.certificates(), *cls.column, SOAK)
        cls.running.open()

    @classmethod
    def tearDownClass(cls):
        cls.running.close()


def column(client: str, server: str, transport: str) -> type:
    """A test for each case, so that each cell of the matrix is counted."""

    def test(case: str):
        def run(self):
            self.running.run(case)

        run.__doc__ = f"{client} client, {server} server, {transport}: {case}"
        return run

    tests = {f"test_{number:02}_{case}": test(case) for number, case in enumerate(CASES)}
    name = f"Interop_{client}_{server}_{transport}"
    return type(name, (Interop,), {**tests, "column": (client, server, transport)})


def load_tests(loader, tests, pattern):
    """The six columns instead of the class they have in common."""
    suite = unittest.TestSuite()
    for client, server in PAIRS:
        for transport in TRANSPORTS:
            suite.addTests(loader.loadTestsFromTestCase(column(client, server, transport)))
    return suite
