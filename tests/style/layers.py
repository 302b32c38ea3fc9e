#!/usr/bin/env python3
"""layers.py: every #include follows src/LAYERS; raw system calls and #ifdef stay in src/sys/."""
import fnmatch
import os
import re

import sources
from tap import Tap

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)
RAW_CALL = re.compile(r"\b(?:syscall|__syscall|ioctl)\s*\(")
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
    tap.done()


if __name__ == "__main__":
    main()
