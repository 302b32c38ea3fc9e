#!/usr/bin/env python3
"""test_attack.py: hostile peers: they get a refusal, or nothing, and others get their files all the same."""
import os
import socket
import sys
import time

from service import Service, Tap, area, get, remove

SECRET = b"this is outside"
INSIDE = b"this is inside"


def refused(answer, *statuses):
    statuses = statuses or (400,)
    return [] if answer is not None and answer.status in statuses and SECRET not in answer.body else [f"{answer}, want {statuses}"]


def traversal(tap, service):
    up = ["..", "%2e%2e", ".%2e", "%2E.", "..%2f", "%2e%2e%2f", "..%5c", "..\\", "%252e%252e", "%c0%ae%c0%ae", "%u002e%u002e",
          "..;", "..%00", "....//", "%ef%bc%8e%ef%bc%8e", "..%c0%af", "..%25%32%66"]
    problems = []
    for step in up:
        for depth in (1, 2, 6):
            for target in ("/" + (step + "/") * depth + "outside.txt", "/sub/" + (step + "/") * depth + "outside.txt",
                           "/sub" + ("/" + step) * depth + "/outside.txt", "/" + step * depth + "outside.txt"):
                problems += refused(service.ask(get(target)), 400, 404)
    tap.check("no spelling of a path leads out of the root", problems[:5])
    problems = []
    for target in ("//outside.txt", "/./../outside.txt", "/sub/../../outside.txt", "http://x/../outside.txt", "/..", "/%2e%2e",
                   "/link", "/linkdir/outside.txt", "/linkup/outside.txt", "/absolute", "/loop", "/deep/link", "/inside.txt%00.html",
                   "/fifo", "/socket", "/null", "/inside.txt/..%2finside.txt", "/" + "a/../" * 2000 + "../outside.txt"):
        problems += refused(service.ask(get(target)), 400, 403, 404, 414)
    tap.check("nor do links, devices, pipes or sockets answer", problems)
    tap.check("a link that stays within is followed", [] if service.ask(get("/good")).body == INSIDE else ["it is not"])
    tap.check("a compressed twin that is a link out is not sent",
              [] if service.ask(get("/inside.txt", "Accept-Encoding: gzip")).body == INSIDE else ["it is"])


def numbers_too_large(tap, service):
    """Numbers that do not fit are no small numbers."""
    size = len(INSIDE)
    problems = []
    for spec, status in (
            ("bytes=0-18446744073709551615", 206), ("bytes=0-18446744073709551616", 206), ("bytes=18446744073709551616-", 416),
            ("bytes=18446744073709551614-18446744073709551615", 416), ("bytes=-18446744073709551617", 206),
            ("bytes=9223372036854775808-9223372036854775809", 416), ("bytes=" + "9" * 4000 + "-", 416),
            ("bytes=0-" + "9" * 4000, 206), ("bytes=-" + "9" * 4000, 206), ("bytes=-0", 416),
            ("bytes=18446744073709551616-18446744073709551617,0-0", 206)):
        answer = service.ask(get("/inside.txt", "Range: " + spec))
        body = INSIDE[:1] if spec.endswith(",0-0") else INSIDE
        # Whoever does not read such a number may ignore the field, too.
        if answer.status not in (status, 200) or (answer.status != 416 and answer.body != (INSIDE if answer.status == 200 else body)):
            problems.append(f"{spec[:60]}: {answer}")
    tap.check("a Range beyond all numbers gives what is there, or nothing", problems)
    problems = []
    for length in ("18446744073709551615", "18446744073709551616", "18446744073709551621", "9223372036854775808", "-1", "9" * 4000, "1e3", "00x"):
        with service.connect() as raw:
            raw.send(f"PUT /inside.txt HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\nhello{SMUGGLED}")
            answer = raw.answer()
            problems += refused(answer, 400, 405, 413, 431) + ([] if raw.ended() else [f"{length[:40]}: it went on"])
    tap.check("a Content-Length beyond all numbers ends the connection", problems)
    problems = []
    for chunk in ("10000000000000005", "ffffffffffffffff", "fffffffffffffffb", "8000000000000000", "0" * 4000 + "5", "-5", "5_"):
        with service.connect() as raw:
            raw.send(f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}\r\nhello\r\n0\r\n\r\n{SMUGGLED}")
            answer = raw.answer()
            problems += refused(answer, 400, 405, 413) + ([] if raw.ended() else [f"{chunk[:40]}: it went on"])
    tap.check("so does a chunk", problems)
    tap.check("the file is as it was", [] if os.path.getsize(os.path.join(service.root, "inside.txt")) == size else ["it is not"])


