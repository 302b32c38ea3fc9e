"""service.py: a running `sluice serve` over a directory of its own, and raw sockets to it."""
import os
import re
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import server  # noqa: E402 (the path is needed first)
from server import PATIENCE, Server, Tap  # noqa: E402

__all__ = ["PATIENCE", "Tap", "Service", "Place", "Answer", "Raw", "area", "get"]


def area():
    return server.area("serve")


class Answer:
    """A response: status, fields (lower-case names, the last of each counts), body."""

    def __init__(self, status, fields, body, interim):
        self.status, self.fields, self.body, self.interim = status, fields, body, interim

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:80]!r}"


class Raw:
    """A connection on which anything may be sent; reads answers strictly."""

    def __init__(self, place, port=None, receive=None):
        self.socket = socket.socket(socket.AF_UNIX if place.path else socket.AF_INET)
        if receive:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(place.path or ("127.0.0.1", port or place.port))
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


class Place:
    """Where somebody serves HTTP."""

    def __init__(self, port=None, path=None):
        self.port, self.path = port, path

    def connect(self, **options):
        return Raw(self, **options)

    def ask(self, request, head=False, **options):
        """One answer on a connection of its own."""
        with self.connect(**options) as raw:
            raw.send(request)
            return raw.answer(head)


class Service(Server, Place):
    """The server, on a port of its own or a unix socket."""

    def __init__(self, sluice, root, *options, path=None, **settings):
        self.root = root
        super().__init__(sluice, "serve", root, "--listen", f"unix:{path}" if path else "127.0.0.1:0", *options, **settings)
        self.path = path

    def forgets(self):
        """Problems, unless all connections but the one that asks are over."""
        return [] if self.until(lambda: self.metrics()["connections"] <= 1) else [f"{self.metrics()['connections']} are not"]


def get(target, *fields, method="GET", version="1.1"):
    """A request as text."""
    lines = [f"{method} {target} HTTP/{version}", "Host: x", *fields]
    return "\r\n".join(lines) + "\r\n\r\n"


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
