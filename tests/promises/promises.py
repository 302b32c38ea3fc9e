#!/usr/bin/env python3
"""promises.py: every promise of sluice(7) has a test, every such test a promise; and a C++ program can use the library.

usage: promises.py LIBSLUICE_A
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "style"))
from tap import Tap  # noqa: E402 (the path is needed first)

# Promises that another test keeps: the file, and what it must still say.
KEPT_ELSEWHERE = {
    "P2": ("tests/style/portable.py", "--werror"),
    "V4": ("tests/style/symbols.py", "exactly what the public headers declare"),
    "X1": ("tests/style/headers.py", "c++17"),
    "X2": ("tests/cli/install.py", "--static"),
    "X3": ("tests/promises/promises.py", "CPLUSPLUS"),
}

CPLUSPLUS = """
#include <sluice/sluice.h>
#include <cstdio>

struct request {
	int answer;
	struct sl_op op;
};

static void done(struct sl_ring *ring, struct sl_op *op)
{
	static_cast<void>(ring);
	sl_op_of(op, struct request, op)->answer = 42;
}

int main()
{
	struct sl_ring *ring = nullptr;
	struct request request = {};
	struct sl_ring_opts opts = {};
	char byte = 0;
	int fds[2];

	opts.depth = 4;
	if (sl_ring_open(&opts, &ring) < 0)
		return 1;
	request.op.done = done;
	if (sl_ring_do(ring, sl_op_pipe(&request.op, fds, 0)) < 0)
		return 2;
	if (sl_ring_do(ring, sl_op_write(&request.op, fds[1], "x", 1, SL_OFF_CURRENT)) != 1)
		return 3;
	if (sl_ring_do(ring, sl_op_read(&request.op, fds[0], &byte, 1, SL_OFF_CURRENT)) != 1)
		return 4;
	sl_ring_close(ring);
	std::printf("%d %c", request.answer, byte);
	return 0;
}
"""


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def unpaired(page, tests):
    """Promises without a test, tests without a promise, and numbers told twice."""
    told = re.findall(r"^\*([A-Z]\d+)\* ", page, re.M)
    tested = re.findall(r"^\t\tTEST\(([A-Z]\d+)_\w+\),", tests, re.M) + list(KEPT_ELSEWHERE)
    for name, numbers in (("sluice(7)", told), ("the tests", tested)):
        for number in sorted({n for n in numbers if numbers.count(n) > 1}):
            yield f"{number} is twice in {name}"
    for number in sorted(set(told) - set(tested)):
        yield f"{number} is promised and not tested"
    for number in sorted(set(tested) - set(told)):
        yield f"{number} is tested and not promised"


def cplusplus(compiler, library):
    """Problems of building and running a C++ program against the static library."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("SLUICE_TEST_DIR")) as folder:
        program = os.path.join(folder, "program")
        answer = subprocess.run(
            [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(ROOT, "include"), "-x", "c++", "-",
             "-x", "none", "-o", program, library, "-pthread"], input=CPLUSPLUS, capture_output=True, text=True)
        if answer.returncode:
            return answer.stderr.splitlines()
        answer = subprocess.run([program], capture_output=True, text=True, timeout=30)
        return [] if answer.stdout == "42 x" else [f"exit code {answer.returncode}, said {answer.stdout!r}"]


def main():
    tap = Tap()
    problems = list(unpaired("*A1* x\n*A2* x\n*A2* x\n", "\t\tTEST(A1_x),\n\t\tTEST(B1_x),\n"))
    tap.check("a promise without a test is found, and the reverse",
              [f"not found: {what}" for what in ("A2 is promised", "B1 is tested", "A2 is twice") if what not in str(problems)])
    tests = "".join(read(f"tests/promises/{name}") for name in sorted(os.listdir(HERE)) if name.endswith(".c"))
    tap.check("every promise of sluice(7) has its test", list(unpaired(read("man/sluice.7.scd"), tests)))
    tap.check("what other tests keep is still there",
              [f"{number}: {name} no longer says {word}" for number, (name, word) in KEPT_ELSEWHERE.items()
               if word not in read(name)])
    compiler = shutil.which("g++") or shutil.which("clang++")
    sentence = "X3: a C++ program uses the helpers and the macros, links and runs"
    if compiler:
        tap.check(sentence, cplusplus(compiler, sys.argv[1]))
    else:
        tap.skip(sentence, "no C++ compiler (Debian: g++)")
    tap.done()


if __name__ == "__main__":
    main()
