#!/usr/bin/env python3
"""test_limits.py: how many connections there may be where descriptors are few, and who is told."""
import sys

from relay import Proxy, Tap, Upstream, conversation, echo

FEW = ("sh", "-c", 'ulimit -n 1000; exec "$@"', "sh")


def main():
    tap, sluice = Tap(), sys.argv[1]
    with Upstream(echo) as upstream:
        for options, warned in (((), False), (("--max-connections", "5000"), True)):
            with Proxy(sluice, upstream.name, "--workers", "1", *options, prefix=FEW) as proxy:
                found = any("--max-connections" in line and "ulimit -n" in line for line in proxy.said)
                tap.check("with too few descriptors it warns who asked for more" if warned else "and nobody else",
                          [] if found == warned else proxy.said)
                tap.check("and it works", [problem for seed in range(3) for problem in conversation(proxy, seed)])
    tap.done()


if __name__ == "__main__":
    main()
