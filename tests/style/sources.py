"""sources.py: which files belong to the project, and C text without comments and strings."""
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def tracked():
    """Paths relative to the top of what git tracks; outside a repository, of what lies there."""
    answer = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if answer.returncode == 0 and answer.stdout:
        names = [name for name in answer.stdout.split("\0") if name]
    else:
        names = list(walk())
    return sorted(name for name in names if os.path.isfile(os.path.join(ROOT, name)))


def walk():
    for directory, folders, files in os.walk(ROOT):
        folders[:] = [f for f in folders if f != ".git" and not f.startswith("build")]
        for name in files:
            yield os.path.relpath(os.path.join(directory, name), ROOT)


def with_suffix(*suffixes):
    return [name for name in tracked() if name.endswith(suffixes)]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def blank_strings_and_comments(text):
    """Replaces comments, strings and characters by blanks; lines and columns stay."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
