"""server.py: a running `sluice serve` or `sluice proxy`: where it listens, what it says, what it counts."""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "style"))
from tap import Tap  # noqa: E402 (the path is needed first)

__all__ = ["PATIENCE", "Server", "Tap", "area", "has_v6", "until"]

PATIENCE = 60  # seconds that nothing here takes; only a hang does

# LeakSanitizer reads /proc, which a confined server may not: leaks are looked for by the tests in a simulated world.
os.environ["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "detect_leaks=0")))
# Clients here ask the server itself, whatever this machine asks others through.
for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[variable]


def has_v6():
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        return True
    except OSError:
        return False


def area(what):
    """A directory on a real file system, removed by the caller."""
    return tempfile.mkdtemp(prefix=f"sluice-{what}-", dir=os.environ.get("SLUICE_TEST_DIR") or os.environ.get("TMPDIR") or "/var/tmp")


def until(holds, timeout=PATIENCE):
    """Waits for what must come true; False only when it does not."""
    end = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Server:
    """Its process, begun once it has said where it listens; all it says on stderr is kept."""

    until = staticmethod(until)

    def __init__(self, sluice, what, *arguments, prefix=(), env=None, stdout=subprocess.DEVNULL):
        self.what = what
        self.process = subprocess.Popen([*prefix, sluice, what, *arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                                        stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        self.port = self.metrics_port = None
        self.said = []
        for _ in range(1 + ("--metrics" in arguments)):
            self.hear_where()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def hear_where(self):
        """Up to the next line that tells where it listens."""
        found = None
        while not found:
            line = self.process.stderr.readline()
            if not line:
                raise RuntimeError(f"it did not begin: {self.said}")
            self.said.append(line.rstrip("\n"))
            found = re.match(r"sluice \w+: (.+) on (?:unix:.*|.*:(\d+))$", line)
        if found.group(1) == "metrics":
            self.metrics_port = int(found.group(2))
        elif found.group(2):
            self.port = int(found.group(2))

    def listen(self):
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join(PATIENCE)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE):
        code = self.process.wait(timeout)
        self.thread.join(PATIENCE)
        return code

    def end(self):
        """Its exit code after SIGTERM."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def end_at_once(self):
        """The same without patience: two are one for who has not noticed the first yet, so as many as it takes."""
        until(lambda: self.signal(signal.SIGTERM) or self.process.poll() is not None)
        return self.wait()

    def heard(self, pattern, since=0):
        """Whether it says so in time, in a line of that index or later."""
        return until(lambda: any(re.search(pattern, line) for line in self.said[since:]))

    def page(self, path):
        """From where the metrics are."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def metrics(self):
        """The numbers of /metrics by name, labels included."""
        return {name: int(value) for name, value in re.findall(rf"^sluice_{self.what}_(\S+) (\d+)$", self.page("/metrics"), re.M)}

    def comes_to(self, name, wanted, at_least=False):
        """Problems, unless a metric gets there: what is counted when all is done is not counted yet when the client has it."""
        value = None

        def there():
            nonlocal value
            value = self.metrics()[name]
            return value >= wanted if at_least else value == wanted
        return [] if until(there) else [f"{name} is {value}, want {wanted}"]

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def descriptors(self):
        return os.listdir(f"/proc/{self.process.pid}/fd")

    def of_threads(self, what):
        """The file of that name of each of its threads; some may end meanwhile."""
        found = []
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/{what}", encoding="ascii") as file:
                    found.append(file.read())
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def kernel_threads(self):
        """Names of threads that the kernel has made for its requests."""
        return [name for name in self.of_threads("comm") if name.startswith("iou-")]
