#!/usr/bin/env python3
"""layout.py: clang-format has nothing to say about any tracked C file."""
import shutil
import subprocess

import sources
from tap import Tap


def main():
    tap = Tap()
    sentence = "every C file is laid out as clang-format lays it out (make format)"
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not tool:
        tap.skip(sentence, "no clang-format (Debian: clang-format)")
        tap.done()
    problems = []
    for name in sources.with_suffix(".c", ".h"):
        answer = subprocess.run([tool, "--dry-run", "-Werror", "--ferror-limit=1", name],
                                cwd=sources.ROOT, capture_output=True, text=True)
        if answer.returncode:
            problems.append(answer.stderr.splitlines()[0] if answer.stderr else name)
    tap.check(sentence, problems)
    tap.done()


if __name__ == "__main__":
    main()
