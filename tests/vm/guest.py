"""guest.py: one run of a guest: boots a kernel by software emulation, runs one command, tells how it ended.

The guest has three serial lines, each a file here: the kernel's console, the command's output, and the status (that
it has begun; how it ended). All that a run makes lies in a folder of its own under BUILD/vm and goes with it. Guests
of a build directory share half of the processors: the rest wait for their turn.
"""
import contextlib
import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import image
from kernel import Kernel, Unavailable

BUSES = ("virtio", "nvme")
SECTORS = (512, 4096)
FAILURES = r"read|write|flush(@[0-9]+)?"
BOOT_SECONDS = 120
LINES = ("console", "output", "status")
MACHINE = ["-machine", "q35", "-cpu", "max", "-accel", "tcg,thread=single", "-display", "none",
           "-nodefaults", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
           "-device", "virtio-rng-pci"]
ALWAYS_LOADED = ("virtio_pci", "virtio_blk", "nvme")


def failing(iotype, number):
    """What blkdebug is told: to let the first request of a type fail, or the flush of this number (a state counts)."""
    count = "".join(f'[set-state]\nevent = "flush_to_os"\nstate = "{state}"\nnew_state = "{state + 1}"\n'
                    for state in range(1, int(number or 0)))
    when = f'event = "flush_to_os"\nstate = "{number}"' if number else 'event = "none"'
    return f'{count}[inject-error]\n{when}\niotype = "{iotype}"\nerrno = "5"\nonce = "on"\n'


class Disk:
    """A disk of the guest: a sparse file here, thrown away after the run.

    fails: what QEMU lets fail, once: the first "read", "write" or "flush", or the n-th flush ("flush@N").
    """

    def __init__(self, bus="virtio", sector=512, mebibytes=512, fails=None):
        self.bus, self.sector, self.mebibytes, self.fails = bus, int(sector), int(mebibytes), fails
        if bus not in BUSES or self.sector not in SECTORS or not re.fullmatch(FAILURES, fails or "read"):
            raise ValueError(f"no such disk: {bus}:{sector}:{mebibytes}:{fails}")

    @classmethod
    def parse(cls, text):
        """BUS[:SECTOR[:MIB[:FAILS]]]"""
        parts = text.split(":")
        if len(parts) > 4 or not all(number.isdigit() for number in parts[1:3]):
            raise ValueError(f"{text}: a disk is BUS[:SECTOR[:MIB[:FAILS]]]")
        return cls(*parts)

    def arguments(self, nr, folder):
        """QEMU's arguments for disk nr, whose file is made if need be."""
        path = os.path.join(folder, f"disk{nr}")
        with open(path, "ab") as file:
            file.truncate(self.mebibytes << 20)
        node, arguments = f"d{nr}", []
        # Nothing is lost to the guest by "unsafe": the host's page cache outlives it, and power cuts are recorded
        # above QEMU.
        arguments += ["-blockdev", f"driver=file,filename={path},node-name=f{nr},cache.no-flush=on"]
        if self.fails:
            config = os.path.join(folder, f"fails{nr}")
            with open(config, "w", encoding="utf-8") as file:
                file.write(failing(*self.fails.partition("@")[::2]))
            # A node tells the one below it that a flush comes: hence raw above blkdebug.
            arguments += ["-blockdev", f"driver=blkdebug,image=f{nr},config={config},node-name=b{nr}",
                          "-blockdev", f"driver=raw,file=b{nr},node-name={node}"]
        else:
            arguments += ["-blockdev", f"driver=raw,file=f{nr},node-name={node}"]
        sizes = f"logical_block_size={self.sector},physical_block_size={self.sector}"
        if self.bus == "nvme":
            return arguments + ["-device", f"nvme,id=n{nr},serial=rig{nr}",
                                "-device", f"nvme-ns,drive={node},bus=n{nr},{sizes}"]
        report = "werror=report,rerror=report" if self.fails else "werror=auto"
        return arguments + ["-device", f"virtio-blk-pci,drive={node},{sizes},{report}"]


def device_names(disks):
    """The guest's names of the disks: each bus counts by itself, in order."""
    names, count = [], {"virtio": 0, "nvme": 0}
    for disk in disks:
        nr = count[disk.bus]
        names.append(f"/dev/vd{chr(ord('a') + nr)}" if disk.bus == "virtio" else f"/dev/nvme{nr}n1")
        count[disk.bus] += 1
    return names


class Ended:
    """How a run ended: status is the command's, or None with the reason in why."""

    def __init__(self, status, why, output, console, seconds):
        self.status, self.why, self.output, self.console, self.seconds = status, why, output, console, seconds


