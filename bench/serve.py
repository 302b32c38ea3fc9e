#!/usr/bin/env python3
"""serve.py BUILD [--rounds N] [--seconds S] [--only CASE] [--ours OPTIONS]: sluice serve against nginx.

Both serve the same files from one worker on one processor, the client has another; rounds of the two alternate, each on a
server of its own, and the ratio is taken within a round (see pinned.py). Two cases are about time instead: how long small
answers take beside a download of a cold file, and beside connections that are idle.
"""
import os
import shutil
import statistics
import subprocess
import tempfile

from pinned import Pinned, parse, parser, peer, ratios, turns

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


def begin(name, options, root, work, log=False, nopush="on", more="", first=()):
    """One of the two, serving."""
    port = 8300 if name == "sluice" else 8301
    if name == "sluice":
        command = [os.path.join(options.build, "sluice"), "serve", root, "--workers", "1", "--max-connections", "12000", "--listen",
                   f"127.0.0.1:{port}", *options.ours.split()]
        if log:
            command += ["--access-log", os.path.join(work, "sluice.log")]
    else:
        conf = os.path.join(work, "nginx.conf")
        with open(conf, "w", encoding="utf-8") as file:
            where = f"{work}/nginx.log combined buffer=64k flush=1s" if log else "off"
            file.write(NGINX.format(dir=work, root=root, port=port, log=where, nopush=nopush, more=more))
        command = peer(options, "nginx", "-c", conf, "-e", os.path.join(work, "error.log"))
    return Pinned(name, command, port, first)


BOTH = ["sluice", "nginx"]
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
    for who in turns(BOTH, options.rounds):
        with begin(who, options, root, work, log, nopush, first=first) as server:
            cpu = 0
            while cpu < options.seconds / 20: # else the machine had no time for it
                cpu, requests, size = drive(client, server, path, conns, depth, options.seconds, first)
        costs[who].append(cpu / (size / 1e9) if bulk else cpu / requests * 1e6)
    show(name, costs["sluice"], costs["nginx"], "s/GB" if bulk else "us/req")


def show(name, ours, theirs, unit):
    middle = statistics.median
    print(f"{name:24} {middle(ours):8.3f} {middle(theirs):8.3f} {unit:7} {ratios(ours, theirs)}", flush=True)


def forget(path):
    """Out of the page cache with it."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def beside_cold(options, client, root, work):
    """Small answers on one connection while another downloads 1 GiB that is not in the page cache."""
    times, rates = {"sluice": [], "nginx": []}, {"sluice": [], "nginx": []}
    for who in turns(BOTH, options.rounds):
        with begin(who, options, root, work, more="aio threads;", first=FIRST) as server:
            heard(subprocess.run(ask(client, server, "1k", 1, 1, 0), capture_output=True, text=True, check=False))
            forget(os.path.join(root, "1g"))
            small = ask(client, server, "1k", 1, 1, 600, 0, "calm", first=FIRST)
            large = ask(client, server, "1g", 1, 1, 0, 0, "calm", first=FIRST)
            with subprocess.Popen(small, stdout=subprocess.PIPE, text=True) as hot:
                size, seconds = heard(subprocess.run(large, capture_output=True, text=True, check=False))[1:3]
                hot.terminate()
                times[who].append(float(hot.communicate()[0].split()[4]))
            rates[who].append(size / seconds / 1e6)
    show("1 KiB beside cold, p99", times["sluice"], times["nginx"], "us")
    show("cold 1 GiB", rates["sluice"], rates["nginx"], "MB/s")


def beside_idle(options, client, root, work):
    """1,000 busy connections, alone and beside 10,000 that are idle: of each server on its own.

    In short runs: who never sleeps is held up by the kernel for 50 ms in each second.
    """
    for who in BOTH:
        times = {0: [], 10000: []}
        for idle in turns(list(times), options.rounds):
            with begin(who, options, root, work, first=FIRST) as server:
                heard(subprocess.run(ask(client, server, "1k", 1000, 1, 0.2), capture_output=True, text=True, check=False))
                command = ask(client, server, "1k", 1000, 1, 0.6, idle, first=FIRST)
                times[idle].append(heard(subprocess.run(command, capture_output=True, text=True, check=False))[4])
        show(f"{who}: p99, 10,000 idle", times[10000], times[0], "us")


def prepare(root):
    for name, size in SIZES.items():
        with open(os.path.join(root, name), "wb") as file:
            block = os.urandom(min(size, 1 << 20))
            for _ in range(size // len(block)):
                file.write(block)


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--first", action="store_true", help="before all else on a loaded machine; with --seconds below 0.8")
    options = parse(arguments)
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
