#!/usr/bin/env python3
"""test_attacks.py: stalled readers by the thousand, slow and malformed openings, resets, silence, overload."""
import os
import random
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

from relay import PATIENCE, Pourer, Proxy, Tap, Upstream, conversation, echo, everything, outcome, until

STALLED = 1000
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a close is a reset
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def still(number):
    """True once a number is the same twice."""
    before = [None]

    def calm():
        now = number()
        same, before[0] = now == before[0], now
        time.sleep(0.3)
        return same
    return until(calm)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    sock.close()


def socket_memory_is_short():
    """Whether the kernel refuses sockets memory that they were promised."""
    with open("/proc/net/sockstat", encoding="ascii") as file:
        used = int(re.search(r"TCP:.* mem (\d+)", file.read()).group(1))
    with open("/proc/sys/net/ipv4/tcp_mem", encoding="ascii") as file:
        return used > int(file.read().split()[0])


def stalled_readers(tap, sluice):
    """A thousand clients ask for everything and read nothing; one worker serves others meanwhile."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit[1] < 3 * STALLED:
        tap.skip("a thousand stalled readers", f"the limit of descriptors is {limit[1]}")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    with Pourer() as pourer, Upstream(echo) as other:
        with Proxy(sluice, pourer.name, "--workers", "1", "--max-connections", "4000") as proxy:
            before = proxy.memory_kib()
            socks = [proxy.connect(receive=32768, segment=1400) for _ in range(STALLED)]
            until(lambda: len(pourer.poured) == STALLED)
            tap.check("a thousand readers that stall stop their senders",
                      [] if still(lambda: sum(pourer.poured.values())) else ["one goes on"])
            short, stats = socket_memory_is_short(), {}

            def none_used():
                stats.update(proxy.metrics())
                return stats["pipes_used"] == 0
            until(lambda: none_used() or short)
            grown = proxy.memory_kib() - before
            print(f"# {grown / STALLED:.1f} KiB of memory for each of {STALLED}, {stats['spilled_bytes']} bytes of theirs in all, "
                  f"{stats['stalls_total']} stalls")
            if short:
                tap.skip("they keep no pipe", "the kernel is short of socket memory")
            else:
                tap.check("they keep no pipe", [] if stats["pipes_used"] == 0 and proxy.pipes() <= 16 else [str(stats)])
            tap.check("each takes at most 64 KiB and its 2 KiB", [] if stats["spilled_bytes"] <= STALLED << 16
                      and grown <= STALLED * 66 + 8192 else [f"{grown} KiB", str(stats)])
            tap.check("no thread of the kernel works for them", proxy.kernel_threads())
            tap.check("and none of them is cut", [] if stats["connections"] == STALLED else [str(stats)])
            for sock in socks[::2]:
                reset(sock)
            tap.check("those that leave take what is theirs along",
                      [] if until(lambda: proxy.metrics()["connections"] == STALLED / 2) else [proxy.page("/metrics")])
            for sock in socks[1::2]:
                reset(sock)
        with Proxy(sluice, "--sni", f"a.example={pourer.name}", other.name, "--workers", "1", "--max-connections", "4000") as proxy:
            beside_others(tap, proxy)


def beside_others(tap, proxy):
    """The same worker: half of the clients stall with one upstream, others talk to another."""
    hello = {name: client_hello(name) for name in ("a.example", "b.example")}
    socks = [proxy.connect(receive=32768, segment=1400) for _ in range(200)]
    for sock in socks:
        sock.sendall(hello["a.example"])
    until(lambda: proxy.metrics()["stalls_total"] >= 200)
    still(lambda: proxy.metrics()["relayed_bytes_total"])
    until(lambda: proxy.metrics()["pipes_used"] == 0)
    before, data, problems = proxy.metrics()["spliced_bytes_total"], hello["b.example"] + os.urandom(4000000), []
    for _ in range(3):
        with proxy.connect() as sock:
            thread = threading.Thread(target=lambda sock=sock: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
            thread.start()
            problems += [] if everything(sock) == data else ["other bytes"]
            thread.join(PATIENCE)
    tap.check("others go on beside them, every byte", problems)
    spliced = proxy.metrics()["spliced_bytes_total"] - before
    tap.check("and without a copy", [] if spliced >= len(data) else [f"{spliced} of {6 * len(data)} bytes spliced"])
    for sock in socks:
        reset(sock)


def client_hello(name):
    """The first flight of a TLS client that asks for a name."""
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def slow_hellos(tap, sluice):
    hello = client_hello("a.example")
    with Upstream(echo) as upstream:
        with Proxy(sluice, "--sni", f"a.example={upstream.name}", "--workers", "1") as proxy:
            with proxy.connect() as sock:
                for at in range(0, len(hello), 7):
                    sock.sendall(hello[at:at + 7])
                sock.shutdown(socket.SHUT_WR)
                tap.check("a hello in small pieces is one", [] if everything(sock) == hello else ["it is not"])
        with Proxy(sluice, "--sni", f"a.example={upstream.name}", "--workers", "1", "--hello-timeout", "2s") as proxy:
            socks = [proxy.connect() for _ in range(300)]
            begin = time.monotonic()
            for i, sock in enumerate(socks):
                try:
                    sock.sendall(hello[:1 + i % (len(hello) - 1)])
                except OSError: # on a machine that is slow their time is over
                    pass
            tap.check("beside three hundred that never finish theirs others are served",
                      [] if proxy.ask(hello) == hello else ["they are not"])
            time.sleep(1)
            for sock in socks:  # a byte now and then buys no time
                try:
                    sock.sendall(hello[-1:])
                except OSError:
                    pass
            tap.check("they are closed", [] if until(lambda: proxy.metrics()["connections"] == 0) else ["some are not"])
            ends = {how: proxy.ended(how) for how in ("slow-hello", "bad-client-hello")}
            print(f"# {ends} after {time.monotonic() - begin:.1f} s")
            tap.check("as being slow, or malformed by then",
                      [] if ends["slow-hello"] >= 250 and sum(ends.values()) == 300 else [str(ends)])
            tap.check("the upstream has not heard of them", [] if upstream.accepted == 2 else [f"{upstream.accepted}"])
            for sock in socks:
                sock.close()


def bad_headers(tap, sluice):
    seed = int(os.environ.get("SLUICE_SEED", random.randrange(1 << 30)))
    print(f"# SLUICE_SEED={seed}")
    rng, problems = random.Random(seed), []
    cases = [b"PROXY TCP4 " + b"1" * 200, b"PROXY UNKNOWN " + b"x" * 5000, b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 1\r\n", b"PROXY TCP4 1.2.3.4\0\r\n",
             b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n\0\r\nQUIX\n", V2 + b"\x31\x11\0\x0c" + b"\0" * 12, V2 + b"\x21\x11\0\x02\0\0",
             V2 + b"\x21\x11\xff\xff" + b"\0" * 70000, V2 + b"\x2f\x11\0\x0c" + b"\0" * 12]
    cases += [rng.randbytes(rng.randrange(16, 5000)) for _ in range(100)]
    with Upstream(echo) as upstream, Proxy(sluice, upstream.name, "--proxy-from", "127.0.0.2", "--workers", "1", "--hello-timeout", "30s") as proxy:
        for i, case in enumerate(cases):
            problems += [f"case {i}: {problem}" for problem in proxy.refuses(case, source="127.0.0.2")]
        tap.check("headers that are none, too long or garbage are closed", problems)
        tap.check("as such", [] if until(lambda: proxy.ended("bad-proxy-header") == len(cases)) else [f"{proxy.ended('bad-proxy-header')} of {len(cases)}"])
        tap.check("no upstream hears of them", [] if upstream.accepted == 0 else [f"{upstream.accepted}"])
        tap.check("and the proxy works on", conversation(proxy, seed))


def storms(tap, sluice):
    """Resets by upstreams, and by clients in every state of the opening."""
    def refuse(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    with Upstream(refuse) as upstream, Proxy(sluice, upstream.name, "--workers", "1", "--fall", "1000") as proxy:
        before, problems = len(proxy.descriptors()), []
        for _ in range(300):
            problems += proxy.refuses(b"x")
        tap.check("upstreams that reset leave neither connection nor descriptor", problems + proxy.forgets(300, before))
        # A reset may be there before the connection is known to have been made: then there is no upstream.
        failed = {how: proxy.ended(how) for how in ("upstream-error", "client-error", "no-upstream")}
        tap.check("none of them ends as if all were well", [] if sum(failed.values()) == 300 else [proxy.page("/metrics")])
    hello = client_hello("a.example")
    with Upstream(echo) as upstream, Proxy(sluice, "--sni", f"a.example={upstream.name}", "--workers", "1") as proxy:
        before = len(proxy.descriptors())
        for i in range(300):
            sock = proxy.connect()
            sock.sendall(hello[:i * 11 % (len(hello) + 1)])
            reset(sock)
        tap.check("clients that reset amid a hello leave nothing", proxy.forgets(300, before))
        tap.check("and the next one is served", [] if proxy.ask(hello) == hello else ["it is not"])


def half_open(tap, sluice):
    """A peer that vanished without a word: its socket is closed under repair, which tells nobody."""
    with Upstream(echo) as upstream, Proxy(sluice, upstream.name, "--idle-timeout", "2s") as proxy:
        sock = proxy.connect()
        sock.sendall(b"x")
        if sock.recv(1) != b"x":
            tap.check("a peer that vanished is given up", ["no echo"])
        try:
            sock.setsockopt(socket.IPPROTO_TCP, 19, 1)  # TCP_REPAIR
        except OSError as error:
            sock.close()
            tap.skip("a peer that vanished is given up", f"TCP_REPAIR: {error}")
            return
        sock.close()
        tap.check("a peer that vanished is given up", [] if until(lambda: proxy.ended("timeout") == 1) else [proxy.page("/metrics")])
        tap.check("and nothing of it stays", [] if until(lambda: proxy.metrics()["connections"] == 0) else ["it does"])


def dying_upstream(tap, sluice):
    """A process that is killed while it sends: clients get what came, then its end, and do not hang."""
    script = ("import socket,sys\ns=socket.create_server(('127.0.0.1',0))\nprint(s.getsockname()[1],flush=True)\nc=[]\n"
              "for _ in range(8): c.append(s.accept()[0])\nfor x in c: x.sendall(b'd'*500000)\nprint('sent',flush=True)\nsys.stdin.read()")
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(process.stdout.readline())
    with Upstream(echo) as live, Proxy(sluice, f"127.0.0.1:{port}", live.name, "--workers", "1") as proxy:
        socks = [proxy.connect() for _ in range(16)]  # every other one goes there
        until(lambda: proxy.metrics()[f'upstream_connections{{upstream="127.0.0.1:{port}"}}'] == 8)
        got, threads = [], []
        for sock in socks:
            threads.append(threading.Thread(target=lambda sock=sock: got.append(outcome(sock))))
            threads[-1].start()
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: len(got) >= 8)
        tap.check("clients of an upstream that died are told",
                  [] if len(got) == 8 and all(part == "reset" or part == b"d" * 500000 for part in got) else [f"{len(got)}"])
        for sock in socks:
            try:
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        for thread in threads:
            thread.join(PATIENCE)
        tap.check("those of the other one notice nothing", [] if got.count(b"") == 8 else [str([part[:9] for part in got])])
        for sock in socks:
            sock.close()
        tap.check("connections go where it lives from then on", [] if all(proxy.ask(b"x") == b"x" for _ in range(6)) else ["they do not"])
    process.stdin.close()
    process.stdout.close()


def deaf_upstream(tap, sluice):
    """One whose backlog is full: it answers nothing, so that only the limit of time ends an attempt."""
    with socket.socket() as listener, Upstream(echo) as live:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        name = f"127.0.0.1:{listener.getsockname()[1]}"
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        with Proxy(sluice, name, live.name, "--connect-timeout", "200ms", "--fall", "1000", "--workers", "1") as proxy:
            tap.check("an upstream that does not answer is given up in time, and another one taken",
                      [] if all(proxy.ask(b"x") == b"x" for _ in range(4)) else [proxy.page("/metrics")])
            failed = proxy.metrics()[f'upstream_failures_total{{upstream="{name}"}}']
            tap.check("which counts as its failure", [] if failed >= 2 else [f"{failed}"])
        with Proxy(sluice, name, "--connect-timeout", "200ms", "--retries", "0") as proxy:
            tap.check("without another one the client is closed", proxy.refuses(b"")
                      + ([] if proxy.ended("no-upstream") == 1 else [proxy.page("/metrics")]))
        for filler in fillers:
            filler.close()


def overload(tap, sluice):
    """Four times as many clients as may be at a time, again and again: all get theirs, memory stays."""
    with Upstream(echo) as upstream, Proxy(sluice, upstream.name, "--workers", "1", "--max-connections", "10") as proxy:
        problems = []

        def client(seed):
            for i in range(25):
                want = bytes([seed]) * (1 + i * 4001)
                try:
                    got = proxy.ask(want)
                    problems.extend([] if got == want else [f"client {seed}: {len(got)} of {len(want)}"])
                except OSError as error:
                    problems.append(f"client {seed}: {error}")
        proxy.ask(b"w" * 100000)
        before, levels = proxy.memory_kib(), []
        threads = [threading.Thread(target=client, args=(seed,)) for seed in range(40)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            levels.append(proxy.connected(upstream))
            time.sleep(0.05)
        tap.check("under four times the load all are served in their turn", problems[:5])
        tap.check("never more at a time than allowed", [] if max(levels, default=0) <= 10 else [f"{max(levels)}"])
        grown = proxy.memory_kib() - before
        tap.check("and memory stays", [] if grown <= 8192 else [f"{grown} KiB more"])
        tap.check("afterwards it serves as before", conversation(proxy, 9))


def main():
    tap = Tap()
    sluice = sys.argv[1]
    for attack in (stalled_readers, slow_hellos, bad_headers, storms, half_open, dying_upstream, deaf_upstream, overload):
        begin = time.monotonic()
        attack(tap, sluice)
        print(f"# {attack.__name__}: {time.monotonic() - begin:.1f} s")
    tap.done()


main()
