#!/usr/bin/env python3
"""options.py: every command has a manual page, and both tell the same options."""
import os
import re
import sys

from command import Sluice, Tap

MAN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "man")


def differences(helped, told):
    return ([f"in --help, not in the manual: {name}" for name in sorted(helped - told)] +
            [f"in the manual, not in --help: {name}" for name in sorted(told - helped)])


def main():
    tap, sluice = Tap(), Sluice(sys.argv[1])
    tap.check("the comparison tells a difference both ways",
              [] if len(differences({"--a", "--b"}, {"--b", "--c"})) == 2 else ["it does not"])
    with open(os.path.join(MAN, "sluice.1.scd"), encoding="utf-8") as file:
        overview = file.read()
    for command in sluice.commands():
        path = os.path.join(MAN, f"sluice-{command}.1.scd")
        tap.check(f"{command}: sluice(1) names it", [] if f"*{command}*" in overview else ["it does not"])
        if not os.path.exists(path):
            tap.check(f"{command}: has a manual page", [f"no man/sluice-{command}.1.scd"])
            continue
        with open(path, encoding="utf-8") as file:
            told = set(re.findall(r"^\*(--[a-z-]+)\*", file.read(), re.M))
        helped = set(re.findall(r"^  (--[a-z-]+)", sluice.run(command, "--help").stdout, re.M))
        tap.check(f"{command}: the manual and --help tell the same options", differences(helped, told))
    tap.done()


if __name__ == "__main__":
    main()
