#!/usr/bin/env python3
"""test_life.py: start, signals, sockets that were there before, users, logs, metrics, limits."""
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from service import Place, Service, Tap, area, get, remove

CHUNK = 64 << 20


def expect(answer, status):
    return [] if answer is not None and answer.status == status else [f"{answer}, want {status}"]


def refusals(tap, sluice, root):
    def fails(sentence, code, pattern, *arguments):
        answer = subprocess.run([sluice, "serve", *arguments], capture_output=True, text=True, timeout=60, check=False)
        tap.check(sentence, [] if answer.returncode == code and re.search(pattern, answer.stderr) else
                  [f"exit code {answer.returncode}, {answer.stderr!r}"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        fails("a port in use is told, with a remedy", 3, rf"{where}: .*already; try", root, "--listen", where)
    fails("a directory that is not there is told", 2, "/nowhere: No such file", "/nowhere", "--listen", "127.0.0.1:0")
    fails("a file is no directory", 2, "small.txt: ", os.path.join(root, "small.txt"), "--listen", "127.0.0.1:0")
    fails("an address that is none is told", 2, "127.0.0.1:99999: .*want", root, "--listen", "127.0.0.1:99999")
    fails("a wrong format is told", 2, "--log-format: ", root, "--log-format", "xml")
    fails("an index that is a path is told", 2, "--index: ", root, "--index", "../x")
    fails("a user that is not there is told", 2, "nosuchuser: no such user", root, "--user", "nosuchuser", "--listen", "127.0.0.1:0")
    fails("a log that cannot be opened is told", 2, "/nowhere/log: ", root, "--access-log", "/nowhere/log", "--listen", "127.0.0.1:0")
    fails("the directory is required", 2, "DIR: missing", "--list")


def begin_download(service):
    """A connection in the middle of a large answer."""
    raw = service.connect()
    raw.send(get("/large.bin"))
    raw.more()
    return raw


def drains(tap, sluice, root):
    # The limits are those of a hang: a slow machine takes its time.
    with Service(sluice, root, "--workers", "2", "--drain", "10m", "--stall-timeout", "10m") as service:
        # Some of the idle ones are with the worker that is busy, and some with the one that soon has nothing to do.
        idle, busy = [service.connect() for _ in range(8)], begin_download(service)
        for raw in idle:
            raw.send(get("/small.txt"))
            raw.answer()
        service.signal(signal.SIGTERM)
        tap.check("a drain closes idle connections", [] if all(raw.ended() for raw in idle) else ["it says something"])
        refused = service.until(lambda: _refused(service))
        tap.check("and accepts no more", [] if refused else ["it does"])
        answer = busy.answer()
        tap.check("what is under way is finished", expect(answer, 200) + ([] if len(answer.body) == CHUNK else [f"{len(answer.body)}"]))
        busy.socket.close()
        tap.check("then it ends with 0", [] if service.wait() == 0 else ["it does not"])
    with Service(sluice, root, "--workers", "2") as service:
        busy = [begin_download(service) for _ in range(3)]
        code = service.end_at_once()
        tap.check("a second signal ends it at once and says how many were cut",
                  [] if code == 0 and any("3 connections cut" in line for line in service.said) else [str(code), *service.said])
        del busy
    with Service(sluice, root, "--drain", "200ms") as service:
        busy = begin_download(service)
        service.signal(signal.SIGINT)
        code = service.wait()
        tap.check("so does the limit", [] if code == 0 and any("1 connection cut" in line for line in service.said) else
                  [str(code), *service.said])
        del busy


def _refused(service):
    try:
        socket.create_connection(("127.0.0.1", service.port), 1).close()
        return False
    except OSError:
        return True


def reloads(tap, sluice, base):
    root, log = os.path.join(base, "www"), os.path.join(base, "log")
    pages, types = os.path.join(base, "pages"), os.path.join(base, "types")
    for name, text in (("v1/a.odd", "one"), ("v2/a.odd", "two"), ("pages/404.html", "first page")):
        os.makedirs(os.path.dirname(os.path.join(base, name)), exist_ok=True)
        with open(os.path.join(base, name), "w", encoding="ascii") as file:
            file.write(text)
    with open(types, "w", encoding="ascii") as file:
        file.write("text/first odd\n")
    os.symlink("v1", root)
    with Service(sluice, root, "--access-log", log, "--error-pages", pages, "--types", types, "--unconfined",
                 "--workers", "2") as service:
        first = service.ask(get("/a.odd"))
        tap.check("error pages of one's own are used", expect(page := service.ask(get("/none")), 404) +
                  ([] if page.body == b"first page" else [str(page)]))
        service.until(lambda: os.path.getsize(log) > 0)
        os.rename(log, log + ".1")
        os.unlink(root)
        os.symlink("v2", root)
        with open(os.path.join(pages, "404.html"), "w", encoding="ascii") as file:
            file.write("second page")
        with open(types, "w", encoding="ascii") as file:
            file.write("text/second odd\n")
        kept = service.connect()
        kept.send(get("/a.odd"))
        kept.answer()
        service.signal(signal.SIGHUP)
        tap.check("a reload is told", [] if service.heard("reloaded") else service.said)
        tap.check("it opens the directory anew", [] if service.until(lambda: service.ask(get("/a.odd")).body == b"two") else ["it does not"])
        second = service.ask(get("/a.odd"))
        tap.check("and the types", [] if "first" in first.fields["content-type"] and "second" in second.fields["content-type"] else
                  [first.fields["content-type"], second.fields["content-type"]])
        tap.check("and the error pages", [] if service.ask(get("/none")).body == b"second page" else ["it does not"])
        tap.check("and the log", [] if service.until(lambda: os.path.exists(log) and os.path.getsize(log) > 0) else ["it does not"])
        kept.send(get("/a.odd"))
        tap.check("connections go on", expect(kept.answer(), 200))
        os.unlink(root)
        service.signal(signal.SIGHUP)
        tap.check("a reload that fails is told", [] if service.heard("not reloaded, going on") else service.said)
        tap.check("and changes nothing", [] if service.ask(get("/a.odd")).body == b"two" else ["it does"])
        tap.check("it ends well", [] if service.end() == 0 else ["it does not"])


def sockets(tap, sluice, root, base):
    path = os.path.join(base, "s.sock")
    with Service(sluice, root, path=path) as service:
        tap.check("a unix socket is served", expect(service.ask(get("/small.txt")), 200))
    with Service(sluice, root, path=path) as service:
        tap.check("one that was left behind is replaced", expect(service.ask(get("/small.txt")), 200))
    with socket.socket() as served, socket.socket() as watched, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        for listener in (served, watched):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        manager.bind(os.path.join(base, "notify"))
        manager.settimeout(60)

        def prepare():
            os.dup2(os.dup(served.fileno()), 40)
            os.dup2(os.dup(watched.fileno()), 41)
            os.dup2(40, 3)
            os.dup2(41, 4)
        process = subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", sluice, "serve", root, "--workers", "2"],
                                   env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:metrics",
                                        "NOTIFY_SOCKET": os.path.join(base, "notify")},
                                   preexec_fn=prepare, close_fds=False, stderr=subprocess.PIPE, text=True)
        try:
            said = manager.recv(4096).decode()
            tap.check("the service manager is told when it is ready", [] if "READY=1" in said else [said])

            place = Place(port=served.getsockname()[1])
            tap.check("sockets passed by the service manager are served", expect(place.ask(get("/small.txt")), 200))
            place = Place(port=watched.getsockname()[1])
            tap.check("one of them named metrics shows metrics", expect(place.ask(get("/metrics")), 200))
            process.terminate()
            said = manager.recv(4096).decode()
            tap.check("and told when it stops", [] if "STOPPING=1" in said else [said])
            tap.check("it ends well", [] if process.wait(60) == 0 else [process.stderr.read()])
        finally:
            process.kill()
            process.wait()


