#!/usr/bin/env python3
"""test_bench_net.py: sluice bench --net: what is said of each way to send a file, what proves it, and what stays behind."""
import errno
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import xml.dom.minidom

from command import Sluice, Tap
from test_bench import contenders, failures, held_by, holds, parsed, sane, shape
from test_probe import deny_io_uring

SIZES = {"net-1K": 1 << 10, "net-16K": 16 << 10, "net-256K": 256 << 10, "net-1M": 1 << 20, "net-16M": 16 << 20,
         "net-cold": 4 << 20}
# How often the CPU copies each byte, and how that is known, where the file is cached.
COPIES = {"read+write": (2, "reasoned"), "mmap+write": (1, "reasoned"), "sendfile": (0, "seen"), "splice": (0, "seen"),
          "io_uring send": (2, "reasoned"), "io_uring send-fixed": (2, "reasoned"), "sluice:uring": (2, "reasoned"),
          "sluice:epoll": (2, "reasoned"), "sluice-sendfile:uring": (0, "seen"), "sluice-sendfile:epoll": (0, "seen"),
          "sendfile+kTLS": (1, "reasoned"), "MSG_ZEROCOPY": (None, "reported"), "io_uring send_zc": (None, "reported"),
          "io_uring send_zc-fixed": (None, "reported")}
SMALL = ("--net", "--seconds", "1", "--size", "16M")


def kernel_has_tls():
    """Asked as the bench asks: by a socket that is connected."""
    import socket
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        try:
            client.setsockopt(socket.IPPROTO_TCP, 31, b"tls\0")
        except OSError:
            return False
    return True


def every_size(tap, sluice, directory):
    done = sluice.run("bench", "--json", *SMALL, directory)
    run = parsed(done)
    holds(tap, "--net prints one JSON object and nothing else", run is not None and done.returncode in (0, 1) and
          done.stderr == "", f"exit {done.returncode}\n{done.stdout[:300]}\n{done.stderr}")
    if not run:
        return
    problems = shape(run) + sane(run)
    holds(tap, "its members are the documented ones", not problems, "\n".join(problems[:20]))
    holds(tap, "it has each file size and the cold file", {w["name"]: w["block_bytes"] for w in run["workloads"]} == SIZES,
          [w["name"] for w in run["workloads"]])
    holds(tap, "every way of sending takes part in each", all({c["mechanism"] for c in w["contenders"]} == set(COPIES)
          for w in run["workloads"]), run["workloads"][0]["contenders"])
    wrong = failures(run) + [f"{c['name']}: {c['reason']}" for w in run["workloads"] for c in w["contenders"]
                             if "arrived" in c["reason"] or "did not do" in c["reason"]]
    holds(tap, "what arrives is what the file holds", not wrong, "\n".join(wrong))
    holds(tap, "it says who ran where", all("over loopback" in (w["setting"] or "") for w in run["workloads"]),
          run["workloads"][0]["setting"])
    copies(tap, run)
    costs(tap, run)
    encryption(tap, run)


def copies(tap, run):
    """On a file system of the kernel's own (no FUSE, no overlay) pages travel, and that is seen."""
    problems = []
    lends = run["machine"]["file_system"] in ("ext4", "xfs", "btrfs", "tmpfs")
    for workload in run["workloads"]:
        for c in workload["contenders"]:
            number, evidence = COPIES[c["mechanism"]]
            if c["rank"] is None or workload["name"] == "net-cold":
                continue
            if evidence == "seen" and not lends:
                continue
            if c["copies_evidence"] != evidence or number is not None and c["bytes_copied_per_byte"] != number:
                problems.append(f"{workload['name']} {c['name']}: {c['bytes_copied_per_byte']} {c['copies_evidence']}")
            if evidence == "reported" and not (1 <= c["bytes_copied_per_byte"] <= 2 and "copied" in c["settings"]):
                problems.append(f"{workload['name']} {c['name']}: {c['bytes_copied_per_byte']} {c['settings']}")
    holds(tap, "copies are told with the evidence for them", not problems, "\n".join(problems))
    cold = [c for w in run["workloads"] if w["name"] == "net-cold" for c in w["contenders"]
            if c["mechanism"].startswith("sluice-sendfile") and c["rank"] is not None]
    if not cold:
        tap.skip("of a cold file the ring's sendfile counts its copies", "nobody could be ranked on a cold file")
        return
    holds(tap, "of a cold file the ring's sendfile counts its copies", all(0 <= c["bytes_copied_per_byte"] <= 2 for c in cold),
          cold)


