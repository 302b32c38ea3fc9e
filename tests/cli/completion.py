#!/usr/bin/env python3
"""completion.py: the shell completion offers what the command's help offers."""
import os
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


def main():
    tap, path = Tap(), os.path.abspath(sys.argv[1])
    commands = Sluice(path).commands()
    offered = complete(path, "")
    tap.check("every command is offered", [f"not {name}" for name in [*commands, "help", "--version"] if name not in offered])
    tap.check("only what begins so is offered", [f"also {w}" for w in complete(path, "--v") if w != "--version"])
    for command in commands:
        tap.check(f"{command}: its options are offered",
                  [] if "--help" in complete(path, command, "--h") else ["--help is not"])
    tap.done()


if __name__ == "__main__":
    main()
