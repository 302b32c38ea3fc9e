#!/usr/bin/env python3
"""serve.py BUILD [--rounds N] [--seconds S] [--only CASE] [--ours OPTIONS]: sluice serve against nginx.

Both serve the same files from one worker on one processor, the client has another; rounds of the two alternate, and the
ratio is taken within a round. Everything runs in a network namespace of its own with TCP reno: pacing distorts loopback.
CPU is the time of all the server's threads on a processor (schedstat), each round on a server of its own. Two cases are
about time instead: how long small answers take beside a download of a cold file, and beside connections that are idle.
"""
import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# name, file, connections, requests on their way in each, access log
CASES = [
    ("1 KiB keep-alive", "1k", 16, 1, False),
    ("1 KiB, access log", "1k", 16, 1, True),
    ("1 KiB, 16 deep", "1k", 16, 16, False),
    ("1 KiB, 1000 connections", "1k", 1000, 1, False),
    ("64 KiB", "64k", 16, 1, False),
    ("1 MiB hot", "1m", 8, 1, False),
    ("1 GiB hot", "1g", 1, 1, False),
]
SIZES = {"1k": 1 << 10, "64k": 64 << 10, "1m": 1 << 20, "1g": 1 << 30}

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log crit;
events {{ worker_connections 16384; use epoll; }}
http {{
  sendfile on; tcp_nopush {nopush}; keepalive_requests 1000000000; keepalive_timeout 60;
  open_file_cache max=1000 inactive=60s; open_file_cache_valid 60s; open_file_cache_min_uses 1;
  default_type application/octet-stream; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2;
  fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  access_log {log}; {more}
  server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }}
}}
"""


class Server:
    """A server under test, pinned to the first processor."""

    def __init__(self, name, options, root, work, log=False, nopush="on", more="", first=()):
        self.port = 8300 if name == "sluice" else 8301
        if name == "sluice":
            command = [os.path.join(options.build, "sluice"), "serve", root, "--workers", "1", "--max-connections", "12000", "--listen",
                       f"127.0.0.1:{self.port}", *options.ours.split()]
            if log:
                command += ["--access-log", os.path.join(work, "sluice.log")]
        else:
            conf = os.path.join(work, "nginx.conf")
            with open(conf, "w", encoding="utf-8") as file:
                where = f"{work}/nginx.log combined buffer=64k flush=1s" if log else "off"
                file.write(NGINX.format(dir=work, root=root, port=self.port, log=where, nopush=nopush, more=more))
            command = [os.path.join(options.build, "peers", "run"), "nginx", "-c", conf, "-e", os.path.join(work, "error.log")]
        self.process = subprocess.Popen(["taskset", "-c", "0", *first, *command], stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"serve.py: {name} does not listen; is the peer unpacked (scripts/unpack-peer.sh)?")

    def cpu(self):
        """Seconds on a processor, of all its threads."""
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


FIRST = ("chrt", "-f", "1")


def ask(client, server, path, *arguments, first=()):
    """The command of a client on the second processor."""
    return ["taskset", "-c", "1", *first, client, str(server.port), "/" + path, *map(str, arguments)]


def heard(answer):
    if answer.returncode:
        raise SystemExit("serve.py: " + answer.stderr.strip())
    return [float(word) for word in answer.stdout.split()]


def drive(client, server, path, conns, depth, seconds, first):
    """(CPU seconds, requests, bytes) of one run, after a short one to warm up."""
    def once(length):
        return heard(subprocess.run(ask(client, server, path, conns, depth, length, first=first), capture_output=True, text=True, check=False))
    once(0.2)
    before = server.cpu()
    requests, size = once(seconds)[:2]
    return server.cpu() - before, requests, size


def measure(options, client, root, work, case):
    """One row: the cost of both in their unit, and the ratio of each round."""
    name, path, conns, depth, log = case
    # Sixteen answers at once and tcp_nopush: nginx then waits 40 ms for each batch. Measured as it is best.
    nopush = "off" if depth > 1 else "on"
    bulk = SIZES[path] >= 1 << 20
    first = FIRST if options.first else ()
    costs = {"sluice": [], "nginx": []}
    for round_nr in range(options.rounds):
        order = ["sluice", "nginx"] if round_nr % 2 == 0 else ["nginx", "sluice"]
        for who in order:
            server = Server(who, options, root, work, log, nopush, first=first)
            try:
                cpu = 0
                while cpu < options.seconds / 20: # else the machine had no time for it
                    cpu, requests, size = drive(client, server, path, conns, depth, options.seconds, first)
            finally:
                server.stop()
            costs[who].append(cpu / (size / 1e9) if bulk else cpu / requests * 1e6)
    show(name, costs["sluice"], costs["nginx"], "s/GB" if bulk else "us/req")


def show(name, ours, theirs, unit):
    ratios = [one / other for one, other in zip(ours, theirs)]
    middle = statistics.median
    print(f"{name:24} {middle(ours):8.3f} {middle(theirs):8.3f} {unit:7}"
          f" {middle(ratios):6.2f}  [{min(ratios):.2f} .. {max(ratios):.2f}]", flush=True)


def forget(path):
    """Out of the page cache with it."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def beside_cold(options, client, root, work):
    """Small answers on one connection while another downloads 1 GiB that is not in the page cache."""
    times, rates = {"sluice": [], "nginx": []}, {"sluice": [], "nginx": []}
    for round_nr in range(options.rounds):
        for who in ("sluice", "nginx")[::1 if round_nr % 2 == 0 else -1]:
            server = Server(who, options, root, work, more="aio threads;", first=FIRST)
            try:
                heard(subprocess.run(ask(client, server, "1k", 1, 1, 0), capture_output=True, text=True, check=False))
                forget(os.path.join(root, "1g"))
                small = ask(client, server, "1k", 1, 1, 600, 0, "calm", first=FIRST)
                large = ask(client, server, "1g", 1, 1, 0, 0, "calm", first=FIRST)
                with subprocess.Popen(small, stdout=subprocess.PIPE, text=True) as hot:
                    size, seconds = heard(subprocess.run(large, capture_output=True, text=True, check=False))[1:3]
                    hot.terminate()
                    times[who].append(float(hot.communicate()[0].split()[4]))
                rates[who].append(size / seconds / 1e6)
            finally:
                server.stop()
    show("1 KiB beside cold, p99", times["sluice"], times["nginx"], "us")
    show("cold 1 GiB", rates["sluice"], rates["nginx"], "MB/s")


