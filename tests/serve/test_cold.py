#!/usr/bin/env python3
"""test_cold.py: large files that are not in the page cache, and what is left there of them."""
import ctypes
import mmap
import os
import sys

from service import Service, Tap, area, get, remove

SIZE = 16 << 20
CACHESTAT = 451 # on every architecture


def cached(path):
    """Pages of a file in the page cache; None: the kernel does not tell."""
    span, counts = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
    fd = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syscall(CACHESTAT, fd, span, counts, 0) < 0:
            return None
    finally:
        os.close(fd)
    return counts[0]


def forget(path):
    """Out of the page cache with it. Return: whether it went."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
    return cached(path) == 0


def reads_directly(path):
    """Whether a direct read of this file leaves the page cache alone: some file systems only pretend."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        return False
    try:
        return os.preadv(fd, [mmap.mmap(-1, 1 << 20)], 0) == 1 << 20 and cached(path) == 0
    except OSError:
        return False
    finally:
        os.close(fd)


def direct_bytes(service):
    return service.metrics()["direct_bytes_total"]


def whole(answer, data):
    return [] if answer.status == 200 and answer.body == data else [f"{answer}"]


def past_the_cache(tap, sluice, root, path, data):
    with Service(sluice, root, "--metrics", "127.0.0.1:0", "--workers", "1") as service:
        forget(path)
        problems = whole(service.ask(get("/large.bin")), data)
        tap.check("a cold file arrives whole", problems)
        tap.check("read past the page cache, all of it", [] if direct_bytes(service) == SIZE else [str(service.metrics())])
        tap.check("where nothing of it is left", [f"{cached(path)} pages"] if cached(path) else [])
        problems = whole(service.ask(get("/large.bin")), data)
        tap.check("asked for again, it is worth being kept", problems + ([] if direct_bytes(service) == SIZE and cached(path) else
                                                                         [f"{cached(path)} pages, {service.metrics()}"]))


def spent_by_nobody_else(tap, sluice, root, path, data):
    """Only what was sent past the cache counts against it: not what was hot, not what was asked for and not taken."""
    with Service(sluice, root, "--metrics", "127.0.0.1:0", "--workers", "1") as service:
        with open(path, "rb") as file:
            file.read()
        problems = whole(service.ask(get("/large.bin")), data)
        forget(path)
        for _ in range(3):
            with service.connect(receive=4096) as raw:
                raw.send(get("/large.bin"))
                raw.more()
        service.until(lambda: service.metrics()["connections"] <= 1)
        before = direct_bytes(service)
        problems += whole(service.ask(get("/large.bin")), data)
        tap.check("downloads of a hot file and broken ones do not count", problems + ([] if direct_bytes(service) - before == SIZE and not cached(path)
                  else [f"{before} before, {cached(path)} pages, {service.metrics()}"]))
    with Service(sluice, root, "--metrics", "127.0.0.1:0", "--workers", "1") as service:
        forget(path)
        raws = [service.connect() for _ in range(2)]
        for raw in raws:
            raw.send(get("/large.bin"))
        problems = [problem for raw in raws for problem in whole(raw.answer(), data)]
        tap.check("two at once leave nothing there either", problems + ([f"{cached(path)} pages"] if cached(path) else []))


def where_it_begins(tap, sluice, root, path, data):
    """One part that is not there does not make the rest of a hot file be read."""
    with Service(sluice, root, "--metrics", "127.0.0.1:0", "--workers", "1") as service:
        with open(path, "rb") as file:
            file.read()
            os.posix_fadvise(file.fileno(), 1 << 20, 1 << 18, os.POSIX_FADV_DONTNEED)
        problems = whole(service.ask(get("/large.bin")), data)
        metrics = service.metrics()
        direct, hot = metrics["direct_bytes_total"], metrics["hot_bytes_total"]
        tap.check("where a hot file begins to be cold, and ends to be, is seen", problems + ([] if direct <= 2 << 20 and hot >= SIZE - (3 << 20)
                                                                                        else [f"{direct} direct, {hot} hot"]))


def by_looking(tap, sluice, root, path, data):
    with Service(sluice, root, "--metrics", "127.0.0.1:0", "--workers", "1") as service:
        forget(path)
        with open(path, "rb") as file:
            file.read()
        problems = whole(service.ask(get("/large.bin")), data)
        tap.check("a hot file is sent from the page cache", problems + ([str(service.metrics())] if direct_bytes(service) else []))
    with Service(sluice, root, "--metrics", "127.0.0.1:0", "--workers", "1") as service:
        forget(path)
        first = 5 * (1 << 20) + 777
        answer = service.ask(get("/large.bin", f"Range: bytes={first}-{first + 2999999}"))
        tap.check("a range of it begins and ends where it is asked to", [] if answer.body == data[first:first + 3000000] else [f"{answer}"])
        direct = direct_bytes(service)
        tap.check("and is read past the page cache, too", [] if direct == 3000000 else [f"{direct}"])
    with Service(sluice, root, "--metrics", "127.0.0.1:0", "--workers", "1", "--direct-file", "0") as service:
        forget(path)
        problems = whole(service.ask(get("/large.bin")), data)
        tap.check("told not to, it reads all through the page cache", problems + ([str(service.metrics())] if direct_bytes(service) else []))


def main():
    tap, base = Tap(), area()
    root = os.path.join(base, "www")
    path = os.path.join(root, "large.bin")
    data = os.urandom(SIZE)
    os.makedirs(root)
    with open(path, "wb") as file:
        file.write(data)
    try:
        if not forget(path):
            tap.skip("large cold files", "the kernel does not tell what is cached, or keeps what it is asked to drop")
        elif not reads_directly(path):
            tap.skip("large cold files", "the file system of the test directory reads nothing directly")
        else:
            past_the_cache(tap, sys.argv[1], root, path, data)
            spent_by_nobody_else(tap, sys.argv[1], root, path, data)
            where_it_begins(tap, sys.argv[1], root, path, data)
            by_looking(tap, sys.argv[1], root, path, data)
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
