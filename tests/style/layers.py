#!/usr/bin/env python3
"""layers.py: every #include follows src/LAYERS; raw system calls and #ifdef stay in src/sys/; who may not
include sys does not call the kernel by the C library's names either."""
import fnmatch
import os
import re

import sources
from tap import Tap

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)
RAW_CALL = re.compile(r"\b(?:syscall|__syscall|ioctl)\s*\(")
# What acts on a handle: below a simulator it would reach the kernel, which does not know the handle.
HANDLE_CALLS = """
    read write readv writev pread pwrite pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek lseek64
    fsync fdatasync syncfs sync sync_file_range msync fallocate posix_fallocate posix_fadvise readahead
    truncate truncate64 ftruncate ftruncate64 copy_file_range
    open open64 openat openat64 openat2 creat close close_range dup dup2 dup3 fcntl flock lockf
    stat fstat lstat fstatat statx statfs fstatfs statvfs fstatvfs access faccessat
    chmod fchmod fchmodat chown fchown futimens utimensat
    rename renameat renameat2 link linkat symlink symlinkat readlink readlinkat unlink unlinkat rmdir mkdir mkdirat
    mknod mknodat mkfifo opendir fdopendir scandir nftw getdents64 getxattr fgetxattr setxattr fsetxattr
    socket socketpair bind listen accept accept4 connect shutdown getsockopt setsockopt getsockname getpeername
    recv recvfrom recvmsg recvmmsg send sendto sendmsg sendmmsg sendfile splice tee vmsplice pipe pipe2
    poll ppoll select pselect epoll_create1 epoll_ctl epoll_wait eventfd mmap mmap64 munmap
    fopen fdopen freopen
    """.split()
HANDLE_CALL = re.compile(r"(?<![\w.>])(" + "|".join(HANDLE_CALLS) + r")\s*\(")
CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:if|ifdef|elif)\b.*$", re.M)


def parse(text):
    """LAYERS as {folder: [item, ...]}."""
    table = {}
    for line in text.splitlines():
        line = line.split("#", 1)[0].strip()
        if line:
            folder, items = line.split(":", 1)
            table[folder.strip()] = items.split()
    return table


def folder_of(path, table):
    """The row of LAYERS for a path: its name without src/ and ending, else the deepest folder listed."""
    folder = os.path.splitext(path)[0]
    folder = folder[4:] if folder.startswith("src/") else folder
    while folder and folder not in table:
        folder = os.path.dirname(folder)
    return folder


def target_of(quoted, path, exists):
    """The path from src/ (or from the top) that a quoted include of a file means; None if unknown."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), quoted))
    for name in (beside, "src/" + quoted, quoted):
        if exists(name):
            return name[4:] if name.startswith("src/") else name
    return None


def allowed(target, folder, items):
    return (os.path.dirname(target) == folder or target in items or
            os.path.dirname(target) in items)


def check_file(path, text, table, exists):
    """Problems of one file's includes."""
    folder = folder_of(path, table)
    if not folder:
        return [f"{path}: its folder is not in src/LAYERS"]
    items = table[folder]
    system = [item[1:-1] for item in items if item.startswith("<")]
    problems = []
    for quoted, angled in INCLUDE.findall(text):
        if angled.startswith("sluice/"):
            if "include" not in items and "include/" + angled not in items:
                problems.append(f"{path}: {folder} may not include <{angled}>")
        elif angled:
            if system and not any(fnmatch.fnmatch(angled, pattern) for pattern in system):
                problems.append(f"{path}: {folder} may not include <{angled}>")
        else:
            target = target_of(quoted, path, exists)
            if target is None:
                problems.append(f'{path}: "{quoted}" is found nowhere')
            elif not allowed(target, folder, items):
                problems.append(f'{path}: {folder} may not include "{quoted}"')
    return problems


def check_raw(path, text):
    """Problems of one library file outside sys/: raw calls, conditional compilation."""
    text = sources.blank_strings_and_comments(text)
    problems = [f"{path}: raw system call: {m.group()}...)" for m in RAW_CALL.finditer(text)]
    return problems + [f"{path}: {m.group().strip()}" for m in CONDITION.finditer(text)]


def check_handles(path, text, table):
    """Problems of one library file that may not include sys: calls of the kernel by name, unless the file's own."""
    if "sys" in table.get(folder_of(path, table), []):
        return []
    text = sources.blank_strings_and_comments(text)
    own = {m.group(1) for line in text.splitlines() if line[:1].isalpha() for m in HANDLE_CALL.finditer(line)}
    return [f"{path}:{text.count(chr(10), 0, m.start()) + 1}: {m.group(1)}() passes by the ring"
            for m in HANDLE_CALL.finditer(text) if m.group(1) not in own]


