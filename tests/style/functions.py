#!/usr/bin/env python3
"""functions.py: no function grows past 70 lines, but for the table-like ones listed in long-functions."""
import re

import sources
from tap import Tap

LINES_MAX = 70
ALLOWED = "tests/style/long-functions"
HEAD = re.compile(r"\w\s*\([^;]*\)\s*$", re.S)


def functions(text):
    """(name, lines) of every function: a brace in the first column opens it, one there closes it."""
    lines = sources.blank_strings_and_comments(text).splitlines()
    head, start, name = "", 0, None
    for number, line in enumerate(lines):
        if name is None and line.startswith("{") and HEAD.search(head):
            start, name = number, first_called(head)
        elif line.startswith("}"):
            if name:
                yield name, number - start - 1
            head, name = "", None
        elif name is None:
            head = "" if line.startswith("#") or line.rstrip().endswith((";", "}")) else head + line + "\n"


def first_called(head):
    """The function's name in its head: the first word before a parenthesis that is no attribute."""
    for word in re.findall(r"(\w+)\s*\(", head):
        if not word.startswith("__attribute") and not word.isupper():
            return word
    return "?"


def self_test():
    body = "\tx = 1;\n"
    text = ("static int small(int a,\n\t\tint b)\n{\n" + body * 70 + "}\n\nstruct s {\n" + body * 90 + "};\n"
            "int\nbig(void)\n{\n" + body * 71 + "}\n")
    found = dict(functions(text))
    return [] if found == {"small": 70, "big": 71} else [f"counted {found}"]


def main():
    tap = Tap()
    allowed = {line.split("#")[0].strip() for line in sources.read(ALLOWED).splitlines()} - {""}
    problems, used = [], set()
    for path in sources.with_suffix(".c", ".h"):
        for name, length in functions(sources.read(path)):
            if length > LINES_MAX:
                used.add(f"{path}:{name}")
                if f"{path}:{name}" not in allowed:
                    problems.append(f"{path}: {name}() has {length} lines")
    tap.check("the length check counts lines of functions", self_test())
    tap.check(f"no function is longer than {LINES_MAX} lines", problems)
    tap.check("every exception listed is still needed", [f"{ALLOWED}: {name}" for name in sorted(allowed - used)])
    tap.done()


if __name__ == "__main__":
    main()