def beside_idle(options, client, root, work):
    """1,000 busy connections, alone and beside 10,000 that are idle: of each server on its own.

    In short runs: who never sleeps is held up by the kernel for 50 ms in each second.
    """
    for who in ("sluice", "nginx"):
        alone, beside = [], []
        for round_nr in range(options.rounds):
            for idle, times in ((0, alone), (10000, beside))[::1 if round_nr % 2 == 0 else -1]:
                server = Server(who, options, root, work, first=FIRST)
                try:
                    heard(subprocess.run(ask(client, server, "1k", 1000, 1, 0.2), capture_output=True, text=True, check=False))
                    command = ask(client, server, "1k", 1000, 1, 0.6, idle, first=FIRST)
                    times.append(heard(subprocess.run(command, capture_output=True, text=True, check=False))[4])
                finally:
                    server.stop()
        show(f"{who}: p99, 10,000 idle", beside, alone, "us")


def prepare(root):
    for name, size in SIZES.items():
        with open(os.path.join(root, name), "wb") as file:
            block = os.urandom(min(size, 1 << 20))
            for _ in range(size // len(block)):
                file.write(block)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--ours", default="", help="more options of sluice serve, in one word")
    parser.add_argument("--first", action="store_true", help="before all else on a loaded machine; with --seconds below 0.8")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    if not options.inside:
        if os.geteuid() != 0:
            raise SystemExit("serve.py: needs root, for a network namespace of its own")
        script = ("ip link set lo up && { sysctl -qw net.ipv4.tcp_congestion_control=reno || true; } && "
                  'exec python3 "$@" --inside')
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", script, "sh", *sys.argv])
    client = os.path.join(options.build, "bench", "bench_serve_client")
    work = tempfile.mkdtemp(prefix="bench-serve-", dir=options.build)
    root = os.path.join(work, "www")
    os.mkdir(root)
    try:
        prepare(root)
        print(f"{'CPU of the server':24} {'sluice':>8} {'nginx':>8} {'':7} {'ratio':>6}  [least .. most]")
        for case in CASES:
            if options.only in case[0]:
                measure(options, client, root, work, case)
        if options.only in "cold":
            beside_cold(options, client, root, work)
        if options.only in "idle":
            print(f"{'idle connections':24} {'with':>8} {'without':>8}")
            beside_idle(options, client, root, work)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
