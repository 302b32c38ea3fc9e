#!/usr/bin/env python3
"""reporting.py: the report behind `make check` counts what it must: nothing lost, no skip without a reason."""
import contextlib
import io
import os
import sys

import sources
from tap import Tap

sys.path.insert(0, os.path.join(sources.ROOT, "scripts"))
import report  # noqa: E402 (the path is needed first)


def counts(result, stdout):
    """(passed, failed, skipped) of one program with this result and output."""
    found = report.Report()
    found.add_program({"name": "sluice:unit / x", "result": result, "stdout": stdout, "returncode": 0})
    return found.passed, len(found.failed), len(found.skipped)


CASES = [
    ("a program without TAP counts once", "OK", "fine\n", (1, 0, 0)),
    ("a program that fails counts once", "FAIL", "", (0, 1, 0)),
    ("a program that never ends is a failure", "TIMEOUT", "", (0, 1, 0)),
    ("each TAP line counts", "OK", "1..2\nok 1 - a\nok 2 - b\n", (2, 0, 0)),
    ("a plan may come last", "OK", "ok 1 - a\n1..1\n", (1, 0, 0)),
    ("a failed line fails", "FAIL", "1..2\nok 1 - a\nnot ok 2 - b\n# why\n", (1, 1, 0)),
    ("cmocka's skip is paired with its reason", "OK", "1..1\n# SKIP-REASON no loop\nnot ok 1 # SKIP a\n", (0, 0, 1)),
    ("a skip in TAP's own form counts", "SKIP", "1..1\nok 1 - a # SKIP no loop\n", (0, 0, 1)),
    ("a skip without a reason fails", "OK", "1..1\nnot ok 1 # SKIP a\n", (0, 1, 0)),
    ("a reason serves one skip only", "OK",
     "1..2\n# SKIP-REASON r\nnot ok 1 # SKIP a\nnot ok 2 # SKIP b\n", (0, 1, 1)),
    ("a program that stops early fails once more", "ERROR", "1..3\nok 1 - a\n", (1, 1, 0)),
    ("a program that dies after its last test fails", "ERROR", "1..1\nok 1 - a\n", (1, 1, 0)),
    ("a plan of no tests is one skip", "SKIP", "1..0 # SKIP needs root\n", (0, 0, 1)),
    ("a plan of no tests needs a reason", "SKIP", "1..0\n", (0, 1, 0)),
    ("a whole program skipped keeps its reason", "SKIP", "no loop devices\n", (0, 0, 1)),
]


def last_line(found):
    """The exit code and the last line that a report prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = found.print()
    return code, output.getvalue().splitlines()[-1]


def main():
    tap = Tap()
    for sentence, result, stdout, wanted in CASES:
        got = counts(result, stdout)
        tap.check(sentence, [] if got == wanted else [f"counted {got}, want {wanted}"])
    tap.check("a report of nothing is a failure",
              [] if last_line(report.Report()) == (1, "0 passed, 0 failed, 0 skipped") else ["it is not"])
    tap.done()


if __name__ == "__main__":
    main()
