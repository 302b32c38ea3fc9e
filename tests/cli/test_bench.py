#!/usr/bin/env python3
"""test_bench.py: sluice bench: its JSON, HTML and text, what proves a contender void, its exit codes, and what stays behind."""
import errno
import fcntl
import json
import os
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback
import xml.dom.minidom

from command import Sluice, Tap
from test_probe import deny_io_uring

NOBODY = 65534
NUMBER = (int, float)
OPTIONAL = (int, float, type(None))
TEXT = (str, type(None))
RUN_KEYS = {"tool": str, "version": str, "schema": int, "command": str, "path": str, "file_bytes": int, "seed": int,
            "seconds": NUMBER, "machine": dict, "workloads": list}
MACHINE_KEYS = {"kernel": str, "cpu": TEXT, "cores": int, "memory_bytes": int, "memlock_bytes": OPTIONAL,
                "file_system": TEXT, "mount_options": TEXT, "mount_point": TEXT, "journal": TEXT, "device": dict,
                "load": NUMBER, "noise": dict}
NOISE_KEYS = {"cpu_pressure": OPTIONAL, "io_pressure": OPTIONAL, "steal": OPTIONAL, "seconds": NUMBER}
DEVICE_KEYS = {"name": TEXT, "scheduler": TEXT, "write_cache": TEXT, "logical_block_bytes": int, "read_ahead_kib": int,
               "rotational": bool}
WORKLOAD_KEYS = {"name": str, "title": str, "block_bytes": int, "write_percent": int, "setting": TEXT, "best": TEXT, "verdict": str,
                 "advice": dict, "rounds": int, "rounds_disturbed": int, "block_target_ns": int, "state": str,
                 "cpu_spread": OPTIONAL, "wall_spread": OPTIONAL, "noise": dict, "contenders": list}
ADVICE_KEYS = {"choose": TEXT, "because": TEXT, "unless": TEXT, "faster": TEXT, "noise": TEXT}
CONTENDER_KEYS = {"name": str, "mechanism": str, "depth": int, "mode": TEXT, "status": str, "reason": str, "about": str,
                  "settings": TEXT, "rank": OPTIONAL, "verdict": TEXT, "ops_per_s": OPTIONAL, "cpu_ns_per_op": OPTIONAL,
                  "p50_ns": OPTIONAL, "p99_ns": OPTIONAL, "p999_ns": OPTIONAL, "syscalls_per_op": OPTIONAL,
                  "page_cache_bytes": OPTIONAL, "bytes_copied_per_byte": OPTIONAL, "ratio_to_best": (dict, type(None)),
                  "wall_ratio_to_best": (dict, type(None))}
RAN_KEYS = {"cpu_ns_interval": dict, "wall_ns_per_op": NUMBER, "latency_samples": int, "switches_per_op": NUMBER,
            "ops_per_block": int, "rounds": int, "dropped_early": bool, "cpu_ns_rounds": list, "wall_ns_rounds": list}
SENT_KEYS = {"copies_evidence": str, "cpu_s_per_gb": NUMBER, "receiver_cpu_ns_per_op": OPTIONAL,
             "receiver_cpu_s_per_gb": OPTIONAL}
INTERVAL_KEYS = {"median": NUMBER, "low": NUMBER, "high": NUMBER}
# Who shows nothing in a workload that others do not show, as the man page has it.
LEFT_OUT = {"scan": {"preadv", "posix-aio"}, "mixed": {"read", "preadv", "posix-aio"},
            "send": {"io_uring send", "io_uring send_zc", "sendfile+kTLS"}}
SMALL = ("--seconds", "1", "--size", "8M")


def holds(tap, sentence, truth, detail):
    """One check: a truth, and what to print when it is none."""
    tap.check(sentence, [] if truth else str(detail).splitlines() or ["it does not hold"])


def members(what, value, keys):
    """An object has exactly these members, of these types."""
    problems = [f"{what}: members {sorted(set(value) ^ set(keys))} are missing or unknown"] if set(value) != set(keys) else []
    return problems + [f"{what}.{key} is {value[key]!r}" for key, kind in keys.items()
                       if key in value and not isinstance(value[key], kind)]


def sends(workload):
    return workload["name"] == "send" or workload["name"].startswith("net")