def amplification(tap, service, root):
    """However ranges are put: no more than half as much again as the file, and 4 KiB."""
    problems = []
    for size in (1, 1000, 4096, 65536, 1 << 20):
        name = f"sized.{size}"
        with open(os.path.join(root, name), "wb") as file:
            file.write(os.urandom(size))
        specs = ["0-0," * 2700 + "0-0", "0-," * 2700 + "0-", "-1," * 2700 + "-1", ",".join(["0-"] * 16), ",".join(["0-0", "-1"] * 8),
                 ",".join(f"{i * 2}-{i * 2}" for i in range(16)), ",".join(f"{i}-{i}" for i in range(1500)),
                 ",".join(f"{i}-" for i in range(16)), ",".join(f"{i * (size // 16)}-{(i + 1) * (size // 16)}" for i in range(16)),
                 ",".join(f"{i * (size // 16)}-{(i + 1) * (size // 16) - 2}" for i in range(16)), "0-," + ",".join(f"-{i + 1}" for i in range(15))]
        for spec in specs:
            with service.connect() as raw:
                raw.send(get("/" + name, "Range: bytes=" + spec, "Connection: close"))
                raw.ended()
                sent = len(raw.buffer)
            if not raw.buffer.startswith((b"HTTP/1.1 20", b"HTTP/1.1 416 ")):
                problems.append(f"{size}: {spec[:40]}: {raw.buffer[:40]!r}")
            if sent > 1.5 * size + 4096:
                problems.append(f"{size}: {spec[:40]}: {sent} bytes")
        os.unlink(os.path.join(root, name))
    tap.check("no choice of ranges costs more than 1.5 times the file and 4 KiB", problems)


def zeros(tap, service):
    """A NUL in any place of a request."""
    request = get("/inside.txt", "X-field: value").encode()
    problems = []
    for at in range(len(request)):
        for attack in (request[:at] + b"\0" + request[at:], request[:at] + b"\0" + request[at + 1:]):
            with service.connect() as raw:
                raw.send(attack + SMUGGLED.encode())
                raw.socket.shutdown(socket.SHUT_WR)
                answer = raw.answer()
                # One that is no request's end leaves half a head, which gets nothing.
                if answer is not None:
                    problems += refused(answer, 400, 501, 505)
                    problems += [] if raw.ended() else [f"NUL at {at}: it went on"]
    tap.check("a NUL is refused wherever it is", problems[:3])


def vanished(tap, service, root):
    """Files that are removed or replaced while they are sent: what was begun is ended, with the bytes of then."""
    data = os.urandom(1 << 20) * 24
    for name, deed in (("removed", os.unlink), ("replaced", lambda path: os.rename(path + ".new", path))):
        path = os.path.join(root, name + ".bin")
        with open(path, "wb") as file:
            file.write(data)
        with open(path + ".new", "wb") as file:
            file.write(bytes(len(data)))
        with service.connect(receive=4096) as raw:
            raw.send(get(f"/{name}.bin"))
            raw.more()
            deed(path)
            answer = raw.answer()
        tap.check(f"a file that is {name} while it is sent comes whole", [] if answer.body == data else ["it does not"])
    tap.check("which is no answer cut short", service.comes_to("files_changed_total", 1))


SMUGGLED = "GET /inside.txt HTTP/1.1\r\nHost: x\r\n\r\n"


