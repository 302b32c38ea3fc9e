#!/usr/bin/env python3
"""test_ways.py: where connections go: balancing, retries, health, PROXY headers, names, limits."""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from relay import PATIENCE, Proxy, Tap, Upstream, area, dead_port, everything, until


def named(name):
    """An upstream that answers with its name and all it got."""
    def serve(sock):
        sock.sendall(name + b":" + everything(sock))
    return Upstream(serve)


def same(got, want):
    return [] if got == want else [f"{got!r}, want {want!r}"]


def balancing(tap, sluice):
    with named(b"a") as a, named(b"b") as b:
        with Proxy(sluice, a.name, b.name + ",weight=2", "--workers", "2") as proxy:
            got = sorted(proxy.ask(b"") for _ in range(12))
            tap.check("round-robin follows weights", same(got, [b"a:"] * 4 + [b"b:"] * 8))
        with Proxy(sluice, a.name, b.name, "--balance", "least-connections", "--workers", "2") as proxy:
            held = [proxy.connect() for _ in range(6)]
            until(lambda: [proxy.connected(one) for one in (a, b)] == [3, 3])
            tap.check("least-connections evens out, over all workers", same([proxy.connected(one) for one in (a, b)], [3, 3]))
            for sock in held:
                sock.close()
        with Proxy(sluice, a.name, b.name, "--balance", "hash") as proxy:
            problems, chosen = [], set()
            for host in range(1, 40):
                answers = {proxy.ask(b"", source=f"127.0.0.{host}") for _ in range(3)}
                chosen |= answers
                problems += [] if len(answers) == 1 else [f"127.0.0.{host}: {answers}"]
            tap.check("with hash a client stays with its upstream", problems)
            tap.check("and clients are spread", same(chosen, {b"a:", b"b:"}))


def retries(tap, sluice):
    with named(b"a") as a:
        dead = f"127.0.0.1:{dead_port()}"
        with Proxy(sluice, dead, a.name, "--access-log", "-", "--fall", "1000") as proxy:
            tap.check("a dead upstream is not noticed by clients", same([proxy.ask(b"x") for _ in range(10)], [b"a:x"] * 10))
            stats = proxy.metrics()
            tap.check("but counted", [] if stats["connect_retries_total"] >= 4 and stats[f'upstream_failures_total{{upstream="{dead}"}}'] >= 4 else [str(stats)])
        with Proxy(sluice, dead, f"127.0.0.1:{dead_port()}") as proxy:
            tap.check("with none alive the connection is closed", same(proxy.ask(b""), b""))
            tap.check("which is counted, too", same(proxy.ended("no-upstream"), 1))
        with Proxy(sluice, dead, a.name, "--retries", "0", "--fall", "1000") as proxy:
            got = sorted(proxy.ask(b"") for _ in range(4))
            tap.check("without retries the next one is not tried", same(got, [b"", b"", b"a:", b"a:"]))


def is_up(proxy, upstream):
    return proxy.metrics()[f'upstream_up{{upstream="{upstream}"}}']


def health(tap, sluice):
    port = dead_port()
    name = f"127.0.0.1:{port}"
    with named(b"a") as a, Proxy(sluice, a.name, name, "--check", "100ms", "--rise", "2", "--fall", "2") as proxy:
        tap.check("active checks find who is down", [] if until(lambda: is_up(proxy, name) == 0) else ["up"])
        before = proxy.metrics()["connect_retries_total"]
        tap.check("who is down gets nothing", same([proxy.ask(b"") for _ in range(6)], [b"a:"] * 6)
                  + same(proxy.metrics()["connect_retries_total"], before))
        with Upstream(lambda sock: sock.sendall(b"back"), port=port):
            tap.check("checks find that it is back", [] if until(lambda: is_up(proxy, name) == 1) else ["down"])
            got = {proxy.ask(b"") for _ in range(4)}
            tap.check("and it gets connections again", same(got, {b"a:", b"back"}))
        tap.check("transitions are told", [] if proxy.heard(f"{name}: down") and proxy.heard(f"{name}: up") else [str(proxy.said)])
    with named(b"a") as a, Proxy(sluice, a.name, name, "--fall", "2", "--rest", "1h", "--workers", "1") as proxy:
        for _ in range(10):
            proxy.ask(b"")
        tap.check("failures of connections show that one is down", same(is_up(proxy, name), 0))
        failed = proxy.metrics()[f'upstream_failures_total{{upstream="{name}"}}']
        tap.check("it is left alone then", same(failed, 2))
    with named(b"a") as a, Proxy(sluice, a.name, name, "--fall", "2", "--rest", "1s", "--workers", "1") as proxy:
        until(lambda: proxy.ask(b"") and is_up(proxy, name) == 0)
        with Upstream(lambda sock: sock.sendall(b"back"), port=port):
            tap.check("and tried again after its rest", [] if until(lambda: proxy.ask(b"") == b"back") else ["never"])
            tap.check("a connection made shows that it is up", same(is_up(proxy, name), 1))


