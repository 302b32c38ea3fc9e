#!/usr/bin/env python3
"""frame.py: what every command shares: help, version, wrong usage, a closed output."""
import re
import sys

from command import Sluice, Tap


def expect(answer, code, out="", err=""):
    """Problems of an answer: its exit code, and patterns that its output must match."""
    problems = []
    if answer.returncode != code:
        problems.append(f"exit code {answer.returncode}, want {code}")
    for name, text, pattern in (("stdout", answer.stdout, out), ("stderr", answer.stderr, err)):
        if pattern is None and text:
            problems.append(f"{name} should be silent: {text!r}")
        elif pattern and not re.search(pattern, text):
            problems.append(f"{name} lacks {pattern!r}: {text!r}")
    return problems


ABSENT = "/nowhere/to/be/found"
# What goes before and behind the path, of commands that want more than one.
WITH_PATH = {"crash": ("--check", "true", "--dir"), "proxy": ("--listen", "127.0.0.1:0", "--config")}
AFTER_PATH = {"crash": ("--", "true")}


def main():
    tap, sluice = Tap(), Sluice(sys.argv[1])
    tap.check("help lists the commands and an example",
              expect(sluice.run("--help"), 0, r"(?s)commands:.*example:", None))
    tap.check("version is printed", expect(sluice.run("--version"), 0, r"^sluice \d+\.\d+\.\d+\n$", None))
    tap.check("no command is wrong usage", expect(sluice.run(), 2, None, r"--help"))
    tap.check("an unknown command is wrong usage, by its name", expect(sluice.run("frob"), 2, None, r"sluice: frob: .*; try"))
    tap.check("an unknown option is wrong usage", expect(sluice.run("--frob"), 2, None, r"sluice: --frob: "))
    tap.check("a full output is an I/O error with a message",
              expect(sluice.shell('"$S" --help >/dev/full'), 4, None, "No space left"))
    tap.check("a closed output is an I/O error, silently", expect(sluice.shell('"$S" --help >&-'), 4, None, None))
    tap.check("a reader that went away is an I/O error, silently",
              expect(sluice.shell('{ sleep 0.2; "$S" --help; echo "code $?" >&2; } | true'), 0, None, r"^code 4\n$"))
    tap.check("a full output of JSON is an I/O error with one line",
              expect(sluice.shell('"$S" probe --json . >/dev/full'), 4, None, r"^sluice[^\n]*: output: [^\n]*\n$"))
    for command in sluice.commands():
        full = sluice.shell(f'"$S" {command} --help >/dev/full')
        tap.check(f"{command}: a full output is an I/O error with one line", expect(full, 4, None, r"^sluice[^\n]*: output: [^\n]*\n$"))
        help_text = sluice.run(command, "--help")
        tap.check(f"{command}: help has an example and the exit codes",
                  expect(help_text, 0, r"(?s)usage: sluice.*example:.*exit codes:", None))
        tap.check(f"{command}: `sluice help {command}` says the same",
                  [] if sluice.run("help", command).stdout == help_text.stdout else ["it differs"])
        tap.check(f"{command}: an unknown option is wrong usage",
                  expect(sluice.run(command, "--frob"), 2, None, rf"sluice {command}: --frob: .*; try"))
        tap.check(f"{command}: a missing path is wrong usage and names the path",
                  expect(sluice.run(command, *WITH_PATH.get(command, ()), ABSENT, *AFTER_PATH.get(command, ())), 2,
                         None, f"{ABSENT}: "))
    tap.done()


if __name__ == "__main__":
    main()
