#!/usr/bin/env python3
"""completion.py: the shell completion offers what the command's help offers."""
import os
import re
import subprocess
import sys

from command import Sluice, Tap

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "completion.bash")
ASK = '. "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$(($# - 2)); _sluice; printf "%s\\n" "${COMPREPLY[@]}"'


def complete(path, *words):
    """What completion offers for the last of some words."""
    env = {**os.environ, "PATH": os.path.dirname(path) + ":" + os.environ["PATH"]}
    answer = subprocess.run(["bash", "-c", ASK, "bash", SCRIPT, "sluice", *words], env=env,
                            capture_output=True, text=True, check=True, timeout=60)
    return answer.stdout.split()


def options_of(help_text):
    """Every long option that a help text begins a line with."""
    return set(re.findall(r"^ +(--[a-z0-9][a-z0-9-]*)", help_text, re.M))


def main():
    tap, path = Tap(), os.path.abspath(sys.argv[1])
    sluice = Sluice(path)
    commands = sluice.commands()
    offered = complete(path, "")
    tap.check("every command is offered", [f"not {name}" for name in [*commands, "help", "--version"] if name not in offered])
    tap.check("only what begins so is offered", [f"also {w}" for w in complete(path, "--v") if w != "--version"])
    for command in commands:
        told = options_of(sluice.run(command, "--help").stdout)
        tap.check(f"{command}: its help names options", [] if "--help" in told else [f"only {sorted(told)}"])
        tap.check(f"{command}: every option of its help is offered, and no other",
                  [f"differs: {name}" for name in sorted(told ^ set(complete(path, command, "--")))])
        tap.check(f"{command}: a word that is no option is completed as a file",
                  [] if "/dev/null" in complete(path, command, "/dev/nul") else ["/dev/null is not offered"])
    tap.done()


if __name__ == "__main__":
    main()
