#!/usr/bin/env python3
"""check.py: the manual as it was built: mandoc finds no error in a page, and no page lacks what its header says.

usage: check.py BUILD_DIR built|'not built' PAGE...
"""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "style"))
import from_header  # noqa: E402 (the path is needed first)
from tap import Tap  # noqa: E402


def lint(path):
    """What mandoc calls an error. scdoc's roff draws warnings that do no harm."""
    answer = subprocess.run(["mandoc", "-T", "lint", "-W", "error", path], capture_output=True, text=True)
    return answer.stdout.splitlines() if answer.returncode else []


def rendered(path):
    answer = subprocess.run(["mandoc", "-T", "utf8", path], capture_output=True, text=True, check=True)
    text = re.sub(".\x08", "", answer.stdout)
    return re.sub(r"\s+", " ", re.sub(r"[\u2010-]\n\s+", "", text))


def left_out(header, text):
    """Names and members of a header that its page does not show."""
    with open(os.path.join(HERE, "..", "include", "sluice", header), encoding="utf-8") as file:
        source = file.read()
    names = set(re.findall(r"\bsl_\w+(?=\()", from_header.without_comments(source)))
    names |= set(re.findall(r"^[ \t]+(SL_\w+)\b(?=.*[,=])", from_header.without_comments(source), re.M))
    names |= set(re.findall(r"^ \* @(\w+):", source, re.M))
    return [f"not shown: {name}" for name in sorted(names) if name.replace("-", "") not in text.replace("-", "")]


def unlisted(pages):
    """sluice(7) lists the page of every header under its heading, and nothing else there."""
    with open(os.path.join(HERE, "sluice.7.scd"), encoding="utf-8") as file:
        after = file.read().split("The pages of the headers say what each call does:\n\n", 1)[1]
    listed = re.findall(r"^- \*(\w+)\*\((3)\): ", after.split("\n\n", 1)[0], re.M)
    differing = {f"{name}.{section}" for name, section in listed} ^ {page for page in pages if page.startswith("sl_")}
    return [f"in one and not in the other: {page}" for page in sorted(differing)]


def main():
    build, state, pages = sys.argv[1], sys.argv[2], sys.argv[3:]
    tap = Tap()
    for page in pages:
        sentence = f"{page} is well-formed"
        if state != "built":
            tap.skip(sentence, "no scdoc when the build was configured (Debian: scdoc)")
        elif not shutil.which("mandoc"):
            tap.skip(sentence, "no mandoc (Debian: mandoc)")
        else:
            tap.check(sentence, lint(os.path.join(build, page)))
            header = page[3:-2] + ".h"
            if page.startswith("sl_"):
                tap.check(f"{page} shows every name of {header}", left_out(header, rendered(os.path.join(build, page))))
    tap.check("sluice(7) lists the page of every header", unlisted(pages))
    tap.done()


if __name__ == "__main__":
    main()