V2 = b"\r\n\r\n\0\r\nQUIT\n"


def headers(tap, sluice):
    with named(b"") as a:
        with Proxy(sluice, a.name, "--send-proxy", "v1") as proxy:
            with proxy.connect() as sock:
                mine = sock.getsockname()[1]
                sock.sendall(b"data")
                sock.shutdown(socket.SHUT_WR)
                want = f":PROXY TCP4 127.0.0.1 127.0.0.1 {mine} {proxy.port}\r\ndata".encode()
                tap.check("version 1 goes ahead of the client's bytes", same(everything(sock), want))
        with Proxy(sluice, a.name, "--send-proxy", "v2") as proxy:
            with proxy.connect() as sock:
                mine = sock.getsockname()[1]
                sock.sendall(b"data")
                sock.shutdown(socket.SHUT_WR)
                addresses = struct.pack("!4s4sHH", b"\x7f\0\0\1", b"\x7f\0\0\1", mine, proxy.port)
                tap.check("version 2 does, too", same(everything(sock), b":" + V2 + b"\x21\x11\0\x0c" + addresses + b"data"))
        with Proxy(sluice, a.name, "--send-proxy", "v1", "--proxy-from", "127.0.0.2", "--access-log", "-") as proxy:
            v1 = b"PROXY TCP6 2001:db8::7 2001:db8::1 1234 443\r\n"
            tap.check("a header from whom it is taken is handed on", same(proxy.ask(v1 + b"data", source="127.0.0.2"), b":" + v1 + b"data"))
            v2 = V2 + b"\x21\x11\0\x0c" + struct.pack("!4s4sHH", b"\xc0\0\2\7", b"\xc0\0\2\1", 5, 6)
            want = b":PROXY TCP4 192.0.2.7 192.0.2.1 5 6\r\ndata"
            tap.check("also one of version 2", same(proxy.ask(v2 + b"data", source="127.0.0.2"), want))
            with proxy.connect("127.0.0.2") as sock:
                for at in range(len(v2)):
                    sock.sendall(v2[at:at + 1])
                    time.sleep(0.002)
                sock.sendall(b"data")
                sock.shutdown(socket.SHUT_WR)
                tap.check("and one that comes byte by byte", same(everything(sock), want))
            got = proxy.ask(v1 + b"data")
            tap.check("a header from anybody else is just bytes", [] if got.endswith(v1 + b"data") and b" 127.0.0.1 " in got else [repr(got)])
            tap.check("without the header it closes", proxy.refuses(b"GET / HTTP/1.1\r\n\r\n", source="127.0.0.2")
                      + same(proxy.ended("bad-proxy-header"), 1))
        with Proxy(sluice, a.name, "--proxy-from", "127.0.0.1", "--hello-timeout", "200ms") as proxy:
            with proxy.connect() as sock:
                sock.sendall(b"PROXY TCP4")
                tap.check("who is slow with it is closed", same(sock.recv(1), b"") + same(proxy.ended("slow-hello"), 1))


def s_client(port, *options):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-brief", *options], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE, check=False)


def opening(sock):
    """A header of version 2, and one byte of what is behind it."""
    data = b""
    while len(data) < 16 or len(data) < 17 + int.from_bytes(data[14:16], "big"):
        part = sock.recv(1)
        if not part:
            break
        data += part
    return data


