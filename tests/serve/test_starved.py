#!/usr/bin/env python3
"""test_starved.py: descriptors run out while connections come in: who gets one, and what is left when it is over."""
import os
import re
import sys

from service import Service, Tap, area, get, remove

OPTIONS = ("--metrics", "127.0.0.1:0", "--workers", "1", "--cache-files", "64", "--idle-timeout", "1h", "--header-timeout", "1h",
           "--cache-valid", "1h")
# So few that connections run out of them before they are as many as allowed. What accepts in the kernel may keep the
# limit of when it began: it is not enough to lower it later.
DESCRIPTORS = 64
FEW = ("sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh")
MANY = 2 * DESCRIPTORS


class Watch:
    """The numbers by a connection that was there before."""

    def __init__(self, service):
        self.raw = service.connect(port=service.metrics_port)
        self()

    def __call__(self):
        self.raw.send(get("/metrics"))
        text = self.raw.answer().body.decode()
        return {name: int(value) for name, value in re.findall(r"^sluice_serve_(\S+) (\d+)$", text, re.M)}


def answered(raw):
    answer = raw.answer()
    return [] if answer is not None and answer.status == 200 and answer.body == b"small" else [str(answer)]


def crowd(service, nr, request):
    raws = [service.connect() for _ in range(nr)]
    for raw in raws:
        raw.send(request)
    return raws


def idle_ones(tap, service, watch):
    """The idle give theirs to those that have something to ask."""
    idle = crowd(service, 10, get("/small.txt"))
    problems = [problem for raw in idle for problem in answered(raw)]
    come = crowd(service, MANY, get("/small.txt"))
    problems += [problem for raw in come for problem in answered(raw)]
    numbers = watch()
    tap.check("when descriptors run out in accept, all who come are answered", problems[:3])
    tap.check("descriptors had run out", [] if numbers["accept_starved_total"] > 0 and not numbers["accept_pauses_total"] else [str(numbers)])
    tap.check("since idle ones gave theirs", [] if numbers["connections_evicted_total"] >= MANY - DESCRIPTORS else [str(numbers)])
    tap.check("those idle longest first", [] if all(raw.ended() for raw in idle) else ["they are still there"])
    for raw in idle + come:
        raw.socket.close()


def busy_ones(tap, service, watch):
    """Those that are at something keep theirs, and others wait for them."""
    service.until(lambda: watch()["connections"] == 1)
    before = watch()
    come = crowd(service, MANY, "GET /small.txt HTTP/1.1\r\n")
    starved = service.until(lambda: watch()["accept_starved_total"] > before["accept_starved_total"])
    tap.check("where none is idle others wait", [] if starved else [str(watch())])
    problems = []
    for raw in come:
        raw.send("Host: x\r\n\r\n")
        problems += answered(raw)
        raw.socket.close()
    now = watch()
    tap.check("and are served as others go", problems[:3])
    tap.check("of whom none was cut", [] if now["connections_evicted_total"] == before["connections_evicted_total"] else [str(now)])


def after(tap, service, watch):
    service.until(lambda: watch()["connections"] == 1)
    before = watch()
    come = crowd(service, 10, get("/small.txt"))
    problems = [problem for raw in come for problem in answered(raw)]
    # Again: none of them was closed.
    for raw in come:
        raw.send(get("/small.txt"))
    problems += [problem for raw in come for problem in answered(raw)]
    now = watch()
    problems += [name for name in ("accept_starved_total", "connections_evicted_total") if now[name] != before[name]]
    tap.check("when there are descriptors again it is as if nothing had been", problems)
    for raw in come:
        raw.socket.close()


def main():
    tap, base, sluice = Tap(), area(), sys.argv[1]
    try:
        with open(os.path.join(base, "small.txt"), "wb") as file:
            file.write(b"small")
        with Service(sluice, base, *OPTIONS, prefix=FEW) as service:
            watch = Watch(service)
            idle_ones(tap, service, watch)
            busy_ones(tap, service, watch)
            after(tap, service, watch)
            tap.check("it ends well", [] if service.end() == 0 else service.said)
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
