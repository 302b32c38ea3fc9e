#!/usr/bin/env python3
"""test_probe.py: sluice probe: its JSON, its exit codes, its manners with other people's files, and what it survives."""
import ctypes
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from command import Sluice, Tap

NOBODY = 65534
STATUSES = {"yes", "no", "partly", "unknown"}
TOPICS = {"ring", "backend", "direct", "cache", "durable", "device", "untorn", "file", "dax", "uffd", "net", "limits"}
CHECK_KEYS = {"id": str, "topic": str, "title": str, "status": str, "broken": bool, "evidence": str,
              "remedy": (str, type(None)), "cost_ns": (int, type(None))}
MACHINE_KEYS = {"kernel": str, "architecture": str, "cpus": int, "memory_bytes": int, "virtual": bool,
                "container": (str, type(None)), "uid": int, "privileged": bool, "path_kind": str, "file_system": str,
                "mount_point": str, "mount_options": str, "source": str, "device": (str, type(None))}
ANSWER_KEYS = {"returned": (int, type(None)), "produced": bool, "values": str, "how": str, "why": str,
               "file_system": str}


def members(what, value, keys):
    """An object has exactly these members, of these types."""
    if not isinstance(value, dict):
        return [f"{what} is no object"]
    problems = [f"{what}: members {sorted(set(value) ^ set(keys))} are missing or unknown"] if set(value) != set(keys) else []
    return problems + [f"{what}.{key} is {value[key]!r}" for key, kind in keys.items()
                       if key in value and (not isinstance(value[key], kind) or
                                            (isinstance(value[key], bool) and kind is int))]


def shape(report, challenge):
    """Does a report follow docs/json/probe.md?"""
    top = {"path": str, "machine": dict, "checks": list}
    if challenge:
        top.update(challenge=list, challenge_not_tried=list, challenge_not_seen=list)
    problems = members("report", report, top)
    if problems:
        return problems
    problems += members("machine", report["machine"], MACHINE_KEYS)
    for check in report["checks"]:
        problems += members(check.get("id", "a check"), check, CHECK_KEYS)
    for answer in report.get("challenge", []):
        problems += members("answer", answer, ANSWER_KEYS)
    return problems


def sane(report):
    """Ids are unique and end in their topic; every check has a known status and says why."""
    ids = [check["id"] for check in report["checks"]]
    problems = [f"{name} comes twice" for name in set(ids) if ids.count(name) > 1]
    for check in report["checks"]:
        if check["status"] not in STATUSES:
            problems.append(f"{check['id']}: status {check['status']!r}")
        if not check["evidence"]:
            problems.append(f"{check['id']}: no evidence")
        if check["topic"] != check["id"].split(".")[0] or check["topic"] not in TOPICS:
            problems.append(f"{check['id']}: topic {check['topic']!r}")
        if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", check["id"]):
            problems.append(f"{check['id']}: not of the form topic.noun")
    return problems


def documented():
    """docs/json/probe.md names every member and topic."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "json", "probe.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return [f"not in docs/json/probe.md: {name}" for name in
            {*CHECK_KEYS, *MACHINE_KEYS, *ANSWER_KEYS, *TOPICS, *STATUSES, "challenge_not_tried", "challenge_not_seen"} if f"`{name}`" not in text]


def find(report, name):
    found = [check for check in report["checks"] if check["id"] == name]
    return found[0] if found else {"status": "absent", "evidence": "", "remedy": None}


def expect(report, **statuses):
    """direct__read="no" wants the check direct.read to say no; several words are alternatives."""
    problems = []
    for name, want in statuses.items():
        check = find(report, name.replace("__", "."))
        if check["status"] not in want.split():
            problems.append(f"{name.replace('__', '.')} is {check['status']}, not {want}: {check['evidence']}")
    return problems


def code(answer, want):
    return [] if answer.returncode == want else [f"exit code {answer.returncode}, not {want}: {answer.stderr.strip()}"]


def parsed(answer):
    """The one JSON object on stdout, or {} with the checks a list all the same."""
    try:
        return json.loads(answer.stdout)
    except ValueError:
        return {"checks": [], "challenge": [], "challenge_not_tried": [], "challenge_not_seen": [], "machine": {}}


def deny_io_uring(error):
    """For preexec_fn: a seccomp filter that answers the three system calls of io_uring with an error."""
    numbers = (425, 426, 427)
    load, jump, leave = 0x20, 0x15, 0x06
    code_lines = [struct.pack("HBBI", load, 0, 0, 0)]
    code_lines += [struct.pack("HBBI", jump, len(numbers) - i, 0, nr) for i, nr in enumerate(numbers)]
    code_lines += [struct.pack("HBBI", leave, 0, 0, 0x7FFF0000), struct.pack("HBBI", leave, 0, 0, 0x00050000 | error)]
    text = ctypes.create_string_buffer(b"".join(code_lines))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code_lines), ctypes.addressof(text)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install(keep=text):  # the program points at its text
        libc.prctl(38, 1, 0, 0, 0)
        if libc.prctl(22, 2, ctypes.byref(program), 0, 0) or not keep:
            os._exit(99)
    return install


def as_nobody():
    """Options of subprocess that give up root; nothing when there is none to give up."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def nobody_can_run(sluice):
    try:
        return sluice.run("--version", **as_nobody()).returncode == 0
    except PermissionError:
        return False


