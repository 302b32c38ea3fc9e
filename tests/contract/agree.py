#!/usr/bin/env python3
"""agree.py: the same random program gives the same results on every backend.

usage: agree.py CONTRACT BACKEND...

Runs the random programs of the contract (random.c) with one seed on each backend that opens here, and compares
the hashes of results that they print. SLUICE_SEED=N replays.
"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "style"))
from tap import Tap  # noqa: E402 (the path is needed first)

# Fewer than the contract itself runs on each backend; names rule the time where a disk is behind them.
TOTAL = "10000"
PROGRAMS = {"files and streams": "_random_operations_agree_with_the_model",
            "names": "random_operations_on_names_agree_with_the_model",
            "direct transfers, moves and accepts": "random_direct_transfers_moves_and_accepts_agree"}


def results(contract, backend, program, seed):
    """The line of results of a program, None where the backend cannot run it, or an error text."""
    answer = subprocess.run([contract, backend, program], capture_output=True, text=True, timeout=200,
                            env={**os.environ, "SLUICE_SEED": seed, "SLUICE_RANDOM_TOTAL": TOTAL})
    if answer.returncode == 77 or "1..0" in answer.stdout:
        return None
    found = re.findall(r"^# (\d+ operations, results [0-9a-f]{16})$", answer.stdout, re.M)
    return found[0] if answer.returncode == 0 and len(found) == 1 else "no results: " + answer.stdout


def disagreement(told):
    """Problems of {backend: results}; nothing compared is one, too."""
    if len(told) < 2:
        return [f"only {', '.join(told) or 'nothing'} ran: there is nothing to compare"]
    first, *others = told
    return [f"{first}: {told[first]}\n# {other}: {told[other]}" for other in others if told[other] != told[first]]


def main():
    contract, *backends = sys.argv[1:]
    seed = os.environ.get("SLUICE_SEED") or str(time.time_ns())
    print(f"# SLUICE_SEED={seed}")
    tap = Tap()
    tap.check("a disagreement is found", [] if disagreement({"a": "1", "b": "2"}) and disagreement({"a": "1"}) and
              not disagreement({"a": "1", "b": "1"}) else ["it is not"])
    for name, program in PROGRAMS.items():
        told = {backend: results(contract, backend, program, seed) for backend in backends}
        told = {backend: text for backend, text in told.items() if text is not None}
        tap.check(f"one seed gives the same results of {name} on {', '.join(told)}", disagreement(told))
    tap.done()


if __name__ == "__main__":
    main()
