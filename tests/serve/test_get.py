#!/usr/bin/env python3
"""test_get.py: GET and HEAD: what is answered to whom, byte for byte."""
import gzip
import os
import random
import re
import sys

from service import Service, Tap, area, get, remove

RANDOM = random.Random(7)
BIG = RANDOM.randbytes(3_000_000)
SMALL = RANDOM.randbytes(5000)


def write(root, name, data, mtime=None):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    if mtime:
        os.utime(path, (mtime, mtime))


def tree(root):
    write(root, "small.bin", SMALL)
    write(root, "big.bin", BIG)
    write(root, "empty.txt", b"")
    write(root, "page.html", b"<p>page", 1_000_000_000)
    write(root, "page.html.gz", gzip.compress(b"<p>page", mtime=0), 1_000_000_000)
    write(root, "page.html.br", b"not really brotli", 1_000_000_000)
    write(root, "old.css", b"new", 1_000_000_000)
    write(root, "old.css.gz", b"stale", 900_000_000)
    write(root, "site/index.html", b"index")
    write(root, "site/a b%c.txt", b"odd")
    write(root, "bare/x<y>&\"z'.txt", b"markup")
    write(root, "bare/sub/f", b"f")
    write(root, "bare/.secret", b"secret")
    write(root, ".git/config", b"secret")
    write(root, ".well-known/acme", b"token")


def expect(answer, status, body=None, **fields):
    problems = []
    if answer is None:
        return ["no answer"]
    if answer.status != status:
        problems.append(f"{answer.status}, want {status}")
    if body is not None and answer.body != body:
        problems.append(f"body {answer.body[:60]!r} ({len(answer.body)} bytes)")
    for name, value in fields.items():
        got = answer.fields.get(name.replace("_", "-"))
        if value is None and got is not None or value is not None and not re.fullmatch(value, got or ""):
            problems.append(f"{name}: {got!r}, want {value!r}")
    return problems


def basics(tap, service):
    tap.check("a small file comes whole", expect(service.ask(get("/small.bin")), 200, SMALL, content_length="5000", date=".+ GMT",
                                                 accept_ranges="bytes", etag='".+"', connection=None))
    tap.check("a large file comes whole", expect(service.ask(get("/big.bin")), 200, BIG, content_length="3000000"))
    tap.check("an empty file is empty", expect(service.ask(get("/empty.txt")), 200, b"", content_length="0"))
    tap.check("HEAD has the head of GET", expect(service.ask(get("/big.bin", method="HEAD"), head=True), 200, b"",
                                                 content_length="3000000"))
    tap.check("a name with odd bytes is found", expect(service.ask(get("/site/a%20b%25c.txt")), 200, b"odd"))
    tap.check("a query is no part of the name", expect(service.ask(get("/small.bin?x=/../y")), 200, SMALL))
    tap.check("what is not there is 404 with a page", expect(service.ask(get("/none")), 404, content_type="text/html.*"))
    tap.check("a slash behind a file is 404", expect(service.ask(get("/small.bin/")), 404))
    tap.check("a directory without its slash is sent to it", expect(service.ask(get("/site?q")), 301, location=r"/site/\?q"))
    tap.check("a directory answers with its index", expect(service.ask(get("/site/")), 200, b"index", content_type="text/html.*"))
    tap.check("names that begin with a dot are not served", expect(service.ask(get("/.git/config")), 404))
    tap.check(".well-known is", expect(service.ask(get("/.well-known/acme")), 200, b"token"))
    tap.check("the type goes by the name", expect(service.ask(get("/page.html")), 200, content_type="text/html; charset=utf-8"))
    tap.check("OPTIONS says what may be done", expect(service.ask(get("/", method="OPTIONS")), 204, allow="GET, HEAD, OPTIONS"))
    tap.check("POST is not allowed", expect(service.ask(get("/page.html", "Content-Length: 0", method="POST")), 405, allow=".*GET.*"))
    tap.check("PUT is not allowed without --writable",
              expect(service.ask(get("/new", "Content-Length: 2", method="PUT") + "ab"), 405))
    tap.check("an unknown method is 501", expect(service.ask(get("/", method="FROB")), 501, connection="close"))


