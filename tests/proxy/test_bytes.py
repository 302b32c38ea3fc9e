#!/usr/bin/env python3
"""test_bytes.py: every byte both ways, half-closes, slow readers, resets, memory, pipes, descriptors."""
import hashlib
import os
import random
import socket
import struct
import sys
import threading
import time

from relay import PATIENCE, Proxy, Tap, Upstream, conversation, echo, everything, until


def digest_first(sock):
    """Answers with the digest of all it got: only a half-close lets it."""
    sock.sendall(hashlib.sha256(everything(sock)).hexdigest().encode())


def same_bytes(tap, sluice, seed, name, *options):
    with Upstream(echo) as upstream, Proxy(sluice, upstream.name, "--workers", "2", *options) as proxy:
        problems, threads = [], []
        for i in range(40):
            thread = threading.Thread(target=lambda i=i: problems.extend(conversation(proxy, seed + i)))
            thread.start()
            threads.append(thread)
            if len(threads) == 8:
                threads.pop(0).join(PATIENCE)
        for thread in threads:
            thread.join(PATIENCE)
        tap.check(f"every byte goes both ways, {name}", problems)
        stats = proxy.metrics()
        spliced = stats["spliced_bytes_total"]
        tap.check(f"{name}: bytes are spliced or copied as told",
                  [] if (spliced == 0) == ("--no-splice" in options) else [f"{spliced} spliced"])
        tap.check(f"{name}: all ended by both sides finishing", proxy.forgets(40) + ([] if proxy.ended("done") == 40 else [proxy.page("/metrics")]))
        tap.check(f"{name}: it ends with 0", [] if proxy.end() == 0 else [str(proxy.said)])


def half_closes(tap, sluice):
    data = os.urandom(5000000)
    with Upstream(digest_first) as upstream, Proxy(sluice, upstream.name) as proxy:
        answer = proxy.ask(data)
        tap.check("an end of one direction leaves the other open",
                  [] if answer == hashlib.sha256(data).hexdigest().encode() else [repr(answer[:100])])

    def hang_up(sock):
        sock.shutdown(socket.SHUT_WR)
        got.append(everything(sock))
    got = []
    with Upstream(hang_up) as upstream, Proxy(sluice, upstream.name) as proxy:
        with proxy.connect() as sock:
            ended = sock.recv(1) == b""
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            until(lambda: got)
        tap.check("an upstream that finishes first still gets all",
                  [] if ended and got == [data] else [f"{ended}, {[len(part) for part in got]}"])