def smuggling(tap, service):
    """After each of these nothing of what follows may be taken for a request."""
    start = "POST / HTTP/1.1\r\nHost: x\r\n"
    attacks = {
        "CL.TE": start + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "TE.CL": start + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "two lengths": start + "Content-Length: 0\r\nContent-Length: 60\r\n\r\n",
        "a list of lengths": start + "Content-Length: 0, 60\r\n\r\n",
        "a sign": start + "Content-Length: +0\r\n\r\n",
        "hexadecimal": start + "Content-Length: 0x0\r\n\r\n",
        "overflow": start + "Content-Length: 18446744073709551616\r\n\r\n",
        "a folded coding": start + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        "space before a colon": start + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "a hidden coding": start + "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "a bare CR": start + "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "two codings": start + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "tab in a coding": start + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        "bare LF": "GET / HTTP/1.1\nHost: x\n\n",
        "no host": "GET / HTTP/1.1\r\n\r\n",
        "two hosts": "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "HTTP/0.9": "GET /inside.txt\r\n",
        "a NUL": "GET / HTTP/1.1\r\nHost: x\0\r\n\r\n",
        "a chunk size of nonsense": start + "Transfer-Encoding: chunked\r\n\r\n0x\r\n\r\n",
        "a chunk without its end": start + "Transfer-Encoding: chunked\r\n\r\n1\r\nZZ0\r\n\r\n",
        "LF in an extension": start + "Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n0\r\n\r\n",
        "a trailer that is none": start + "Transfer-Encoding: chunked\r\n\r\n0\r\n X: y\r\n\r\n",
        "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "a request in a GET's length": "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
    }
    for name, attack in attacks.items():
        with service.connect() as raw:
            raw.send(attack + SMUGGLED * 2)
            answer = raw.answer()
            problems = [] if answer and answer.status >= 400 else [str(answer)]
            tap.check(f"nothing is smuggled by {name}", problems + ([] if raw.ended() else [f"it said {raw.buffer[:80]!r}"]))


def floods(tap, service):
    tap.check("too many fields are 431", refused(service.ask(get("/", *["A: b"] * 5000)), 431))
    tap.check("too long a field is 431", refused(service.ask(get("/", "A: " + "b" * 100000)), 431))
    tap.check("too long a target is 414", refused(service.ask(get("/" + "a" * 100000)), 414))
    with service.connect() as raw:
        raw.send(b"\r\n" * 8)
        tap.check("empty lines are no request", refused(raw.answer()))
    before = service.memory_kib()
    with service.connect(receive=4096) as raw:
        # It sends requests and reads nothing: the server must stop reading too.
        raw.socket.settimeout(1)
        sent = 0
        try:
            while sent < 64 << 20:
                sent += raw.socket.send(get("/big.bin").encode() * 500)
        except TimeoutError:
            pass
        grown = service.memory_kib() - before
        tap.check("a flood of requests without reading stops the flood", [f"it took {sent} bytes"] if sent >= 64 << 20 else [])
        tap.check("and takes no memory", [f"{grown} KiB"] if grown > 16384 else [])
        tap.check("others are answered meanwhile", refused(service.ask(get("/inside.txt")), 200))


def trickles(raw):
    """Whether sending has become impossible, after another byte."""
    time.sleep(0.1)
    try:
        raw.send("x")
        return False
    except OSError:
        return True


