#!/usr/bin/env python3
"""test_clients.py: clients that nobody here wrote: curl, wget, ab, wrk, h2load, slowhttptest, chromium; each bounded in time."""
import filecmp
import json
import os
import random
import re
import shutil
import signal
import struct
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
            answer = run("wrk", "-t1", "-c50", "-d1s", "--timeout", "60s", url + path)
            tap.check(f"wrk gets no error from {path}", ok(answer, b"Socket errors" not in answer.stdout and b"Non-2xx" not in answer.stdout))


def h2load(tap, service):
    if not has(tap, "h2load", "h2load gets every answer over HTTP/1.1"):
        return
    for depth in ("1", "16"):
        answer = run("h2load", "--h1", "-n", "4000", "-c", "20", "-m", depth, f"http://127.0.0.1:{service.port}/text.txt")
        good = re.search(rb"4000 total, 4000 started, 4000 done, 4000 succeeded, 0 failed, 0 errored", answer.stdout)
        tap.check(f"h2load gets every answer over HTTP/1.1, {depth} at a time", ok(answer, good is not None))


def slowhttptest(tap, sluice, root):
    """Each of its attacks: it finds the service available all the time, and its connections closed by the server."""
    if not has(tap, "slowhttptest", "slowhttptest finds the server available"):
        return
    attacks = {"slow headers": ("-H", "-i", "1"), "slow bodies": ("-B", "-t", "PUT", "-s", "100000", "-i", "1"),
               "ranges": ("-R", "-t", "GET")}
    options = ("-c", "100", "-r", "100", "-l", "60", "-p", "60", "-u")
    with Service(sluice, root, "--writable", "--metrics", "127.0.0.1:0", "--workers", "1", "--header-timeout", "1", "--idle-timeout", "1", "--stall-timeout", "1") as service:
        for name, arguments in attacks.items():
            answer = run("slowhttptest", *options, f"http://127.0.0.1:{service.port}/data.bin", *arguments)
            said = re.sub(rb"\x1b\[[0-9;]*[A-Za-z]", b"", answer.stdout)
            held = b"No open connections left" in said and b"available:   NO" not in said
            tap.check(f"slowhttptest holds it up by {name} for no long", ok(answer, held and b"YES" in said))
    # Reading slowly it does not notice that its connections have been reset: the server tells.
    with Service(sluice, root, "--metrics", "127.0.0.1:0", "--workers", "1", "--stall-timeout", "1") as service:
        with subprocess.Popen(["slowhttptest", *options, f"http://127.0.0.1:{service.port}/data.bin", "-X", "-w", "10", "-y", "20", "-z", "5",
                               "-n", "1", "-k", "3"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            cut = service.until(lambda: service.metrics()["connections_timed_out_total"] >= 100)
            process.kill()
        tap.check("slowhttptest holds it up by slow reading for no long", [] if cut else [str(service.metrics())])


CHROMIUM = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking")
PLAYER = b"""<!DOCTYPE html><title>player</title><video id=v src=/sound.wav preload=metadata muted></video><script>
v.onloadedmetadata = () => { v.currentTime = 200; };
v.onseeked = () => { new Image().src = '/report?at=' + v.currentTime + '&of=' + v.duration; };
v.onerror = () => { new Image().src = '/report?error=' + v.error.message; };
</script>"""


def wav(seconds):
    size = 88200 * seconds
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 44100, 88200, 2, 16, b"data", size) + bytes(size)


def browser():
    """The command of chromium: installed, or unpacked beside the build."""
    peers = os.environ.get("SLUICE_PEERS", "")
    unpacked = os.path.join(peers, "root/usr/lib/chromium/chromium")
    if shutil.which("chromium"):
        return ["chromium"]
    return [os.path.join(peers, "run"), unpacked] if os.path.exists(unpacked) else None


def chromium(tap, sluice, base):
    command = browser()
    if not command:
        tap.skip("chromium shows a listing and seeks in a film", "no chromium (see scripts/packages/browser.txt)")
        return
    root, log = os.path.join(base, "site"), os.path.join(base, "site.log")
    os.makedirs(os.path.join(root, "a & b"))
    names = ["<img src=x onerror=alert(1)>", "50%.txt", "two words.txt", "\u65e5\u672c.txt", "play.html", "sound.wav"]
    for name in names:
        with open(os.path.join(root, name), "wb") as file:
            file.write(PLAYER if name == "play.html" else wav(240) if name == "sound.wav" else b"")
    command = [*command, *CHROMIUM, "--user-data-dir=" + os.path.join(base, "profile")]
    with Service(sluice, root, "--list", "--access-log", log, "--log-format", "json") as service:
        def asked():
            with open(log, encoding="ascii") as file:
                return [json.loads(line) for line in file.read().splitlines()]
        url = f"http://127.0.0.1:{service.port}"
        answer = run(*command, "--dump-dom", url + "/")
        shown = re.findall(r'<a href="([^"]*)">([^<]*)</a>', answer.stdout.decode())
        wanted = {"&lt;img src=x onerror=alert(1)&gt;", "a &amp; b/", *names[1:]}
        tap.check("chromium shows a listing", ok(answer, wanted <= {text for _, text in shown}))
        links = [service.ask(f"HEAD {link[1:]} HTTP/1.1\r\nHost: x\r\n\r\n", head=True).status for link, text in shown if not text.startswith("..")]
        tap.check("whose links lead to what they name", [] if links == [200] * (len(names) + 1) else [f"{links} {shown}"])
        service.until(lambda: len(asked()) > len(links))
        tap.check("and in which no name is markup", [entry["request"] for entry in asked() if entry["request"].split()[1] in ("/x", "/a")])
        with subprocess.Popen([*command, "--remote-debugging-port=0", url + "/play.html"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True) as process:
            reported = service.until(lambda: any("/report" in entry["request"] for entry in asked()), 120)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        film = [entry for entry in asked() if "GET /sound.wav" in entry["request"]]
        report = [entry["request"] for entry in asked() if "/report" in entry["request"]]
        tap.check("chromium seeks in a film, by ranges",
                  [] if reported and "at=200&of=240" in report[0] and [entry["status"] for entry in film if entry["status"] != 304].count(206) > 1
                  else [f"{report} {film}"])


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
            h2load(tap, service)
            tap.check("it ends well", [f"exit code {code}"] if (code := service.end()) else [])
        slowhttptest(tap, sys.argv[1], root)
        chromium(tap, sys.argv[1], base)
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