def contender_shape(workload, contender):
    keys = dict(CONTENDER_KEYS)
    if contender["rank"] is not None:
        keys.update(RAN_KEYS)
        if sends(workload):
            keys.update(SENT_KEYS)
        if contender["mode"] == "direct":
            keys["direct_proven"] = bool
    problems = members(contender["name"], contender, keys)
    for key in ("ratio_to_best", "wall_ratio_to_best", "cpu_ns_interval"):
        if contender.get(key) is not None:
            problems += members(f"{contender['name']}.{key}", contender[key], INTERVAL_KEYS)
    return problems


def shape(run):
    """Does a run follow docs/json/bench.md?"""
    problems = members("run", run, RUN_KEYS) + members("machine", run["machine"], MACHINE_KEYS)
    problems += members("device", run["machine"]["device"], DEVICE_KEYS)
    problems += members("noise", run["machine"]["noise"], NOISE_KEYS)
    for workload in run["workloads"]:
        problems += members(workload["name"], workload, WORKLOAD_KEYS)
        problems += members("advice", workload["advice"], ADVICE_KEYS)
        problems += members("noise", workload["noise"], NOISE_KEYS)
        for contender in workload["contenders"]:
            problems += contender_shape(workload, contender)
    return problems


def sane(run):
    """All have a reason, void and unavailable ones no rank; percentiles have samples; the best is rank 1."""
    problems = []
    for workload in run["workloads"]:
        ranked = [c for c in workload["contenders"] if c["rank"] is not None]
        if [c["rank"] for c in ranked] != list(range(1, len(ranked) + 1)):
            problems.append(f"{workload['name']}: ranks {[c['rank'] for c in ranked]}")
        if workload["best"] != (ranked[0]["name"] if ranked else None):
            problems.append(f"{workload['name']}: best is {workload['best']}")
        if len({c["name"] for c in workload["contenders"]}) != len(workload["contenders"]):
            problems.append(f"{workload['name']}: a name comes twice")
        for c in workload["contenders"]:
            if c["status"] != "ran" and c["rank"] is not None or not c["reason"]:
                problems.append(f"{c['name']}: {c['status']}, rank {c['rank']}, reason {c['reason']!r}")
        for c in ranked:
            for key, needed in (("p50_ns", 20), ("p99_ns", 1000), ("p999_ns", 10000)):
                if (c[key] is not None) != (c["latency_samples"] >= needed):
                    problems.append(f"{c['name']}: {key} {c[key]} of {c['latency_samples']} samples")
            r = c["ratio_to_best"]
            if r is None or not r["low"] <= r["median"] <= r["high"]:
                problems.append(f"{c['name']}: {r}")
    return problems


def documented():
    """docs/json/bench.md names every member."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "json", "bench.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    names = {*RUN_KEYS, *MACHINE_KEYS, *NOISE_KEYS, *DEVICE_KEYS, *WORKLOAD_KEYS, *ADVICE_KEYS, *CONTENDER_KEYS, *RAN_KEYS,
             *SENT_KEYS, *INTERVAL_KEYS, "direct_proven"}
    return [f"not in docs/json/bench.md: {name}" for name in names if f"`{name}`" not in text]


def manual(heading):
    """A section of the man page."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "man", "sluice-bench.1.scd")
    with open(path, encoding="utf-8") as file:
        return file.read().split(f"\n# {heading}\n", 1)[1].split("\n# ", 1)[0]


def parsed(done):
    """The JSON of a finished run; None (and no crash) when stdout is anything else."""
    try:
        return json.loads(done.stdout)
    except ValueError:
        return None


def contenders(run, workload):
    found = [w for w in (run or {"workloads": []})["workloads"] if w["name"] == workload]
    return {c["name"]: c for c in found[0]["contenders"]} if found else {}


def failures(run):
    """What contenders say that failed, or that read other bytes than the file's."""
    return [f"{c['name']}: {c['reason']}" for w in (run or {"workloads": []})["workloads"] for c in w["contenders"]
            if "did not hold" in str(c["reason"]) or "failed while running" in str(c["reason"])]


