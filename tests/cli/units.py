#!/usr/bin/env python3
"""units.py: the units of systemd are such, what they start is there, and it knows the options they give."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

from command import Tap


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def verified(units, sluice, directory):
    """Problems that systemd has with copies that start the command just built."""
    copies = []
    for unit in units:
        copies.append(os.path.join(directory, os.path.basename(unit)))
        with open(copies[-1], "w", encoding="utf-8") as file:
            file.write(re.sub(r"^ExecStart=\S+", f"ExecStart={sluice}", text_of(unit), flags=re.M))
    answer = run("systemd-analyze", "verify", "--man=no", "--generators=no", *copies)
    # Of other units of this machine it may have complaints, too.
    said = [line for line in (answer.stdout + answer.stderr).splitlines() if "sluice-" in line]
    return said + ([f"exit code {answer.returncode}", answer.stderr] if answer.returncode and not said else [])


def unknown(unit, sluice):
    """Options that a unit gives and the command has not."""
    words = re.search(r"^ExecStart=\S+ (.+)$", text_of(unit), re.M).group(1).split()
    known = re.findall(r"--[a-z-]+", run(sluice, words[0], "--help").stdout)
    return [word for word in words if word.startswith("--") and word not in known]


def main():
    tap, build = Tap(), sys.argv[1]
    sluice, units = os.path.join(build, "sluice"), sorted(glob.glob(os.path.join(build, "docs", "systemd", "sluice-*")))
    names = [os.path.basename(unit) for unit in units]
    tap.check("each server has a service and its sockets",
              [] if names == [f"sluice-{server}.{kind}" for server in ("proxy", "serve") for kind in ("service", "socket")] else names)
    services = [unit for unit in units if unit.endswith(".service")]
    tap.check("they start the command where it is installed",
              [unit for unit in services if not re.search(r"^ExecStart=/\S+/sluice (serve|proxy) ", text_of(unit), re.M)])
    tap.check("by options that it has", [problem for unit in services for problem in unknown(unit, sluice)])
    if not shutil.which("systemd-analyze"):
        tap.skip("systemd has nothing to say against them", "no systemd-analyze (Debian: systemd)")
    else:
        with tempfile.TemporaryDirectory(prefix="sluice-units-") as directory:
            tap.check("systemd has nothing to say against them", verified(units, sluice, directory))
    tap.done()


if __name__ == "__main__":
    main()