def costs(tap, run):
    problems = []
    for workload in run["workloads"]:
        for c in workload["contenders"]:
            if c["rank"] is None:
                continue
            ours = c["cpu_ns_per_op"] / workload["block_bytes"]
            if abs(ours - c["cpu_s_per_gb"]) > 0.001 + ours / 1000:
                problems.append(f"{workload['name']} {c['name']}: {c['cpu_s_per_gb']} s/GB, {c['cpu_ns_per_op']} ns")
            if not c["receiver_cpu_ns_per_op"] or c["receiver_cpu_ns_per_op"] <= 0:
                problems.append(f"{workload['name']} {c['name']}: receiver {c['receiver_cpu_ns_per_op']}")
    holds(tap, "either end's CPU is told, in seconds per GB too", not problems, "\n".join(problems))


def encryption(tap, run):
    found = [c for w in run["workloads"] for c in w["contenders"] if c["mechanism"] == "sendfile+kTLS"]
    if not kernel_has_tls():
        holds(tap, "without TLS in the kernel its contender says so", all(c["status"] == "unavailable" and
              "TLS" in c["reason"] and "modprobe tls" in c["reason"] for c in found), found)
        return
    holds(tap, "the receiver decrypts what the kernel encrypted", all(c["status"] == "ran" for c in found), found)


def one_size(tap, sluice, directory):
    run = parsed(sluice.run("bench", "--json", *SMALL, "--bs", "48K", "--only", "sendfile,read+write", directory))
    holds(tap, "--bs is the one file size", run is not None and
          {w["name"]: w["block_bytes"] for w in run["workloads"]} == {"net": 48 << 10, "net-cold": 48 << 10}, run)
    run = parsed(sluice.run("bench", "--json", *SMALL[1:], "--only", "net-16K,sendfile", directory))
    holds(tap, "a size can be named without --net", run is not None and [w["name"] for w in run["workloads"]] == ["net-16K"],
          run)


def table(tap, sluice, directory):
    words = ("bench", *SMALL, "--only", "net-16K,net-1M,sendfile,read+write,sluice-sendfile:*,MSG_ZEROCOPY")
    for width in (80, 100):
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": str(width)}
        done = sluice.run(*words, directory, encoding="utf-8", env=environment)
        wide = [line for line in done.stdout.splitlines() if len(line) > width]
        holds(tap, f"in {width} columns no line is wider", done.returncode in (0, 1) and not wide, "\n".join(wide) + done.stderr)
        holds(tap, f"in {width} columns the cost per GB stays", "CPU s/GB" in done.stdout and
              ("recv s/GB" in done.stdout) == (width == 100), done.stdout)
    holds(tap, "the table says what to use and why", all(word in done.stdout for word in
          ("RECOMMEND", "because", "unless", "noise", "setting", "★ ", "in short")), done.stdout)
    rows = re.findall(r"^  (sendfile|read\+write|sluice-sendfile:epoll) +[0-9.]+★? +[0-9.]+★?", done.stdout, re.M)
    holds(tap, "the end has one table of all sizes", "CPU seconds per GB" in done.stdout and len(rows) >= 2, done.stdout)
    listed = sluice.run("bench", "--net", "--list")
    holds(tap, "--list names the sizes and the ways of sending only", all(name in listed.stdout for name in (*SIZES, *COPIES))
          and "pread " not in listed.stdout, listed.stdout)


def page(tap, sluice, directory):
    with tempfile.TemporaryDirectory() as other:
        path, saved = os.path.join(other, "net.html"), os.path.join(other, "net.json")
        sluice.run("bench", "--json", *SMALL, "--only", "net-16K,net-1M,sendfile,read+write", "--html", path, "--save", saved,
                   directory)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        same = sluice.run("bench", "--compare", saved, saved)
    try:
        xml.dom.minidom.parseString(text)
        problem = ""
    except Exception as error:  # whatever the parser says is the answer
        problem = str(error)
    holds(tap, "the page is well-formed and has the chart by file size", not problem and "by file size</title>" in text, problem)
    holds(tap, "a run of --net is saved and compared", same.returncode == 0 and "sendfile" in same.stdout,
          same.stdout + same.stderr)


