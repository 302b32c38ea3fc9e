#!/usr/bin/env python3
"""run.py: runs the examples and checks what they did.

usage: run.py BUILD_DIR BACKEND       BACKEND is 'default', or a name for $SLUICE_BACKEND
"""
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "style"))
from tap import Tap  # noqa: E402 (the path is needed first)

LINES_MAX = 100
SIZES = [0, 1, 4095, 128 * 1024, 16 * 128 * 1024 + 7, 5_000_001]


class Examples:
    def __init__(self, build, backend, folder):
        self.build, self.folder = build, folder
        self.env = dict(os.environ)
        self.env.pop("SLUICE_BACKEND", None)
        if backend != "default":
            self.env["SLUICE_BACKEND"] = backend

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def command(self, name, *arguments):
        return [os.path.join(self.build, name), *arguments]

    def run(self, name, *arguments, **options):
        return subprocess.run(self.command(name, *arguments), env=self.env, capture_output=True, timeout=60, **options)


def outcome(answer, status=0):
    """Problems with how a program ended."""
    if answer.returncode == status:
        return []
    return [f"exit code {answer.returncode}: {answer.stderr.decode(errors='replace').strip()}"]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def copies(examples):
    for size in SIZES:
        content = random.Random(size).randbytes(size)
        source, target = examples.file("source", content), examples.path("target")
        yield from outcome(examples.run("copy", source, target))
        if read(target) != content:
            yield f"{size} bytes: the copy differs"


def counts(examples):
    for size in SIZES:
        content = random.Random(size).randbytes(size)
        answer = examples.run("scan", examples.file("lines", content))
        yield from outcome(answer)
        if answer.stdout.split()[:1] != [b"%d" % content.count(b"\n")]:
            yield f"{size} bytes: {answer.stdout!r} for {content.count(10)} lines"


def appends(examples):
    log = examples.path("log")
    wanted = b""
    for size in (1, 70_000, 3):
        piece = random.Random(size).randbytes(size)
        wanted += piece
        answer = examples.run("append", log, input=piece)
        yield from outcome(answer)
        if answer.stdout.split()[-1:] != [b"%d" % len(wanted)]:
            yield f"it said {answer.stdout!r} for {len(wanted)} bytes"
    if read(log) != wanted:
        yield "the file differs from what was appended"


def keeps_a_log_for_a_crash_test(examples):
    log, acks = examples.path("wal"), examples.path("acks")
    with open(acks, "wb"):
        pass
    examples.env["SLUICE_CRASH_ACK"] = acks
    yield from outcome(examples.run("crash_wal", "write", log, "4"))
    promised = read(acks)
    if promised != b"record 1\nrecord 2\nrecord 3\nrecord 4\n":
        yield f"it promised {promised!r}"
    yield from outcome(examples.run("crash_wal", "check", log, input=promised))
    answer = examples.run("crash_wal", "check", log, input=promised + b"record 5\n")
    if answer.returncode != 1 or answer.stdout != b"record 5 was promised, 4 are there\n":
        yield f"a record that is not there: {answer.returncode} {answer.stdout!r} {answer.stderr!r}"


def notifies(examples):
    answer = examples.run("notify")
    yield from outcome(answer)
    if answer.stdout != b"4000 messages, sum 1998000\n":
        yield repr(answer.stdout)


def converse(port, seed, problems):
    """One connection: sends at random sizes while it reads, then finishes and expects the rest and the end."""
    chance = random.Random(seed)
    sent = chance.randbytes(chance.choice((1, 4096, 700_000)))
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
        def send():
            at = 0
            while at < len(sent):
                step = chance.randint(1, 50_000)
                peer.sendall(sent[at:at + step])
                at += step
            peer.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        while data := peer.recv(65536):
            got += data
        sender.join()
    if got != sent:
        problems.append(f"connection {seed}: {len(got)} bytes of {len(sent)} came back, or others")


def echoes(examples):
    problems = []
    with subprocess.Popen(examples.command("echo"), env=examples.env, stdout=subprocess.PIPE) as server:
        try:
            port = int(server.stdout.readline().split()[-1])
            idle = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(20)]
            clients = [threading.Thread(target=converse, args=(port, seed, problems)) for seed in range(12)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            # Idle connections hold it up neither before nor when it ends.
            server.send_signal(signal.SIGTERM)
            if server.wait(timeout=30) != 0:
                problems.append(f"exit code {server.returncode}")
            for connection in idle:
                if connection.recv(1) != b"":
                    problems.append("an idle connection received something")
                connection.close()
        finally:
            server.kill()
    return problems


def finds_the_lost_value(examples):
    """Without its sync the store loses a value, and the line printed makes the same run again."""
    answer = examples.run("kv_sim")
    yield from outcome(answer, 1)
    replay = answer.stdout.decode().partition("SLUICE_SIM='")[2].partition("'")[0]
    if not replay:
        yield f"it said {answer.stdout!r}"
        return
    examples.env["SLUICE_SIM"] = replay
    if examples.run("kv_sim").stdout != answer.stdout:
        yield f"'{replay}' is another run"
    del examples.env["SLUICE_SIM"]
    yield from outcome(examples.run("kv_sim", "--careful"))


def refusals(examples):
    """A missing file is an error with a message, not a crash."""
    for name, arguments in (("copy", ("/nonexistent", examples.path("x"))), ("scan", ("/nonexistent",)),
                            ("scan", (examples.folder,)), ("append", ("/nonexistent/x",))):
        answer = examples.run(name, *arguments, stdin=subprocess.DEVNULL)
        yield from outcome(answer, 1)
        if not answer.stderr:
            yield f"{name} {arguments}: no message"


def too_long():
    for name in sorted(os.listdir(HERE)):
        if name.endswith(".c"):
            lines = read(os.path.join(HERE, name)).count(b"\n")
            if lines >= LINES_MAX:
                yield f"{name}: {lines} lines"


def main():
    build, backend = sys.argv[1:]
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="sluice-examples-", dir=os.environ.get("SLUICE_TEST_DIR", "/var/tmp")) as folder:
        examples = Examples(build, backend, folder)
        if backend == "default":
            tap.check(f"every example is under {LINES_MAX} lines", list(too_long()))
        tap.check("copy copies files of many sizes", list(copies(examples)))
        tap.check("scan counts what wc -l counts", list(counts(examples)))
        tap.check("append appends, and says how far it is durable", list(appends(examples)))
        tap.check("echo serves several connections beside idle ones", echoes(examples))
        tap.check("crash_wal promises what its checker finds", list(keeps_a_log_for_a_crash_test(examples)))
        tap.check("notify receives every message once", list(notifies(examples)))
        tap.check("kv_sim finds the sync that is missing, and nothing when it is there",
                  list(finds_the_lost_value(examples)))
        tap.check("what cannot be opened is said", list(refusals(examples)))
    tap.done()


if __name__ == "__main__":
    main()
