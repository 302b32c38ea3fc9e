"""image.py: what the guest boots from: its tools and modules, made once per kernel, and the job, made for each run.

Both are cpio archives and QEMU is given one behind the other, so that a run copies the first and packs only its own
files. The first is kept under a name that tells its content: the kernel, this code, and the tools of this machine.
"""
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import tempfile

from cpio import Archive
from kernel import Unavailable

HERE = os.path.dirname(os.path.abspath(__file__))

# Tools of the guest, and the Debian package that has each.
TOOLS = {
    "busybox": "busybox-static", "dash": "dash", "kmod": "kmod", "dmsetup": "dmsetup", "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs", "mkfs.btrfs": "btrfs-progs",
}
# With what they depend on. ext4, xfs and btrfs ask for a checksum by name, hence crc32c and libcrc32c; tls asks for its
# ciphers by name, and takes those of the processor.
MODULES = (
    "virtio_pci", "virtio_blk", "nvme", "ext4", "xfs", "btrfs", "overlay", "fuse", "loop", "brd", "scsi_debug",
    "sd_mod", "dm_mod", "dm_flakey", "dm_log_writes", "dm_snapshot", "dm_zero", "crc32c_generic", "crc32c_intel",
    "libcrc32c", "xxhash_generic", "blake2b_generic", "sha256_generic", "tls", "gcm", "ctr", "ghash_generic", "aesni_intel",
    "ghash_clmulni_intel", "chacha20poly1305", "chacha_generic", "chacha_x86_64", "poly1305_generic", "poly1305_x86_64",
)
FOLDERS = ("dev", "proc", "sys", "tmp", "run", "mnt", "job", "var/tmp", "root")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find(tool):
    path = shutil.which(tool, path=os.environ.get("PATH", "") + ":" + PATH)
    if not path:
        raise Unavailable(f"no {tool} (Debian: {TOOLS.get(tool, tool)})")
    return path


def libraries(program):
    """What the dynamic loader would load for a program, and the loader itself."""
    answer = subprocess.run(["ldd", program], capture_output=True, text=True)
    return re.findall(r"(/\S+) \(0x", answer.stdout)


def needed_modules(kernel):
    """The files of MODULES and of all they depend on; a module built into the kernel has none."""
    depends, by_name = {}, {}
    with open(os.path.join(kernel.modules, "modules.dep"), encoding="utf-8") as file:
        for line in file:
            path, _, rest = line.partition(":")
            depends[path] = rest.split()
            by_name[os.path.basename(path).split(".ko")[0].replace("-", "_")] = path
    wanted = [by_name[name] for name in MODULES if name in by_name]
    return sorted(set(wanted).union(*(depends[path] for path in wanted)))


def add_modules(archive, kernel):
    """Adds them unpacked, with an index of just these."""
    with tempfile.TemporaryDirectory() as tree:
        top = os.path.join(tree, "lib", "modules", kernel.version)
        for path in needed_modules(kernel):
            os.makedirs(os.path.join(top, os.path.dirname(path)), exist_ok=True)
            opened = lzma.open if path.endswith(".xz") else open
            with opened(os.path.join(kernel.modules, path), "rb") as source:
                with open(os.path.join(top, path.removesuffix(".xz")), "wb") as target:
                    shutil.copyfileobj(source, target)
        for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
            shutil.copy(os.path.join(kernel.modules, name), top)
        subprocess.run([find("depmod"), "-b", tree, kernel.version], check=True)
        for folder, _, names in os.walk(top):
            for name in sorted(names):
                path = os.path.join(folder, name)
                archive.copy(path, os.path.relpath(path, tree))


def add_tools(archive):
    for tool in TOOLS:
        path = find(tool)
        archive.copy(path, f"usr/bin/{tool}")
        for library in libraries(path):
            archive.copy(library)
    archive.link("usr/bin/sh", "dash")
    for name in ("modprobe", "insmod", "rmmod", "lsmod"):
        archive.link(f"usr/bin/{name}", "kmod")
    applets = subprocess.run([find("busybox"), "--list"], capture_output=True, text=True).stdout
    for name in applets.split():
        archive.link(f"usr/bin/{name}", "busybox")


def write_base(file, kernel):
    archive = Archive(file)
    for folder in FOLDERS:
        archive.folder(folder)
    archive.merge()
    archive.link("usr/sbin/modprobe", "../bin/kmod")  # the kernel itself calls this one
    archive.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    archive.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")
    archive.text("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    archive.copy(os.path.join(HERE, "init"), "init")
    add_tools(archive)
    add_modules(archive, kernel)
    archive.close()


def digest(kernel):
    """Changes with whatever the base image is made from."""
    parts = [kernel.package]
    for name in ("image.py", "cpio.py", "init"):
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            parts.append(file.read())
    for tool in TOOLS:
        status = os.stat(find(tool))
        parts.append(f"{tool} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def base(kernel, cache):
    """The path of the base image, made unless it is there; those of other content are dropped."""
    name = f"base-{kernel.release}-{digest(kernel)}.cpio"
    path = os.path.join(cache, name)
    if os.path.exists(path):
        return path
    for old in os.listdir(cache):
        if old.startswith(f"base-{kernel.release}-"):
            os.unlink(os.path.join(cache, old))
    with open(path + ".new", "wb") as file:
        write_base(file, kernel)
    os.rename(path + ".new", path)
    return path


def write_job(file, programs, start):
    """The files of one run in /job: programs with their libraries, and the script `start`."""
    archive = Archive(file)
    for program in programs:
        archive.copy(program, "job/" + os.path.basename(program))
        for library in libraries(program):
            archive.copy(library)
    archive.text("job/start", start, 0o755)
    archive.close()