def cycles(table):
    """Folders that reach themselves; an edge to one header counts as an edge to its folder."""
    def edges(folder):
        for item in table[folder]:
            name = os.path.dirname(item) if item.endswith(".h") else item
            if name in table and name != folder:
                yield name

    def reaches(folder, goal, seen):
        for name in edges(folder):
            if name == goal or (name not in seen and reaches(name, goal, seen | {name})):
                return True
        return False

    return [f"{folder} includes itself by a detour" for folder in table if reaches(folder, folder, {folder})]


def self_test():
    """What the check must refuse, and what it must let pass."""
    table = parse("base: <string.h>\nsys:\nengine: include sys a/only.h\na: engine/seam.h # no more\n"
                  "engine/odd: engine base\nengine/part: engine\n")
    files = {"src/engine/seam.h", "src/engine/op.h", "src/a/only.h", "src/a/x.h", "src/sys/rw.h",
             "src/base/list.h", "src/engine/part/own.h"}
    bad = {
        "src/a/bad.c": '#include "engine/op.h"',
        "src/engine/bad.c": '#include "a/x.h"',
        "src/base/bad.c": "#include <unistd.h>",
        "src/sys/bad.c": "#include <sluice/op.h>",
        "src/new/bad.c": "",
        "src/engine/even.c": '#include "base/list.h"',
        "src/engine/odd.c": '#include "sys/rw.h"',
        "src/sys/lost.c": '#include "nowhere.h"',
    }
    good = {
        "src/a/good.c": '#include "x.h"\n#include "engine/seam.h"\n#include <unistd.h>',
        "src/engine/good.c": '#include "a/only.h"\n# include "sys/rw.h"\n#include <sluice/op.h>',
        "src/base/good.c": "#include <string.h>",
        "src/engine/odd.c": '#include "op.h"\n#include "base/list.h"',
        "src/engine/part.c": '#include "part/own.h"\n#include "engine/op.h"',
    }
    problems = [f"accepted {path}" for path, text in bad.items()
                if not check_file(path, text, table, files.__contains__)]
    for path, text in good.items():
        problems += check_file(path, text, table, files.__contains__)
    if not cycles({"a": ["b"], "b": ["a/x.h"]}) or cycles({"a": ["b"], "b": []}):
        problems.append("cycles() does not tell a cycle")
    if not check_raw("x", "syscall(1);") or not check_raw("x", "#ifdef A") or check_raw("x", "/* ioctl() */"):
        problems.append("check_raw() does not tell a raw call")
    for path, text, refused in (
            ("src/a/x.c", "\treturn pread(fd, buf, len, off);", True),
            ("src/a/x.c", "\tif (rc == 0 && fsync (fd) < 0)", True),
            ("src/engine/part.c", "\tn = recv(fd, buf, len, 0);", True),
            ("src/engine/x.c", "\treturn pread(fd, buf, len, off);", False),
            ("src/a/x.c", "\trc = ops->read(fd) + ops.write(fd) + sl_op_fsync(op, fd); /* fsync(fd) */", False),
            ("src/a/x.c", "static int tee(int way)\n{\n}\n\treturn tee(1);", False)):
        if bool(check_handles(path, text, table)) != refused:
            problems.append(f"check_handles() {'accepted' if refused else 'refused'} in {path}: {text}")
    return problems


def main():
    tap = Tap()
    table = parse(sources.read("src/LAYERS"))
    files = [f for f in sources.with_suffix(".c", ".h") if f.startswith(("src/", "tools/", "examples/", "bench/"))]
    library = [f for f in files if f.startswith("src/") and not f.startswith("src/sys/")]

    tap.check("the layer check refuses what it must", self_test())
    tap.check("the table of layers has no cycle", cycles(table))
    tap.check("every include follows src/LAYERS",
              [p for f in files for p in check_file(f, sources.read(f), table,
                                                    lambda name: os.path.exists(os.path.join(sources.ROOT, name)))])
    problems = []
    for name in library:
        text = re.sub(r"\A.*?#ifndef (\w+)\n#define \1\n", "", sources.read(name), flags=re.S)
        problems += check_raw(name, text)
    tap.check("raw system calls and conditional compilation stay in src/sys/", problems)
    tap.check("who may not include sys acts on handles by the ring alone",
              [p for f in library for p in check_handles(f, sources.read(f), table)])
    tap.done()


if __name__ == "__main__":
    main()
