#!/usr/bin/env python3
"""report.py BUILD: what the last `meson test` found, test by test, ending with one line of counts.

A test program that prints TAP counts once per line of it, any other counts once. A skip must have a
reason. Exit: 0, or 1 when a test failed or none passed.
"""
import glob
import json
import os
import re
import sys

RESULT = re.compile(r"^(not )?ok\b\s*(\d+)?\s*(?:-\s*)?(.*)$")
SKIP = re.compile(r"^(.*?)\s*#\s*SKIP\b\s*(.*)$", re.I)
REASON = re.compile(r"^# SKIP-REASON (.*)$")
OUTPUT_LINES_MAX = 60
NEEDED_BY_TESTS = {"cmocka": "libcmocka-dev", "liburing": "liburing-dev"}


class Report:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add_program(self, test):
        """Adds one program of the test log."""
        name = test["name"].split(":", 1)[-1].replace(" / ", "/")
        output = test.get("stdout", "")
        plan = re.search(r"^1\.\.(\d+)[ \t]*(?:#[ \t]*SKIP\b[ \t]*(.*))?", output, re.M)
        if plan and plan.group(1) == "0":
            self.skip(name, (plan.group(2) or "").strip())
        elif plan:
            self.add_tap(name, test, output, int(plan.group(1)))
        elif test["result"] == "OK":
            self.passed += 1
        elif test["result"] == "SKIP":
            lines = output.strip().splitlines()
            self.skip(name, lines[-1] if lines else "")
        else:
            self.fail(name, test)

    def add_tap(self, name, test, output, planned):
        """Adds each line of a program's TAP output; a program that stops early failed once more."""
        seen, failed, reason = 0, 0, ""
        for line in output.splitlines():
            if told := REASON.match(line):
                reason = told.group(1)
            if not (result := RESULT.match(line)):
                continue
            seen += 1
            if skip := SKIP.match(result.group(3)):
                # cmocka writes "not ok 2 # SKIP name", TAP has "ok 2 - name # SKIP reason".
                told = (skip.group(1), skip.group(2)) if skip.group(1) else (skip.group(2), reason)
                self.skip(f"{name}: {told[0]}", told[1])
                reason = ""
            elif result.group(1):
                failed += 1
                self.fail(f"{name}: {result.group(3)}", test if failed == 1 else None)
            else:
                self.passed += 1
        if seen != planned:
            self.fail(f"{name}: stopped after {seen} of {planned} tests", test)
        elif test["result"] not in ("OK", "SKIP") and not failed:
            self.fail(f"{name}: ended badly after its last test", test)

    def skip(self, name, reason):
        if reason:
            self.skipped.append((name, reason))
        else:
            self.fail(f"{name}: skipped without a reason", None)

    def fail(self, name, test):
        self.failed.append((name, test))

    def print(self):
        for name, reason in self.skipped:
            print(f"skipped: {name}: {reason}")
        for name, test in self.failed:
            print(f"failed: {name}")
            if test:
                print(f"  {test['result'].lower()}, exit status {test.get('returncode')}")
                output = (test.get("stdout", "") + test.get("stderr", "")).splitlines()
                told = [line for line in output if not line.startswith("ok ")]
                for line in told[-OUTPUT_LINES_MAX:]:
                    print(f"  | {line}")
        if not self.passed and not self.failed:
            print("nothing ran")
        print(f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped")
        return 0 if self.passed and not self.failed else 1


def read_log(build):
    """The tests of the last run, or none when it never started."""
    path = os.path.join(build, "meson-logs", "testlog.json")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", errors="replace") as file:
        return [json.loads(line) for line in file]


def left_out(build):
    """The tests that are no part of the build, and why: a library is missing, or they are not listed."""
    info = os.path.join(build, "meson-info")
    with open(os.path.join(info, "intro-dependencies.json"), encoding="utf-8") as file:
        found = {dependency["name"] for dependency in json.load(file)}
    with open(os.path.join(info, "intro-targets.json"), encoding="utf-8") as file:
        built = {os.path.realpath(source) for target in json.load(file) for group in target["target_sources"]
                 for source in group.get("sources", [])}
    with open(os.path.join(info, "intro-tests.json"), encoding="utf-8") as file:
        built |= {os.path.realpath(part) for test in json.load(file) for part in test["cmd"] if part.endswith(".py")}
    missing = [package for name, package in NEEDED_BY_TESTS.items() if name not in found]
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = [path for name in ("test_*.c", "test_*.py", "main.c")
             for path in glob.glob(f"{top}/tests/**/{name}", recursive=True)]
    for path in sorted(paths):
        if path not in built:
            yield os.path.relpath(path, top), missing


def main():
    build = sys.argv[1]
    report = Report()
    for test in read_log(build):
        report.add_program(test)
    for path, missing in left_out(build):
        if missing and path.endswith(".c"):
            report.skip(path, f"not installed: {', '.join(missing)}")
        else:
            report.fail(f"{path}: no meson.build lists it", None)
    sys.exit(report.print())


if __name__ == "__main__":
    main()
