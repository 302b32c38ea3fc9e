#!/usr/bin/env python3
"""test_overload.py: more peers than there is room for, and peers that come and go as they please."""
import os
import random
import resource
import socket
import struct
import sys
import threading
import time

from service import Service, Tap, area, get, remove

SMALL = b"this is small"
STALLED = 1000
TCP_REPAIR = 19


def expect(answer, status=200):
    return [] if answer is not None and answer.status == status else [f"{answer}, want {status}"]


def reset(raw):
    """The peer goes without a farewell."""
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.socket.close()


def stalled(tap, service):
    """Clients that ask for much and read nothing: no thread, little memory, and nobody else notices."""
    service.ask(get("/small.txt"))
    before = service.memory_kib()
    raws = [service.connect(receive=4096) for _ in range(STALLED)]
    for raw in raws:
        raw.send(get("/big.bin"))
    stuck = service.until(lambda: service.metrics()["stalls_total"] >= STALLED)
    threads, grown = service.kernel_threads(), service.memory_kib() - before
    tap.check(f"{STALLED} that do not read are begun and left", [] if stuck else [str(service.metrics())])
    tap.check("they bring no kernel thread", threads)
    tap.check("and little memory", [f"{grown} KiB"] if grown > 16384 else [])
    tap.check("others are answered", [problem for _ in range(100) for problem in expect(service.ask(get("/small.txt")))])
    tap.check("from files that are not in memory, too", [] if len(service.ask(get("/big.bin")).body) == 64 << 20 else ["they are not"])
    for i, raw in enumerate(raws):
        (reset if i % 2 else lambda raw: raw.socket.close())(raw)
    tap.check("all are forgotten when they go", service.forgets())


def storm(tap, service, seed):
    """Peers that reset the connection at any moment."""
    chance = random.Random(seed)
    answered = (get("/big.bin"), get("/small.txt") * 20, get("/put.bin", "Content-Length: 100000", method="PUT") + "x" * 999,
                get("/big.bin", "Range: bytes=100-2000000"), get("/") * 3, get("/none"))
    others = ("", "\r\n", get("/small.txt")[:-4])
    for _ in range(1500):
        raw = service.connect()
        try:
            request = chance.choice(answered + others)
            raw.send(request)
            if request in answered and chance.random() < 0.3:
                raw.more()
        except OSError:
            pass
        reset(raw)
    tap.check("a storm of resets leaves nothing behind", service.forgets())
    tap.check("and files come as before", expect(service.ask(get("/small.txt"))))


def gone(tap, service):
    """Peers that are gone without a word: the connection is open at one end only."""
    for i in range(20):
        with service.connect() as raw:
            raw.send(("", "GET /sm", get("/small.txt"))[i % 3])
            if i % 3 == 2:
                raw.answer()
            try:
                raw.socket.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            except PermissionError:
                tap.skip("who is gone without a word is forgotten in time", "it takes CAP_NET_ADMIN to close a socket in silence")
                return
    tap.check("who is gone without a word is forgotten in time", service.forgets())


def overload(tap, sluice, root):
    """Twice as many as there is room for, all of them busy."""
    with Service(sluice, root, "--workers", "1", "--max-connections", "50", "--metrics", "127.0.0.1:0", "--stall-timeout", "10m",
                 "--header-timeout", "10m", "--idle-timeout", "10m") as service:
        watcher = service.connect(port=service.metrics_port)
        first = [service.connect(receive=4096) for _ in range(50)]
        for raw in first:
            raw.send(get("/big.bin"))
        service.until(lambda: service.metrics()["connections"] >= 50)
        before = service.memory_kib()
        second = [service.connect() for _ in range(50)]
        for raw in second:
            raw.send(get("/small.txt"))
        # Those that look at the numbers come on top, and those that were being accepted when it stopped.
        tap.check("beyond its capacity it accepts no more",
                  [] if service.until(lambda: service.metrics()["accept_pauses_total"] >= 1) and service.metrics()["connections"] <= 60
                  else [str(service.metrics())])
        second[0].socket.settimeout(0.5)
        try:
            problems = [str(second[0].answer())]
        except TimeoutError:
            problems = []
        second[0].socket.settimeout(60)
        tap.check("those wait", problems)
        grown = service.memory_kib() - before
        tap.check("and take no memory", [f"{grown} KiB"] if grown > 4096 else [])
        watcher.send(get("/metrics"))
        tap.check("who looks at the numbers does not make room for them", expect(watcher.answer()))
        watcher.socket.close()
        for raw in first:
            reset(raw)
        tap.check("when there is room all of them are served", [problem for raw in second for problem in expect(raw.answer())][:3])
        for raw in second:
            raw.socket.close()
        tap.check("and it accepts again", expect(service.ask(get("/small.txt"))))


