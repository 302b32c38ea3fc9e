#!/usr/bin/env python3
"""headers.py: every public header compiles alone, as C11 and as C++17, without a warning."""
import os
import shutil
import subprocess
import sys

import sources
from tap import Tap

INCLUDE = os.path.join(sources.ROOT, "include")
FLAGS = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I", INCLUDE]


def compile_text(compiler, language, standard, text):
    """What the compiler says about a text; empty when it is pleased."""
    command = [compiler, "-x", language, f"-std={standard}", *FLAGS, "-"]
    answer = subprocess.run(command, input=text, capture_output=True, text=True)
    return answer.stderr.splitlines() if answer.returncode else []


def main():
    tap = Tap()
    cc = sys.argv[1] if len(sys.argv) > 1 else "cc"
    cxx = shutil.which("g++") or shutil.which("clang++")
    headers = [f for f in sources.with_suffix(".h") if f.startswith("include/sluice/")]

    tap.check("the header check refuses a header that does not compile",
              [] if compile_text(cc, "c", "c11", "int f(undeclared_t x);\n") else ["it was accepted"])
    for header in headers:
        # Twice: the second inclusion shows a missing guard.
        text = f"#include <{header[8:]}>\n" * 2 + "int unused_but_not_empty;\n"
        tap.check(f"{header} compiles alone as C11", compile_text(cc, "c", "c11", text))
        sentence = f"{header} compiles alone as C++17"
        if cxx:
            tap.check(sentence, compile_text(cxx, "c++", "c++17", text))
        else:
            tap.skip(sentence, "no C++ compiler (Debian: g++)")
    tap.done()


if __name__ == "__main__":
    main()