def connections(tap, service):
    with service.connect() as raw:
        for _ in range(3):
            raw.send(get("/small.bin"))
            if expect(raw.answer(), 200, SMALL):
                break
        raw.send(get("/small.bin", "Connection: close"))
        last = raw.answer()
        tap.check("a connection stays until it is told to close",
                  expect(last, 200, SMALL, connection="close") + ([] if raw.ended() else ["it goes on"]))
    with service.connect() as raw:
        raw.send(get("/small.bin", version="1.0"))
        tap.check("HTTP/1.0 closes", expect(raw.answer(), 200, SMALL, connection="close") + ([] if raw.ended() else ["not"]))
    with service.connect() as raw:
        raw.send(get("/small.bin", "Connection: keep-alive", version="1.0") * 2)
        tap.check("HTTP/1.0 stays when it asks to", expect(raw.answer(), 200, SMALL, connection="keep-alive") +
                  expect(raw.answer(), 200, SMALL))
    with service.connect() as raw:
        targets = ["/small.bin", "/none", "/big.bin", "/site/", "/empty.txt"] * 40
        raw.send("".join(get(target) for target in targets))
        wanted = {"/small.bin": SMALL, "/big.bin": BIG, "/site/": b"index", "/empty.txt": b""}
        problems = []
        for target in targets:
            problems += expect(raw.answer(), 200 if target in wanted else 404, wanted.get(target))
        tap.check("200 pipelined requests are answered in their order", problems[:3])
    with service.connect() as raw:
        for byte in get("/small.bin"):
            raw.send(byte)
        tap.check("a request may come byte by byte", expect(raw.answer(), 200, SMALL))
    with service.connect() as raw:
        raw.send(get("/small.bin", "Content-Length: 5") + "hello" + get("/site/"))
        tap.check("a body that nobody wants is passed over", expect(raw.answer(), 200, SMALL) + expect(raw.answer(), 200, b"index"))
    with service.connect() as raw:
        raw.send(get("/small.bin", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n" + get("/site/"))
        tap.check("also in chunks", expect(raw.answer(), 200, SMALL) + expect(raw.answer(), 200, b"index"))
    with service.connect() as raw:
        raw.send(get("/big.bin"))
        raw.socket.shutdown(1)
        tap.check("a peer that has finished still gets its answer", expect(raw.answer(), 200, BIG) +
                  ([] if raw.ended() else ["it goes on"]))


def parts(answer):
    boundary = re.search("boundary=(.*)", answer.fields["content-type"]).group(1).encode()
    pieces = answer.body.split(b"--" + boundary)
    if pieces[0] or pieces[-1] != b"--\r\n":
        raise ValueError(f"{pieces[0]!r} ... {pieces[-1]!r}")
    found = []
    for piece in pieces[1:-1]:
        head, body = piece.removeprefix(b"\r\n").split(b"\r\n\r\n", 1)
        where = re.search(rb"Content-Range: bytes (\d+)-(\d+)/(\d+)", head).groups()
        found.append((int(where[0]), int(where[1]), int(where[2]), body.removesuffix(b"\r\n")))
    return found


def ranges(tap, service):
    for name, data in (("small", SMALL), ("big", BIG)):
        size = len(data)
        ask = lambda value, *more: service.ask(get(f"/{name}.bin", f"Range: {value}", *more))  # noqa: E731
        tap.check(f"{name}: a range", expect(ask("bytes=10-19"), 206, data[10:20], content_range=f"bytes 10-19/{size}"))
        tap.check(f"{name}: to the end", expect(ask(f"bytes={size - 7}-"), 206, data[-7:]))
        tap.check(f"{name}: a suffix", expect(ask("bytes=-3"), 206, data[-3:]))
        tap.check(f"{name}: beyond the end", expect(ask(f"bytes={size}-"), 416, content_range=f"bytes \\*/{size}"))
        tap.check(f"{name}: a malformed range is none", expect(ask("bytes=9-3"), 200, data))
        tap.check(f"{name}: an overflowing one", expect(ask("bytes=0-99999999999999999999"), 206, data))
        found = parts(ask("bytes=4000-4099,0-9,-10"))
        tap.check(f"{name}: several, in order", [] if [(a, b, n) for a, b, n, _ in found] == [
            (0, 9, size), (4000, 4099, size), (size - 10, size - 1, size)] and
            all(body == data[a:b + 1] for a, b, _, body in found) else [str([f[:3] for f in found])])
        tag = service.ask(get(f"/{name}.bin")).fields["etag"]
        tap.check(f"{name}: If-Range with its tag", expect(ask("bytes=0-1", f"If-Range: {tag}"), 206, data[:2]))
        tap.check(f"{name}: If-Range with another", expect(ask("bytes=0-1", 'If-Range: "x"'), 200, data))
        tap.check(f"{name}: HEAD knows no ranges", expect(service.ask(get(f"/{name}.bin", "Range: bytes=0-1", method="HEAD"),
                                                                      head=True), 200, content_length=str(size)))
    for value in ("0-0," * 2000, "0-," * 2500, ",".join(f"{i * 300}-{i * 300 + 1}" for i in range(900)),
                  ",".join(f"{i * 300}-" for i in range(900)), "-1,0-1,2-3,-4999", ",".join(f"{i * 320}-{i * 320 + 200}" for i in range(16))):
        with service.connect() as raw:
            raw.send(get("/small.bin", "Range: bytes=" + value.rstrip(","), "Connection: close"))
            sent = 0
            while raw.more():
                sent += len(raw.buffer)
                raw.buffer = b""
        tap.check(f"ranges amplify nothing: {value[:20]}...", [f"{sent} bytes"] if sent > 1.5 * len(SMALL) + 4096 else [])


def conditions(tap, service):
    first = service.ask(get("/page.html"))
    tag, date = first.fields["etag"], first.fields["last-modified"]
    tap.check("Last-Modified is the file's", [] if date == "Sun, 09 Sep 2001 01:46:40 GMT" else [date])
    tap.check("a known tag is 304", expect(service.ask(get("/page.html", f"If-None-Match: {tag}")), 304, b"", etag=re.escape(tag)))
    tap.check("a known date is 304", expect(service.ask(get("/page.html", f"If-Modified-Since: {date}")), 304, b""))
    tap.check("an older date is 200", expect(service.ask(get("/page.html", "If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT")), 200))
    tap.check("another tag is 200", expect(service.ask(get("/page.html", 'If-None-Match: "x"')), 200))
    tap.check("If-Match of another is 412", expect(service.ask(get("/page.html", 'If-Match: "x"')), 412))
    tap.check("If-Unmodified-Since before is 412",
              expect(service.ask(get("/page.html", "If-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT")), 412))


def codings(tap, service):
    ask = lambda *fields: service.ask(get("/page.html", *fields))  # noqa: E731
    plain, packed = ask(), ask("Accept-Encoding: gzip")
    tap.check("a compressed twin is sent to who takes it", expect(packed, 200, gzip.compress(b"<p>page", mtime=0),
                                                                  content_encoding="gzip", vary="Accept-Encoding",
                                                                  content_type="text/html; charset=utf-8"))
    tap.check("to nobody else", expect(plain, 200, b"<p>page", content_encoding=None, vary="Accept-Encoding"))
    tap.check("its tag is another", [] if plain.fields["etag"] != packed.fields["etag"] else [plain.fields["etag"]])
    tap.check("the better one is chosen", expect(ask("Accept-Encoding: gzip, br"), 200, b"not really brotli", content_encoding="br"))
    tap.check("as the client weighs", expect(ask("Accept-Encoding: gzip, br;q=0.1"), 200, content_encoding="gzip"))
    tap.check("one that is refused is not sent", expect(ask("Accept-Encoding: gzip;q=0"), 200, b"<p>page"))
    tap.check("one that is older than the file is not sent",
              expect(service.ask(get("/old.css", "Accept-Encoding: gzip")), 200, b"new", content_encoding=None))
    tap.check("asked for by its name it is a file of its own",
              expect(service.ask(get("/page.html.gz")), 200, content_type="application/gzip", content_encoding=None))


def listing(tap, service):
    page = service.ask(get("/bare/"))
    text = page.body.decode()
    tap.check("a directory without an index is listed", expect(page, 200, content_type="text/html.*",
                                                               content_security_policy="default-src 'none';.*"))
    links = re.findall(r'href="([^"]*)"', text)
    tap.check("directories come first", [] if links[:2] == ["../", "./sub/"] else [str(links)])
    tap.check("each link leads where it says", [link for link in links[2:] if
                                                service.ask(get("/bare/" + link.removeprefix("./"))).body != b"markup"])
    tap.check("names are escaped", [] if "x&lt;y&gt;&amp;&quot;z&#39;.txt" in text and "<y>" not in text else [text])
    tap.check("hidden names are not shown", [] if "secret" not in text else [text])
    tap.check("it follows the colour scheme", [] if "color-scheme:light dark" in text else [text])
    tap.check("the root has no way up", [] if '"../"' not in service.ask(get("/")).body.decode() else ["it has"])


def changes(tap, service, root):
    write(root, "small.bin.new", b"changed")
    os.rename(os.path.join(root, "small.bin.new"), os.path.join(root, "small.bin"))
    tap.check("a changed file is noticed", [] if service.until(lambda: service.ask(get("/small.bin")).body == b"changed") else ["not"])
    os.unlink(os.path.join(root, "small.bin"))
    tap.check("a removed file is noticed", [] if service.until(lambda: service.ask(get("/small.bin")).status == 404) else ["not"])
    write(root, "small.bin", SMALL)
    tap.check("a new file is noticed", [] if service.until(lambda: service.ask(get("/small.bin")).body == SMALL) else ["not"])


def main():
    tap, root = Tap(), area()
    try:
        tree(root)
        with Service(sys.argv[1], root, "--list") as service:
            basics(tap, service)
            connections(tap, service)
            ranges(tap, service)
            conditions(tap, service)
            codings(tap, service)
            listing(tap, service)
            changes(tap, service, root)
            tap.check("it ends well", [f"exit code {code}"] if (code := service.end()) else [])
    finally:
        remove(root)
    tap.done()


if __name__ == "__main__":
    main()
