#!/usr/bin/env python3
"""test_addresses.py: a proxy that listens on all addresses of the machine: what upstreams and the log call its clients."""
import json
import os
import shutil
import socket
import struct
import sys

from relay import Proxy, Tap, Upstream, area, everything
from server import has_v6


def tell(sock):
    """Sends back what it is sent."""
    data = everything(sock)
    sock.sendall(data)


def ask(proxy, host, data=b"hello"):
    """Return: what came back, and the client's own port."""
    with socket.create_connection((host, proxy.port), 60) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return everything(sock), sock.getsockname()[1]


def headers(tap, sluice, upstream, base):
    log = os.path.join(base, "log")
    with Proxy(sluice, upstream.name, "--send-proxy", "v1", "--access-log", log, "--log-format", "json", "--workers", "1", listen=":0") as proxy:
        got, port = ask(proxy, "127.0.0.1")
        want = f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} {proxy.port}\r\nhello".encode()
        tap.check("a client of IPv4 is told as one", [] if got == want else [repr(got)])
        ports = [port]
        got, port = ask(proxy, "::1")
        want = f"PROXY TCP6 ::1 ::1 {port} {proxy.port}\r\nhello".encode()
        tap.check("and one of IPv6 as one", [] if got == want else [repr(got)])
        ports.append(port)
        proxy.end()
    with open(log, encoding="ascii") as file:
        clients = [json.loads(line)["client"] for line in file]
    tap.check("the log calls them so, too", [] if clients == [f"127.0.0.1:{ports[0]}", f"[::1]:{ports[1]}"] else clients)
    with Proxy(sluice, upstream.name, "--send-proxy", "v2", "--workers", "1", listen=":0") as proxy:
        got, port = ask(proxy, "127.0.0.1")
        want = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes([127, 0, 0, 1] * 2) + struct.pack("!HH", port, proxy.port) + b"hello"
        tap.check("so in the binary form", [] if got == want else [repr(got)])


def given(tap, sluice, upstream):
    """A header from a proxy in front, which did not know better."""
    with Proxy(sluice, upstream.name, "--proxy-from", "127.0.0.1", "--send-proxy", "v1", "--workers", "1", listen=":0") as proxy:
        got, _ = ask(proxy, "127.0.0.1", b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 5 80\r\nhello")
        want = b"PROXY TCP4 192.0.2.7 192.0.2.1 5 80\r\nhello"
        tap.check("one that was told in the other form is told on in its own", [] if got == want else [repr(got)])


def main():
    tap, base = Tap(), area()
    try:
        if not has_v6():
            tap.skip("a client of IPv4 is told as one", "this machine has no IPv6")
            tap.done()
        with Upstream(tell) as upstream:
            headers(tap, sys.argv[1], upstream, base)
            given(tap, sys.argv[1], upstream)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    tap.done()


if __name__ == "__main__":
    main()
