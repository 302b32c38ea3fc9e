#!/usr/bin/env python3
"""prose.py: names, markers, scripts and the README keep to the house style."""
import os
import re
import subprocess

import sources
from tap import Tap

# Split, so that this file does not find itself.
MARKER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
BAD_NAMES = re.compile(r"(?:^|/)(?:utils?|common|misc|helpers?)\.[ch]$")
README_LINES_MAX = 120
COLUMNS_MAX = 100


def markers(names):
    for name in names:
        for number, line in enumerate(sources.read(name).splitlines(), 1):
            if MARKER.search(line):
                yield f"{name}:{number}: {line.strip()}"


def long_lines(names):
    for name in names:
        for number, line in enumerate(sources.read(name).splitlines(), 1):
            if len(line.expandtabs(8)) > COLUMNS_MAX:
                yield f"{name}:{number}: {len(line.expandtabs(8))} columns"


def without_opening(names):
    """C files must open with a comment that says what the file is."""
    for name in names:
        if not re.match(r"(?:/\* SPDX[^\n]*\*/\n)?/\*", sources.read(name)):
            yield name


def shell_problems(names):
    for name in names:
        first = sources.read(name).split("\n", 1)[0]
        if not re.match(r"#! ?/(?:usr/)?bin/(?:env )?(?:ba|da)?sh\b", first):
            continue
        shell = "bash" if "bash" in first else "sh"
        answer = subprocess.run([shell, "-n", os.path.join(sources.ROOT, name)], capture_output=True, text=True)
        if answer.returncode:
            yield f"{name}: {answer.stderr.strip()}"


def dead_paths(names):
    """What a document names in backticks as a path of the tree, and is not there."""
    for name in names:
        for path in re.findall(r"`((?:include|src|tools|tests|examples|scripts|docs|man|bench)/[\w./-]*)`",
                               sources.read(name)):
            if not os.path.exists(os.path.join(sources.ROOT, path)):
                yield f"{name}: {path}"


def lost_tests(names):
    """What a document names in backticks as a test (a sentence in one word), and no test is called so."""
    tests = "\n".join(sources.read(name) for name in sources.tracked() if name.startswith("tests/"))
    for name in names:
        for test in re.findall(r"`([A-Za-z]\w*(?:_\w+){3,})(?:\(\))?`", sources.read(name)):
            if not re.search(rf"\b{test}\b", tests):
                yield f"{name}: {test}"


def main():
    tap = Tap()
    names = sources.tracked()
    code = [n for n in names if n.endswith((".c", ".h"))]
    tap.check("no file carries a marker of unfinished work", list(markers(names)))
    tap.check("no file has a name that says nothing", [n for n in names if BAD_NAMES.search(n)])
    tap.check(f"no line of C is wider than {COLUMNS_MAX} columns", list(long_lines(code)))
    tap.check("every C file opens by saying what it is", list(without_opening(code)))
    tap.check("every shell script is well-formed", list(shell_problems(names)))
    tap.check("every path that a document names is there", list(dead_paths(n for n in names if n.endswith(".md"))))
    tap.check("every test that the README names is there", list(lost_tests(["README.md"])))
    if "README.md" in names:
        count = len(sources.read("README.md").splitlines())
        tap.check(f"the README has at most {README_LINES_MAX} lines",
                  [f"{count} lines"] if count > README_LINES_MAX else [])
    tap.done()


if __name__ == "__main__":
    main()
