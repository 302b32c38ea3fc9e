#!/usr/bin/env python3
"""test_probe_fs.py: what sluice probe says of file systems whose behaviour is known, on images of them."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from command import Sluice, Tap

MIB = 1 << 20

# name, mkfs (the image is added), mount options, size, what the checks must say.
# btrfs writes data with checksums through the page cache; journalled data is never direct; both accept O_DIRECT.
IMAGES = (
    ("ext4", ["mkfs.ext4", "-q", "-F"], "", 64, {
        "direct.alignment": "yes", "direct.read": "yes", "direct.write": "yes", "cache.after_direct_read": "yes",
        "file.reflink": "no", "durable.fdatasync": "yes", "durable.barriers": "yes", "direct.misaligned": "partly yes"}),
    ("ext4, 4096-byte sectors", ["mkfs.ext4", "-q", "-F", "-b", "4096"], "sector=4096", 64, {
        "direct.alignment": "yes", "direct.read": "yes", "direct.write": "yes", "direct.misaligned": "yes"}),
    ("ext4, data=journal", ["mkfs.ext4", "-q", "-F"], "data=journal", 64, {
        "direct.alignment": "no unknown", "direct.read": "no", "direct.write": "no", "direct.coherent": "yes",
        "ring.iopoll": "unknown absent"}),
    ("ext4, no barriers", ["mkfs.ext4", "-q", "-F"], "nobarrier", 64, {"durable.barriers": "no", "durable.class": "no"}),
    ("xfs", ["mkfs.xfs", "-q", "-f"], "", 320, {
        "direct.alignment": "yes", "direct.read": "yes", "direct.write": "yes", "file.reflink": "yes"}),
    ("btrfs", ["mkfs.btrfs", "-q", "-f"], "", 256, {
        "direct.open": "yes", "direct.read": "yes unknown", "direct.write": "no", "direct.misaligned": "no",
        "file.reflink": "yes"}),
    ("btrfs without checksums", ["mkfs.btrfs", "-q", "-f"], "nodatacow", 256, {
        "direct.read": "yes unknown", "direct.write": "yes"}),
)


def statuses(report, want):
    got = {check["id"]: check for check in report["checks"]}
    return [f"{name} is {got[name]['status'] if name in got else 'absent'}, not {words}: "
            f"{got.get(name, {}).get('evidence')}" for name, words in want.items()
            if (got[name]["status"] if name in got else "absent") not in words.split()]


def run(*command):
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        raise RuntimeError(f"{command[0]}: {(answer.stderr or answer.stdout).strip().splitlines()[-1:]}")
    return answer.stdout.strip()


def let_go(place):
    """Out of sight at once: the kernel still ends rings of programs that are gone, with their files."""
    run("umount", "-l", place)


def probed(sluice, path, code=0):
    answer = sluice.run("probe", path, "--json")
    problems = [] if answer.returncode == code else [f"exit code {answer.returncode}, not {code}: {answer.stderr}"]
    return json.loads(answer.stdout or '{"checks": []}'), problems


def test_image(tap, sluice, top, number, case):
    name, mkfs, options, size, want = case
    sentence = f"{name}: the verdicts are the known ones"
    if not shutil.which(mkfs[0]):
        tap.skip(sentence, f"no {mkfs[0]}")
        return
    image, place = os.path.join(top, f"{number}.img"), os.path.join(top, str(number))
    os.mkdir(place)
    with open(image, "wb") as file:
        file.truncate(size * MIB)
    device = None
    try:
        sector = options.partition("sector=")[2] or "512"
        device = run("losetup", "--find", "--show", "--sector-size", sector, image)
        run(*mkfs, device)
        run("mount", "-o", "defaults" if "sector=" in options else options or "defaults", device, place)
        run("losetup", "--detach", device)  # in use: it goes when the mount does
    except RuntimeError as error:
        tap.skip(sentence, str(error))
    else:
        report, problems = probed(sluice, place)
        tap.check(sentence, problems + statuses(report, want))
        let_go(place)
    finally:
        if device:
            subprocess.run(["losetup", "--detach", device], capture_output=True)
        os.unlink(image)


def test_overlay(tap, sluice, top, below):
    sentence = "overlay: the lie of cachestat is seen, the verdicts hold"
    parts = {part: os.path.join(below, part) for part in ("lower", "upper", "work")}
    for path in parts.values():
        os.mkdir(path)
    place = os.path.join(top, "overlay")
    os.mkdir(place)
    try:
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}", place)
    except RuntimeError as error:
        tap.skip(sentence, str(error))
        return
    report, problems = probed(sluice, place)
    on = report["machine"]["file_system"]
    tap.check(sentence, problems + statuses(report, {
        "cache.cachestat": "no", "cache.mincore": "yes", "durable.class": "unknown no", "direct.coherent": "yes"}) +
        ([] if on == "overlay" else [f"file system {on}"]))
    let_go(place)


def test_small_and_locked(tap, sluice, top):
    place = os.path.join(top, "a small disk")
    os.mkdir(place)
    run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place)
    report, problems = probed(sluice, place, code=4)
    tap.check("a mount point with blanks in its name is read right",
              [] if report["machine"]["mount_point"] == place else [report["machine"]["mount_point"]])
    tap.check("a full disk is an I/O error, said with its remedy", problems + statuses(report, {"file.scratch": "no"}) +
              os.listdir(place))
    run("mount", "-o", "remount,ro", place)
    report, problems = probed(sluice, place, code=3)
    tap.check("a read-only file system is a matter of the machine", problems + statuses(report, {"file.scratch": "no"}))
    let_go(place)


def inside(path):
    """In a mount namespace of our own, which takes its mounts with it."""
    tap, sluice = Tap(), Sluice(path)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exception, so that the folders go
    with tempfile.TemporaryDirectory() as below, tempfile.TemporaryDirectory() as top:
        run("mount", "-t", "tmpfs", "tmpfs", top)
        for number, case in enumerate(IMAGES):
            test_image(tap, sluice, top, number, case)
        test_overlay(tap, sluice, top, below)
        test_small_and_locked(tap, sluice, top)
        let_go(top)
    tap.done()


def main():
    if len(sys.argv) > 2:
        inside(sys.argv[1])
        return
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        tap = Tap()
        tap.skip("the verdicts on known file systems", "no mount namespace can be made (not root)")
        tap.done()
    sys.exit(subprocess.run(["unshare", "-m", sys.executable, os.path.abspath(__file__), sys.argv[1], "inside"]).returncode)


if __name__ == "__main__":
    main()
