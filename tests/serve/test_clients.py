#!/usr/bin/env python3
"""test_clients.py: clients that nobody here wrote: curl, wget, ab, wrk; each bounded in time."""
import filecmp
import os
import random
import re
import shutil
import subprocess
import sys

from service import Service, Tap, area, remove

DATA = random.Random(3).randbytes(2_000_000)


def run(*command, **options):
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **options)


def ok(answer, holds=True):
    return [] if answer.returncode == 0 and holds else [f"exit code {answer.returncode}, {answer.stdout[:200]!r} {answer.stderr[-300:]!r}"]


def has(tap, program, sentence):
    if shutil.which(program):
        return True
    tap.skip(sentence, f"no {program} (see scripts/packages/check.txt)")
    return False


def curl(tap, service, base, root):
    if not has(tap, "curl", "curl downloads, resumes and uploads"):
        return
    url, out = f"http://127.0.0.1:{service.port}", os.path.join(base, "curl.out")
    source = os.path.join(root, "data.bin")
    tap.check("curl downloads", ok(run("curl", "-sSf", "-o", out, url + "/data.bin"), filecmp.cmp(out, source, False)))
    with open(out, "r+b") as file:
        file.truncate(700_001)
    tap.check("curl resumes", ok(run("curl", "-sSf", "-C", "-", "-o", out, url + "/data.bin"), filecmp.cmp(out, source, False)))
    tags = os.path.join(base, "etag")
    run("curl", "-sSf", "--etag-save", tags, "-o", "/dev/null", url + "/data.bin")
    answer = run("curl", "-sS", "--etag-compare", tags, "-o", "/dev/null", "-w", "%{http_code}", url + "/data.bin")
    tap.check("curl asks whether it has changed", ok(answer, answer.stdout == b"304"))
    answer = run("curl", "-sSf", "-Z", *[word for i in range(50) for word in ("-o", "/dev/null", f"{url}/data.bin?{i}")], "-w", "%{http_code}\n")
    tap.check("curl downloads many at once", ok(answer, answer.stdout.split() == [b"200"] * 50))
    tap.check("curl uploads", ok(run("curl", "-sSf", "-T", source, url + "/up.bin"), filecmp.cmp(os.path.join(root, "up.bin"), source, False)))
    with open(source, "rb") as file:
        answer = run("curl", "-sSf", "-T", "-", url + "/chunks.bin", stdin=file)
    tap.check("curl uploads in chunks", ok(answer, filecmp.cmp(os.path.join(root, "chunks.bin"), source, False)))
    tap.check("curl deletes", ok(run("curl", "-sSf", "-X", "DELETE", url + "/up.bin"), not os.path.exists(os.path.join(root, "up.bin"))))
    answer = run("curl", "-sSf", "--compressed", url + "/text.txt")
    tap.check("curl takes the compressed twin", ok(answer, answer.stdout == b"text\n"))


def wget(tap, service, base, root):
    if not has(tap, "wget", "wget mirrors a listing"):
        return
    target = os.path.join(base, "mirror")
    answer = run("wget", "-q", "-r", "-np", "-nH", "-e", "robots=off", "-P", target, f"http://127.0.0.1:{service.port}/tree/")
    got = sorted(os.path.relpath(os.path.join(path, name), target) for path, _, names in os.walk(target) for name in names
                 if not name.startswith("index.html"))
    wanted = sorted(os.path.relpath(os.path.join(path, name), root) for path, _, names in os.walk(os.path.join(root, "tree"))
                    for name in names)
    tap.check("wget mirrors a listing", ok(answer, got == wanted) + ([] if got == wanted else [f"{got} {wanted}"]))


def loads(tap, service):
    url = f"http://127.0.0.1:{service.port}"
    if has(tap, "ab", "ab gets every answer"):
        for arguments in (("-k",), ("-k", "-l"), ()):
            answer = run("ab", "-q", "-n", "2000", "-c", "20", *arguments, url + "/text.txt")
            failed = re.search(rb"Failed requests:\s+(\d+)", answer.stdout)
            tap.check(f"ab gets every answer {' '.join(arguments)}".strip(),
                      ok(answer, failed is not None and failed.group(1) == b"0" and b"Non-2xx" not in answer.stdout))
    if has(tap, "wrk", "wrk gets no error"):
        for path in ("/text.txt", "/data.bin"):
            answer = run("wrk", "-t1", "-c50", "-d1s", url + path)
            tap.check(f"wrk gets no error from {path}", ok(answer, b"Socket errors" not in answer.stdout and b"Non-2xx" not in answer.stdout))


def main():
    tap, base = Tap(), area()
    root = os.path.join(base, "root")
    try:
        for name in ("tree/a/x.txt", "tree/a/y z.txt", "tree/b/c/&.txt", "tree/top.txt", "text.txt"):
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(b"text\n")
        with open(os.path.join(root, "data.bin"), "wb") as file:
            file.write(DATA)
        run("gzip", "-k", os.path.join(root, "text.txt"))
        with Service(sys.argv[1], root, "--writable", "--list", "--workers", "2") as service:
            curl(tap, service, base, root)
            wget(tap, service, base, root)
            loads(tap, service)
            tap.check("it ends well", [f"exit code {code}"] if (code := service.end()) else [])
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
