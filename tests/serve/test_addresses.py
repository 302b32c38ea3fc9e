#!/usr/bin/env python3
"""test_addresses.py: listening on all addresses of the machine, and on IPv6: what clients are called."""
import json
import os
import re
import socket
import sys

from service import PATIENCE, Place, Service, Tap, area, get, remove
from server import has_v6


class Elsewhere(Place):
    """Another address of the same server."""

    def __init__(self, service, host):
        self.host, found = host, None
        Service.until(lambda: any(re.search(r" on \[::1?\]:\d+$", line) for line in service.said))
        for line in service.said:
            found = re.search(r" on \[::1?\]:(\d+)$", line) or found
        super().__init__(port=int(found.group(1)))

    def ask(self, request, head=False):
        with socket.create_connection((self.host, self.port), PATIENCE) as sock:
            sock.sendall(request.encode())
            sock.shutdown(socket.SHUT_WR)
            parts = []
            while part := sock.recv(1 << 16):
                parts.append(part)
        return b"".join(parts)


def served(answer, body):
    return [] if answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\n" + body) else [repr(answer)]


def peers(log):
    with open(log, encoding="ascii") as file:
        return [json.loads(line)["peer"] for line in file]


def all_addresses(tap, sluice, root, base):
    log = os.path.join(base, "log")
    with Service(sluice, root, "--listen", ":0", "--access-log", log, "--log-format", "json", "--workers", "1") as service:
        problems = served(Elsewhere(service, "127.0.0.1").ask(get("/small.txt")), b"small")
        tap.check("all addresses of the machine are served, of IPv4", problems)
        problems = served(Elsewhere(service, "::1").ask(get("/small.txt")), b"small")
        tap.check("and of IPv6", problems)
        service.end()
    tap.check("clients of either are called by their own address", [] if peers(log) == ["127.0.0.1", "::1"] else peers(log))


def one_client(tap, sluice, root):
    with Service(sluice, root, "--listen", ":0", "--max-per-client", "1", "--workers", "1") as service:
        there = Elsewhere(service, "127.0.0.1")
        with service.connect() as raw:
            raw.send(get("/small.txt"))
            raw.answer()
            answer = there.ask(get("/small.txt"))
        tap.check("a client is the same one on all of them", [] if answer.startswith(b"HTTP/1.1 503 ") else [repr(answer)])


def v6_alone(tap, sluice, root, base):
    log = os.path.join(base, "log6")
    with Service(sluice, root, "--listen", "[::1]:0", "--access-log", log, "--log-format", "common", "--workers", "1") as service:
        problems = served(Elsewhere(service, "::1").ask(get("/small.txt")), b"small")
        service.end()
    with open(log, encoding="ascii") as file:
        line = file.read()
    tap.check("an address of IPv6 is served, and logged", problems + ([] if line.startswith("::1 - - [") else [line]))


def main():
    tap, base, sluice = Tap(), area(), sys.argv[1]
    root = os.path.join(base, "root")
    try:
        if not has_v6():
            tap.skip("all addresses of the machine are served", "this machine has no IPv6")
            tap.done()
        os.makedirs(root)
        with open(os.path.join(root, "small.txt"), "wb") as file:
            file.write(b"small")
        all_addresses(tap, sluice, root, base)
        one_client(tap, sluice, root)
        v6_alone(tap, sluice, root, base)
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