def users(tap, sluice, base):
    if os.geteuid() != 0:
        tap.skip("it becomes another user", "it takes root to become somebody else")
        return
    root = os.path.join(base, "public")
    os.makedirs(root)
    os.chmod(base, 0o755)
    with open(os.path.join(root, "private"), "w", encoding="ascii") as file:
        file.write("x")
    os.chmod(os.path.join(root, "private"), 0o600)
    with Service(sluice, root, "--user", "nobody") as service:
        uid = os.stat(f"/proc/{service.process.pid}").st_uid
        with open(f"/proc/{service.process.pid}/status", encoding="ascii") as file:
            status = file.read()
        tap.check("it becomes another user", [] if uid == pwd.getpwnam("nobody").pw_uid else [str(uid)])
        tap.check("for good", [] if re.search(r"CapEff:\s+0+\n", status) and "NoNewPrivs:\t1" in status else [status])
        tap.check("what that user may not read is 403", expect(service.ask(get("/private")), 403))


def confined(tap, service):
    modes = [re.search(r"Seccomp:\s+(\d)", status).group(1) for status in service.of_threads("status")]
    if any("not kept from other system calls" in line for line in service.said):
        tap.skip("no thread may run programs", "the kernel has no seccomp")
    else:
        tap.check("no thread may run programs", [] if set(modes) == {"2"} else [str(modes)])


