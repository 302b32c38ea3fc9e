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
    answer = subprocess.run([tool, "--dry-run", "-Werror", "--ferror-limit=1"] + sources.with_suffix(".c", ".h"),
                            cwd=sources.ROOT, capture_output=True, text=True)
    problems = [line for line in answer.stderr.splitlines() if ": error: " in line]
    tap.check(sentence, problems or ([answer.stderr] if answer.returncode else []))
    tap.done()


if __name__ == "__main__":
    main()
