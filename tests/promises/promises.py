#!/usr/bin/env python3
"""promises.py: every promise of sluice(7) has a test, every such test a promise, and so has each sentence of
sluice_durability(7) on each ground that it names; and a C++ program can use the library.

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

# The files with the tests of sluice_durability(7), by ground. Scenarios run on all of them, those of the kernel not on sim.
SCENARIOS = "tests/durability/scenario.h"
GROUNDS = {
    "sim": ["tests/durability/simulated.c"],
    "images": ["tests/durability/images.c"],
    "rig": ["tests/durability/guest.c"],
}

# Sentences of it that another test shows: ground, number, file and the test's name.
SHOWN_ELSEWHERE = [
    ("rig", "D17", "tests/vm/powercut.c", "an_acknowledged_dsync_write_is_there"),
    ("rig", "D70", "tests/vm/faults.c", "a_failed_sync_is_final_though_the_kernel_forgets_it"),
    ("rig", "D71", "tests/vm/faults.c", "a_failed_sync_is_final_though_the_kernel_forgets_it"),
    ("images", "D72", "tests/file/tests.h", "a_failed_sync_ends_all_writing"),
    ("rig", "D72", "tests/vm/faults.c", "a_failed_dsync_write_is_final"),
    ("images", "D74", "tests/file/tests.h", "a_failed_plain_write_poisons_nothing"),
    ("rig", "D75", "tests/vm/faults.c", "a_failed_flush_under_a_file_system_is_final"),
    ("sim", "D81", "tests/sim/test_power.c", "a_replaced_file_is_old_or_new_and_never_a_mixture"),
    ("rig", "D81", "tests/vm/powercut.c", "a_replaced_file_is_the_old_or_the_new_one"),
    ("sim", "D90", "tests/wal/power.c", "ten_thousand_power_cuts_lose_nothing_that_was_acknowledged"),
    ("rig", "D90", "tests/vm/powercut.c", "what_a_log_has_acknowledged_is_recovered"),
    ("sim", "D91", "tests/wal/power.c", "ten_thousand_power_cuts_lose_nothing_that_was_acknowledged"),
    ("images", "D92", "tests/wal/tests.h", "any_failed_write_ends_the_log_with_its_error"),
    ("rig", "D92", "tests/vm/faults.c", "a_log_whose_device_fails_ends_and_keeps_what_it_acknowledged"),
]

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


def sentences(page):
    """The contract of sluice_durability(7): number and grounds of each sentence, and what is none."""
    contract = re.search(r"^# WRITES$(.*)^# RECIPES$", page, re.M | re.S).group(1)
    told, problems = {}, []
    for paragraph in re.split(r"\n\s*\n", contract):
        text = " ".join(paragraph.split())
        match = re.fullmatch(r"\*(D\d+)\* ((?:[^.]|\.(?=\S))+)\. \(((?:sim|images|rig)(?:, (?:images|rig))*)\)", text)
        if match and match.group(1) in told:
            problems.append(f"{match.group(1)} is twice in sluice_durability(7)")
        elif match:
            told[match.group(1)] = match.group(3).split(", ")
        elif text and not text.startswith("# "):
            problems.append(f"not one numbered sentence with its grounds: {text}")
    return told, problems


def scenario_numbers(header, table):
    rows = re.search(rf"#define {table}\(X\)((?:.*\\\n)*.*)", header).group(1)
    return re.findall(r"X\((D\d+)_\w+\)", rows)


def shown(ground, header, tests):
    """The numbers that a ground has tests of."""
    numbers = scenario_numbers(header, "DURABILITY_SCENARIOS")
    if ground != "sim":
        numbers += scenario_numbers(header, "DURABILITY_KERNEL_SCENARIOS")
    numbers += re.findall(r"\bTEST\((D\d+)_\w+\)", tests)
    return numbers + [number for where, number, _, _ in SHOWN_ELSEWHERE if where == ground]


def durability(page):
    """Sentences of sluice_durability(7) without a test on a ground they name, tests without a sentence."""
    told, problems = sentences(page)
    yield from problems
    for ground, files in GROUNDS.items():
        tests = shown(ground, read(SCENARIOS), "".join(read(name) for name in files))
        claimed = {number for number, grounds in told.items() if ground in grounds}
        for number in sorted(claimed - set(tests)):
            yield f"{number} is said to be shown by {ground}, and is not"
        for number in sorted(set(tests) - claimed):
            yield f"{number} is shown by {ground}, and the page does not say so"
        for number in sorted({n for n in tests if tests.count(n) > 1}):
            yield f"{number} has two tests in {ground}"


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
               if word not in read(name)] +
              [f"{number}: {name} has no test {test}" for _, number, name, test in SHOWN_ELSEWHERE
               if not re.search(rf"\b(?:TEST|X)\({test}\)", read(name))])
    bad = sentences("# WRITES\n\n*D1* One. (sim)\n\n*D1* One. (sim)\n\nNone.\n\n*D2* One. Two. (rig)\n\n# RECIPES\n")
    tap.check("a sentence without a number is found, and a number with two", [] if len(bad[1]) == 3 else [str(bad)])
    contract = read("man/sluice_durability.7.scd")
    broken = re.sub(r"(\*D2\*.*?), rig\)", r"\1)", re.sub(r"(\*D12\*.*?)\(images\)", r"\1(sim)", contract, 1, re.S), 1, re.S)
    tap.check("a sentence without its test is found, and the reverse",
              [f"not found: {what}" for what in ("D12 is said to be shown by sim", "D2 is shown by rig")
               if what not in str(list(durability(broken)))])
    tap.check("every sentence of sluice_durability(7) is shown on every ground that it names", list(durability(contract)))
    compiler = shutil.which("g++") or shutil.which("clang++")
    sentence = "X3: a C++ program uses the helpers and the macros, links and runs"
    if compiler:
        tap.check(sentence, cplusplus(compiler, sys.argv[1]))
    else:
        tap.skip(sentence, "no C++ compiler (Debian: g++)")
    tap.done()


if __name__ == "__main__":
    main()
