#!/usr/bin/env python3
"""Runs the end-to-end tests against the stack that is up: run.py [--counts FILE] [-k PATTERN].

A skipped test counts as failed: nothing here is optional.
"""

import argparse
import os
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Result(unittest.TextTestResult):
    """Prints each test's time and counts successes, which unittest does not."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.passed = 0

    def startTest(self, test):
        self.started = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        self.passed += 1
        super().addSuccess(test)

    def stopTest(self, test):
        self.stream.writeln(f"    ({time.monotonic() - self.started:.1f} s)")
        self.stream.flush()
        super().stopTest(test)

    def getDescription(self, test):
        return test.shortDescription() or str(test)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=Path, help='file for "passed failed"')
    parser.add_argument("-k", action="append", help="only tests whose name contains this")
    options = parser.parse_args()

    # The gRPC library reports every refused handshake, and refusals are what is tested.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    sys.path.insert(0, str(HERE))
    loader = unittest.TestLoader()
    if options.k:
        loader.testNamePatterns = [f"*{pattern}*" for pattern in options.k]
    # In the order of the names; faults come last, since they restart services.
    suite = loader.discover(str(HERE), top_level_dir=str(HERE))
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result)
    result = runner.run(suite)
    failed = {test.id() for test, _ in result.failures + result.errors + result.skipped}
    # A failing subtest names its test once for each part; the test is one.
    failed = {name.split(" (")[0].split(" [")[0] for name in failed}
    failed |= {test.id() for test in result.unexpectedSuccesses}
    if options.counts:
        options.counts.write_text(f"{result.passed} {len(failed)}\n")
    return 0 if not failed and result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
