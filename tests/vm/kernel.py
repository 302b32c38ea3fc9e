#!/usr/bin/env python3
"""kernel.py: the guest's kernels: Debian's packages, downloaded and unpacked, never installed.

    kernel.py BUILD RELEASE...      fetch what is missing; RELEASE: 6.1, 6.12

Everything lies in BUILD/peers/kernel-RELEASE: `vmlinux` (what QEMU boots), `lib/modules/VERSION`, and `package`, the
name of the package, written last: what has it is complete. Only this program uses the network; the tests take what
is there. Exit: 0, or 3 when a kernel cannot be had, with the reason.
"""
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

RELEASES = ("6.1", "6.12")


class Unavailable(Exception):
    """What this machine lacks; the text is for the person who runs the test."""


class Kernel:
    """An unpacked kernel."""

    def __init__(self, build, release):
        self.release = release
        self.root = os.path.join(build, "peers", f"kernel-{release}")
        self.image = os.path.join(self.root, "vmlinux")
        stamp = os.path.join(self.root, "package")
        if not os.path.exists(stamp):
            raise Unavailable(f"kernel {release} is not unpacked in {os.path.join(build, 'peers')}: "
                              "make check-vm fetches it")
        with open(stamp, encoding="utf-8") as file:
            self.package = file.read().strip()
        self.version = os.listdir(os.path.join(self.root, "lib", "modules"))[0]
        self.modules = os.path.join(self.root, "lib", "modules", self.version)


def natural(name):
    """6.1.0-9 sorts before 6.1.0-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def newest_package(release):
    """The newest kernel package of this release that apt knows, or None."""
    pattern = rf"^linux-image-{re.escape(release)}\.[^-]*(-[0-9]+)?-amd64-unsigned$"
    answer = subprocess.run(["apt-cache", "search", "--names-only", pattern], capture_output=True, text=True)
    names = [line.split()[0] for line in answer.stdout.splitlines() if line.strip()]
    return max(names, key=natural, default=None)


def download(release, folder):
    """Puts the package into the folder; tries again with fresh lists, where they may be had."""
    why = "apt-cache knows no such package"
    for refresh in (False, True):
        if refresh:
            if os.geteuid() != 0:
                break
            subprocess.run(["apt-get", "update", "-qq"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        name = newest_package(release)
        if not name:
            continue
        print(f"kernel: {release} is {name}; downloading it", flush=True)
        answer = subprocess.run(["apt-get", "download", "-qq", name], cwd=folder, capture_output=True, text=True)
        if answer.returncode == 0:
            return name, os.path.join(folder, os.listdir(folder)[0])
        why = (answer.stderr.strip().splitlines() or ["apt-get download failed"])[-1]
    raise Unavailable(f"no package of kernel {release}: {why}")


def unzstd(payload):
    tool = shutil.which("zstd")
    return subprocess.run([tool, "-dcq"], input=payload, capture_output=True).stdout if tool else b""


def extract(bzimage):
    """The ELF image in a bzImage (its boot protocol says where), or None: QEMU starts it without unpacking."""
    with open(bzimage, "rb") as file:
        data = file.read()
    if data[0x202:0x206] != b"HdrS":
        return None
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (data[0x1f1] + 1) * 512 + offset
    payload = data[start:start + length]
    if payload.startswith(b"\xfd7zXZ"):
        image = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith(b"\x28\xb5\x2f\xfd"):
        image = unzstd(payload)
    else:
        image = b""
    return image if image.startswith(b"\x7fELF") else None


def unpack(deb, root):
    subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    if os.path.isdir(os.path.join(root, "usr", "lib")):
        os.rename(os.path.join(root, "usr", "lib"), os.path.join(root, "lib"))
    version = os.listdir(os.path.join(root, "lib", "modules"))[0]
    bzimage = os.path.join(root, "boot", f"vmlinuz-{version}")
    image = extract(bzimage)
    if image:
        with open(os.path.join(root, "vmlinux"), "wb") as file:
            file.write(image)
    else:
        # Boots as well, some seconds later: the guest unpacks it itself.
        shutil.copy(bzimage, os.path.join(root, "vmlinux"))
    for rest in ("boot", "usr"):
        shutil.rmtree(os.path.join(root, rest), ignore_errors=True)
    subprocess.run(["depmod", "-b", root, version], check=True)


def fetch(build, release):
    """Makes BUILD/peers/kernel-RELEASE, unless it is there."""
    try:
        return Kernel(build, release)
    except Unavailable:
        pass
    for tool in ("apt-get", "apt-cache", "dpkg-deb", "depmod"):
        if not shutil.which(tool):
            raise Unavailable(f"no {tool}, so kernel {release} cannot be unpacked (Debian: apt, dpkg, kmod)")
    peers = os.path.join(build, "peers")
    os.makedirs(peers, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=peers) as work:
        os.mkdir(os.path.join(work, "deb"))
        os.mkdir(os.path.join(work, "root"))
        name, deb = download(release, os.path.join(work, "deb"))
        root = os.path.join(work, "root")
        unpack(deb, root)
        with open(os.path.join(root, "package"), "w", encoding="utf-8") as file:
            file.write(name + "\n")
        shutil.rmtree(os.path.join(peers, f"kernel-{release}"), ignore_errors=True)
        os.chmod(root, 0o755)
        os.rename(root, os.path.join(peers, f"kernel-{release}"))
    return Kernel(build, release)


def main():
    build, releases = os.path.abspath(sys.argv[1]), sys.argv[2:]
    status = 0
    for release in releases:
        try:
            fetch(build, release)
        except (Unavailable, subprocess.CalledProcessError, OSError) as why:
            print(f"kernel: {why}", file=sys.stderr)
            status = 3
    sys.exit(status)


if __name__ == "__main__":
    main()