def resets_are_told(tap, sluice):
    def reset(sock):
        sock.recv(1)
        sock.sendall(b"half of it")
        time.sleep(0.1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with Upstream(reset) as upstream, Proxy(sluice, upstream.name) as proxy:
        told = False
        with proxy.connect() as sock:
            sock.sendall(b"x")
            try:
                everything(sock)
            except ConnectionResetError:
                told = True
        tap.check("an upstream's reset is a reset for the client, not an end", [] if told else ["it looked like the end"])
        tap.check("and is counted so", [] if until(lambda: proxy.ended("upstream-error") == 1) else [proxy.page("/metrics")])

    seen = []

    def note(sock):
        try:
            everything(sock)
            seen.append("end")
        except ConnectionResetError:
            seen.append("reset")
    with Upstream(note) as upstream, Proxy(sluice, upstream.name) as proxy:
        sock = proxy.connect()
        sock.sendall(b"half of it")
        until(lambda: proxy.metrics()["relayed_bytes_total"] == 10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        until(lambda: seen)
        tap.check("a client's reset is a reset for the upstream", [] if seen == ["reset"] else [str(seen)])


def storm(tap, sluice):
    with Upstream(echo) as upstream, Proxy(sluice, upstream.name, "--workers", "2") as proxy:
        before = len(proxy.descriptors())
        for i in range(600):
            sock = proxy.connect()
            if i % 3:
                sock.send(b"x" * (i * 97 % 30000 + 1))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        tap.check("a storm of resets leaves neither connection nor descriptor", proxy.forgets(600, before))
        tap.check("and the proxy works on", conversation(proxy, 9))


PERIOD = 251  # no part of what a buffer or a pipe holds: what is lost or doubled does not look right
PATTERN = bytes(range(PERIOD)) * (2 + (1 << 20) // PERIOD)


def poured_at(at, nr):
    """What is poured from there on, so many bytes."""
    return PATTERN[at % PERIOD:at % PERIOD + nr]


def slow_reader(tap, sluice):
    """One client reads nothing while the upstream pours; another must not notice."""
    poured = []

    def pour_or_echo(sock):
        if sock.recv(4, socket.MSG_PEEK) != b"pour":
            return echo(sock)
        count = [0]
        poured.append(count)
        while True:
            count[0] += sock.send(poured_at(count[0], 65536))

    with Upstream(pour_or_echo) as upstream, Proxy(sluice, upstream.name, "--workers", "1") as proxy:
        slow = [proxy.connect(receive=65536) for _ in range(100)]
        for sock in slow:
            sock.sendall(b"pour")
        until(lambda: len(poured) == 100)
        level = [-1]

        def still():
            now = sum(count[0] for count in poured)
            calm, level[0] = now == level[0], now
            time.sleep(0.3)
            return calm
        tap.check("a reader that stops stops its own sender", [] if until(still) else ["it goes on"])
        stats = proxy.metrics()
        inside = stats["spilled_bytes"] + (stats["pipes_used"] << 20)
        tap.check("what 100 stalled directions hold is bounded: a pipe, or 16 KiB of memory",
                  [] if inside <= 100 * 16384 + (8 << 20) and stats["pipes"] <= 8 else [str(stats)])
        problems = []
        for seed in range(5):
            problems += conversation(proxy, seed)
        tap.check("others go on meanwhile", problems)
        tap.check("there are never more than 8 pipes", [] if proxy.pipes() <= 16 else [f"{proxy.pipes()} ends"])
        want = poured[0][0]
        slow[0].settimeout(PATIENCE)
        got, wrong = 0, []
        while got < want and (part := slow[0].recv(1 << 20)):
            wrong += [] if part == poured_at(got, len(part)) else [f"others within {len(part)} bytes from {got} on"]
            got += len(part)
        tap.check("one that reads on gets the rest", wrong[:3] + ([] if got >= want else [f"{got} of {want}"]))
        for sock in slow:
            sock.close()


def idle_memory(tap, sluice, nr=2000):
    def hold(sock):
        sock.recv(1)
    with Upstream(hold, backlog=4096) as upstream, Proxy(sluice, upstream.name, "--workers", "1", "--max-connections", "4000") as proxy:
        warm = [proxy.connect() for _ in range(50)]
        until(lambda: proxy.connected(upstream) == 50)
        before = proxy.memory_kib()
        socks = [proxy.connect() for _ in range(nr)]
        until(lambda: upstream.accepted == nr + 50)
        until(lambda: proxy.metrics()["connections"] == nr + 50)
        each = (proxy.memory_kib() - before) * 1024 / nr
        print(f"# {each:.0f} bytes of resident memory for each of {nr} idle connections")
        tap.check("an idle connection takes at most 2 KiB", [] if each <= 2048 else [f"{each:.0f} bytes"])
        for sock in warm + socks:
            sock.close()


def crowded(tap, sluice):
    """60 clients where five may be at a time: each is served in its turn."""
    with Upstream(echo) as upstream, Proxy(sluice, upstream.name, "--workers", "1", "--max-connections", "5") as proxy:
        socks = [proxy.connect() for _ in range(60)]
        until(lambda: proxy.metrics()["accept_pauses_total"] > 0 and proxy.connected(upstream) == 5)
        most, answered = proxy.connected(upstream), []

        def finish(sock):
            try:
                sock.sendall(b"hello")
                sock.shutdown(socket.SHUT_WR)
                answered.append(everything(sock))
            except OSError as error:
                answered.append(str(error))
            sock.close()
        threads = [threading.Thread(target=finish, args=(sock,)) for sock in socks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        tap.check("no more run at a time than allowed", [] if most == 5 else [f"{most}"])
        tap.check("all are served in their turn", [] if answered == [b"hello"] * 60 else [f"{len(answered)} {set(answered)}"])


def starving(tap, sluice):
    with Upstream(echo) as upstream:
        with Proxy(sluice, upstream.name, "--workers", "1", "--max-connections", "1000", prefix=["prlimit", "--nofile=40:40"]) as proxy:
            tap.check("few descriptors are told", [] if proxy.heard("needs two descriptors") else [str(proxy.said)])
            tap.check("and few are enough", conversation(proxy, 9))
        # 150 of 200 are somebody else's: it allows for more connections than there will be descriptors.
        inherited = ["bash", "-c", 'ulimit -n 200; for i in {1..150}; do exec {fd}</dev/null; done; exec "$@"', "-"]
        with Proxy(sluice, upstream.name, "--workers", "1", prefix=inherited) as proxy:
            socks = [proxy.connect() for _ in range(60)]
            tap.check("descriptors run out", [] if until(lambda: len(proxy.descriptors()) == 200) else [f"{len(proxy.descriptors())}"])
            for sock in socks:
                sock.close()
            tap.check("the proxy recovers from that", [] if until(lambda: recovers(proxy)) else ["it does not"])
            tap.check("what was lacking is counted", [] if until(lambda: proxy.metrics()["accept_starved_total"]) else [proxy.page("/metrics")])


def recovers(proxy):
    try:
        return proxy.ask(b"again") == b"again"
    except OSError:
        return False


def main():
    tap = Tap()
    sluice = sys.argv[1]
    seed = int(os.environ.get("SLUICE_SEED", random.randrange(1 << 30)))
    print(f"# SLUICE_SEED={seed}", flush=True)
    same_bytes(tap, sluice, seed, "by default")
    same_bytes(tap, sluice, seed, "without splice", "--no-splice")
    half_closes(tap, sluice)
    resets_are_told(tap, sluice)
    storm(tap, sluice)
    slow_reader(tap, sluice)
    idle_memory(tap, sluice)
    crowded(tap, sluice)
    starving(tap, sluice)
    tap.done()


main()
