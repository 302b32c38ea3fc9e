#!/usr/bin/env python3
"""test_put.py: PUT and DELETE: what is acknowledged is there, what is not leaves what was there before."""
import hashlib
import os
import random
import re
import signal
import socket
import sys
import threading
import time

from service import Service, Tap, area, get, remove

RANDOM = random.Random(11)
LARGE = RANDOM.randbytes(5_000_000)


def put(target, body, *fields):
    return get(target, f"Content-Length: {len(body)}", *fields, method="PUT").encode() + body


def expect(answer, status):
    return [] if answer is not None and answer.status == status else [f"{answer}, want {status}"]


def content(root, name):
    try:
        with open(os.path.join(root, name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def holds(root, name, data):
    got = content(root, name)
    return [] if got == data else [f"{name} holds {got[:40] if got else got!r}"]


def basics(tap, service, root):
    tap.check("a new file is 201", expect(service.ask(put("/a.txt", b"one")), 201) + holds(root, "a.txt", b"one"))
    tap.check("it can be read at once", [] if service.ask(get("/a.txt")).body == b"one" else ["it cannot"])
    tap.check("a replaced one is 204", expect(service.ask(put("/a.txt", b"two")), 204) + holds(root, "a.txt", b"two"))
    tap.check("what is read is the new one, by whichever worker",
              [] if all(service.ask(get("/a.txt")).body == b"two" for _ in range(20)) else ["it is not"])
    tap.check("an empty file is a file", expect(service.ask(put("/empty", b"")), 201) + holds(root, "empty", b""))
    tap.check("a large one is whole", expect(service.ask(put("/large", LARGE)), 201) + holds(root, "large", LARGE))
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(LARGE[i:i + 70000]), LARGE[i:i + 70000]) for i in range(0, len(LARGE), 70000))
    tap.check("so is one in chunks", expect(service.ask(get("/chunked", "Transfer-Encoding: chunked", method="PUT").encode() +
                                                        chunks + b"0\r\n\r\n"), 201) + holds(root, "chunked", LARGE))
    with service.connect() as raw:
        raw.send(get("/asked", "Content-Length: 5", "Expect: 100-continue", method="PUT"))
        while not raw.buffer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"):
            if not raw.more():
                break
        raw.send("hello" + get("/asked"))
        answer = raw.answer()
        tap.check("who waits for the word to go on gets it", expect(answer, 201) + ([] if answer.interim == [100] else ["it does not"]) +
                  ([] if raw.answer().body == b"hello" else ["what follows is lost"]))
    with service.connect() as raw:
        raw.send(b"".join(put(f"/p{i}", b"%d" % i) for i in range(20)) + b"".join(get(f"/p{i}").encode() for i in range(20)))
        answers = [raw.answer() for _ in range(40)]
        tap.check("pipelined ones are done in their order", [str(a) for a in answers[:20] if a.status != 201] +
                  [str(a) for i, a in enumerate(answers[20:]) if a.body != b"%d" % i])
    os.chmod(os.path.join(root, "a.txt"), 0o640)
    service.ask(put("/a.txt", b"three"))
    mode = os.stat(os.path.join(root, "a.txt")).st_mode & 0o777
    tap.check("permissions stay", [oct(mode)] if mode != 0o640 else [])
    tap.check("DELETE removes", expect(service.ask(get("/a.txt", method="DELETE")), 204) + holds(root, "a.txt", None))
    tap.check("what is gone is 404", expect(service.ask(get("/a.txt", method="DELETE")), 404) + expect(service.ask(get("/a.txt")), 404))


