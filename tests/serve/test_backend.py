#!/usr/bin/env python3
"""test_backend.py: what the server's rings run on, and what it says when that is not the best."""
import os
import subprocess
import sys

from service import Service, Tap, area, get, remove

DENY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "deny.py")
NO_RING = (sys.executable, DENY, "425,426,427", "1")
METRICS = ("--metrics", "127.0.0.1:0", "--workers", "2")
WHY = "sluice serve: on epoll, not as well as it might: "


def rings(service):
    return {name: value for name, value in service.metrics().items() if name.startswith("rings")}


def runs_on(service, backend):
    answer, found = service.ask(get("/small.txt")), rings(service)
    return ([] if answer.status == 200 and answer.body == b"small" else [str(answer)]) + \
        ([] if found == {f'rings{{backend="{backend}"}}': 2} else [str(found)])


def complaints(service):
    return [line for line in service.said if "not as well" in line]


def main():
    tap, base, sluice = Tap(), area(), sys.argv[1]
    os.environ.pop("SLUICE_BACKEND", None)
    try:
        with open(os.path.join(base, "small.txt"), "wb") as file:
            file.write(b"small")
        for backend in ("epoll", "poll"):
            with Service(sluice, base, "--backend", backend, *METRICS) as service:
                tap.check(f"it runs on {backend} when told to, which is no complaint", runs_on(service, backend) + complaints(service))
        with Service(sluice, base, *METRICS, env={"SLUICE_BACKEND": "epoll"}) as service:
            tap.check("the environment may tell it, too", runs_on(service, "epoll") + complaints(service))
        with Service(sluice, base, *METRICS, prefix=NO_RING) as service:
            tap.check("where io_uring is forbidden it runs on epoll", runs_on(service, "epoll"))
            said = complaints(service)
            tap.check("and says so once, and why",
                      [] if len(said) == 1 and said[0].startswith(WHY) and "seccomp" in said[0] else service.said)
            tap.check("it ends well", [] if service.end() == 0 else service.said)
        done = subprocess.run([*NO_RING, sluice, "serve", base, "--listen", "127.0.0.1:0", "--backend", "uring"], capture_output=True,
                              text=True, timeout=60, check=False)
        tap.check("but what was asked for by name is not replaced",
                  [] if done.returncode == 3 and "seccomp" in done.stderr and " on 127" not in done.stderr else
                  [f"exit code {done.returncode}", done.stderr])
        done = subprocess.run([sluice, "serve", base, "--listen", "127.0.0.1:0", "--backend", "kqueue"], capture_output=True,
                              text=True, timeout=60, check=False)
        tap.check("nor is a name that is none", [] if done.returncode == 2 and "'kqueue'" in done.stderr and "epoll" in done.stderr else
                  [f"exit code {done.returncode}", done.stderr])
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