def images():
    """Loop devices over an image of ours; a mount that remained would keep its device, too."""
    found = []
    for device in os.listdir("/sys/block"):
        try:
            with open(f"/sys/block/{device}/loop/backing_file", encoding="utf-8") as file:
                found += [device] if "sluice-probe" in file.read() else []
        except OSError:
            pass
    return found


def test_report(tap, sluice, folder):
    answer = sluice.run("probe", folder, "--json")
    report = parsed(answer)
    tap.check("a run in a directory of one's own ends with 0", code(answer, 0))
    tap.check("its JSON has the documented shape", shape(report, challenge=False))
    tap.check("the shape is documented in full", documented())
    tap.check("its checks have unique ids, known statuses and evidence", sane(report))
    tap.check("it covers every topic", [f"no {topic}" for topic in TOPICS
                                        if topic not in {check["topic"] for check in report["checks"]}])
    tap.check("stdout is JSON and nothing else, stderr is empty", [answer.stderr] if answer.stderr else [])
    tap.check("it leaves nothing behind", os.listdir(folder))
    tap.check("the path is the one given", [] if report.get("path") == folder else [str(report.get("path"))])
    tap.check("primitives have a cost where there is one", [] if isinstance(
        find(report, "durable.fdatasync").get("cost_ns"), int) else ["durable.fdatasync has none"])
    text = sluice.run("probe", folder, "--all")
    tap.check("the text shows every check", [check["title"] for check in report["checks"]
                                             if check["title"] not in text.stdout] + code(text, 0))
    tap.check("the text is plain where there is no terminal", ["an escape"] if "\x1b" in text.stdout else [])
    folded = sluice.run("probe", folder).stdout
    tap.check("without --all the ring's flags are folded", [] if 0 < len(folded) < len(text.stdout) else ["they are not"])


def test_usage(tap, sluice, folder):
    fifo = os.path.join(folder, "fifo")
    os.mkfifo(fifo)
    for sentence, arguments in (("an unknown option", ["--no-such-option"]), ("two paths", [folder, folder]),
                                ("a path that is not there", [os.path.join(folder, "absent")]),
                                ("a path that is neither file nor directory", [fifo])):
        answer = sluice.run("probe", *arguments)
        problems = code(answer, 2) + ([] if answer.stderr.startswith("sluice probe: ") else [answer.stderr])
        tap.check(f"{sentence} is wrong usage, said on stderr", problems + ([answer.stdout] if answer.stdout else []))
    os.unlink(fifo)
    answer = sluice.shell(f'ulimit -f 8; exec "$S" probe "{folder}" --json')
    tap.check("a file size limit is an I/O error, said in the report", code(answer, 4) + expect(
        parsed(answer), file__scratch="no") + os.listdir(folder))
    answer = sluice.shell(f'ulimit -n 12; exec "$S" probe "{folder}" --json')
    wrong = [check["id"] for check in parsed(answer)["checks"] if check["status"] == "no" and "EMFILE" in check["evidence"]]
    tap.check("a shortage of descriptors is no verdict", code(answer, 0) + wrong)
    tap.check("a full output is an I/O error", code(sluice.shell(f'"$S" probe "{folder}" --json > /dev/full'), 4))


def test_file(tap, sluice, folder):
    path = os.path.join(folder, "precious")
    with open(path, "wb") as file:
        file.write(b"do not touch\n" * 1000)
    before = os.stat(path)
    answer = sluice.run("probe", path, "--json")
    after = os.stat(path)
    with open(path, "rb") as file:
        same = file.read() == b"do not touch\n" * 1000
    report = parsed(answer)
    tap.check("a file as PATH probes its file system", code(answer, 0) + expect(report, file__scratch="yes") +
              ([] if report["machine"].get("path_kind") == "file" else ["path_kind"]))
    tap.check("and is not touched", [] if same and (before.st_mtime_ns, before.st_ctime_ns, before.st_ino) == (
        after.st_mtime_ns, after.st_ctime_ns, after.st_ino) else ["it was"])
    os.unlink(path)


def exhausted(report):
    """Setup flags that failed for want of memory: locked memory comes back late, the probe must wait for it."""
    if find(report, "ring.available")["status"] != "yes":
        return []
    return [f"{check['id']}: {check['evidence']}" for check in report["checks"]
            if check["id"].startswith("ring.setup.") and "ENOMEM" in check["evidence"]]


