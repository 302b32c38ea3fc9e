#!/usr/bin/env python3
"""test_options.py: what options change that has no test of its own, seen from outside."""
import os
import signal
import sys

from service import Service, Tap, area, get, remove

NUMBERS = ("--metrics", "127.0.0.1:0", "--workers", "1")
THEN = 1_000_000_000


def write(root, name, data, mtime=THEN):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    os.utime(path, (mtime, mtime))


def has(answer, status, body=None, **fields):
    good = answer is not None and answer.status == status and (body is None or answer.body == body) and \
        all(answer.fields.get(name.replace("_", "-")) == value for name, value in fields.items())
    return [] if good else [str(answer)]


def put(target, data):
    return get(target, f"Content-Length: {len(data)}", method="PUT") + data


def links(tap, sluice, base):
    """Links that lead out of the directory."""
    root, out = os.path.join(base, "www"), os.path.join(base, "out")
    write(out, "file.txt", b"outside")
    write(root, "inside.txt", b"inside")
    os.symlink(os.path.join("..", "out", "file.txt"), os.path.join(root, "relative"))
    os.symlink(os.path.join(out, "file.txt"), os.path.join(root, "absolute"))
    os.symlink(out, os.path.join(root, "dir"))
    names = ("/relative", "/absolute", "/dir/file.txt")
    with Service(sluice, root, *NUMBERS) as service:
        tap.check("links that lead out are not there", [problem for name in names for problem in has(service.ask(get(name)), 404)])
    with Service(sluice, root, "--follow", "--writable", *NUMBERS) as service:
        tap.check("with --follow they are what they lead to",
                  [problem for name in names for problem in has(service.ask(get(name)), 200, b"outside")])
        tap.check("dots lead out in neither case", has(service.ask(get("/../out/file.txt")), 400))
        if any("not confined to its files" in line for line in service.said):
            tap.skip("nothing is written through them", "the kernel has no Landlock")
        else:
            answer = service.ask(put("/dir/new.txt", "x"))
            tap.check("nothing is written through them", has(answer, 403) + (["it is"] if os.path.exists(os.path.join(out, "new.txt")) else []))
        tap.check("but beneath", has(service.ask(put("/new.txt", "x")), 201))


def twins(tap, sluice, base):
    root = os.path.join(base, "twins")
    for name, data in (("page.html", b"plain"), ("page.html.zst", b"zstandard"), ("page.html.gz", b"gzip"), ("only.css", b"style"),
                       ("only.css.zst", b"zstyle")):
        write(root, name, data)
    with Service(sluice, root, *NUMBERS) as service:
        tap.check("a .zst twin is sent to who takes it", has(service.ask(get("/page.html", "Accept-Encoding: zstd, gzip")), 200,
                                                              b"zstandard", content_encoding="zstd", vary="Accept-Encoding"))
        tap.check("before others of the same weight", has(service.ask(get("/page.html", "Accept-Encoding: gzip, zstd")), 200, b"zstandard"))
        tap.check("not to others", has(service.ask(get("/only.css", "Accept-Encoding: gzip, br")), 200, b"style", content_encoding=None))
        tap.check("nor to who refuses it", has(service.ask(get("/only.css", "Accept-Encoding: zstd;q=0, *;q=0")), 200, b"style"))
    with Service(sluice, root, "--no-precompressed", *NUMBERS) as service:
        tap.check("with --no-precompressed no twin is sent", has(service.ask(get("/page.html", "Accept-Encoding: zstd, gzip")), 200,
                                                                 b"plain", content_encoding=None, vary=None))
        tap.check("but by its own name", has(service.ask(get("/page.html.zst")), 200, b"zstandard", content_encoding=None))


def hidden(tap, sluice, base):
    root = os.path.join(base, "hidden")
    write(root, ".secret", b"secret")
    write(root, ".git/config", b"config")
    with Service(sluice, root, "--list", *NUMBERS) as service:
        page = service.ask(get("/")).body
        tap.check("names with a dot are hidden", has(service.ask(get("/.secret")), 404) + ([] if b".secret" not in page else [repr(page)]))
    with Service(sluice, root, "--list", "--hidden", *NUMBERS) as service:
        page = service.ask(get("/")).body
        tap.check("with --hidden they are served", has(service.ask(get("/.secret")), 200, b"secret") +
                  has(service.ask(get("/.git/config")), 200, b"config"))
        tap.check("and listed", [] if b".secret" in page and b".git" in page else [repr(page)])


