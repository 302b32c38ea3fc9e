#!/usr/bin/env python3
"""test_backend.py: what the proxy's rings run on, and what it says when that is not the best."""
import os
import sys

from relay import Proxy, Tap, Upstream, conversation, echo

DENY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "deny.py")
NO_RING = (sys.executable, DENY, "425,426,427", "1")
WHY = "sluice proxy: on epoll, not as well as it might: "


def runs_on(proxy, backend):
    found = {name: value for name, value in proxy.metrics().items() if name.startswith("rings")}
    problems = [problem for seed in range(5) for problem in conversation(proxy, seed)]
    return problems + ([] if found == {f'rings{{backend="{backend}"}}': 2} else [str(found)])


def complaints(proxy):
    return [line for line in proxy.said if "not as well" in line]


def main():
    tap, sluice = Tap(), sys.argv[1]
    os.environ.pop("SLUICE_BACKEND", None)
    with Upstream(echo) as upstream:
        for backend in ("epoll", "poll"):
            with Proxy(sluice, upstream.name, "--workers", "2", "--backend", backend) as proxy:
                tap.check(f"it runs on {backend} when told to, which is no complaint", runs_on(proxy, backend) + complaints(proxy))
        with Proxy(sluice, upstream.name, "--workers", "2", prefix=NO_RING) as proxy:
            tap.check("where io_uring is forbidden it runs on epoll", runs_on(proxy, "epoll"))
            said = complaints(proxy)
            tap.check("and says so once, and why",
                      [] if len(said) == 1 and said[0].startswith(WHY) and "seccomp" in said[0] else proxy.said)
            tap.check("it ends well", [] if proxy.end() == 0 else proxy.said)
    tap.done()


if __name__ == "__main__":
    main()
