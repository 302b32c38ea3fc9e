#!/usr/bin/env python3
"""readme.py: the example in README.md compiles without a warning and does what the text above it says."""
import os
import re
import subprocess
import sys
import tempfile

from command import Tap
import sources


def compile_example(text, program, build):
    command = ["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-x", "c", "-", "-x", "none",
               "-I", os.path.join(sources.ROOT, "include"), "-o", program, os.path.join(build, "libsluice.a")]
    answer = subprocess.run(command + ["-pthread"], input=text, capture_output=True, text=True)
    return answer.stderr.splitlines() if answer.returncode else []


def run(program, path):
    answer = subprocess.run([program, path], capture_output=True, text=True, timeout=60)
    return answer.returncode, answer.stdout, answer.stderr


def session(text):
    """The commands shown in the text, each with the lines it printed."""
    shown = re.findall(r"^    \$ (.*)\n((?:    (?!\$).*\n)*)", text, re.M)
    return [(command, re.sub("^    ", "", lines, flags=re.M)) for command, lines in shown]


def replay(text, build):
    """What the commands shown in the text print instead of what they are shown to print."""
    problems = []
    for command, wanted in session(text):
        program, *args = command.split()
        answer = subprocess.run([program] + args, executable=os.path.join(build, program.removeprefix("build/")),
                                capture_output=True, text=True, timeout=300)
        if answer.stdout != wanted:
            problems.append(f"{command}: {answer.stdout}{answer.stderr}")
    return problems or ([] if session(text) else ["no command is shown"])


def main():
    tap, build = Tap(), sys.argv[1]
    example = re.search(r"```c\n(.*?)```", sources.read("README.md"), re.S).group(1)
    with tempfile.TemporaryDirectory(prefix="sluice-readme-", dir=os.environ.get("SLUICE_TEST_DIR")) as folder:
        program, path = os.path.join(folder, "example"), os.path.join(folder, "text")
        with open(path, "w", encoding="utf-8") as file:
            file.write("hello\n" * 100)
        problems = compile_example(example, program, build)
        tap.check("the example in README.md compiles without a warning", problems)
        if not problems:
            tap.check("it prints the first bytes of a file",
                      [] if run(program, path) == (0, ("hello\n" * 100)[:64], "") else [str(run(program, path))])
            code, out, err = run(program, path + "-absent")
            tap.check("it says what is wrong with a file that is absent",
                      [] if code == 1 and not out and "No such file" in err else [f"{code} {out} {err}"])
    tap.check("what it shows on a terminal is what is printed", replay(sources.read("README.md"), build))
    tap.done()


if __name__ == "__main__":
    main()
