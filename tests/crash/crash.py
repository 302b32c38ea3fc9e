"""crash.py: what the tests of `sluice crash` share: the command, directories, and whether anything can record here."""
import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "style"))
from tap import Tap  # noqa: E402 (the path is needed first)

__all__ = ["Tap", "Crash", "area", "json"]


def area(name="d"):
    """A fresh directory on a real file system, gone with this process."""
    base = os.environ.get("SLUICE_TEST_DIR") or os.environ.get("TMPDIR") or "/var/tmp"
    path = tempfile.mkdtemp(prefix="sluice-crash-", dir=base)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    path = os.path.join(path, name)
    os.mkdir(path)
    return path


class Crash:
    """`sluice crash` under test."""

    def __init__(self, path):
        self.path = os.path.abspath(path)

    def run(self, *words, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("timeout", 800)
        return subprocess.run([self.path, "crash", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", **options)

    def json(self, *words, **options):
        """The exit code and the report, or the error in its place; there is one object whatever happens."""
        answer = self.run("--json", *words, **options)
        try:
            report = json.loads(answer.stdout)
        except ValueError:
            raise AssertionError(f"exit {answer.returncode}, no JSON: {answer.stdout}{answer.stderr}") from None
        return answer.returncode, {"failing": [], "syncs": [], "notes": [], "faults": [], **report}

    def refusal(self):
        """Why nothing can be recorded here, or None."""
        answer = self.run("--dir", area(), "--check", "true", "--", "true")
        return " ".join(answer.stderr.split()) if answer.returncode == 3 else None