def conditions(tap, service, root):
    service.ask(put("/c", b"one"))
    tag = service.ask(get("/c")).fields["etag"]
    when = os.stat(os.path.join(root, "c")).st_mtime_ns
    tap.check("If-None-Match: * keeps what is there", expect(service.ask(put("/c", b"x", "If-None-Match: *")), 412) + holds(root, "c", b"one"))
    tap.check("If-Match replaces what is known", expect(service.ask(put("/c", b"two", f"If-Match: {tag}")), 204) + holds(root, "c", b"two"))
    os.utime(os.path.join(root, "c"), ns=(when, when))  # as if within one tick of the file system's clock
    tap.check("and nothing else", expect(service.ask(put("/c", b"x", f"If-Match: {tag}")), 412) + holds(root, "c", b"two"))
    tap.check("a DELETE too", expect(service.ask(get("/c", f"If-Match: {tag}", method="DELETE")), 412) + holds(root, "c", b"two"))
    tap.check("If-Match of nothing is 412", expect(service.ask(put("/none", b"x", "If-Match: *")), 412) + holds(root, "none", None))
    results = []

    def race(i):
        results.append(service.ask(put("/race", b"%d" % i, "If-None-Match: *")).status)
    threads = [threading.Thread(target=race, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap.check("of many that make a new file one does", [] if sorted(results) == [201] + [412] * 15 else [str(sorted(results))])


def refusals(tap, service, root, base):
    for name, request, status in (
            ("a directory", put("/dir", b"x"), 409), ("a name with a slash", put("/dir/", b"x"), 409), ("the root", put("/", b"x"), 409),
            ("a directory that is not there", put("/no/such", b"x"), 409), ("a file as a directory", put("/large/x", b"x"), 409),
            ("a part of a file", put("/a", b"x", "Content-Range: bytes 0-0/1"), 400),
            ("a coding", put("/a", b"x", "Content-Encoding: gzip"), 415), ("no length", get("/a", method="PUT").encode(), 411),
            ("too much", put("/a", b"", "X: y").replace(b"Content-Length: 0", b"Content-Length: 99999999999"), 413),
            ("too much in chunks", get("/a", "Transfer-Encoding: chunked", method="PUT").encode() +
             (b"100000\r\n" + b"x" * 0x100000 + b"\r\n") * 9 + b"0\r\n\r\n", 413),
            ("a malformed chunk", get("/a", "Transfer-Encoding: chunked", method="PUT").encode() + b"5\r\nhelloX\r\n0\r\n\r\n", 400),
            ("a hidden name", put("/.a", b"x"), 404), ("a way out", put("/%2e%2e/a", b"x"), 400), ("a link out", put("/out/a", b"x"), 404),
            ("a way out by a link", put("/up/a", b"x"), 404), ("a device", put("/null", b"x"), 409),
            ("deleting a directory", get("/dir", method="DELETE").encode(), 409),
            ("deleting through a link", get("/out/kept", method="DELETE").encode(), 404)):
        with service.connect() as raw:
            try:
                raw.send(request)
            except (ConnectionResetError, BrokenPipeError):
                pass
            try:
                answer = raw.answer()
            except ConnectionResetError:
                answer = None
        tap.check(f"{name} is {status}", expect(answer, status))
    outside = sorted(os.listdir(os.path.join(base, "out")))
    tap.check("nothing outside has changed", [str(outside)] if outside != ["kept"] else [])
    tap.check("nothing is left of what was refused", holds(root, "a", None) + leftovers(root))


def leftovers(root):
    return [name for name in os.listdir(root) if name.endswith(".new")]


def partial(tap, service, root):
    service.ask(put("/partial", b"old"))
    for cut in (0, 1, 100, 300_000, 4_999_999):
        with service.connect() as raw:
            raw.send(put("/partial", LARGE)[:len(put("/partial", LARGE)) - len(LARGE) + cut])
            if cut % 2:
                raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    tap.check("a body that stops half-way changes nothing",
              service.forgets() +
              holds(root, "partial", b"old") + leftovers(root))


def whole(name, data):
    """Each uploaded file begins with the checksum of the rest."""
    if data is None or len(data) < 32 or hashlib.sha256(data[32:]).digest() != data[:32]:
        return [f"{name}: {len(data) if data is not None else None} bytes, not whole"]
    return []


def killed(tap, sluice, root):
    """The server is killed while several clients upload: what was acknowledged is whole, so is what is there at all."""
    problems, acknowledged_nr = [], 0
    for turn in range(6):
        acknowledged, sent = {}, {}
        with Service(sluice, root, "--writable", "--workers", "2") as service:
            def upload(who):
                mine = random.Random(turn * 100 + who)
                try:
                    with service.connect() as raw:
                        for version in range(10000):
                            data = mine.randbytes(mine.choice((10, 5000, 700_000)))
                            sent[who] = hashlib.sha256(data).digest()
                            raw.send(put(f"/k{who}", sent[who] + data))
                            if raw.answer().status in (201, 204):
                                acknowledged[who] = sent[who]
                except (OSError, EOFError, AttributeError):
                    pass
            threads = [threading.Thread(target=upload, args=(who,)) for who in range(4)]
            for thread in threads:
                thread.start()
            service.until(lambda: len(acknowledged) == 4)
            time.sleep(0.05 * turn)
            service.signal(signal.SIGKILL)
            service.wait()
            for thread in threads:
                thread.join()
        acknowledged_nr += len(acknowledged)
        for who in range(4):
            data = content(root, f"k{who}")
            problems += whole(f"k{who}", data)
            # The last one acknowledged, or the one after it.
            if data is not None and data[:32] not in (acknowledged.get(who), sent.get(who)):
                problems.append(f"k{who} is older than what was acknowledged")
    tap.check("after a kill every file is whole", problems[:3])
    tap.check("uploads were acknowledged before it", [] if acknowledged_nr == 24 else [str(acknowledged_nr)])
    named = [name for name in leftovers(root) if not re.match(r"\.k\d\.", name)]
    tap.check("what it leaves behind is at most a link not yet renamed", named)
    for name in leftovers(root):
        os.unlink(os.path.join(root, name))


def main():
    tap, base = Tap(), area()
    root = os.path.join(base, "root")
    try:
        os.makedirs(os.path.join(root, "dir"))
        os.makedirs(os.path.join(base, "out"))
        with open(os.path.join(base, "out", "kept"), "wb") as file:
            file.write(b"kept")
        os.symlink("../out", os.path.join(root, "out"))
        os.symlink("..", os.path.join(root, "up"))
        os.symlink("/dev/null", os.path.join(root, "null"))
        with Service(sys.argv[1], root, "--writable", "--max-upload", "8M", "--metrics", "127.0.0.1:0", "--workers", "2") as service:
            basics(tap, service, root)
            conditions(tap, service, root)
            refusals(tap, service, root, base)
            partial(tap, service, root)
            tap.check("it ends well", [f"exit code {code}"] if (code := service.end()) else [])
        killed(tap, sys.argv[1], root)
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
