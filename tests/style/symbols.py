#!/usr/bin/env python3
"""symbols.py: the shared library exports what the public headers declare: no more, no less."""
import subprocess
import sys

import apidoc
import sources
from tap import Tap


def exported_by(library):
    answer = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", library],
                            capture_output=True, text=True, check=True)
    # No part of the promise: versions (name@VERSION, and each as an absolute symbol), the
    # sanitizers' own symbols.
    symbols = (line.split() for line in answer.stdout.splitlines() if line)
    names = {symbol[0].split("@")[0] for symbol in symbols if symbol[1] != "A"}
    return {name for name in names if not name.startswith(("__asan", "__odr_asan", "__tsan", "__ubsan"))}


def differences(declared, exported):
    return ([f"declared but not exported: {name}" for name in sorted(declared - exported)] +
            [f"exported but not declared: {name}" for name in sorted(exported - declared)])


def main():
    tap = Tap()
    declared = {name for header in sources.with_suffix(".h") if header.startswith("include/sluice/")
                for name in apidoc.exported_names(sources.read(header))}
    tap.check("the symbol check tells a difference both ways",
              [] if len(differences({"a", "b"}, {"b", "c"})) == 2 else ["it does not"])
    tap.check("libsluice.so exports exactly what the public headers declare",
              differences(declared, exported_by(sys.argv[1])))
    tap.done()


if __name__ == "__main__":
    main()