def short_run(tap, sluice, directory):
    done = sluice.run("bench", "--json", *SMALL, "--only", "read-*,append,send,idle-10,pread,mmap,libaio,O_DSYNC,sendfile,"
                      "MSG_ZEROCOPY,poll,epoll", directory)
    run = parsed(done)
    holds(tap, "a short run prints one JSON object and nothing else on stdout", run is not None and done.returncode in (0, 1),
              f"exit {done.returncode}\n{done.stdout[:500]}\n{done.stderr}")
    if not run:
        return
    holds(tap, "progress stays away from a stderr that is no terminal", done.stderr == "", done.stderr)
    problems = shape(run) + sane(run) + documented()
    holds(tap, "the JSON has the documented members", not problems, "\n".join(problems[:20]))
    names = [w["name"] for w in run["workloads"]]
    holds(tap, "--only chooses workloads and contenders", names == ["read-cached", "read-direct", "append", "send", "idle-10"]
              and {c["mechanism"] for w in run["workloads"] for c in w["contenders"]} ==
              {"pread", "mmap", "libaio", "O_DSYNC", "sendfile", "MSG_ZEROCOPY", "poll", "epoll"}, str(names))
    cached = contenders(run, "read-cached")
    calls = {name: cached.get(name, {}).get("syscalls_per_op") for name in ("pread", "mmap")}
    holds(tap, "system calls are counted", calls == {"pread": 1, "mmap": 0}, str(calls))
    zero = contenders(run, "send").get("MSG_ZEROCOPY", {})
    holds(tap, "a zero-copy send says whether it was copied", zero.get("rank") is None or
              (1 <= zero["bytes_copied_per_byte"] <= 2 and "copied" in (zero["settings"] or "")), str(zero))


def every_contender(tap, sluice, directory):
    """All of them, one short turn each: whoever cannot run says why, and nobody reads the wrong bytes."""
    done = sluice.run("bench", "--json", "--seconds", "1", "--size", "8M", directory)
    run = parsed(done)
    holds(tap, "every workload runs with every contender", run is not None and len(run["workloads"]) == 10,
              f"exit {done.returncode}: {done.stderr}")
    if not run:
        return
    problems = shape(run) + sane(run)
    holds(tap, "their JSON has the documented members too", not problems, "\n".join(problems[:20]))
    wrong = failures(run)
    holds(tap, "nobody fails or reads other data than the file's", not wrong, "\n".join(wrong))
    out = {w["name"]: {c["mechanism"] for c in w["contenders"] if "--full runs it" in c["reason"]} for w in run["workloads"]}
    holds(tap, "who sits out is listed as left out, with the reason", out == {name: LEFT_OUT.get(name, set()) for name in out} and
              all(c["status"] == "unavailable" for w in run["workloads"] for c in w["contenders"] if "--full" in c["reason"]
                  and c["mechanism"] in LEFT_OUT.get(w["name"], ())), str(out))
    select = contenders(run, "idle-10000").get("select")
    holds(tap, "select is void beyond FD_SETSIZE", select and
              (select["status"] == "unavailable" and "open files" in select["reason"] or
               select["status"] == "void" and "FD_SETSIZE" in select["reason"]), str(select))


def lies_are_void(tap, sluice, _directory):
    """tmpfs opens with O_DIRECT and reads from memory all the same: the proof must find out."""
    if not os.path.isdir("/dev/shm") or not os.access("/dev/shm", os.W_OK):
        tap.skip("an O_DIRECT that is none is void", "no tmpfs at /dev/shm that one may write")
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        done = sluice.run("bench", "--json", *SMALL, "--only", "read-direct,append,pread,libaio,O_DSYNC", directory)
        run = parsed(done)
    direct, append = contenders(run, "read-direct"), contenders(run, "append")
    good = [c for c in direct.values() if c["status"] == "void" and "memory" in c["reason"] or
            c["status"] == "unavailable" and "O_DIRECT" in c["reason"]]
    holds(tap, "an O_DIRECT that is none is void", direct and len(good) == len(direct), str([*direct.values()][:1]))
    holds(tap, "durability in memory is void", append and append["O_DSYNC"]["status"] == "void" and
              "memory" in append["O_DSYNC"]["reason"], str(append))
    holds(tap, "a run in which nobody can be ranked is bad news", done.returncode == 1, f"exit {done.returncode}")


