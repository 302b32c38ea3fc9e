#!/usr/bin/env python3
"""run.py: the command line of the guest; see README.md beside it.

Exit: the program's status; 77 when this machine lacks something, 124 when time ran out or the guest died.
"""
import argparse
import os
import shutil
import sys

import guest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILE_SYSTEMS = ("ext4", "xfs", "btrfs")
MAKE = {"ext4": "mkfs.ext4 -q -F -b 4096", "xfs": "mkfs.xfs -q -f", "btrfs": "mkfs.btrfs -q -f"}


def options(words):
    parser = argparse.ArgumentParser(prog="tests/vm/run.sh", description="Run a program in a QEMU guest.",
                                     usage="%(prog)s [OPTION...] -- PROGRAM [ARGUMENT...]")
    parser.add_argument("--kernel", default="6.1", help="release of the guest's kernel (6.1, 6.12)")
    parser.add_argument("--disk", action="append", default=[], metavar="BUS[:SECTOR[:MIB[:FAILS]]]",
                        help="a disk: virtio or nvme, sectors of 512 or 4096 bytes; FAILS: whose first read, write or "
                             "flush fails, or whose N-th flush does (flush@N)")
    parser.add_argument("--fs", choices=FILE_SYSTEMS, help="make it on the first disk; the test directory is there")
    parser.add_argument("--file", action="append", default=[], help="put this file into the guest's /job too")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--module", action="append", default=[], help="load a module before the program starts")
    parser.add_argument("--append", default="", help="more of the kernel's command line")
    parser.add_argument("--memory", type=int, default=768, metavar="MIB")
    parser.add_argument("--cpus", type=int, default=1, metavar="NR", help="they share one thread of this machine")
    parser.add_argument("--timeout", type=int, default=900, metavar="SECONDS")
    parser.add_argument("--console", action="store_true", help="show the kernel's console afterwards")
    parser.add_argument("--build", default=os.environ.get("SLUICE_VM_BUILD", os.path.join(TOP, "build")),
                        help="the build directory with peers/kernel-RELEASE in it")
    parser.add_argument("program", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def setup(choice, disks):
    """The shell text that makes the file system and the environment."""
    lines = [f"export SLUICE_VM_DISKS='{' '.join(guest.device_names(disks))}'"] if disks else []
    lines += [f"export SLUICE_HANG_GUARD={choice.timeout // 2}"]
    lines += [f"export {variable.partition('=')[0]}='{variable.partition('=')[2]}'" for variable in choice.env]
    if choice.fs:
        if not disks:
            raise ValueError("--fs needs a --disk to make it on")
        device = guest.device_names(disks)[0]
        lines += [f"{MAKE[choice.fs]} {device} >/dev/null && mount -t {choice.fs} {device} /mnt || exit 125",
                  f"export SLUICE_TEST_DIR=/mnt SLUICE_TEST_FS={choice.fs}-{disks[0].sector}"]
    return "\n".join(lines)


def main():
    choice = options(sys.argv[1:])
    name, *arguments = choice.program
    program = shutil.which(name) or name
    modules = ([choice.fs] if choice.fs else []) + choice.module
    try:
        disks = [guest.Disk.parse(text) for text in choice.disk]
        machine = guest.Machine(choice.kernel, disks, choice.cpus, choice.memory, choice.append, choice.timeout)
        job = guest.Job([f"./{os.path.basename(program)}", *arguments], [program, *choice.file],
                        setup(choice, disks), modules)
        ended = guest.run(os.path.abspath(choice.build), machine, job, echo=True)
    except guest.Unavailable as why:
        print(f"no guest: {why}")
        sys.exit(77)
    except (ValueError, OSError) as why:
        print(f"run.sh: {why}", file=sys.stderr)
        sys.exit(2)
    if choice.console or ended.status is None:
        print(ended.console, file=sys.stderr)
    print(f"# guest {choice.kernel}: {ended.seconds:.1f} s{', ' + ended.why if ended.why else ''}", file=sys.stderr)
    sys.exit(124 if ended.status is None else ended.status)


if __name__ == "__main__":
    main()
