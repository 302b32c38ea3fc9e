"""relay.py: a running `sluice proxy`, upstreams of our own behind it, and sockets in front of it."""
import os
import random
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "tests", "style"))
from tap import Tap  # noqa: E402 (the path is needed first)

__all__ = ["Tap", "Proxy", "Upstream", "Pourer", "area", "until", "everything", "dead_port", "echo", "conversation", "PATIENCE"]

PATIENCE = 60  # seconds that nothing here takes; only a hang does


def area():
    return tempfile.mkdtemp(prefix="sluice-proxy-", dir=os.environ.get("SLUICE_TEST_DIR") or os.environ.get("TMPDIR") or "/var/tmp")


def until(holds, timeout=PATIENCE):
    """Waits for what must come true; False only when it does not."""
    end = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def everything(sock):
    """All bytes until the end; ConnectionResetError when it is not the end but a reset."""
    parts = []
    while True:
        part = sock.recv(1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)


def dead_port():
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def echo(sock):
    """Sends everything back, then finishes: what an upstream may do."""
    while True:
        data = sock.recv(1 << 16)
        if not data:
            sock.shutdown(socket.SHUT_WR)
            return
        sock.sendall(data)


def conversation(proxy, seed):
    """Random sizes both ways at once with an upstream that echoes; the problems."""
    rng = random.Random(seed)
    data = rng.randbytes(rng.choice([0, 1, 100, 20000, 3000000]))
    with proxy.connect() as sock:
        def send():
            at = 0
            while at < len(data):
                part = rng.choice([1, 700, 16384, 65536, 400000])
                sock.sendall(data[at:at + part])
                at += part
            sock.shutdown(socket.SHUT_WR)
        thread = threading.Thread(target=send)
        thread.start()
        back = everything(sock)
        thread.join(PATIENCE)
    return [] if back == data else [f"conversation {seed}: {len(back)} of {len(data)} bytes, or others"]


class Upstream:
    """Listens, and runs a function on a thread for each connection."""

    def __init__(self, serve, port=0, backlog=1024):
        self.serve, self.accepted = serve, 0
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(backlog)
        self.port = self.listener.getsockname()[1]
        self.name = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self.run, args=(sock,), daemon=True).start()

    def run(self, sock):
        with sock:
            try:
                self.serve(sock)
            except OSError:
                pass

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Pourer:
    """Sends without end to whoever connects; one thread for all of them, and segments as of a network."""

    def __init__(self, segment=1400):
        self.poured, self.socks = {}, []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(4096)
        self.listener.setblocking(False)
        self.name = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.ends = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        data = b"p" * 65536
        while not self.ends:
            for key, _ in self.selector.select(0.1):
                if key.fileobj is self.listener:
                    self.accept()
                    continue
                try:
                    self.poured[key.fd] += key.fileobj.send(data)
                except BlockingIOError:
                    pass
                except OSError:
                    self.selector.unregister(key.fileobj)

    def accept(self):
        sock, _ = self.listener.accept()
        sock.setblocking(False)
        self.socks.append(sock)
        self.poured[sock.fileno()] = 0
        self.selector.register(sock, selectors.EVENT_WRITE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ends = True
        self.thread.join(PATIENCE)
        for sock in self.socks + [self.listener]:
            sock.close()


class Proxy:
    """The proxy; what it says on stderr is kept."""

    def __init__(self, sluice, *options, **settings):
        command = [sluice, "proxy", "--listen", settings.get("listen", "127.0.0.1:0"), "--metrics", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(settings.get("prefix", []) + command, stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        self.port = self.metrics_port = None
        self.said = []
        while self.metrics_port is None:
            line = self.process.stderr.readline()
            if not line:
                raise RuntimeError(f"it did not begin: {self.said}")
            self.said.append(line.rstrip("\n"))
            match = re.match(r"sluice proxy: (metrics|to \d+ upstreams?) on .*?(?::(\d+))?$", line)
            if match and match.group(1) == "metrics":
                self.metrics_port = int(match.group(2))
            elif match and match.group(2):
                self.port = int(match.group(2))
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

    def wait(self):
        code = self.process.wait(PATIENCE)
        self.thread.join(PATIENCE)
        return code

    def end(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def heard(self, pattern):
        return until(lambda: any(re.search(pattern, line) for line in self.said))

    def connect(self, source=None, receive=None, segment=None):
        sock = socket.socket()
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        if segment:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        sock.settimeout(PATIENCE)
        if source:
            sock.bind((source, 0))
        sock.connect(("127.0.0.1", self.port))
        return sock

    def ask(self, data, source=None):
        """Sends it all and finishes; what comes back until the end."""
        with self.connect(source) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return everything(sock)

    def page(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def metrics(self):
        """The numbers of /metrics by name, labels included."""
        return {name: int(value) for name, value in re.findall(r"^sluice_proxy_(\S+) (\d+)$", self.page("/metrics"), re.M)}

    def ended(self, how):
        return self.metrics()[f'connections_ended_total{{end="{how}"}}']

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def descriptors(self):
        return os.listdir(f"/proc/{self.process.pid}/fd")

    def kernel_threads(self):
        """Names of threads that the kernel made for it."""
        names = []
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/comm", encoding="ascii") as file:
                    names.append(file.read().strip())
            except OSError:
                pass
        return [name for name in names if name.startswith("iou-")]

    def pipes(self):
        """Descriptors of pipes, both ends of each; not what it says and hears."""
        nr = 0
        for name in set(self.descriptors()) - {"0", "1", "2"}:
            try:
                nr += os.readlink(f"/proc/{self.process.pid}/fd/{name}").startswith("pipe:")
            except OSError:
                pass
        return nr
