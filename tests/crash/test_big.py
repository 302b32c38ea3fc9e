#!/usr/bin/env python3
"""test_big.py: programs that write more than memory shall hold: what `sluice crash` takes, and what it says at its limits."""
import os
import shutil
import subprocess
import sys

from crash import Crash, Tap, area

MIB = 1 << 20
BIG_MIB = 128
MEMORY_MIB = 8
# Headers of pages, buffers, and what was looked at since it was let go.
SLACK_MIB = 56
CHECK = 'test -z "$(cat)" || test "$(stat -c %s big)" = {}'


def sanitized(path):
    with open(path, "rb") as file:
        text = file.read()
    return b"__asan_init" in text or b"__tsan_init" in text


def writes(mib):
    """Bytes that are all different, synced at the end, and acknowledged."""
    return ["sh", "-c", f"dd if=/dev/urandom of=big bs=1M count={mib} conv=fsync 2>/dev/null; sync .; echo done"]


def peak_mib(words, data):
    """The largest of the processes that the command was, and its exit code."""
    with subprocess.Popen(words, cwd=data, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as run:
        told = run.stderr.read()
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024, run.returncode, told


def measure(crash, mib, trace):
    data = area("data")
    peak, code, told = peak_mib([crash.path, "crash", "--profile", "ext4", "--memory", f"{MEMORY_MIB}M", "--jobs", "1",
                                 "--budget", "6", "--trace", trace, "--check", CHECK.format(mib * MIB), "--",
                                 *writes(mib)], data)
    return peak, [f"exit {code}: {told}"] * (code != 0)


def check_memory(tap, crash, traces):
    sentence = "what a program writes beyond --memory takes no memory, when it is recorded and when it is tested"
    small, problems = measure(crash, 1, os.path.join(traces, "small"))
    big, more = measure(crash, BIG_MIB, os.path.join(traces, "big"))
    print(f"# {BIG_MIB} MiB written with --memory {MEMORY_MIB}M: peak {big:.0f} MiB; of 1 MiB: {small:.0f} MiB")
    tap.check("128 MiB are recorded and tested with 8 MiB of memory", problems + more)
    if sanitized(crash.path):
        tap.skip(sentence, "the command was built with a sanitizer, which keeps what is freed")
        return
    bound = small + MEMORY_MIB + SLACK_MIB
    tap.check(sentence, [f"{big:.0f} MiB, more than {bound:.0f}"] * (big > bound))


def answers(crash, trace, data, memory):
    """A checker that is not content, so that states have names to compare."""
    return crash.json("--from", trace, "--dir", data, "--memory", memory, "--jobs", "1", "--budget", "8", "--check",
                      'test ! -s big || test "$(head -c 65536 big | tr -d "\\000" | wc -c)" -gt 60000 && test ! -s big')


def check_same(tap, crash, trace):
    data = area("data")
    spilled, kept = answers(crash, trace, data, "1M"), answers(crash, trace, data, "1G")
    problems = [f"exit {code}: {report}" for code, report in (spilled, kept) if code != 1 or not report["failing"]]
    for key in ("states", "distinct", "failing", "notes"):
        if spilled[1].get(key) != kept[1].get(key):
            problems.append(f"{key}: {spilled[1].get(key)}, in memory {kept[1].get(key)}")
    tap.check("states are the same whether their content is in memory or not", problems)


def check_full(tap, crash, trace):
    sentence = "no room left on the disk for it either is told, with what to try"
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        tap.skip(sentence, "a small disk is mounted by root, in a mount namespace")
        return
    disk, data = area("disk"), area("data")
    run = subprocess.run(["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=40m none "$TMPDIR" && exec "$@"', "sh",
                          crash.path, "crash", "--from", trace, "--dir", data, "--memory", "1M", "--budget", "4",
                          "--check", "true"], env={**os.environ, "TMPDIR": disk}, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=400)
    said = " ".join(run.stderr.split())
    tap.check(sentence, [f"exit {run.returncode}: {said}{run.stdout}"] * (
        run.returncode != 4 or not all(word in said for word in ("has no room", "--memory", "TMPDIR", disk))))


def main():
    tap, crash = Tap(), Crash(sys.argv[1])
    refusal = crash.refusal()
    if refusal or not shutil.which("dd"):
        tap.skip("programs that write much", refusal or "no dd")
    else:
        traces = area("traces")
        check_memory(tap, crash, traces)
        check_same(tap, crash, os.path.join(traces, "big"))
        check_full(tap, crash, os.path.join(traces, "big"))
    tap.done()


if __name__ == "__main__":
    main()