class TlsServer:
    """openssl s_server with a certificate of that name."""

    def __init__(self, where, name):
        key, cert = os.path.join(where, name + ".key"), os.path.join(where, name + ".pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                        "-subj", f"/CN={name}"], check=True, capture_output=True, timeout=PATIENCE)
        self.port = dead_port()
        self.name = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen(["openssl", "s_server", "-accept", self.name, "-key", key, "-cert", cert, "-quiet"],
                                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.accepts)

    def accepts(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def close(self):
        self.process.kill()
        self.process.wait()


def names(tap, sluice, where):
    if not shutil.which("openssl"):
        tap.skip("TLS goes by name", "no openssl here")
        return
    servers = [TlsServer(where, name) for name in ("one.example", "wild.example", "other.example")]
    one, wild, other = servers
    log = os.path.join(where, "names.log")
    try:
        with Proxy(sluice, other.name, "--sni", f"one.example={one.name}", "--sni", f"*.Wild.example={wild.name}",
                   "--access-log", log, "--log-format", "json") as proxy:
            def subject(*options):
                answer = s_client(proxy.port, *options)
                match = re.search(r"CN ?= ?(\S+)", answer.stdout + answer.stderr)
                return match.group(1) if match else answer.stderr
            tap.check("a name goes to its upstream", same(subject("-servername", "ONE.example"), "one.example"))
            tap.check("a name beneath a domain goes to that of the domain", same(subject("-servername", "a.b.wild.example"), "wild.example"))
            tap.check("another name goes to the upstream without one", same(subject("-servername", "x.example"), "other.example"))
            tap.check("no name does, too", same(subject("-noservername"), "other.example"))
            tap.check("TLS 1.2 goes the same way", same(subject("-servername", "one.example", "-tls1_2"), "one.example"))
            until(lambda: os.path.getsize(log) and len(open(log, encoding="ascii").readlines()) == 5)
            with open(log, encoding="ascii") as file:
                asked = [json.loads(line)["name"] for line in file]
            # A line is written when its connection has ended, which two of them may do in either order.
            tap.check("the log has the names", same(sorted(asked), ["", "a.b.wild.example", "one.example", "one.example", "x.example"]))
            tap.check("what is no TLS is closed", proxy.refuses(b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n")
                      + same(proxy.ended("bad-client-hello"), 1))
        with Proxy(sluice, "--sni", f"one.example={one.name}") as proxy:
            s_client(proxy.port, "-servername", "x.example")
            tap.check("a name that leads nowhere is closed", same(proxy.ended("no-route"), 1))
        heard = []
        with Upstream(lambda sock: heard.append(opening(sock))) as plain:
            with Proxy(sluice, "--sni", f"one.example={plain.name}", "--send-proxy", "v2") as proxy:
                s_client(proxy.port, "-servername", "one.example")
                until(lambda: heard)
                tap.check("the hello comes behind a header, which has the name", [] if len(heard) == 1 and
                          re.fullmatch(re.escape(V2) + rb"\x21\x11\0\x1a.{12}\x02\0\x0bone\.example\x16", heard[0], re.S) else [str(heard)])
    finally:
        for server in servers:
            server.close()


def limits(tap, sluice):
    with named(b"a") as a, Proxy(sluice, a.name, "--max-per-client", "2", "--workers", "2") as proxy:
        held = [proxy.connect("127.0.0.5") for _ in range(2)]
        until(lambda: a.accepted == 2)
        tap.check("one too many of a client is closed", same(proxy.ask(b"", source="127.0.0.5"), b""))
        tap.check("another client is not", same(proxy.ask(b"", source="127.0.0.6"), b"a:"))
        for sock in held:
            sock.close()
        until(lambda: proxy.metrics()["connections"] == 0)
        tap.check("when some end, others may come", same(proxy.ask(b"", source="127.0.0.5"), b"a:"))
        tap.check("refusals are counted", same(proxy.ended("client-limit"), 1))
    with named(b"a") as a, Proxy(sluice, a.name, "--idle-timeout", "300ms") as proxy:
        with proxy.connect() as sock:
            try:
                got = sock.recv(1)
            except ConnectionResetError:
                got = b"reset"
        tap.check("silence ends a connection, by a reset", same(got, b"reset") + same(proxy.ended("timeout"), 1))

    def finish_and_hold(sock):
        sock.shutdown(socket.SHUT_WR)
        time.sleep(PATIENCE)
    with Upstream(finish_and_hold) as a, Proxy(sluice, a.name, "--half-timeout", "300ms") as proxy:
        with proxy.connect() as sock:
            ended = sock.recv(1)
            until(lambda: proxy.ended("timeout") == 1)
        tap.check("half-closed connections have a limit of their own", same(ended, b"") + same(proxy.ended("timeout"), 1))


def life(tap, sluice, where):
    def fails(sentence, code, pattern, *arguments):
        answer = subprocess.run([sluice, "proxy", *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
        tap.check(sentence, [] if answer.returncode == code and re.search(pattern, answer.stderr) else
                  [f"exit code {answer.returncode}, {answer.stderr!r}"])
    fails("a listener is required", 2, "--listen: missing", "127.0.0.1:1")
    fails("an upstream is required", 2, "UPSTREAM: missing", "--listen", "127.0.0.1:0")
    fails("an upstream that is none is told", 2, "127.0.0.1: is no upstream; want", "127.0.0.1", "--listen", "127.0.0.1:0")
    fails("a weight that is none is told", 2, "no upstream", "127.0.0.1:1,weight=0", "--listen", "127.0.0.1:0")
    fails("a route that is none is told", 2, "want NAME=UPSTREAM", "--sni", "a/b=127.0.0.1:1", "--listen", "127.0.0.1:0")
    fails("a range that is none is told", 2, "1.2.3.4/40: .*want", "127.0.0.1:1", "--proxy-from", "1.2.3.4/40", "--listen", "127.0.0.1:0")
    fails("a name nobody knows is told", 3, "no-such-host.invalid:80: ", "no-such-host.invalid:80", "--listen", "127.0.0.1:0")
    fails("a file that is not there is told", 2, "/nowhere/x: ", "--config", "/nowhere/x", "--listen", "127.0.0.1:0")
    config, log = os.path.join(where, "pool"), os.path.join(where, "log")
    with named(b"a") as a, named(b"b") as b:
        def write(text):
            with open(config, "w", encoding="ascii") as file:
                file.write(text)
        write("# the pool\n\n" + a.name + "  # one\n")
        with Proxy(sluice, "--config", config, "--access-log", log, "--workers", "2") as proxy:
            first = proxy.ask(b"")
            held = proxy.connect()
            until(lambda: a.accepted == 2 and os.path.getsize(log) > 0)
            write(b.name + "\n")
            os.rename(log, log + ".1")
            proxy.signal(signal.SIGHUP)
            proxy.heard("^sluice proxy: reloaded")
            tap.check("a reload changes upstreams", same([first] + [proxy.ask(b"") for _ in range(4)], [b"a:"] + [b"b:"] * 4))
            write("nonsense\n")
            proxy.signal(signal.SIGHUP)
            proxy.heard("not reloaded")
            tap.check("a bad file is told with its line", [] if any(f"{config}:1: nonsense" in line for line in proxy.said) else [str(proxy.said)])
            tap.check("and the old upstreams stay", same(proxy.ask(b""), b"b:"))
            held.sendall(b"still")
            held.shutdown(socket.SHUT_WR)
            tap.check("a connection outlives reloads", same(everything(held), b"a:still"))
            held.close()
            tap.check("it ends with 0", same(proxy.end(), 0))
        lines = [open(name, encoding="ascii").read().splitlines() for name in (log + ".1", log)]
        shape = re.compile(r'127\.0\.0\.1:\d+ - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "-" "127\.0\.0\.1:\d+" done \d+ \d+ \d+\.\d{3}')
        tap.check("the log is opened anew, a line for each connection", same([len(part) for part in lines], [1, 6])
                  + [line for part in lines for line in part if not shape.fullmatch(line)])
        with Proxy(sluice, a.name, "--drain", "30s") as proxy:
            held = proxy.connect()
            held.sendall(b"x")
            until(lambda: proxy.metrics()["relayed_bytes_total"] == 1)
            proxy.signal(signal.SIGTERM)
            refused = until(lambda: not accepts(proxy))
            tap.check("a drain accepts no more", [] if refused else ["it does"])
            held.sendall(b"y")
            held.shutdown(socket.SHUT_WR)
            tap.check("what is under way is finished", same(everything(held), b"a:xy"))
            held.close()
            tap.check("then it ends with 0", same(proxy.wait(), 0) + ([] if proxy.said[-1] == "sluice proxy: ended" else proxy.said))
        # Of many workers, most soon have nothing left to do, that of the metrics with them.
        with Proxy(sluice, a.name, "--drain", "10m", "--workers", "8") as proxy:
            held = proxy.connect()
            until(lambda: proxy.metrics()["connections"] == 1)
            proxy.signal(signal.SIGTERM)
            until(lambda: not accepts(proxy))
            tap.check("while one is under way, the metrics tell of it", proxy.comes_to("connections", 1))
            held.close()
            tap.check("and with it all of them end", same(proxy.wait(), 0))
        for sentence, options, end in (("the limit of a drain cuts the rest", ["--drain", "300ms"], Proxy.end),
                                       ("a second signal cuts the rest at once", ["--drain", "1h"], Proxy.end_at_once)):
            with Proxy(sluice, a.name, *options) as proxy:
                held = [proxy.connect() for _ in range(3)]
                until(lambda: proxy.metrics()[f'upstream_connections_total{{upstream="{a.name}"}}'] == 3)
                code, reset = end(proxy), 0
                for sock in held:
                    try:
                        sock.recv(1)
                    except ConnectionResetError:
                        reset += 1
                    sock.close()
                tap.check(f"{sentence}, by resets, and says how many", same((code, reset), (0, 3))
                          + ([] if proxy.said[-1] == "sluice proxy: ended with 3 connections cut" else proxy.said))


def accepts(proxy):
    try:
        proxy.connect().close()
        return True
    except OSError:
        return False


def ipv6(tap, sluice):
    sentence = "IPv6 is listened on, and an upstream found by its name"
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError as error:
        tap.skip(sentence, f"no ::1 here: {error}")
        return
    with named(b"a") as a, Proxy(sluice, f"localhost:{a.port}", listen="[::1]:0") as proxy:
        with socket.create_connection(("::1", proxy.port), PATIENCE) as sock:
            sock.sendall(b"six")
            sock.shutdown(socket.SHUT_WR)
            tap.check(sentence, same(everything(sock), b"a:six"))


def sockets(tap, sluice, where):
    """Unix sockets at both ends; a socket passed as systemd does; curl through it all."""
    front, back = os.path.join(where, "front"), os.path.join(where, "back")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(back)
    listener.listen()

    def serve():
        while True:
            sock, _ = listener.accept()
            with sock:
                sock.sendall(everything(sock))
    threading.Thread(target=serve, daemon=True).start()
    with Proxy(sluice, f"unix:{back}", listen=f"unix:{front}"):
        data = os.urandom(1000000)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(front)
            thread = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
            thread.start()
            tap.check("unix sockets are relayed", [] if everything(sock) == data else ["other bytes"])
            thread.join(PATIENCE)
    ipv6(tap, sluice)
    with named(b"a") as a, socket.socket() as passed:
        passed.bind(("127.0.0.1", 0))
        passed.listen()
        port = passed.getsockname()[1]
        prefix = ["bash", "-c", f'exec 3<&{passed.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"', "-"]
        process = subprocess.Popen(prefix + [sluice, "proxy", a.name], pass_fds=[passed.fileno()], stderr=subprocess.PIPE, text=True)
        line = process.stderr.readline()
        while line and " on " not in line:
            line = process.stderr.readline()
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            sock.shutdown(socket.SHUT_WR)
            got = everything(sock)
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE)
        process.stderr.close()
        tap.check("a passed socket is accepted from", same(got, b"a:") + same(code, 0))

    def page(sock):
        request = b""
        while b"\r\n\r\n" not in request:
            request += sock.recv(65536)
        sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"z" * 3000000)
    if not shutil.which("curl"):
        tap.skip("curl gets its page", "no curl here")
        return
    with Upstream(page) as upstream, Proxy(sluice, upstream.name) as proxy:
        got = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{proxy.port}/"], capture_output=True, timeout=PATIENCE, check=False)
        tap.check("curl gets its page", [] if got.stdout == b"z" * 3000000 else [got.stderr.decode()])
        tap.check("health is answered", same(proxy.page("/health"), "ok\n"))


def main():
    tap = Tap()
    sluice, where = sys.argv[1], area()
    try:
        balancing(tap, sluice)
        retries(tap, sluice)
        health(tap, sluice)
        headers(tap, sluice)
        names(tap, sluice, where)
        limits(tap, sluice)
        life(tap, sluice, where)
        sockets(tap, sluice, where)
    finally:
        shutil.rmtree(where)
    tap.done()


main()
