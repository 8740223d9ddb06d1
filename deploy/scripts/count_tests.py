#!/usr/bin/env python3
"""Prints "passed failed" for the xunit files of one `swift test`: count_tests.py STATUS FILE...

A skipped test counts as failed, and so does a run that ended badly without naming a test (a
crash takes the report with it).
"""

import sys
import xml.etree.ElementTree as ElementTree


def main() -> None:
    status, passed, failed = int(sys.argv[1]), 0, 0
    for path in sys.argv[2:]:
        try:
            suites = ElementTree.parse(path).getroot().iter("testsuite")
        except (OSError, ElementTree.ParseError) as error:
            print(f"cannot read {path}: {error}", file=sys.stderr)
            continue
        for suite in suites:
            bad = sum(int(suite.get(key) or 0) for key in ("failures", "errors", "skipped"))
            failed += bad
            passed += int(suite.get("tests") or 0) - bad
    if status != 0 and failed == 0:
        failed = 1
    print(max(passed, 0), failed)


main()
