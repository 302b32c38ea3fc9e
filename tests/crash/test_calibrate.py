#!/usr/bin/env python3
"""test_calibrate.py: the profiles against the running kernel's own file systems, each row that was measured."""
import os
import re
import signal
import subprocess
import sys
import time

from crash import Crash, Tap, area, json

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def check_options(tap, crash, scratch):
    """A file system that does not keep what its profile has measured."""
    environment = {**os.environ, "TMPDIR": scratch}
    answer = crash.run("calibrate", "ext4", "--mount", "noauto_da_alloc", "--json", env=environment)
    try:
        report = json.loads(answer.stdout)
    except ValueError:
        report = {"scenes": [], "mount": answer.stdout + answer.stderr}
    differs = [scene["steps"] for scene in report["scenes"] if scene["verdict"] == "DIFFERS"]
    tap.check("ext4 with noauto_da_alloc is said to lose a replaced file, which the profile does not allow", [
        f"exit {answer.returncode}: {differs} {report['mount']}"] * (
            answer.returncode != 1 or report["mount"] != "noauto_da_alloc" or
            not any("rename t f" in steps for steps in differs)))
    for words in (["ext4", "--mount", "nonsense"], ["--mount", "data=journal"], ["ext4", "--mount", "a b"]):
        answer = crash.run("calibrate", *words, env=environment)
        tap.check(f"no one measures: {' '.join(words)}", [
            f"exit {answer.returncode}: {answer.stderr}"] * (answer.returncode != 2 or words[-1] not in answer.stderr and
                                                             "name it" not in answer.stderr))


def check_signal(tap, crash):
    """Ended in the middle: there is an image, and all scenes are to come."""
    scratch = area("ended")
    run = subprocess.Popen([crash.path, "crash", "calibrate", "ext4"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": scratch})
    while run.poll() is None and not any("disk" in names for _, _, names in os.walk(scratch)):
        time.sleep(0.01)
    run.send_signal(signal.SIGTERM)
    output = run.communicate(timeout=300)
    with open("/proc/self/mounts", encoding="utf-8") as file:
        left = [line for line in file if scratch in line]
    loops = subprocess.run(["losetup", "-l", "-n", "-O", "BACK-FILE"], stdout=subprocess.PIPE, text=True, check=False)
    left += [line for line in loops.stdout.splitlines() if scratch in line] + os.listdir(scratch)
    tap.check("SIGTERM ends it, and leaves nothing behind", left + [
        f"ended with {run.returncode}: {output}"] * (run.returncode != -signal.SIGTERM))


def main():
    tap, crash, fs = Tap(), Crash(sys.argv[1]), sys.argv[2]
    scratch = area("scratch")
    answer = crash.run("calibrate", fs, "--json", env={**os.environ, "TMPDIR": scratch})
    sentence = f"{fs} of this kernel leaves nothing that its profile does not allow"
    if answer.returncode == 3:
        tap.skip(sentence, " ".join(answer.stderr.split()))
        tap.done()
    try:
        report = json.loads(answer.stdout)
    except ValueError:
        tap.check(sentence, [answer.stdout + answer.stderr])
        tap.done()
    tap.check(sentence, [str(scene) for scene in report["scenes"] if scene["verdict"] == "DIFFERS"])
    tap.check("all went well", [] if answer.returncode == 0 else [f"exit {answer.returncode}", answer.stderr])
    tap.check("every scene was compared, in several states", [
        str(scene) for scene in report["scenes"] if len(scene["kernel"]) < 2 or not scene["profile"]] + (
            [] if len(report["scenes"]) > 20 else ["too few"]))
    tap.check("no state was beyond mounting", [str(scene) for scene in report["scenes"] if "!" in scene["kernel"]])
    lossy = [scene for scene in report["scenes"] if scene["steps"] == "unlink j"]
    tap.check("the rig does lose what was not flushed: an unlink is undone",
              [] if lossy and "O" in lossy[0]["kernel"] else [str(lossy)])
    with open(os.path.join(TOP, "docs", "json", "crash.md"), encoding="utf-8") as file:
        text = file.read().split("# `sluice crash calibrate --json`")[1]
    page = [set(re.findall(r"^\| `(\w+)`", part, re.M)) for part in text.split("## ")]
    tap.check("the JSON has the members of its page, and no others", sorted(set(report) ^ page[0]))
    tap.check("so has a scene", sorted(set(report["scenes"][0]) ^ page[1]) if report["scenes"] else ["none"])
    if fs == "ext4":
        check_options(tap, crash, scratch)
        check_signal(tap, crash)
    with open("/proc/self/mounts", encoding="utf-8") as file:
        left = [line for line in file if "sluice-calibrate" in line]
    loops = subprocess.run(["losetup", "-l", "-n", "-O", "BACK-FILE"], stdout=subprocess.PIPE, text=True, check=False)
    left += [line for line in loops.stdout.splitlines() if scratch in line]
    tap.check("no mount, no loop device and no directory is left", left + os.listdir(scratch))
    tap.done()


if __name__ == "__main__":
    main()
