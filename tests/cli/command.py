"""command.py: runs build/sluice for the tests of the command."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "style"))
from tap import Tap  # noqa: E402 (the path is needed first)

__all__ = ["Tap", "Sluice"]


class Sluice:
    """The command under test; each run has closed stdin and no terminal."""

    def __init__(self, path):
        self.path = path

    def run(self, *arguments, **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.run([self.path, *arguments], stdin=subprocess.DEVNULL, text=True, timeout=300, **options)

    def shell(self, script):
        """Runs a shell line in which "$S" is the command."""
        return subprocess.run(["sh", "-c", script], env={**os.environ, "S": self.path}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)

    def commands(self):
        """The commands that `sluice --help` lists."""
        lines = self.run("--help").stdout.split("commands:\n", 1)[1].split("\n\n", 1)[0].splitlines()
        return [line.split()[0] for line in lines if line.split()[0] != "help"]
