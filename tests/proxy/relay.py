"""relay.py: a running `sluice proxy`, upstreams of our own behind it, and sockets in front of it."""
import os
import random
import selectors
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import server  # noqa: E402 (the path is needed first)
from server import PATIENCE, Server, Tap, until  # noqa: E402

__all__ = ["Tap", "Proxy", "Upstream", "Pourer", "area", "until", "everything", "outcome", "dead_port", "echo", "conversation", "PATIENCE"]


def area():
    return server.area("proxy")


def everything(sock):
    """All bytes until the end; ConnectionResetError when it is not the end but a reset."""
    parts = []
    while True:
        part = sock.recv(1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)


def outcome(sock):
    """How the other side ended: all that came, or "reset"."""
    try:
        return everything(sock)
    except ConnectionResetError:
        return "reset"


reserved = []


def dead_port():
    """A port that nobody listens on, unless an Upstream here does: it is kept from everybody else."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    reserved.append(sock)
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
    """Random parts both ways at once with an upstream that echoes, by the seed of few bytes or many; the problems."""
    rng = random.Random(seed)
    data = rng.randbytes([0, 1, 100, 20000, 3000000][seed % 5])
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


class Proxy(Server):
    """The proxy, with its metrics."""

    def __init__(self, sluice, *options, listen="127.0.0.1:0", **settings):
        super().__init__(sluice, "proxy", "--listen", listen, "--metrics", "127.0.0.1:0", *options, **settings)

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

    def refuses(self, data, source=None):
        """Problems, unless it ends the connection without a byte, at whatever moment."""
        try:
            with self.connect(source) as sock:
                sock.sendall(data)
                got = outcome(sock)
        except (ConnectionResetError, BrokenPipeError):
            got = "reset"
        return [] if got in (b"", "reset") else [f"{got[:100]!r}"]

    def ended(self, how):
        return self.metrics()[f'connections_ended_total{{end="{how}"}}']

    def connected(self, upstream):
        """Connections to an upstream now."""
        return self.metrics()[f'upstream_connections{{upstream="{upstream.name}"}}']

    def forgets(self, accepted, descriptors=None):
        """Problems, unless so many were accepted in all, and in the end none is left nor, beside pipes, a descriptor more."""
        def gone():
            stats = self.metrics()
            more = descriptors is not None and len(self.descriptors()) - descriptors - 2 * stats["pipes"]
            return stats["connections_accepted_total"] >= accepted and stats["connections"] == 0 and more <= 2
        return [] if until(gone) else [f"{len(self.descriptors())} descriptors, {descriptors} before", self.page("/metrics")]

    def pipes(self):
        """Descriptors of pipes, both ends of each; not what it says and hears."""
        nr = 0
        for name in set(self.descriptors()) - {"0", "1", "2"}:
            try:
                nr += os.readlink(f"/proc/{self.process.pid}/fd/{name}").startswith("pipe:")
            except OSError:
                pass
        return nr
