#!/usr/bin/env python3
"""proxy.py BUILD [--rounds N] [--seconds S] [--only CASE]: sluice proxy against HAProxy and nginx stream, CPU of the proxy.

Each has one worker on one processor; upstream and clients have the other. Rounds go through all of them, and ratios are
taken within a round (see pinned.py). Then memory: resident bytes of the proxy for each of 2000 idle connections.
"""
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from pinned import Pinned, parse, parser, peer, ratios, turns

UPSTREAM, PORT = 8400, 8401
IDLE = 2000
# name, connections, bytes of an answer (0: a stream)
CASES = [("bulk, 1 connection", 1, 0), ("bulk, 8 connections", 8, 0), ("1 MiB at a time", 8, 1 << 20),
         ("64 KiB at a time", 8, 65536)]

HAPROXY = """
global
  nbthread 1
  maxconn 8000
  {tune}
defaults
  mode tcp
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  {splice}
listen x
  bind 127.0.0.1:{port}
  server s 127.0.0.1:{upstream}
"""
SPLICE = "option splice-request\n  option splice-response"
NGINX = """
load_module {module}; daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log crit;
events {{ worker_connections 10000; use epoll; }}
stream {{ server {{ listen 127.0.0.1:{port} backlog=4096; proxy_pass 127.0.0.1:{upstream}; }} }}
"""


class Proxy(Pinned):
    """One of them. Its connections are of no use to anybody: it is killed."""

    def __init__(self, name, options, work):
        conf = os.path.join(work, "conf")
        if name == "sluice":
            command = [os.path.join(options.build, "sluice"), "proxy", "--listen", f"127.0.0.1:{PORT}", f"127.0.0.1:{UPSTREAM}",
                       "--workers", "1", "--max-connections", "8000", *options.ours.split()]
        elif name.startswith("HAProxy"):
            forced = name != "HAProxy"
            text = HAPROXY.format(port=PORT, upstream=UPSTREAM, tune="tune.pipesize 1048576\n  maxpipes 64" if forced else "",
                                  splice=SPLICE if forced else "")
            command = peer(options, "haproxy", "-db", "-f", conf)
        else:
            module = os.path.join(options.build, "peers", "root", "usr/lib/nginx/modules/ngx_stream_module.so")
            text = NGINX.format(dir=work, port=PORT, upstream=UPSTREAM, module=module)
            command = peer(options, "nginx", "-c", conf, "-e", os.path.join(work, "error.log"))
        if name != "sluice":
            with open(conf, "w", encoding="ascii") as file:
                file.write(text)
        super().__init__(name, command, PORT)

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) << 10


def drive(options, proxy, case, seconds):
    """(CPU seconds, bytes) of one run, after a short one to warm up."""
    def once(length):
        _, conns, size = case
        sizes = [str(size)] if size else []
        answer = subprocess.run(["taskset", "-c", "1", options.peer, str(UPSTREAM), str(PORT), str(conns), str(length), *sizes],
                                capture_output=True, text=True, check=False)
        if answer.returncode:
            raise SystemExit(f"proxy.py: {proxy.name}: {answer.stderr.strip()}")
        return float(answer.stdout.split()[0])
    once(0.2)
    before = proxy.cpu()
    size = once(seconds)
    return proxy.cpu() - before, size


def rows(title, contenders, costs, unit):
    middle = statistics.median
    for name in contenders:
        print(f"{title:22} {name:16} {middle(costs[name]):9.3f} {unit:6} "
              + (ratios(costs["sluice"], costs[name]) if name != "sluice" else ""), flush=True)


def bulk(options, contenders, work, case):
    costs = {name: [] for name in contenders}
    for name in turns(contenders, options.rounds):
        with Proxy(name, options, work) as proxy:
            cpu, size = drive(options, proxy, case, options.seconds)
        costs[name].append(cpu / (size / 1e9))
    rows(case[0], contenders, costs, "s/GB")


def idle(options, contenders, work):
    """An upstream that accepts and holds; bytes of each connection, both sides of it within the proxy."""
    costs = {name: [] for name in contenders}
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", UPSTREAM))
        listener.listen(4096)
        held = []

        def hold():
            while True:
                held.append(listener.accept()[0])
        threading.Thread(target=hold, daemon=True).start()
        for name in contenders * min(options.rounds, 3):
            with Proxy(name, options, work) as proxy:
                held.clear()
                warm = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(50)]
                time.sleep(0.5)
                before = proxy.memory()
                socks = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(IDLE)]
                while len(held) < IDLE + 50:
                    time.sleep(0.05)
                time.sleep(0.5)
                costs[name].append((proxy.memory() - before) / IDLE / 1024)
                for sock in warm + socks:
                    sock.close()
            held.clear()
    rows("idle connection", contenders, costs, "KiB")


def main():
    options = parse(parser(__doc__))
    options.peer = os.path.join(options.build, "bench", "bench_proxy_peer")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    contenders = ["sluice", "HAProxy", "HAProxy, spliced", "nginx"]
    work = tempfile.mkdtemp(prefix="bench-proxy-", dir=options.build)
    try:
        print(f"{'the proxy':22} {'':16} {'cost':>9} {'':6} {'ours/theirs':>6}  [least .. most]")
        for case in CASES:
            if options.only in case[0]:
                bulk(options, contenders, work, case)
        if options.only in "idle connection":
            idle(options, contenders, work)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
