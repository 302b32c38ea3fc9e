#!/usr/bin/env python3
"""test_confine.py: what a proxy gives up once it listens, and that it works all the same."""
import os
import pwd
import re
import shutil
import signal
import sys

from relay import Proxy, Tap, Upstream, area, conversation, echo

# What the filter itself refuses is tried in tests/serve/test_confine.c: it is the same one.


def statuses(proxy):
    """Of the threads that are its own; the kernel's have what the one that made them has."""
    return [status for status in proxy.of_threads("status") if not re.search(r"Name:\s+iou-", status)]


def all_have(proxy, pattern):
    found = statuses(proxy)
    return [] if len(found) >= 3 and all(re.search(pattern, status) for status in found) else found or ["no thread"]


def works(proxy):
    return [problem for seed in range(5) for problem in conversation(proxy, seed)]


def reloads(tap, sluice, upstream):
    """What another user may not open it may not reload."""
    base = area()
    log = os.path.join(base, "log")
    try:
        os.chmod(base, 0o755)
        with Proxy(sluice, upstream.name, "--workers", "1", "--user", "nobody", "--access-log", log) as proxy:
            os.rename(log, log + ".1")
            proxy.signal(signal.SIGHUP)
            refused = proxy.heard("not reloaded, going on as before")
            told = any(f"{log}: Permission denied; a reload is done as the user of --user" in line for line in proxy.said)
            tap.check("a reload that needs the rights of before says so", ([] if refused and told else proxy.said) + works(proxy))
            with open(log, "wb"):
                os.chown(log, pwd.getpwnam("nobody").pw_uid, -1)
            proxy.signal(signal.SIGHUP)
            tap.check("one that does not is done", ([] if proxy.heard("proxy: reloaded") else proxy.said) + works(proxy))
    finally:
        shutil.rmtree(base)


def main():
    tap, sluice = Tap(), sys.argv[1]
    with Upstream(echo) as upstream:
        with Proxy(sluice, upstream.name, "--workers", "2") as proxy:
            if any("not kept from other system calls" in line for line in proxy.said):
                tap.skip("all threads are kept from what they do not need", "the kernel has no seccomp")
            else:
                tap.check("all threads are kept from what they do not need", all_have(proxy, r"Seccomp:\s+2\n"))
            tap.check("nor gain rights by it", all_have(proxy, r"NoNewPrivs:\s+1\n"))
            tap.check("and do what they are for", works(proxy))
        with Proxy(sluice, upstream.name, "--workers", "2", "--unconfined") as proxy:
            tap.check("with --unconfined they may what they might", all_have(proxy, r"NoNewPrivs:\s+0\n") + works(proxy))
        if os.geteuid() != 0:
            tap.skip("it becomes another user", "it takes root to become somebody else")
            tap.done()
        with Proxy(sluice, upstream.name, "--workers", "2", "--user", "nobody") as proxy:
            nobody = pwd.getpwnam("nobody")
            ids = rf"Uid:(\s+{nobody.pw_uid}){{4}}\nGid:(\s+{nobody.pw_gid}){{4}}\n"
            tap.check("it becomes another user, all threads of it", all_have(proxy, ids))
            tap.check("for good", all_have(proxy, r"CapEff:\s+0+\n"))
            tap.check("and works", works(proxy))
            reloads(tap, sluice, upstream)
            tap.check("it ends well", [] if proxy.end() == 0 else proxy.said)
    tap.done()


if __name__ == "__main__":
    main()