def slow(tap, service):
    """Time limits, with short ones set."""
    with service.connect() as raw:
        raw.send("GET / HTTP/1.1\r\nHost:")
        tap.check("half a head is 408 when its time is up", refused(raw.answer(), 408) + ([] if raw.ended() else ["it goes on"]))
    with service.connect() as raw:
        stop = time.monotonic() + 30
        answer = None
        raw.socket.settimeout(0.2)
        while time.monotonic() < stop and answer is None:
            try:
                raw.send("X-a: b\r\n" if raw.buffer is None else "G")
                answer = raw.answer()
            except TimeoutError:
                continue
        tap.check("a byte now and then does not help", refused(answer, 408, 400, 414))
    with service.connect() as raw:
        tap.check("an idle connection is closed without a word", [] if raw.ended() else [repr(raw.buffer)])
    with service.connect(receive=4096) as raw:
        raw.send(get("/big.bin"))
        tap.check("who takes nothing is cut", [] if service.until(lambda: service.metrics()["connections_timed_out_total"] >= 3)
                  else [str(service.metrics())])
    with service.connect() as raw:
        raw.send(get("/put.bin", "Content-Length: 100000", method="PUT") + "abc")
        tap.check("who sends nothing of a body is cut", [] if raw.ended() else [repr(raw.buffer)])
    for name, start in (("a body", get("/put.bin", "Content-Length: 100000", method="PUT")),
                        ("a body that nobody wants", get("/", "Content-Length: 60000", method="POST")),
                        ("requests, and reads nothing,", get("/big.bin"))):
        with service.connect(receive=4096) as raw:
            raw.send(start)
            tap.check(f"who sends {name} byte by byte is cut", [] if service.until(lambda: trickles(raw)) else ["it is not"])


def truncated(tap, service, root):
    """A file that becomes shorter while it is sent: the connection ends, and what came is of the file."""
    path = os.path.join(root, "shrinks.bin")
    data = bytes(range(256)) * (1 << 16)
    with open(path, "wb") as file:
        file.write(data)
    with service.connect(receive=4096) as raw:
        raw.send(get("/shrinks.bin"))
        while b"\r\n\r\n" not in raw.buffer:
            raw.more()
        os.truncate(path, 1 << 20)
        raw.ended()
        body = raw.buffer.split(b"\r\n\r\n", 1)[1]
    # Pages that were on their way are the file's: the kernel zeroes what of them lies beyond its new end.
    wrong = [i for i in range(0, len(body), 4096) if body[i:i + 4096] != data[i:i + len(body[i:i + 4096])]
             and (i < 1 << 20 or any(body[i:i + 4096]))]
    tap.check("a file that shrinks ends the connection", [] if len(body) < len(data) else ["all of it came"])
    tap.check("no byte is of anything else", [f"{len(wrong)} blocks differ, from {wrong[0]}"] if wrong else [])
    tap.check("which is counted", service.comes_to("files_changed_total", 1))
    tap.check("the server goes on", refused(service.ask(get("/inside.txt")), 200))


def tree(base):
    root = os.path.join(base, "root")
    os.makedirs(os.path.join(root, "sub"))
    os.makedirs(os.path.join(root, "deep"))
    os.makedirs(os.path.join(base, "out"))
    for name in ("outside.txt", "out/outside.txt"):
        with open(os.path.join(base, name), "wb") as file:
            file.write(SECRET)
    with open(os.path.join(root, "inside.txt"), "wb") as file:
        file.write(INSIDE)
    with open(os.path.join(root, "big.bin"), "wb") as file:
        file.truncate(64 << 20)
    for name, target in (("link", "../outside.txt"), ("linkdir", "../out"), ("linkup", ".."), ("absolute", os.path.join(base, "outside.txt")),
                         ("loop", "loop"), ("deep/link", "../../outside.txt"), ("good", "sub/../inside.txt"),
                         ("inside.txt.gz", "../outside.txt"), ("null", "/dev/null")):
        os.symlink(target, os.path.join(root, name))
    os.mkfifo(os.path.join(root, "fifo"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(root, "socket"))
    return root


def main():
    tap, base = Tap(), area()
    try:
        root = tree(base)
        with Service(sys.argv[1], root, "--metrics", "127.0.0.1:0", "--workers", "2") as service:
            traversal(tap, service)
            smuggling(tap, service)
            numbers_too_large(tap, service)
            amplification(tap, service, root)
            zeros(tap, service)
            floods(tap, service)
            truncated(tap, service, root)
            vanished(tap, service, root)
            tap.check("it ends well", [f"exit code {code}"] if (code := service.end()) else [])
        with Service(sys.argv[1], root, "--metrics", "127.0.0.1:0", "--workers", "1", "--writable", "--header-timeout", "1",
                     "--idle-timeout", "1", "--stall-timeout", "1") as service:
            slow(tap, service)
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
