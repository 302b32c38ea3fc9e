"""service.py: a running `sluice serve` over a directory of its own, and raw sockets to it."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "tests", "style"))
from tap import Tap  # noqa: E402 (the path is needed first)

__all__ = ["Tap", "Service", "Answer", "Raw", "area", "get"]

# LeakSanitizer reads /proc, which a confined server may not: leaks are looked for by test_sim.c.
os.environ["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "detect_leaks=0")))

PATIENCE = 60  # seconds that nothing here takes; only a hang does


def area():
    """A directory on a real file system, removed by the caller."""
    return tempfile.mkdtemp(prefix="sluice-serve-", dir=os.environ.get("SLUICE_TEST_DIR") or os.environ.get("TMPDIR") or "/var/tmp")


class Answer:
    """A response: status, fields (lower-case names, the last of each counts), body."""

    def __init__(self, status, fields, body, interim):
        self.status, self.fields, self.body, self.interim = status, fields, body, interim

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:80]!r}"


class Raw:
    """A connection on which anything may be sent; reads answers strictly."""

    def __init__(self, service, timeout=PATIENCE, **options):
        if service.path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(service.path)
        else:
            self.socket = socket.socket()
            if "receive" in options:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["receive"])
            self.socket.settimeout(timeout)
            self.socket.connect(("127.0.0.1", options.get("port", service.port)))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def more(self):
        data = self.socket.recv(1 << 20)
        self.buffer += data
        return bool(data)

    def answer(self, head=False):
        """The next answer; None when the connection ended instead."""
        interim = []
        while True:
            while b"\r\n\r\n" not in self.buffer:
                if not self.more():
                    if self.buffer:
                        raise EOFError(f"half a head: {self.buffer!r}")
                    return None
            top, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            lines = top.decode("latin-1").split("\r\n")
            match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Za-z ]+", lines[0])
            if not match or any("\n" in line or "\r" in line for line in lines):
                raise ValueError(f"no head: {top!r}")
            status = int(match.group(1))
            if status >= 200:
                break
            interim.append(status)
        fields = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            if name.lower() in fields:
                raise ValueError(f"{name} twice: {top!r}")
            fields[name.lower()] = value
        length = 0 if head or status in (204, 304) else int(fields["content-length"])
        parts, got = [self.buffer], len(self.buffer)
        while got < length:
            parts.append(self.socket.recv(1 << 20))
            got += len(parts[-1])
            if not parts[-1]:
                raise EOFError(f"{got} of {length} bytes")
        data = b"".join(parts)
        body, self.buffer = data[:length], data[length:]
        return Answer(status, fields, body, interim)

    def ended(self):
        """Whether the peer says nothing more and ends the connection."""
        try:
            while self.more():
                pass
        except (ConnectionResetError, BrokenPipeError):
            pass
        return not self.buffer


class Service:
    """The server; what it says on stderr is kept."""

    def __init__(self, sluice, root, *options, **settings):
        self.path = settings.get("path")
        self.root = root
        where = f"unix:{self.path}" if self.path else "127.0.0.1:0"
        command = [sluice, "serve", root, "--listen", where, *options]
        self.process = subprocess.Popen(settings.get("prefix", []) + command, stdin=subprocess.DEVNULL,
                                        stdout=settings.get("stdout", subprocess.DEVNULL), stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **settings.get("env", {})})
        self.port = self.metrics_port = None
        self.said = []
        wanted = 1 + ("--metrics" in options)
        ready = 0
        while ready < wanted:
            line = self.process.stderr.readline()
            if not line:
                raise RuntimeError(f"it did not begin: {self.said}")
            self.said.append(line.rstrip("\n"))
            match = re.match(r"sluice serve: (.*) on (.*)", line)
            if match:
                ready += 1
                port = re.search(r":(\d+)$", match.group(2))
                if match.group(1) == "metrics":
                    self.metrics_port = int(port.group(1))
                elif port:
                    self.port = int(port.group(1))
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

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

    def end(self, timeout=PATIENCE):
        """Its exit code after SIGTERM."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout=PATIENCE):
        code = self.process.wait(timeout)
        self.thread.join(PATIENCE)
        return code

    def heard(self, pattern, timeout=PATIENCE):
        """Whether it says so in time."""
        return self.until(lambda: any(re.search(pattern, line) for line in self.said), timeout)

    @staticmethod
    def until(holds, timeout=PATIENCE):
        """Waits for what must come true; False only when it does not."""
        end = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def connect(self, **options):
        return Raw(self, **options)

    def ask(self, request, head=False, **options):
        """One answer on a connection of its own."""
        with self.connect(**options) as raw:
            raw.send(request)
            return raw.answer(head)

    def metrics(self):
        """The numbers of /metrics by name."""
        text = self.ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", port=self.metrics_port).body.decode()
        return {name: int(value) for name, value in re.findall(r"^sluice_serve_(\S+) (\d+)$", text, re.M)}

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


def get(target, *fields, method="GET", version="1.1"):
    """A request as text."""
    lines = [f"{method} {target} HTTP/{version}", "Host: x", *fields]
    return "\r\n".join(lines) + "\r\n\r\n"


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
