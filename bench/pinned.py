"""pinned.py: servers under test: each on the first processor, in a network namespace of its own, its CPU counted.

The network has TCP reno: pacing distorts loopback. CPU is the time of all the server's threads on a processor (schedstat).
"""
import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import time

__all__ = ["Pinned", "parser", "parse", "peer", "ratios", "turns"]


def parser(doc):
    """What every benchmark of a server asks for."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("build")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--seconds", type=float, default=2)
    made.add_argument("--only", default="")
    made.add_argument("--ours", default="", help="more options of ours, in one word")
    made.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return made


def parse(made):
    """The options, in a namespace of its own: outside of one the program begins anew."""
    options = made.parse_args()
    options.build = os.path.abspath(options.build)
    if not options.inside:
        if os.geteuid() != 0:
            raise SystemExit(f"{made.prog}: needs root, for a network namespace of its own")
        script = ("ip link set lo up && { sysctl -qw net.ipv4.tcp_congestion_control=reno || true; } && "
                  'exec python3 "$@" --inside')
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", script, "sh", *sys.argv])
    return options


def peer(options, name, *arguments):
    """The command of another's program, unpacked beside the build."""
    return [os.path.join(options.build, "peers", "run"), name, *arguments]


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Pinned:
    """A process that listens, begun when it does."""

    def __init__(self, name, command, port, first=()):
        self.name, self.port = name, port
        self.process = subprocess.Popen(["taskset", "-c", "0", *first, *command], stderr=subprocess.DEVNULL)
        for _ in range(1500):
            if listens(port):
                return
            time.sleep(0.02)
        self.stop(signal.SIGKILL)
        raise SystemExit(f"{name} does not listen; is the peer unpacked (scripts/unpack-peer.sh)?")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGTERM)

    def cpu(self):
        """Seconds on a processor, of all its threads."""
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def stop(self, number):
        """Until its port is free: a ring that is being torn down still holds it."""
        self.process.send_signal(number)
        self.process.wait()
        while listens(self.port):
            time.sleep(0.02)


def turns(contenders, rounds):
    """Who is next: in each round all of them, each time another one first."""
    for nr in range(rounds):
        first = nr % len(contenders)
        yield from contenders[first:] + contenders[:first]


def ratios(ours, theirs):
    """The middle and the spread of the ratio, taken within each round."""
    each = [one / other for one, other in zip(ours, theirs)]
    return f"{statistics.median(each):6.2f}  [{min(each):.2f} .. {max(each):.2f}]"
