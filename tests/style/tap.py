"""tap.py: TAP output for the checks written in Python, as the C harness gives it."""
import sys


class Tap:
    """Collects results; each check is a sentence and a list of problems (none = passed)."""

    def __init__(self):
        self.count = 0
        self.failed = 0
        self.skipped = 0

    def check(self, sentence, problems):
        self.count += 1
        if problems:
            self.failed += 1
            print(f"not ok {self.count} - {sentence}")
            for problem in problems:
                print(f"# {problem}")
        else:
            print(f"ok {self.count} - {sentence}")

    def skip(self, sentence, reason):
        self.count += 1
        self.skipped += 1
        print(f"ok {self.count} - {sentence} # SKIP {reason}")

    def done(self):
        print(f"1..{self.count}")
        if self.failed:
            sys.exit(1)
        sys.exit(77 if self.skipped == self.count else 0)