def text_report(tap, sluice, directory):
    words = ("bench", *SMALL, "--only", "read-cached,pread,mmap,preadv")
    done = sluice.run(*words, directory, encoding="utf-8", env={**os.environ, "LC_ALL": "C.UTF-8"})
    holds(tap, "the table says what to use, because, unless and how noisy it was", done.returncode in (0, 1) and
              all(word in done.stdout for word in ("RECOMMEND", "because", "unless", "noise", "★ ", "in short")),
              f"exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    wide = [line for line in done.stdout.splitlines() if len(line) > 100]
    holds(tap, "no line is wider than 100 columns", not wide, "\n".join(wide))
    holds(tap, "a file gets no escape sequences", "\033" not in done.stdout, done.stdout[:200])
    partly = sluice.run("bench", *SMALL, "--only", "send", directory, encoding="utf-8", env={**os.environ, "LC_ALL": "C"})
    said = [line for line in partly.stdout.splitlines() if line.startswith("  left out ")]
    holds(tap, "the table names once whom it left out", len(said) == 1 and
              all(name in said[0] for name in LEFT_OUT["send"]), partly.stdout)
    for locale in ("C", "POSIX"):
        plain = sluice.run(*words, directory, encoding="utf-8", env={**os.environ, "LC_ALL": locale})
        holds(tap, f"the table is ASCII where the locale is {locale}", "\n* " in plain.stdout and plain.stdout.isascii(),
              plain.stdout + plain.stderr)


def html_report(tap, sluice, directory):
    with tempfile.TemporaryDirectory() as other:
        page = os.path.join(other, "report.html")
        sluice.run("bench", "--json", *SMALL, "--only", "read-cached,pread,libaio", "--html", page, directory)
        with open(page, encoding="utf-8") as file:
            text = file.read()
    try:
        xml.dom.minidom.parseString(text)
        problem = ""
    except Exception as error:  # whatever the parser says is the answer
        problem = str(error)
    holds(tap, "the page is well-formed", not problem, problem)
    loads = re.findall(r"(?:https?:|//[a-z]|<script|<link|<img|@import|url\()", text)
    holds(tap, "the page needs nothing from elsewhere", not loads, str(loads))
    holds(tap, "the page has titles, in light and dark", text.count("<svg") == text.count('role="img"><title>') and
              "prefers-color-scheme:dark" in text, f"{text.count('<svg')} charts")
    figures = {figure.split("</figcaption>")[0]: figure for figure in text.split("<figure><figcaption>")[1:]}
    legends = {title: re.findall(r"</span>([^<]+)</li>", figure) for title, figure in figures.items()}
    holds(tap, "its three charts have a line or a row for everybody", list(figures) ==
              ["CPU time per operation", "Latency against throughput, by queue depth", "Latency percentiles"] and
              all(f">{name}</text>" in figures["CPU time per operation"] for name in ("pread", "libaio x1", "libaio x32")) and
              sorted(legends["Latency against throughput, by queue depth"]) == ["libaio", "pread"] and
              set(legends["Latency percentiles"]) <= {"pread", "libaio x1", "libaio x32"} and legends["Latency percentiles"],
              str(legends))


def save_and_compare(tap, sluice, directory):
    with tempfile.TemporaryDirectory() as other:
        saved = os.path.join(other, "run.json")
        first = sluice.run("bench", "--json", *SMALL, "--only", "read-cached,pread,mmap", "--save", saved, directory)
        with open(saved, encoding="utf-8") as file:
            holds(tap, "--save keeps what --json prints", json.load(file) == parsed(first), "they differ")
        same = sluice.run("bench", "--compare", saved, saved, encoding="utf-8", env={**os.environ, "LC_ALL": "C.UTF-8"})
        holds(tap, "a run compared with itself is no worse", same.returncode == 0 and "1.00×" in same.stdout and
                  "slower" not in same.stdout, same.stdout + same.stderr)
        with open(saved, encoding="utf-8") as file:
            run = json.load(file)
        # Made-up rounds: those of a busy machine may spread by more than what is to be found.
        made = {factor: os.path.join(other, f"times{factor}.json") for factor in (1, 3)}
        for factor, path in made.items():
            for contender in run["workloads"][0]["contenders"]:
                contender["cpu_ns_rounds"] = [factor * (1000 + 10 * i) for i in range(8)]
            with open(path, "w", encoding="utf-8") as file:
                json.dump(run, file)
        worse = sluice.run("bench", "--compare", made[1], made[3], "--json")
        answer = parsed(worse) or {"changes": [], "worse": None}
        holds(tap, "three times the CPU is slower, and bad news", worse.returncode == 1 and answer["worse"] is True and
                  all(2.5 < c["ratio"]["median"] < 3.5 for c in answer["changes"]) and answer["changes"], str(answer))
        plain = sluice.run("bench", "--compare", saved, saved, env={**os.environ, "LC_ALL": "C"})
        holds(tap, "a comparison is ASCII where the locale is", "1.00x" in plain.stdout and plain.stdout.isascii(), plain.stdout)
        now = sluice.run("bench", *SMALL, "--only", "read-cached,pread,mmap", "--compare", saved, directory)
        holds(tap, "a new run is compared with a saved one", now.returncode in (0, 1) and "->" in now.stdout, now.stdout)
        junk = os.path.join(other, "junk.json")
        for text in ("", "{", '{"tool": "sluice bench"}', "[" * 100):
            with open(junk, "w", encoding="utf-8") as file:
                file.write(text)
            done = sluice.run("bench", "--compare", junk, saved)
            holds(tap, f"--compare refuses {text[:24]!r}", done.returncode == 2 and "not a saved run" in done.stderr, done.stderr)


def refusals(tap, sluice, directory):
    tiny = ("--only", "read-cached,pread", directory)
    cases = [
        (["--nonsense"], 2, "--nonsense: unknown or ambiguous option; try `sluice bench --help`"),
        (["--seconds"], 2, "--seconds: needs a value; try `sluice bench --help`"),
        (["--seconds", "500ms"], 2, "--seconds: '500ms' is out of range, want a duration from 1s to 24h; try"),
        (["--seconds", "soon"], 2, "--seconds: 'soon' is not a value, want a duration from 1s to 24h; try"),
        (["--net", "--rw", "read"], 2, "--net: has no kinds of work to choose from; leave out --rw"),
        (["--net", "--only", "read-cached"], 2, "read-cached: neither a workload nor a contender; see `sluice bench --net --list`"),
        (["--net", "--only", "pread"], 2, "--only: no contender does such a workload; see `sluice bench --net --list`"),
        (["--net", "--bs", "32M"], 2, "--bs: '32M' is out of range, want a size from 512 to 16M; try"),
        (["--only", "nonsense"], 2, "nonsense: neither a workload nor a contender; see `sluice bench --list`"),
        (["--only", "read-cached", "--rw", "randwrite"], 2, "--only: names no workload that --rw chooses; leave out one of the"),
        (["--rw", "sideways"], 2, "--rw: 'sideways' is no kind of work; want randread, read, randrw, randwrite or write"),
        (["--qd", "0"], 2, "--qd: not a list of depths; give up to 8 numbers of 1 to 128, as in 1,8,32"),
        (["--bs", "100"], 2, "--bs: '100' is out of range, want a size from 512 to 16M; try"),
        (["--bs", "1000"], 2, "--bs: not a multiple of 512 bytes; try 4K"),
        (["--size", "64K"], 2, "--size: '64K' is out of range, want a size from 8M to 512G; try"),
        (["--seed", "x"], 2, "--seed: 'x' is not a value, want a whole number such as 32; try"),
        (["/nonexistent/place"], 2, "/nonexistent/place: No such file or directory; nothing has this name"),
        (["/dev/null"], 2, "/dev/null: neither a directory nor a regular file; name a directory on the file system"),
        (["--compare", "/nonexistent/run.json", directory], 2, "/nonexistent/run.json: No such file or directory; nothing has"),
        (["--html", "/nonexistent/page.html", *SMALL, *tiny], 2, "/nonexistent/page.html: No such file or directory; its directory"),
    ]
    if os.geteuid() == 0:  # elsewhere the permission is said to be missing
        cases += [([path], 3, f"{path}: no file can be made here (file system {name}: ") for path, name in
                  (("/proc", "proc"), ("/sys", "sysfs")) if os.path.ismount(path)]
    for arguments, code, words in cases:
        done = sluice.run("bench", *arguments)
        holds(tap, f"bench {' '.join(arguments[:4]).replace(directory, 'PATH')} is refused with cause and remedy",
              done.returncode == code and done.stderr.startswith(f"sluice bench: {words}") and "; " in done.stderr and
              done.stderr.count("\n") == 1 and not done.stdout, f"exit {done.returncode}: {done.stderr}")


def file_size_limits(tap, sluice, directory):
    """`ulimit -f` counts KiB in some shells and half of them in others: set it here."""
    def at_most(limit):
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = sluice.run("bench", directory, preexec_fn=at_most(1000 << 10))
    holds(tap, "a limit on the size of files that leaves no room is said", done.returncode == 4 and
              "no file may be larger than 1000 KiB (`ulimit -f`); raise the limit to 8 MiB at least" in done.stderr,
              f"exit {done.returncode}: {done.stderr}")
    done = sluice.run("bench", "--size", "64M", directory, preexec_fn=at_most(20 << 20))
    holds(tap, "a --size beyond the limit is refused", done.returncode == 4 and
              "no file may be larger than 20480 KiB (`ulimit -f`); raise the limit, or choose a smaller --size" in done.stderr,
              f"exit {done.returncode}: {done.stderr}")
    done = sluice.run("bench", "--json", "--seconds", "1", "--only", "read-cached,pread", directory, preexec_fn=at_most(9 << 20))
    run = parsed(done)
    holds(tap, "within the limit the test data are smaller", run is not None and run["file_bytes"] in (8 << 20, 9 << 20),
              f"exit {done.returncode}: {done.stderr}")
    with tempfile.TemporaryDirectory() as other:
        saved = os.path.join(other, "run.json")
        done = sluice.run("bench", "--json", "--seconds", "1", "--only", "idle-10,poll", "--save", saved, other, preexec_fn=at_most(512))
        holds(tap, "a saved run that does not fit is an I/O error with its cause", done.returncode == 4 and
                  f"{saved}: File too large; a file size limit was reached" in done.stderr, f"exit {done.returncode}: {done.stderr}")


def closed_output(tap, sluice, directory):
    if not os.path.exists("/dev/full"):
        tap.skip("a full output is an I/O error", "no /dev/full")
        return
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = sluice.run("bench", "--json", *SMALL, "--only", "idle-10,poll", directory, stdout=full)
    holds(tap, "a full output is an I/O error", done.returncode == 4 and done.stderr, f"exit {done.returncode}: {done.stderr}")


def user_file(tap, sluice, directory):
    path = os.path.join(directory, "data")
    with open(path, "wb") as file:
        file.write(os.urandom(4 << 20))
    with open(path, "rb") as file:
        before = file.read()
    stamp = os.stat(path).st_mtime_ns
    done = sluice.run("bench", "--json", *SMALL, "--only", "pread,mmap,read,sendfile", path)
    run = parsed(done)
    with open(path, "rb") as file:
        same = file.read() == before and os.stat(path).st_mtime_ns == stamp
    holds(tap, "a file of the user's is read and not written", run is not None and same and
              [w["name"] for w in run["workloads"]] == ["read-cached", "read-direct", "scan", "send"], done.stderr)
    done = sluice.run("bench", "--rw", "randwrite", path)
    holds(tap, "writing work on a file is refused", done.returncode == 2 and "directory" in done.stderr, done.stderr)
    with open(path, "wb") as file:
        file.write(b"short")
    done = sluice.run("bench", path)
    holds(tap, "a file that is too short is refused", done.returncode == 2 and "too short" in done.stderr, done.stderr)
    os.unlink(path)


def held_by(pid, directory):
    """Does a process have a deleted file of this directory open?"""
    try:
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return False
    return any(link.startswith(directory) and link.endswith("(deleted)") for link in links)


def interruptions(tap, sluice, directory):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
        process = subprocess.Popen([sluice.path, "bench", "--size", "32M", directory], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while process.poll() is None and not held_by(process.pid, directory) and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        said = number == signal.SIGKILL or "interrupted" in errors
        holds(tap, f"{number.name} leaves no file behind", process.returncode == -number and os.listdir(directory) == [] and said,
                  f"exit {process.returncode}, left {os.listdir(directory)}, said {errors!r}")


def not_ours(tap, sluice, directory):
    if os.geteuid() != 0:
        tap.skip("a directory one may not write is refused", "it takes root to try as somebody else")
        return
    os.chmod(directory, 0o755)

    def become_nobody():
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    with tempfile.TemporaryDirectory() as public:
        os.chmod(public, 0o755)
        copy = os.path.join(public, "sluice")
        shutil.copy(sluice.path, copy)
        os.chmod(copy, 0o755)
        done = Sluice(copy).run("bench", public, preexec_fn=become_nobody)
    holds(tap, "a directory one may not write is refused", done.returncode == 3 and "Permission denied; " in done.stderr,
              f"exit {done.returncode}: {done.stderr}")


def forbidden_ring(tap, sluice, directory):
    """A container's seccomp filter, and a limit on locked memory that is too small."""
    words = ("bench", "--json", *SMALL, "--only", "read-cached,append,idle-10,pread,io_uring*,sluice*,O_DSYNC,epoll")
    done = sluice.run(*words, directory, preexec_fn=deny_io_uring(errno.EPERM))
    run = parsed(done)
    every = [c for w in (run or {"workloads": []})["workloads"] for c in w["contenders"]]
    rings = [c for c in every if c["mechanism"].startswith("io_uring") or c["mechanism"] == "sluice:uring"]
    holds(tap, "where io_uring is forbidden its contenders say why, and the others run",
          rings and all(c["status"] == "unavailable" and "seccomp" in c["reason"] for c in rings) and
          all(c["status"] != "unavailable" for c in every if c not in rings),
          "\n".join(f"{c['name']}: {c['status']} {c['reason']}" for c in every) + done.stderr)

    def little_memory():
        # One block fits, but not two: the next ring needs what the one before gives back late.
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (100 << 10, 100 << 10))
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    # The directory must be nobody's to write, and the command nobody's to run.
    os.chmod(directory, 0o777)
    with tempfile.TemporaryDirectory() as public:
        os.chmod(public, 0o755)
        copy = shutil.copy(sluice.path, public)
        os.chmod(copy, 0o755)
        done = Sluice(copy).run("bench", "--json", *SMALL, "--only", "read-cached,pread,io_uring*,sluice*", "--bs", "64K",
                                directory, preexec_fn=little_memory)
    found, failed = contenders(parsed(done), "read-cached"), failures(parsed(done))
    holds(tap, "where memory can hardly be locked nobody fails", found and not failed, "\n".join(failed) + done.stderr)
    deep, sentence = found.get("io_uring-fixed x32", {}), "where memory cannot be locked, registered buffers say so"
    if found.get("io_uring x1", {}).get("status") == "unavailable":
        tap.skip(sentence, f"no io_uring: {found['io_uring x1']['reason']}")
        return
    holds(tap, sentence,
          found and (deep.get("status") == "unavailable" and "ulimit -l" in deep["reason"]) and
          all(found[name]["status"] != "unavailable" for name in ("pread", "sluice:uring x32")),
          f"{deep} {done.stderr} {[(c['name'], c['status'], c['reason']) for c in found.values()]}")


def on_terminal(sluice, *arguments):
    """Runs a command whose stderr is a terminal of 100 columns: its end, and what stood there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 100, 0, 0))
    with subprocess.Popen([sluice.path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
                          text=True, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError as error:  # how a terminal says that nobody writes to it any more
            if error.errno != errno.EIO:
                raise
        os.close(ours)
        done = process.communicate(timeout=300)[0]
    return subprocess.CompletedProcess(arguments, process.returncode, done, ""), shown.decode()


def progress(tap, sluice, directory):
    words = ("bench", *SMALL, "--only", "read-cached,idle-10,pread,poll", directory)
    for options in ((), ("--json",)):
        done, shown = on_terminal(sluice, *words, *options)
        steps = [step.strip() for step in re.split(r"[\r\n]|\033\[K", shown) if step.strip()]
        rounds = [re.fullmatch(r"\[ *\d+ s\] (\d)/2 (read-cached|idle-10): round (\d+): (pread|poll)", step) for step in steps]
        places = [match.groups() for match in rounds if match]
        holds(tap, f"progress on a terminal names time, workload, round and contender {' '.join(options)}",
              any(step.startswith("writing test data: 0 of 8 MiB") for step in steps) and
              {("1", "read-cached", "pread"), ("2", "idle-10", "poll")} == {(*place[:2], place[3]) for place in places} and
              places == sorted(places, key=lambda place: (place[0], int(place[2]))), "\n".join(steps[:40]))
        holds(tap, f"progress is taken off the terminal at the end {' '.join(options)}", shown.endswith("\r\033[K"), repr(shown[-80:]))
        if options:
            holds(tap, "progress leaves the JSON alone", parsed(done) is not None, done.stdout[:200])


def small_disks(tap, sluice, _directory):
    """A tmpfs of 4 MiB is too small; a read-only one is said to be read-only. In a mount namespace of our own."""
    script = """
        mount -t tmpfs -o size=4m tmpfs "$1" || exit 99
        "$2" bench "$1"; echo "small $?"; ls -A "$1"
        mount -o remount,size=64m "$1"; head -c 60m /dev/zero >"$1/filler"
        "$2" bench "$1"; echo "full $?"
        "$2" bench --size 32M "$1"; echo "wanted $?"
        rm "$1/filler"; mount -o remount,ro "$1"
        "$2" bench "$1"; echo "readonly $?"
    """
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", directory, sluice.path],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if "small" not in done.stdout:
        tap.skip("small, full and read-only disks are refused", f"cannot mount a tmpfs: {done.stderr.strip()[:100]}")
        return
    holds(tap, "a tiny disk is refused", "small 4\n" in done.stdout and "too little space: 4 MiB are free; " in done.stderr,
              done.stdout + done.stderr)
    holds(tap, "a full disk is refused", "full 4\n" in done.stdout and "wanted 4\n" in done.stdout, done.stdout + done.stderr)
    holds(tap, "a read-only disk is refused", "readonly 3\n" in done.stdout and "Read-only file system; " in done.stderr,
              done.stdout + done.stderr)


def bind_mounts(tap, sluice, _directory):
    """The same device mounted twice more, read-only and later: the mount of the path is told, as probe tells it."""
    script = """
        mkdir "$1/data" "$1/bound" "$1/later" || exit 98
        mount --bind "$1/data" "$1/bound" && mount --bind "$1/data" "$1/later" || exit 99
        mount -o remount,bind,ro,nosuid "$1/later" || exit 99
        "$2" bench --json --seconds 1 --only idle-10,poll "$1/bound" >"$1/data/bench"
        "$2" probe --json "$1/bound" >"$1/data/probe"
        true
    """
    sentence = "the mount is that of the path, not another one of its device"
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", directory, sluice.path],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if done.returncode:
            tap.skip(sentence, f"cannot bind-mount: {done.stderr.strip()[:100]}")
            return
        with open(os.path.join(directory, "data", "bench"), encoding="utf-8") as file:
            bench = json.load(file)["machine"]
        with open(os.path.join(directory, "data", "probe"), encoding="utf-8") as file:
            probe = json.load(file)["machine"]
        holds(tap, sentence, bench["mount_point"] == os.path.join(directory, "bound") == probe["mount_point"] and
              bench["mount_options"] == probe["mount_options"] and bench["file_system"] == probe["file_system"] and
              "nosuid" not in bench["mount_options"].split(","), f"{bench}\n{probe}")


def listing(tap, sluice, _directory):
    listed = sluice.run("bench", "--list")
    holds(tap, "--list names workloads and contenders", listed.returncode == 0 and "read-cached" in listed.stdout and
              "io_uring-fixed" in listed.stdout and "sluice:epoll" in listed.stdout, listed.stdout)
    for options in ((), ("--net",)):
        listed = sluice.run("bench", *options, "--list").stdout
        every = {word.strip("*,") for line in manual("WORKLOADS").splitlines() if line.endswith("*") for word in line.split()
                 if word.startswith("*") and word.strip("*,").startswith("net") == bool(options)}
        names = {line.split()[0] for line in listed.split("\n\n")[0].splitlines()[1:]}
        holds(tap, f"{' '.join(('--list', *options))} names every workload of the manual", names == every and every,
                  f"{sorted(names ^ every)} in {listed}")


def main():
    tap, sluice = Tap(), Sluice(os.path.abspath(sys.argv[1]))
    where = os.environ.get("SLUICE_TEST_DIR") or os.environ.get("TMPDIR") or "/var/tmp"
    with tempfile.TemporaryDirectory(dir=where) as directory:
        for subject in (listing, progress, short_run, text_report, html_report, save_and_compare, lies_are_void, refusals, file_size_limits, closed_output,
                        user_file, interruptions, not_ours, forbidden_ring, small_disks, bind_mounts, every_contender):
            try:
                subject(tap, sluice, directory)
            except Exception:  # one that dies must not take the others along
                holds(tap, f"{subject.__name__} comes to its end", False, traceback.format_exc())
        holds(tap, "nothing is left in the directory", os.listdir(directory) == [], str(os.listdir(directory)))
    tap.done()


if __name__ == "__main__":
    main()