def test_unprivileged(tap, sluice, folder):
    sentences = ("an unprivileged user gets every topic", "a directory one may not write is said with its remedy",
                 "and the topics that need no file are tried all the same",
                 "a small memlock limit is said with its remedy, and rings are still tried one by one")
    if not nobody_can_run(sluice):
        for sentence in sentences:
            tap.skip(sentence, "an unprivileged user cannot reach the command")
        return
    own, locked = os.path.join(folder, "own"), os.path.join(folder, "locked")
    os.mkdir(own)
    os.mkdir(locked)
    os.chmod(own, 0o777)
    os.chmod(locked, 0o555)
    os.chmod(folder, 0o755)
    answer = sluice.run("probe", own, "--json", **as_nobody())
    report = parsed(answer)
    tap.check(sentences[0], code(answer, 0) + shape(report, challenge=False) + sane(report) +
              [f"no {topic}" for topic in TOPICS if topic not in {check["topic"] for check in report["checks"]}])
    answer = sluice.run("probe", locked, "--json", **as_nobody())
    report = parsed(answer)
    tap.check(sentences[1], code(answer, 3) + expect(report, file__scratch="no", direct__read="absent") +
              ([] if find(report, "file.scratch")["remedy"] else ["no remedy"]))
    tap.check(sentences[2], shape(report, challenge=False) + expect(
        report, ring__available="yes no", uffd__open="yes no", net__ktls="yes no", limits__nofile="yes partly"))
    answer = sluice.shell(f'ulimit -l 64 && exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups "$S" probe '
                          f'"{own}" --json') if os.geteuid() == 0 else sluice.shell(
                              f'ulimit -l 64 && exec "$S" probe "{own}" --json')
    report = parsed(answer)
    tap.check(sentences[3], code(answer, 0) + expect(report, limits__memlock="no") + exhausted(report) +
              ([] if "ulimit -l" in (find(report, "limits.memlock")["remedy"] or "") else ["no remedy"]))
    os.rmdir(own)
    os.rmdir(locked)


def test_denied_ring(tap, sluice, folder):
    for name, error in (("EPERM", 1), ("ENOSYS", 38)):
        answer = sluice.run("probe", folder, "--json", preexec_fn=deny_io_uring(error))
        report, check = parsed(answer), find(parsed(answer), "ring.available")
        problems = code(answer, 0) + expect(report, ring__available="no", direct__open="yes no", backend__chosen="yes",
                                         backend__uring="no", backend__epoll="yes")
        problems += [] if name in check["evidence"] and "seccomp" in check["evidence"] else [check["evidence"]]
        problems += [] if "io_uring_setup" in (check["remedy"] or "") else [f"remedy: {check['remedy']}"]
        problems += [] if find(report, "backend.chosen")["evidence"].startswith("epoll: ") else ["epoll was not chosen"]
        problems += [f"{entry['id']} was tried" for entry in report["checks"] if entry["id"].startswith("ring.op.")]
        tap.check(f"a seccomp filter that answers {name} is recognised, with the fix", problems)


def test_bad_news(tap, sluice, folder):
    """A C library whose fdatasync reports a failed write stands for a device that lost one."""
    sentence = "a sync that fails is bad news, with the exit code of bad news"
    source, shim = os.path.join(folder, "shim.c"), os.path.join(folder, "shim.so")
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <errno.h>\nint fdatasync(int fd) { (void)fd; errno = EIO; return -1; }\n")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    built = compiler and subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source]).returncode == 0
    if not built:
        tap.skip(sentence, "no C compiler to make a failing fdatasync with")
    else:
        answer = sluice.run("probe", folder, "--json", env={**os.environ, "LD_PRELOAD": shim})
        if "ASan runtime does not come first" in answer.stderr:
            tap.skip(sentence, "the command was built with a sanitizer, which wants to be loaded first")
        else:
            check = find(parsed(answer), "durable.fdatasync")
            tap.check(sentence, code(answer, 1) + expect(parsed(answer), durable__fdatasync="no", durable__fsync="yes") +
                      ([] if check.get("broken") and check["remedy"] else ["not called broken, or no remedy"]))
        os.unlink(shim)
    os.unlink(source)


def test_tmpfs(tap, sluice):
    sentence = "on tmpfs nothing is direct and nothing is durable"
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounted = any(line.split()[1:3] == ["/dev/shm", "tmpfs"] for line in file)
    if not mounted or not os.access("/dev/shm", os.W_OK):
        tap.skip(sentence, "no tmpfs at /dev/shm")
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        answer = sluice.run("probe", folder, "--json")
        tap.check(sentence, code(answer, 0) + expect(
            parsed(answer), durable__class="no", durable__barriers="no", direct__read="no absent",
            direct__write="no absent", dax__map_sync="no", untorn__write="no"))