def flood(tap, sluice, root):
    """Many more clients than it can serve at a time, for a while: each gets its file or an end, never half of it, and asks again."""
    with Service(sluice, root, "--workers", "2", "--max-connections", "64", "--metrics", "127.0.0.1:0") as service:
        service.ask(get("/small.txt"))
        before, served, problems = service.memory_kib(), [], []

        def answered():
            try:
                answer = service.ask(get("/small.txt"))
            except (ConnectionResetError, BrokenPipeError):
                return False # one that was idle made room
            if answer is None:
                return False
            served.append(answer)
            return True

        def client():
            try:
                for _ in range(15):
                    problems.extend([] if service.until(answered) else ["it is not served"])
            except (OSError, EOFError, ValueError) as error:
                problems.append(repr(error))
        threads = [threading.Thread(target=client) for _ in range(128)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wrong = [str(answer) for answer in served if (answer.status, answer.body) != (200, SMALL)]
        grown = service.memory_kib() - before
        tap.check("at twice its capacity all are served in the end", problems[:3] + wrong[:3] + ([] if len(served) == 128 * 15 else [f"{len(served)}"]))
        tap.check("memory stays bounded", [f"{grown} KiB"] if grown > 16384 else [])
        tap.check("it recovers at once", expect(service.ask(get("/small.txt"))) + service.forgets())
        tap.check("and ends well", [f"exit code {code}"] if (code := service.end()) else [])


def descriptors(tap, sluice, root):
    """With few descriptors: those who wait are served once others go."""
    prefix = ["sh", "-c", 'ulimit -n 400; exec "$@"', "sh"]
    with Service(sluice, root, "--workers", "1", "--cache-files", "64", "--max-connections", "100000", "--header-timeout", "10m",
                 "--idle-timeout", "10m", prefix=prefix) as service:
        raws = []
        for _ in range(600):
            raw = service.connect()
            raw.send("GET /small.txt HTTP/1.1\r\n")
            raws.append(raw)
        for raw in raws[:500]:
            raw.socket.close()
        problems = []
        for raw in raws[500:]:
            raw.send("Host: x\r\n\r\n")
            problems += expect(raw.answer())
            raw.socket.close()
        tap.check("when descriptors run out, those who wait are served later", problems[:3])
        tap.check("and then all is well", expect(service.ask(get("/small.txt"))))


def main():
    tap, base, seed = Tap(), area(), int(os.environ.get("SLUICE_SEED", "0")) or time.time_ns() % 1000000
    print(f"# SLUICE_SEED={seed}", flush=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    root = os.path.join(base, "root")
    try:
        os.makedirs(root)
        with open(os.path.join(root, "small.txt"), "wb") as file:
            file.write(SMALL)
        with open(os.path.join(root, "big.bin"), "wb") as file:
            file.truncate(64 << 20)
        with Service(sys.argv[1], root, "--metrics", "127.0.0.1:0", "--workers", "2", "--stall-timeout", "10m") as service:
            stalled(tap, service)
            storm(tap, service, seed)
            tap.check("it ends well", [f"exit code {code}"] if (code := service.end()) else [])
        with Service(sys.argv[1], root, "--metrics", "127.0.0.1:0", "--workers", "2", "--header-timeout", "1", "--idle-timeout", "1") as service:
            gone(tap, service)
        overload(tap, sys.argv[1], root)
        flood(tap, sys.argv[1], root)
        descriptors(tap, sys.argv[1], root)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