@contextlib.contextmanager
def a_turn(cache):
    """Waits for a place among the guests: an emulated machine keeps one thread busy, half of the processors have one."""
    with contextlib.ExitStack() as stack:
        places = [stack.enter_context(open(os.path.join(cache, f"lock{nr}"), "w", encoding="utf-8"))
                  for nr in range(max(1, len(os.sched_getaffinity(0)) // 2))]
        while not any(taken(place) for place in places):
            time.sleep(0.2)
        yield


def taken(place):
    """Whether the lock of this file could be had."""
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Output:
    """The command's output, passed on as it comes."""

    def __init__(self, path, echo):
        self.path, self.echo, self.text, self.offset = path, echo, "", 0

    def follow(self):
        if not os.path.exists(self.path):
            return
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read()
        self.offset += len(data)
        text = data.decode(errors="replace")
        self.text += text
        if self.echo and text:
            sys.stdout.write(text)
            sys.stdout.flush()


def watch(process, folder, output, seconds):
    """Waits for the machine to end; a reason when it had to be ended, else None."""
    begin = time.monotonic()
    while process.poll() is None:
        output.follow()
        passed = time.monotonic() - begin
        if passed > seconds:
            return f"the guest was ended after {seconds} s"
        if passed > BOOT_SECONDS and not read(os.path.join(folder, "status")):
            return f"the guest did not boot in {BOOT_SECONDS} s"
        time.sleep(0.02)
    return None


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()


class Machine:
    """What is booted; seconds bounds a whole run."""

    def __init__(self, release, disks=(), cpus=1, mebibytes=768, append="", seconds=900):
        self.release, self.disks, self.cpus, self.mebibytes = release, list(disks), cpus, mebibytes
        self.append, self.seconds = append, seconds

    def arguments(self, kernel, initrd, folder):
        """QEMU's command line."""
        words = [image.find("qemu-system-x86_64"), *MACHINE, "-m", str(self.mebibytes), "-smp", str(self.cpus),
                 "-kernel", kernel.image, "-initrd", initrd,
                 "-append", f"console=ttyS0 quiet panic=-1 mitigations=off {self.append}"]
        for line in LINES:
            words += ["-serial", f"file:{os.path.join(folder, line)}"]
        for nr, disk in enumerate(self.disks):
            words += disk.arguments(nr, folder)
        return words


def start_script(job, disks):
    """The guest's shell script: modules, devices, what the caller wants done first, then the command."""
    # More descriptors than select(2) has places for, so that its refusal is seen.
    lines = ["#!/bin/sh", "ulimit -n 4096", f"modprobe -a {' '.join([*ALWAYS_LOADED, *job.modules])}"]
    # Drivers find their disks by themselves, a little later.
    lines += [f"until [ -b {name} ]; do sleep 0.05; done" for name in device_names(disks)]
    lines += [job.setup, "exec " + " ".join(shlex.quote(word) for word in job.command)]
    return "\n".join(lines) + "\n"


class Job:
    """What is run: a command in /job, where the programs are; setup is shell text done before it."""

    def __init__(self, command, programs=(), setup="", modules=()):
        self.command, self.programs, self.setup, self.modules = command, programs, setup, modules


def start(machine, kernel, initrd, folder):
    # setpriv: the machine ends with this process, whatever ends that.
    bond = [shutil.which("setpriv"), "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    with open(os.path.join(folder, "qemu"), "wb") as told:
        return subprocess.Popen(bond + machine.arguments(kernel, initrd, folder), stdin=subprocess.DEVNULL,
                                stdout=told, stderr=told)


def boot(machine, kernel, initrd, folder, echo):
    for line in LINES:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, line))
    output = Output(os.path.join(folder, "output"), echo)
    begin = time.monotonic()
    process = start(machine, kernel, initrd, folder)
    try:
        why = watch(process, folder, output, machine.seconds)
    finally:
        end(process)
    output.follow()
    told = re.search(r"^exit (\d+)", read(os.path.join(folder, "status")), re.M)
    status = int(told.group(1)) if told else None
    if status is None and not why:
        why = "the guest ended without a word: " + (read(os.path.join(folder, "qemu")).strip() or "QEMU said nothing")
    return Ended(status, why, output.text, read(os.path.join(folder, "console")), time.monotonic() - begin)


def run(build, machine, job, echo=False):
    """Runs a job on a machine and gives how it Ended; echo passes its output on as it comes.

    A boot that never reached its first process is tried once more: a guest under emulation fails so once in some
    hundred times. Raises Unavailable when this machine lacks something.
    """
    kernel = Kernel(build, machine.release)
    image.find("qemu-system-x86_64")
    cache = os.path.join(build, "vm")
    os.makedirs(cache, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with a_turn(cache), tempfile.TemporaryDirectory(prefix="run-", dir=cache) as folder:
        initrd = os.path.join(folder, "initrd")
        shutil.copy(image.base(kernel, cache), initrd)
        with open(initrd, "ab") as file:
            image.write_job(file, job.programs, start_script(job, machine.disks))
        ended = boot(machine, kernel, initrd, folder, echo)
        if ended.status is None and not read(os.path.join(folder, "status")):
            ended = boot(machine, kernel, initrd, folder, echo)
        return ended


__all__ = ["Disk", "Ended", "Job", "Machine", "Unavailable", "device_names", "run"]