def memory(tap, sluice, base):
    """--cache-file and --cache-memory: what is sent from memory, and how much of it there may be."""
    root = os.path.join(base, "memory")
    for i in range(100):
        write(root, f"{i}.bin", bytes([i]) * 40000)
    with Service(sluice, root, *NUMBERS, "--cache-memory", "1M") as service:
        problems = []
        for _ in range(2):
            for i in range(100):
                problems += has(service.ask(get(f"/{i}.bin")), 200, bytes([i]) * 40000)
        numbers = service.metrics()
        tap.check("--cache-memory bounds what is kept", problems[:3] + ([] if 0 < numbers["cache_bytes"] <= 1 << 20 else [str(numbers)]))
        tap.check("others make room", [] if numbers["cache_evicted_total"] > 0 else [str(numbers)])
    with Service(sluice, root, *NUMBERS, "--cache-memory", "16M") as service:
        for i in range(100):
            service.ask(get(f"/{i}.bin"))
        numbers = service.metrics()
        tap.check("with more of it all are kept", [] if numbers["cache_bytes"] > 100 * 40000 and not numbers["cache_evicted_total"] else [str(numbers)])
    for most, name in (("39999", "hot_bytes_total"), ("40000", "memory_bytes_total")):
        with Service(sluice, root, *NUMBERS, "--cache-file", most) as service:
            service.ask(get("/7.bin"))
            numbers = service.metrics()
            came = numbers["hot_bytes_total"] + numbers["cold_bytes_total"] if name == "hot_bytes_total" else numbers[name]
            tap.check(f"a file of 40000 bytes with --cache-file {most} comes from {'memory' if most == '40000' else 'the page cache'}",
                      [] if came >= 40000 else [str(numbers)])


def validity(tap, sluice, base):
    """--cache-valid: when a change is seen."""
    root = os.path.join(base, "valid")
    for valid, after in (("1h", b"old"), ("0s", b"new")):
        write(root, "a.txt", b"old")
        with Service(sluice, root, *NUMBERS, "--cache-valid", valid) as service:
            first = service.ask(get("/a.txt")).body
            write(root, "a.txt.new", b"new", THEN + 1000)
            os.rename(os.path.join(root, "a.txt.new"), os.path.join(root, "a.txt"))
            second = service.ask(get("/a.txt")).body
            tap.check(f"with --cache-valid {valid} a changed file is {'noticed at once' if after == b'new' else 'not looked at'}",
                      [] if (first, second) == (b"old", after) else [f"{first}, {second}"])


def rates(tap, sluice, base):
    """--rate with a file that is kept in memory: sent at once, and paid for by who asks next."""
    root = os.path.join(base, "rate")
    write(root, "kept.bin", bytes(1 << 20))
    for options, status in (((), 200), (("Range: bytes=1-1000000",), 206)):
        # At 1 KiB a second the second answer is not due before a quarter of an hour has passed.
        with Service(sluice, root, *NUMBERS, "--cache-file", "1M", "--rate", "1K") as service, service.connect() as raw:
            raw.send(get("/kept.bin", *options) * 2)
            problems = has(raw.answer(), status)
            numbers = service.metrics()
            tap.check(f"with --rate a file in memory holds back the next request, {status}",
                      problems + ([] if numbers['responses_total{class="2xx"}'] == 1 and numbers["memory_bytes_total"] > 900000 else [str(numbers)]))
            tap.check("on this connection alone", has(service.ask(get("/kept.bin", method="HEAD"), head=True), 200))


def health(tap, sluice, base):
    """A drain as those see it who ask whether it is well."""
    root = os.path.join(base, "health")
    write(root, "large.bin", bytes(64 << 20))
    with Service(sluice, root, *NUMBERS, "--drain", "10m", "--stall-timeout", "10m") as service, service.connect() as busy:
        ask = get("/health")
        tap.check("/health says that all is well", has(service.ask(ask, port=service.metrics_port), 200, b"ok\n"))
        busy.send(get("/large.bin"))
        busy.more()
        service.signal(signal.SIGTERM)
        service.until(lambda: service.ask(ask, port=service.metrics_port).status == 503)
        tap.check("and that it drains", has(service.ask(ask, port=service.metrics_port), 503, b"draining\n",
                                            content_type="text/plain; charset=utf-8"))


def few_descriptors(tap, sluice, base):
    """A warning is for who asked for more than there can be."""
    few = ("sh", "-c", 'ulimit -n 1000; exec "$@"', "sh")
    os.makedirs(os.path.join(base, "few"))
    for options, warned in (((), False), (("--max-connections", "5000"), True)):
        with Service(sluice, os.path.join(base, "few"), *NUMBERS, "--cache-files", "64", *options, prefix=few) as service:
            found = any("--max-connections" in line and "ulimit -n" in line for line in service.said)
            tap.check("with too few descriptors it warns who asked for more" if warned else "and nobody else",
                      [] if found == warned else service.said)


def main():
    tap, base = Tap(), area()
    try:
        for test in (links, twins, hidden, memory, validity, rates, health, few_descriptors):
            test(tap, sys.argv[1], base)
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
