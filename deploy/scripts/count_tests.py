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
            cases = list(ElementTree.parse(path).getroot().iter("testcase"))
        except (OSError, ElementTree.ParseError) as error:
            print(f"cannot read {path}: {error}", file=sys.stderr)
            continue
        # A case holds one <failure> per issue, or <skipped>, or nothing.
        good = sum(len(case) == 0 for case in cases)
        passed += good
        failed += len(cases) - good
    if status != 0 and failed == 0:
        failed = 1
    print(passed, failed)


main()