def small_file(tap, sluice, directory):
    """A file of the user's: nothing is changed in it, so nothing is seen; what it has no room for is said."""
    path = os.path.join(directory, "data")
    with open(path, "wb") as file:
        file.write(os.urandom(2 << 20))
    with open(path, "rb") as file:
        before = file.read()
    stamp = os.stat(path).st_mtime_ns
    run = parsed(sluice.run("bench", "--json", "--net", "--seconds", "1", "--only", "net-16K,net-16M,sendfile,splice", path))
    with open(path, "rb") as file:
        same = file.read() == before and os.stat(path).st_mtime_ns == stamp
    hot, large = contenders(run, "net-16K"), contenders(run, "net-16M")
    holds(tap, "a file of the user's is sent and not written", same and hot and
          all(c["status"] == "ran" for c in hot.values()), f"same {same} {hot}")
    holds(tap, "without a change under way copies are reasoned", all(c["copies_evidence"] == "reasoned" for c in hot.values()
          if c["rank"] is not None), hot)
    holds(tap, "a file size beyond the data says so", large and all(c["status"] == "unavailable" and "--size" in c["reason"]
          for c in large.values()), large)
    os.unlink(path)


def forbidden_ring(tap, sluice, directory):
    words = ("bench", "--json", *SMALL, "--only", "net-16K,sendfile,io_uring*,sluice*")
    run = parsed(sluice.run(*words, directory, preexec_fn=deny_io_uring(errno.EPERM)))
    every = contenders(run, "net-16K")
    rings = {name: c for name, c in every.items() if "uring" in name}
    holds(tap, "where io_uring is forbidden its contenders say why, and the others run", len(rings) == 6 and
          all(c["status"] == "unavailable" and "seccomp" in c["reason"] for c in rings.values()) and
          all(c["status"] == "ran" for name, c in every.items() if name not in rings), every)


def no_network(tap, sluice, directory):
    """In a network namespace of our own, where even loopback is down."""
    sentence = "without a network nobody can send, and it says why"
    words = ("unshare", "--net", sluice.path, "bench", "--json", *SMALL, "--only", "net-16K,sendfile,read+write", directory)
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
        tap.skip(sentence, "a network namespace cannot be made here")
        return
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    found = contenders(parsed(done), "net-16K")
    holds(tap, sentence, done.returncode == 1 and len(found) == 2 and
          all(c["status"] == "unavailable" and "loopback" in c["reason"] for c in found.values()), f"{found} {done.stderr}")


def threads_of(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def interruption(tap, sluice, directory):
    """Ctrl-C while files are under way: the receivers are threads, the sockets and the file have no name."""
    process = subprocess.Popen([sluice.path, "bench", "--net", "--size", "16M", directory], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while process.poll() is None and not (held_by(process.pid, directory) and threads_of(process.pid) > 1) and \
            time.monotonic() < end:
        time.sleep(0.01)
    sending = threads_of(process.pid) > 1
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    holds(tap, "Ctrl-C while sending leaves nothing behind", sending and process.returncode == -signal.SIGINT and
          "interrupted" in errors and os.listdir(directory) == [],
          f"sending {sending}, exit {process.returncode}, left {os.listdir(directory)}, said {errors!r}")


def main():
    tap, sluice = Tap(), Sluice(os.path.abspath(sys.argv[1]))
    where = os.environ.get("SLUICE_TEST_DIR") or os.environ.get("TMPDIR") or "/var/tmp"
    with tempfile.TemporaryDirectory(dir=where) as directory:
        for subject in (every_size, one_size, table, page, small_file, forbidden_ring, no_network, interruption):
            try:
                subject(tap, sluice, directory)
            except Exception:  # one that dies must not take the others along
                holds(tap, f"{subject.__name__} comes to its end", False, traceback.format_exc())
        holds(tap, "nothing is left in the directory", os.listdir(directory) == [], str(os.listdir(directory)))
    tap.done()


if __name__ == "__main__":
    main()