def kill_after(sluice, folder, seconds):
    """Start, look on for a while, kill. Returns the images seen."""
    seen = set()
    process = subprocess.Popen([sluice.path, "probe", folder, "--challenge", "--json"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        seen.update(images())
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return seen


def test_killed(tap, sluice, folder):
    """Killed at many points, it leaves nothing: no name, no loop device, hence no mount."""
    seen = set()
    for step in range(12):
        seen |= kill_after(sluice, folder, 0.15 * step)
    for _ in range(100):
        if not images():
            break
        time.sleep(0.1)
    tap.check("killed half-way it leaves no file", os.listdir(folder))
    sentence = "killed half-way it leaves no loop device and no mount"
    if seen or images():
        tap.check(sentence, images())
    else:
        tap.skip(sentence, "it could not make any (no root, or no loop devices)")


def challenge_shape(report):
    problems = shape(report, challenge=True)
    answers = report.get("challenge", [])
    problems += [f"{answer} has no value" for answer in answers if answer["produced"] != (answer["returned"] is not None)]
    literal = [answer for answer in answers if answer["values"] == "none" and
               all(name in answer["file_system"] for name in ("ext4", "xfs", "btrfs", "raw"))]
    problems += [] if literal else ["it does not say that the literal case gives none"]
    listed = {answer["file_system"] for answer in answers if not answer["produced"] or answer["file_system"] == "FUSE"}
    return problems + [f"{name} is not listed" for name in ("NFS", "DAX", "FUSE") if name not in listed]


def test_challenge(tap, sluice, folder):
    answer = sluice.run("probe", folder, "--json", "--challenge")
    report = parsed(answer)
    tap.check("--challenge: its JSON has the documented shape, with the literal answer", challenge_shape(report))
    made = {(entry["file_system"], entry["returned"]) for entry in report["challenge"] if entry["produced"]}
    missing = " | ".join(report["challenge_not_tried"])
    here = report["machine"].get("file_system")
    tap.check("--challenge: the tail of a file here", [] if (here, 904) in made or here in missing else [str(made)])
    for sentence, want, word in (("the end of a device", ("block device", 1536), "end of a device"),
                                 ("inline data on ext4", ("ext4 inline_data", 100), "ext4"),
                                 ("inline data on btrfs", ("btrfs", 100), "btrfs"),
                                 ("the tail on xfs", ("xfs", 904), "xfs"),
                                 ("a short answer by a FUSE server", ("FUSE", 512), "FUSE"),
                                 ("the tail on tmpfs", ("tmpfs", 904), "tmpfs")):
        reasons = [reason for reason in report["challenge_not_tried"] if word in reason]
        if want not in made and reasons:
            tap.skip(f"--challenge: {sentence}", reasons[0])
        else:
            tap.check(f"--challenge: {sentence}", [] if want in made else [f"{want} is not among {sorted(made)}"])
    races = {entry["file_system"] for entry in report["challenge"] if "another thread truncates" in entry["how"]}
    unseen = {words.split(":")[0].removeprefix("the race on ") for words in report["challenge_not_seen"]}
    tails = {system for system, value in made if value == 904}
    tap.check("--challenge: the race is tried wherever a direct read works, and said to be tried",
              [f"{sorted(races)} seen, {sorted(unseen)} not seen, of {sorted(tails)}; not tried: {missing}"] *
              (races | unseen != tails or "the race" in missing))
    if tails:
        tap.check("--challenge: the race shows on one file system at least", [] if races else report["challenge_not_seen"])
    else:
        tap.skip("--challenge: the race shows on one file system at least", missing)
    others = sorted({value for _, value in made if value not in (0, 4096)})
    tap.check("--challenge: there are values other than 0 and 4096", [] if others else [str(made)])
    text = sluice.run("probe", folder, "--challenge").stdout
    tap.check("--challenge: the text says what was tried in vain", [] if not re.search(r"not tried: the race on \S+ did", text) and
              all(line.startswith("the race on ") for line in re.findall(r"not seen this time: (.*)", text)) else [text])
    tap.check("--challenge: the text says what the literal case gives", [] if "Taken literally" in text else ["it does not"])


def main():
    tap, sluice = Tap(), Sluice(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        test_report(tap, sluice, folder)
        test_usage(tap, sluice, folder)
        test_file(tap, sluice, folder)
        test_unprivileged(tap, sluice, folder)
        test_denied_ring(tap, sluice, folder)
        test_bad_news(tap, sluice, folder)
        test_tmpfs(tap, sluice)
        test_killed(tap, sluice, folder)
        test_challenge(tap, sluice, folder)
    tap.done()


if __name__ == "__main__":
    main()