def logs(tap, sluice, root, base):
    patterns = {
        "common": r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /small\.txt HTTP/1\.1" 200 5\n',
        "combined": r'127\.0\.0\.1 - - \[[^]]+\] "GET /small\.txt HTTP/1\.1" 200 5 "http://r/\\x22" "agent \\x5c\\xff"\n',
    }
    fields = ("Referer: http://r/\"", "User-Agent: agent \\\xff")
    for form in ("common", "combined", "json"):
        log = os.path.join(base, "log." + form)
        with Service(sluice, root, "--access-log", log, "--log-format", form, "--workers", "1") as service:
            with service.connect() as raw:
                for request in (get("/small.txt", *fields), get("/small.txt", "Range: bytes=1-2"), "GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n"):
                    raw.send(request)
                    raw.answer()
            service.end()
        with open(log, encoding="ascii") as file:
            lines = file.readlines()
        problems = [] if len(lines) == 3 else [f"{len(lines)} lines"]
        if form == "json":
            first = json.loads(lines[0])
            problems += [] if (first["peer"], first["request"], first["status"], first["bytes"], first["user_agent"]) == (
                "127.0.0.1", "GET /small.txt HTTP/1.1", 200, 5, "agent \\\xff") else [lines[0]]
            problems += [] if json.loads(lines[1])["status"] == 206 and json.loads(lines[2])["status"] == 400 else lines
        else:
            problems += [] if re.fullmatch(patterns[form], lines[0]) else [lines[0]]
            problems += [] if '" 206 2' in lines[1] and '" 400 ' in lines[2] else lines
        tap.check(f"the log is written, {form}", problems)
    with Service(sluice, root, "--access-log", "/dev/full", "--metrics", "127.0.0.1:0", "--workers", "1", "--unconfined") as service:
        problems = expect(service.ask(get("/small.txt")), 200)
        tap.check("a full disk loses lines, and counts them", problems + service.comes_to("log_lines_lost_total", 1))


def numbers(tap, sluice, root):
    with Service(sluice, root, "--metrics", "127.0.0.1:0", "--workers", "2", "--max-per-client", "5", "--health", "/up") as service:
        confined(tap, service)
        for _ in range(3):
            service.ask(get("/small.txt"))
        service.ask(get("/none"))
        service.ask(get("/large.bin"))
        metrics = service.metrics()
        tap.check("requests are counted", [] if metrics["requests_total"] >= 5 and metrics["body_bytes_total"] >= CHUNK else [str(metrics)])
        came = service.until(lambda: sum(service.metrics()[f"{how}_bytes_total"] for how in ("hot", "cold")) == CHUNK)
        tap.check("so is where bytes came from", [] if came else [str(service.metrics())])
        tap.check("health is told", expect(service.ask(get("/health"), port=service.metrics_port), 200) + expect(service.ask(get("/up")), 200))
        tap.check("nothing else is there", expect(service.ask(get("/small.txt"), port=service.metrics_port), 404) +
                  expect(service.ask(get("/metrics")), 404))
        service.forgets()
        held = [service.connect() for _ in range(5)]
        for raw in held:
            raw.send(get("/small.txt"))
            tap.check("as many connections as a client may have are served", expect(raw.answer(), 200))
        tap.check("one client has only so many connections", expect(service.ask(get("/small.txt")), 503))
        held[0].socket.close()
        tap.check("when one goes there is room", [] if service.until(lambda: service.ask(get("/small.txt")).status == 200) else ["none"])
    with Service(sluice, root, "--max-connections", "10", "--workers", "1") as service:
        held = []
        for _ in range(30):
            raw = service.connect()
            raw.send(get("/small.txt"))
            held.append(raw)
        answered = [None] * 30

        def hear(i):
            try:
                answered[i] = held[i].answer()
            except OSError:
                pass
        threads = [threading.Thread(target=hear, args=(i,)) for i in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tap.check("beyond the limit others wait, and idle ones make room", [] if all(answered) else [f"{sum(map(bool, answered))} of 30"])


def held_back(tap, sluice, root):
    whole = bytes(range(256)) * 1024
    with open(os.path.join(root, "rated.bin"), "wb") as file:
        file.write(whole)
    with Service(sluice, root, "--rate", "256K", "--workers", "1") as service:
        with service.connect() as raw:
            began = time.monotonic()
            raw.send(get("/rated.bin") + get("/small.txt") + get("/rated.bin", "Range: bytes=9-100000") +
                     get("/rated.bin", "Range: bytes=0-9,200000-200009"))
            answers = [raw.answer() for _ in range(4)]
            took = time.monotonic() - began
        tap.check("answers that are held back come whole and in order",
                  [] if [a.body for a in answers] == [whole, b"small", whole[9:100001], whole] else [str(answers)])
        # 2.38 seconds' worth, less the last part: a slow machine takes longer, none less.
        tap.check("and no faster than told", [f"{took} s"] if took < 2.2 else [])
        gone = [service.connect() for _ in range(3)]
        for raw in gone:
            raw.send(get("/rated.bin"))
            raw.more()
        gone[0].socket.close()
        tap.check("others are answered meanwhile", expect(service.ask(get("/small.txt")), 200))
        service.signal(signal.SIGTERM)
        tap.check("a drain lets them finish", expect(gone[1].answer(), 200) + expect(gone[2].answer(), 200) +
                  ([] if service.wait() == 0 and any(line.endswith("ended") for line in service.said) else service.said))


def main():
    tap, base = Tap(), area()
    root = os.path.join(base, "root")
    try:
        os.makedirs(root)
        with open(os.path.join(root, "small.txt"), "wb") as file:
            file.write(b"small")
        with open(os.path.join(root, "large.bin"), "wb") as file:
            file.truncate(CHUNK)
        sluice = sys.argv[1]
        refusals(tap, sluice, root)
        drains(tap, sluice, root)
        reloads(tap, sluice, base)
        sockets(tap, sluice, root, base)
        users(tap, sluice, base)
        logs(tap, sluice, root, base)
        numbers(tap, sluice, root)
        held_back(tap, sluice, root)
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
