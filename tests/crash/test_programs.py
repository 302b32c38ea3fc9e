#!/usr/bin/env python3
"""test_programs.py: each known bug is found where its profile has it, and no correct twin is called unsafe."""
import os
import shutil
import subprocess
import sys

from crash import Crash, Tap, area

PROFILES = ["posix", "ext4", "xfs", "btrfs"]


class Program:
    """One of the programs: its name, the profiles that must show its bug, the fault without which it does not."""

    def __init__(self, line, path):
        self.name, flagged, self.fault = line.split("\t")
        self.flagged, self.path = flagged.split(","), path

    def record(self, crash, variant):
        """Records a run: the data directory, the recording, and what the command said."""
        data = area()
        trace = data + ".trace"
        subprocess.run([self.path, "prepare-" + variant, self.name, data], check=True)
        fault = ["--fault", self.fault] if self.fault else []
        answer = crash.run("--dir", data, "--trace", trace, *fault, "--check", "true", "--budget", "1", "--",
                           self.path, variant, self.name, data)
        return data, trace, answer


def explore(crash, library, program, variant, profile, data, trace, *options):
    return crash.json("--dir", data, "--from", trace, "--profile", profile, "--check-so",
                      f"{library}:check_{variant}", *options, env={**os.environ, "CRASH_PROGRAM": program.name})


def told(report):
    """What must be there in words for somebody who has never seen such a report."""
    for failure in report["failing"]:
        for member in ("id", "class", "why_legal", "verdict", "checker_output"):
            if not failure[member]:
                yield f"{failure['id']}: no {member}"
        if failure["lost"] and not all("(op " in text for text in failure["lost"]):
            yield f"{failure['id']}: {failure['lost']}"


def check_program(tap, crash, library, program):
    for variant in ("bad", "fixed"):
        data, trace, answer = program.record(crash, variant)
        if not os.path.exists(trace):
            tap.check(f"{program.name}, {variant}: it is recorded", [answer.stderr, answer.stdout])
            continue
        for profile in PROFILES:
            code, report = explore(crash, library, program, variant, profile, data, trace)
            problems = list(told(report))
            if "error" in report or code not in (0, 1):
                problems.append(f"exit {code}: {report}")
            elif variant == "bad" and profile in program.flagged:
                sentence = "its bug is found"
                problems += [] if code == 1 and report["failing"] else [str(report)]
                if program.fault and not any("(--fault)" in text for failure in report["failing"] for text in failure["faults"]):
                    problems.append(f"no failing state names the fault: {report['failing']}")
            else:
                sentence = "nothing is wrong with it" if variant == "fixed" else "the profile does not have its bug"
                problems += [str(failure) for failure in report["failing"]] + ([] if code == 0 else [f"exit {code}"])
            tap.check(f"{program.name}, {variant}, {profile}: {sentence}", problems)
        shutil.rmtree(os.path.dirname(data))


def main():
    tap, crash = Tap(), Crash(sys.argv[1])
    path, library, part = os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3]), sys.argv[4]
    refusal = crash.refusal()
    lines = subprocess.run([path, "list"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    programs = [Program(line, path) for line in lines]
    if part == "programs":
        bugs = {program.name[:2] for program in programs}
        tap.check("all twenty bugs have a program", [f"no {nr:02}" for nr in range(1, 21) if f"{nr:02}" not in bugs])
    for program in programs:
        if bool(program.fault) != (part == "faults"):
            continue
        if refusal:
            tap.skip(f"{program.name}", refusal)
        else:
            check_program(tap, crash, library, program)
    tap.done()


if __name__ == "__main__":
    main()
