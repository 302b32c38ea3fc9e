#!/usr/bin/env python3
"""portable.py: the library compiles and links for arm64 and with musl, without a warning (it is not run)."""
import os
import platform
import shutil
import subprocess
import sys

import sources
from tap import Tap

CROSS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cross")
# The name of its file in cross/, in words, its compiler, its Debian packages, what is built.
TARGETS = [("arm64", "for arm64", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu, libc6-dev-arm64-cross",
            ["library", "sluice"]),
           ("musl", "with musl", "musl-gcc", "musl-tools", ["library"])]


def run(*command):
    """Output of a command that failed, as lines; none when it worked."""
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1700,
                            env={k: v for k, v in os.environ.items() if k not in ("CC", "CFLAGS", "LDFLAGS")})
    return answer.stdout.splitlines()[-40:] if answer.returncode else []


def compiles(compiler):
    """Whether a toolchain is complete enough for a program of one line."""
    program = "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n"
    return subprocess.run([compiler, "-x", "c", "-", "-o", "/dev/null"], input=program, text=True,
                          capture_output=True, timeout=60).returncode == 0


def build(directory, toolchain, outputs):
    """Problems of building in a directory that is kept from run to run."""
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        shutil.rmtree(directory, ignore_errors=True)
        problems = run("meson", "setup", "--cross-file", toolchain, "--werror", "-Dtests=disabled",
                       directory, sources.ROOT)
        if problems:
            return problems
    return run("ninja", "--quiet", "-C", directory, *outputs)


def main():
    tap = Tap()
    for name, words, compiler, packages, outputs in TARGETS:
        sentence = f"the library compiles and links {words}"
        if not shutil.which(compiler):
            tap.skip(sentence, f"no {compiler} (Debian: {packages})")
        elif name == "musl" and platform.machine() != "x86_64":
            tap.skip(sentence, f"its toolchain file is for x86-64, this is {platform.machine()}")
        elif not compiles(compiler):
            tap.skip(sentence, f"{compiler} cannot link a program of one line (Debian: {packages})")
        else:
            toolchain = os.path.join(CROSS, name + ".ini")
            tap.check(sentence, build(os.path.join(sys.argv[1], "portable", name), toolchain, outputs))
    tap.done()


if __name__ == "__main__":
    main()
