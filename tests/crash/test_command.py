#!/usr/bin/env python3
"""test_command.py: what `sluice crash` takes, tells and leaves behind, and what it does with bad input."""
import hashlib
import html.parser
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time

from crash import Crash, Tap, area, json

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# Replaces config as one should, and acknowledges; without the last sync it does not.
SAVE = "echo version=2 >config.tmp; sync config.tmp; mv config.tmp config; sync .; echo saved"
FORGETS = SAVE.replace("sync .; ", "")
CHECK = ('acks=$(cat); grep -qx "version=[12]" config || { echo neither; exit 1; }; '
         'case $acks in *saved*) grep -qx version=2 config || { echo lost version 2; exit 1; };; esac')


def config():
    """A data directory with a config in it."""
    data = area("data")
    with open(os.path.join(data, "config"), "w", encoding="utf-8") as file:
        file.write("version=1\n")
    return data


def test(crash, data, program, *options, check=CHECK, **more):
    return crash.json("--dir", data, *options, "--check", check, "--", "sh", "-c", f"cd {data}; {program}", **more)


def is_fine(code, report):
    return [] if code == 0 and not report["failing"] and report.get("states") else [f"exit {code}", str(report)]


def fails(code, report):
    return [] if code == 1 and report["failing"] else [f"exit {code}", str(report)]


def untested(code, report, *words):
    """Nothing fails, but nothing, or not what was asked, was tested: a script sees it, and a note says why."""
    notes = " ".join(report["notes"])
    return [f"exit {code}: {report}"] * (code != 2 or report.get("tested") is not False or bool(report["failing"])) + [
        f"no note says {word}: {notes}" for word in words if word not in notes]


def says(answer, code, *words):
    text = answer.stdout + answer.stderr
    return [f"exit {answer.returncode}, not {code}: {text}"] * (answer.returncode != code) + [
        f"does not say {word}: {text}" for word in words if not re.search(word, text)]


def tree(path):
    """All that is in a directory, with times and content."""
    found = []
    for folder, _, names in os.walk(path):
        for name in [".", *names]:
            full = os.path.join(folder, name)
            status = os.lstat(full)
            content = open(full, "rb").read() if os.path.isfile(full) else b""
            found.append((full, status.st_mode, status.st_mtime_ns, hashlib.sha1(content).hexdigest()))
    return sorted(found)


def marked(mark):
    """Processes that have a word in their environment."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/environ", "rb") as file:
                if mark.encode() in file.read() and int(number) != os.getpid():
                    with open(f"/proc/{number}/cmdline", "rb") as line:
                        yield f"{number}: {line.read().replace(bytes(1), b' ').decode(errors='replace')}"
        except OSError:
            continue


def left_behind(mark, scratch):
    """What a run left: processes (they get a moment to be reaped), mounts, directories."""
    end = time.monotonic() + 10
    while (processes := list(marked(mark))) and time.monotonic() < end:
        time.sleep(0.05)
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounts = [line for line in file if scratch in line]
    return processes + mounts + [f"{scratch} has {name}" for name in os.listdir(scratch)]


# -- what it promises -----------------------------------------------------------------------

def check_answers(tap, crash):
    data = config()
    before = tree(data)
    tap.check("a program that syncs all it should is fine", is_fine(*test(crash, data, SAVE)))
    code, report = test(crash, data, FORGETS)
    tap.check("one that forgets the directory is not", fails(code, report))
    first = report["failing"][0] if report["failing"] else {"lost": [], "missing_sync": ""}
    tap.check("the loss is the name, and nothing else", [] if len(first["lost"]) == 1 and re.match(
        "(create|rename) /config.tmp", first["lost"][0]) else [str(first)])
    tap.check("the sync that is missing is named", [] if "fsync of / " in (first["missing_sync"] or "") else [str(first)])
    tap.check("the data directory is left as it was", [] if tree(data) == before else [str(tree(data))])
    answer = crash.run("--dir", data, "--check", CHECK, "--", "sh", "-c", f"cd {data}; {FORGETS}")
    tap.check("the same is told in words", says(answer, 1, "FAILS", "power cut", "lost +(create|rename)", "why it may be",
                                                  "missing +fsync", "lost version 2", "NOT CRASH SAFE"))
    answer = crash.run("--check", CHECK, "--", "sh", "-c", FORGETS, cwd=data)
    tap.check("the current directory is the data directory, without being told", says(answer, 1, "FAILS"))
    code, report = test(crash, data, FORGETS, "--profile", "ext4")
    tap.check("ext4 forgets the rename too", fails(code, report))
    code, report = test(crash, data, SAVE.replace("; echo saved", ""))
    tap.check("without acknowledgements it warns, once", [] if code == 0 and [
        "acknowledged nothing" in note for note in report["notes"]] == [True] else [f"{code}: {report}"])


def check_page(tap, crash):
    """The JSON has the members of its page, and no others."""
    with open(os.path.join(TOP, "docs", "json", "crash.md"), encoding="utf-8") as file:
        parts = re.split(r"^#+ ", file.read(), flags=re.M)
    page = {part.split("\n")[0]: {name for cell in re.findall(r"^\| (`[^|]+) \|", part, re.M)
                                   for name in re.findall(r"`(\w+)`", cell)} for part in parts}
    code, report = test(crash, config(), FORGETS, "--mutate")
    top = page["`sluice crash --json`"]
    _, error = crash.json("--check", "true")
    tap.check("an error is an object of the page, too", [str(error)] * (not page["Instead of a report"] <= set(error)))
    tap.check("the JSON has the members of its page, and no others", sorted(set(report) ^ top))
    tap.check("so has its recording", sorted(set(report.get("recording", {})) ^ (page["`recording`"] - {"from"})))
    tap.check("so has a failing state", sorted(set(report["failing"][0]) ^ page["`failing[]`"]) if code == 1 else [str(report)])
    _, faulty = test(crash, config(), SAVE, "--fault", "sync:1:EIO")
    tap.check("so has a fault", sorted(set((faulty.get("faults") or [{}])[0]) ^ page["`faults[]`"]))
    tap.check("so has a sync", sorted(set(report["syncs"][0]) ^ page["`syncs[]`"]) if report["syncs"] else [str(report)])


def check_checker(tap, crash):
    data = config()
    same = ('[ "$PWD" = "$SLUICE_STATE" ] || { echo "in $PWD"; exit 1; }; cat >/tmp/$$.acks; '
            'cmp /tmp/$$.acks "$SLUICE_ACKS"; code=$?; rm /tmp/$$.acks; exit $code')
    tap.check("a checker stands in the state and has the acknowledgements twice", is_fine(
        *test(crash, data, SAVE, check=same)))
    for name, check, verdict in (("hangs", "sleep 1000", "no answer"), ("crashes", "kill -SEGV $$", "SEGV"),
                                 ("exits", "exit 7", "7")):
        code, report = test(crash, data, SAVE, "--check-timeout", "200ms", "--budget", "3", check=check)
        found = [failure["verdict"] for failure in report["failing"]]
        tap.check(f"a checker that {name} is a failing state, and said to",
                  [] if code == 1 and any(verdict in text for text in found) else [f"{code}: {report}"])
    scratch, mark = area("scratch"), f"SLUICE_LEAK={os.getpid()}"
    env = {**os.environ, "TMPDIR": scratch, "SLUICE_LEAK": str(os.getpid())}
    code, report = test(crash, data, SAVE, "--budget", "5", check="sleep 1000 & setsid sleep 1000 & exit 0", env=env)
    tap.check("a checker that leaves processes behind leaves none", is_fine(code, report) + left_behind(mark, scratch))


def check_base(tap, crash):
    """The directory as it was: it is no crash bug when the checker refuses it, and its entries are no operations."""
    data = config()
    for number in range(5):
        shutil.copy(os.path.join(data, "config"), os.path.join(data, f"other{number}"))
    code, report = test(crash, data, "echo x >a; sync a; sync .", check="test -e a")
    first = (report["failing"] or [{"id": "", "point": -1, "why_legal": ""}])[0]
    tap.check("a checker that refuses the directory as it was is told so", fails(code, report) + [str(report)] * (
        not report.get("base_refused") or first["point"] != 0 or first["id"] != "posix-0-prefix-0" or
        "before the program has done anything" not in first["why_legal"] or
        not any("refuses the directory as it was" in note for note in report["notes"])))
    answer = crash.run("--dir", data, "--check", "test -e a", "--", "sh", "-c", f"cd {data}; echo x >a; sync a; sync .")
    tap.check("in words the program is not blamed", says(answer, 1, "before the program did anything", "REFUSES THE DIRECTORY") + [
        answer.stdout] * ("NOT CRASH SAFE" in answer.stdout or "kill -9" in answer.stdout))
    into, trace = area("into"), area("trace") + "/t"
    code, report = test(crash, data, FORGETS, "--trace", trace, "--mutate")
    found = report["failing"][0] if report["failing"] else {"lost": [], "lost_ops": [], "id": "none", "point": 0}
    numbers = [int(re.search(r"\(op (\d+)", text).group(1)) for text in found["lost"]]
    last = report["recording"]["operations"] + report["recording"]["acks"]
    tap.check("the first operation is number 1, whatever is in the directory", fails(code, report) + [str(report)] * (
        report.get("base_refused") is not False or numbers != found["lost_ops"] or not 0 < numbers[0] < found["point"] <= last or
        not found["id"].startswith(f"posix-{found['point']}-") or
        any(f"(op {sync['seq']}," not in sync["op"] for sync in report["syncs"])))
    answer = crash.run("--dir", data, "--from", trace, "--replay", found["id"], "--into", into + "/state", "--check", CHECK)
    tap.check("its id makes it again", says(answer, 1, "lost version 2"))
    answer = crash.run("--dir", data, "--from", trace, "--replay", "posix-0-prefix-0", "--into", into + "/base")
    tap.check("0 is the directory as it was", says(answer, 0) + ([] if sorted(os.listdir(into + "/base")) == sorted(
        os.listdir(data)) else [str(os.listdir(into + "/base"))]))


def check_acks(tap, crash):
    for name, how in (("the file of the environment", 'echo saved >>"$SLUICE_CRASH_ACK"'),
                      ("the magic path", "echo saved >>.sluice/ack")):
        code, report = test(crash, config(), FORGETS.replace("echo saved", how))
        tap.check(f"{name} takes acknowledgements", fails(code, report))
    code, report = test(crash, config(), FORGETS, "--acks", "path")
    tap.check("printed lines are none if so asked", [] if code == 0 and report["recording"]["acks"] == 0 else [str(report)])


def check_mutate(tap, crash):
    twice = SAVE.replace("sync config.tmp", "sync config.tmp; sync config.tmp")
    code, report = test(crash, config(), twice, "--mutate")
    verdicts = [sync["verdict"] for sync in report["syncs"]]
    tap.check("of two syncs in a row neither is needed, of the others each is",
              [] if code == 0 and verdicts == ["redundant or untested"] * 2 + ["necessary"] else [str(report)])


def check_again(tap, crash):
    data, kept = config(), area("kept")
    trace = os.path.join(kept, "trace")
    code, report = test(crash, data, FORGETS, "--keep", kept)
    failing = report["failing"][0] if report["failing"] else {"id": "none", "kept": None}
    found = failing["kept"] and [os.path.join(folder, name) for folder, _, names in os.walk(failing["kept"])
                                 for name in names if name == "config"]
    tap.check("a failing state is kept", [] if found and "version=1" in open(found[0], encoding="utf-8").read() else [str(failing)])
    again, second = crash.json("--dir", data, "--from", trace, "--check", CHECK)
    tap.check("a recording that was kept gives the same answer", [] if again == code and [f["id"] for f in second[
        "failing"]] == [f["id"] for f in report["failing"]] else [str(second)])
    into = area("into") + "/state"
    answer = crash.run("--dir", data, "--from", trace, "--keep", kept, "--replay", failing["id"], "--into", into,
                       "--check", CHECK)
    tap.check("a state is made again, and fails again", says(answer, 1, "lost version 2", "it fails"))
    tap.check("it is the state", [] if open(into + "/config", encoding="utf-8").read() == "version=1\n" else [into])
    answer = crash.run("--dir", data, "--from", trace, "--replay", "posix-999999-min", "--into", into + "2")
    tap.check("an id of another recording is refused", says(answer, 2, "no state of this recording"))
    answer = crash.run("--dir", data, "--trace", trace, "--check", "true", "--", "true")
    tap.check("a recording is not written over", says(answer, 2, "there already"))
    for name, content, code in (("empty", b"", 2), ("foreign", b"hello, world\n" * 100, 2),
                                ("damaged", None, 4)):
        bad = os.path.join(kept, name)
        with open(trace, "rb") as file:
            whole = bytearray(file.read())
        whole[len(whole) // 2] ^= 0xFF
        with open(bad, "wb") as file:
            file.write(whole if content is None else content)
        answer = crash.run("--dir", data, "--from", bad, "--check", "true")
        tap.check(f"a recording that is {name} is refused", says(answer, code, name + "|no recording"))


class Page(html.parser.HTMLParser):
    """Finds tags that are not closed, and what a page would load from elsewhere."""

    def __init__(self):
        super().__init__()
        self.open, self.problems, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "link", "img", "iframe") or any("http" in (value or "") for _, value in attrs):
            self.problems.append(f"loads something: {tag} {attrs}")
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes another")

    def handle_data(self, data):
        self.text += data


def check_place(tap, crash):
    """What is kept in the data directory is no data, and nothing else is put there."""
    data = config()
    for again in ("at first", "again"):
        # [x] is no pattern here; the recording of the first run is there in the second.
        words = ("--keep", "kept[x]", "--html", "page.html") + (("--trace", "second.trace") if again == "again" else ())
        code, report = crash.json(*words, "--check", CHECK + '; [ -z "$(ls | grep -v "^config")" ]', "--", "sh", "-c", FORGETS,
                                  cwd=data)
        names = {"config", "kept[x]", "page.html"} | ({"second.trace"} if again == "again" else set())
        tap.check(f"what is kept in the data directory is no part of it, {again}", fails(code, report) + [
            str(report)] * (report.get("base_refused") is not False) + [str(os.listdir(data))] * (set(os.listdir(data)) != names))
        if again == "at first":
            # The recording is not written over.
            os.remove(os.path.join(data, "kept[x]", "trace"))
    for keep in (".", data, data + "/"):
        tap.check(f"the data directory itself is no place to keep things: {keep}", says(
            crash.run("--keep", keep, "--check", "true", "--", "true", cwd=data), 2, "data directory itself"))


def check_html(tap, crash):
    data, page = config(), area("page") + "/report.html"
    strange = "touch '<b>&\"x'; sync .; " + FORGETS
    code, report = test(crash, data, strange, "--html", page, "--mutate")
    with open(page, encoding="utf-8") as file:
        content = file.read()
    parser = Page()
    parser.feed(content)
    tap.check("the page is well-formed and loads nothing", parser.problems + [f"open: {tag}" for tag in parser.open])
    wanted = ["Not crash safe", "lost in state 1", "the power is cut", "necessary", "<b>&\"x", "saved", "fsync of /"]
    wanted += [failure["id"] for failure in report["failing"]]
    tap.check("it has the states, the operations and the syncs", [f"no {text}" for text in wanted if text not in parser.text])
    tap.check("it is light and dark", [] if "prefers-color-scheme:dark" in content else ["not dark"])
    answer = crash.run("--dir", data, "--check", "true", "--html", "/nonexistent/x", "--", "true")
    tap.check("a page that cannot be written is said", says(answer, 2, "/nonexistent/x"))


def check_recover(tap, crash, program, library):
    checkers = (("command", lambda variant: ["--check", f"exec {program} check-{variant} 06-tail ."]),
                ("function", lambda variant: ["--check-so", f"{library}:check_{variant}"]))
    env = {**os.environ, "CRASH_PROGRAM": "06-tail"}
    for kind, checker in checkers:
        for variant, judge in (("fixed", is_fine), ("bad", fails)):
            data = area("data")
            subprocess.run([program, "prepare-" + variant, "06-tail", data], check=True)
            code, report = crash.json("--dir", data, "--recover", "--budget", "400", *checker(variant), "--", program,
                                      variant, "06-tail", data, env=env)
            problems = judge(code, report)
            if variant == "fixed" and not report.get("recovered"):
                problems.append("no recovery was crashed")
            tap.check(f"crashes during recovery by a {kind}, {variant}", problems)


def check_function(tap, crash, program, library):
    """A checker that is a function: found, and called again for one state."""
    data, kept = area("data"), area("kept")
    subprocess.run([program, "prepare-bad", "06-tail", data], check=True)
    words = ["--dir", data, "--check-so", os.path.basename(library) + ":check_bad"]
    options = {"env": {**os.environ, "CRASH_PROGRAM": "06-tail"}, "cwd": os.path.dirname(library)}
    code, report = crash.json(*words, "--keep", kept, "--", program, "bad", "06-tail", data, **options)
    tap.check("a function in this directory checks", fails(code, report))
    failing = report["failing"][0]["id"] if report["failing"] else "none"
    again = ["--from", kept + "/trace", "--replay", failing, "--into"]
    answer = crash.run(*words, *again, kept + "/again", **options)
    tap.check("it is called again for a state that is made again", says(answer, 1, "it fails"))
    answer = crash.run("--dir", data, "--check-so", library + ":none", *again, kept + "/more", **options)
    tap.check("one that is not there is said", says(answer, 2, "none"))


def check_log(tap, crash, program):
    for profile in ("posix", "ext4", "btrfs"):
        data = area("data")
        code, report = crash.json("--dir", data, "--profile", profile, "--budget", "1500", "--check",
                                  f"exec {program} check log", "--", program, "write", data + "/log", "4")
        acks = report.get("recording", {}).get("acks")
        tap.check(f"a log of the library loses nothing, {profile}", is_fine(code, report) + [f"{acks} acks"] * (acks != 4))


# -- programs that misbehave ----------------------------------------------------------------

def check_programs(tap, crash):
    code, report = test(crash, config(), SAVE + "; exit 3")
    tap.check("a program that fails is tested, and said to", is_fine(code, report) + [
        str(report["notes"])] * (not any("exited with 3" in note for note in report["notes"])))
    code, report = test(crash, config(), FORGETS + "; kill -9 $$")
    tap.check("one that is killed, too", fails(code, report))
    late = f"(sleep 0.3; {FORGETS}) & exit 0"
    tap.check("what it left running is waited for", fails(*test(crash, config(), late)))
    daemon = f"setsid sh -c '(sleep 0.3; {FORGETS}) & exit 0'"
    tap.check("a daemon too", fails(*test(crash, config(), daemon)))
    code, report = test(crash, config(), SAVE + "; sleep 1000", "--timeout", "1s")
    tap.check("one that does not end is ended", is_fine(code, report) + [
        str(report["notes"])] * ([("in time" in note) + ("killed" in note) for note in report["notes"]].count(2) != 1 or
                                 len(report["notes"]) != 1))
    fill = "head -c 9M /dev/zero >big || rm big; " + SAVE
    code, report = test(crash, config(), fill, "--limit", "4M", "--budget", "100")
    tap.check("one that fills the disk is told that it is full", is_fine(code, report) + [
        str(report["notes"])] * (not any("full" in note for note in report["notes"])))
    empty = ('set -e; : >e; test -z "$(cat e)"; ln e l; test "$(stat -c %s%b l)" = 00; truncate -s 5 l; '
             'test "$(wc -c <e)" = 5; : >t; mv t u; test ! -s u; printf x >>u; test "$(cat u)" = x; : >g; exec 3<g; rm g; '
             'test -z "$(cat <&3)"; ')
    code, report = test(crash, config(), empty + SAVE)
    tap.check("a new file is empty however it is looked at, until it has bytes", is_fine(code, report) + [
        note for note in report["notes"] if "exited with" in note])
    # What may be lost of it, two by two, are some 10^9 states.
    code, report = test(crash, config(), "head -c 16M /dev/zero | tr '\\0' x >big; rm big; " + SAVE, "--budget", "20")
    tap.check("one that writes much is tested in as many states as was asked", is_fine(code, report) + [
        f"{report['distinct']} states"] * (report["distinct"] > 20))
    code, report = test(crash, config(), "head -c 4M /dev/urandom >big; " + SAVE, "--memory", "1M", "--budget", "20")
    tap.check("one that writes more than may be held in memory is tested like others", is_fine(code, report))
    code, report = test(crash, config(), "exit 0", check="true")
    tap.check("one that does nothing is said to", untested(code, report, "did nothing"))
    code, report = test(crash, config(), "echo hi; cat config; sync .; echo x >../elsewhere", check="true")
    tap.check("one that does its work elsewhere, and says so, too", untested(code, report, "did nothing") + [
        str(report)] * (report["recording"]["operations"] != 1 or report["recording"]["acks"] != 2))


def check_budget(tap, crash):
    """A run that ended before it tested anything."""
    data = config()
    # By the time that the first state could be checked, the budget is over on any machine.
    code, report = test(crash, data, SAVE, "--budget", "1ns")
    tap.check("a budget that ends before the first state is no clean answer", untested(code, report, "no state was checked") + [
        str(report)] * (report.get("distinct") != 0 or report.get("complete") is not False))
    code, report = test(crash, data, SAVE, "--profile", "ext4", "--classes", "garbage")
    tap.check("kinds of states that there are none of, too", untested(code, report, "--classes"))
    answer = crash.run("--dir", data, "--budget", "1ns", "--check", CHECK, "--", "sh", "-c", f"cd {data}; {SAVE}")
    tap.check("in words it does not say that no state fails", says(answer, 2, "NOT TESTED", "no state was checked") + [
        answer.stdout] * ("no failing state" in answer.stdout))


def check_full_disk(tap, crash):
    """The disk that the copy is on is full before --limit is."""
    reason = None if os.geteuid() == 0 and shutil.which("unshare") else "only root can mount a small disk"
    for recorder in ("fuse", "seccomp"):
        sentence = f"a disk that is full is said to be, {recorder}"
        if reason:
            tap.skip(sentence, reason)
            continue
        data, small = config(), area("small")
        program = f"cd {data}; head -c 24M /dev/zero >big || rm big; {SAVE}"
        script = f'mount -t tmpfs -o size=8m none {small} && TMPDIR={small} exec "$@"'
        answer = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", crash.path, "crash", "--json", "--dir", data,
                                 "--trace", area("trace") + "/t", "--budget", "50", "--recorder", recorder, "--check", CHECK,
                                 "--", "sh", "-c", program], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, timeout=300, check=False)
        if "mount" in answer.stderr and not answer.stdout:
            tap.skip(sentence, "no tmpfs can be mounted here: " + " ".join(answer.stderr.split()))
            continue
        report = json.loads(answer.stdout) if answer.stdout else {"notes": []}
        tap.check(sentence, [f"exit {answer.returncode}: {answer.stderr}{report}"] * (
            answer.returncode != 0 or not any("was full" in note for note in report["notes"])))


def check_faults(tap, crash):
    """A fault is counted, and one that strikes nowhere is no clean answer."""
    for spec, program, calls in (("sync:99:EIO", SAVE, 2), ("write:1:EIO:nosuch*", SAVE, 0), ("write:1:short", "printf x >a; sync", 1)):
        code, report = test(crash, config(), program, "--fault", spec, check="true")
        told = report.get("faults") == [{"fault": spec, "calls": calls, "struck": 0}]
        tap.check(f"a fault that strikes nowhere is no clean answer: {spec}", untested(
            code, report, f"{spec} struck nowhere") + [str(report.get("faults"))] * (not told))
    data = config()
    words = ("--dir", data, "--fault", "sync:1:EIO", "--fault", "sync:99:EIO", "--check")
    answer = crash.run(*words, "true", "--", "sh", "-c", f"cd {data}; {SAVE}")
    tap.check("nor is one of two", says(answer, 2, "sync:1:EIO struck 1 of 2 calls", "sync:99:EIO struck nowhere", "NOT TESTED"))
    answer = crash.run(*words, "grep -q =1 config", "--", "sh", "-c", f"cd {data}; {SAVE}")
    tap.check("a failing state is worse news", says(answer, 1, "NOT CRASH SAFE", "sync:99:EIO struck nowhere"))
    code, report = test(crash, data, "printf x >a; sync a; sync .", "--fault", "sync:2:EIO", check="true")
    tap.check("one that strikes is tested, and counted", is_fine(code, report) + [str(report["faults"])] * (
        report["faults"] != [{"fault": "sync:2:EIO", "calls": 2, "struck": 1}] or not report["tested"]))
    check_told_faults(tap, crash)
    for recorder, spec, words in (("seccomp", "read:1:EIO", "need the fuse recorder"),
                                  ("seccomp", "write:1:rot", "need the fuse recorder"),
                                  ("ring", "sync:1:EIO", "ring: injects no faults")):
        answer = crash.run("--dir", data, "--recorder", recorder, "--fault", spec, "--check", "true", "--", "true")
        tap.check(f"a recorder that cannot inject a fault says so first: {recorder}, {spec}", says(answer, 3, words) + [
            answer.stderr] * (words not in answer.stderr.split("\n", maxsplit=1)[0] or f"--recorder {recorder}" not in answer.stderr))


# Reads config, replaces what is in it, syncs, asks for it again, and promises whatever became of all that.
STUBBORN = """
import os
def stubborn(call, *words):
    try:
        return call(*words)
    except OSError:
        return b""
fd = os.open("config", os.O_RDWR | FLAGS)
stubborn(os.pread, fd, 100, 0)
stubborn(os.pwrite, fd, b"version=2\\n", 0)
stubborn(os.fsync, fd)
if len(stubborn(os.pread, fd, 100, 0)) != 10:
    os.pwrite(fd, b"version=9\\n", 0)
print("saved", flush=True)
"""


def check_told_faults(tap, crash):
    """A failing state names the fault that led to it, and says why that may be; it is not told as a power cut alone."""
    failed = "write 10 bytes at 0 of /config, which failed: {} \\(--fault\\)"
    for recorder, spec, flags, words, why in (
            ("fuse", "write:1:EIO", "0", failed.format("Input/output error"), "a write failed and changed nothing"),
            ("seccomp", "write:1:EIO", "0", failed.format("Input/output error"), "a write failed and changed nothing"),
            ("fuse", "write:1:ENOSPC", "0", failed.format("No space left on device"), "a write failed and changed nothing"),
            ("fuse", "write:1:EIO", "os.O_DSYNC", "with O_DSYNC, which failed", "the cache has the new bytes"),
            ("fuse", "write:1:rot", "0", "write 10 bytes at 0 of /config, with a bit flipped", "flip a bit"),
            ("fuse", "write:1:astray", "0", "write 10 bytes at 10 of /config, meant for another place", "to another place"),
            ("fuse", "write:1:short", "0", "write 5 bytes at 0 of /config, cut short", "a part of what was asked for"),
            ("fuse", "read:2:rot:config", "0", "the disk flips a bit of byte 5 of /config", "flip a bit"),
            ("fuse", "read:2:EIO:config", "0", "read [0-9]+ bytes at 0 of /config, which failed: Input", "a read failed"),
            ("fuse", "read:2:short:config", "0", "read [0-9]+ bytes at 0 of /config, cut short", "a part of what was asked for"),
            ("fuse", "sync:1:EIO", "0", "fsync of /config, which failed: Input", "measured on ext4, xfs and btrfs: fsync EIO"),
            ("fuse", "sync:0:ENOSPC", "0", "fsync of /config, which failed: No space", "taken to be so with this error")):
        data = config()
        check = 'case $(cat) in *saved*) [ "$(cat config)" = version=2 ];; esac'
        program = STUBBORN.replace("FLAGS", flags)
        code, report = crash.json("--dir", data, "--recorder", recorder, "--fault", spec, "--check", check, "--", sys.executable,
                                  "-c", f"import os; os.chdir({data!r})\n{program}")
        sentence = f"a failing state names its fault, {recorder}, {spec}" + ", durable" * (flags != "0")
        if code == 3 and recorder == "seccomp":
            tap.skip(sentence, report["error"])
            continue
        alone = [failure for failure in report["failing"] if not failure["lost"]]
        problems = fails(code, report) + [f"struck {fault}" for fault in report["faults"] if fault["struck"] != 1]
        for failure in alone or [{"faults": [], "why_legal": "no state fails by the fault alone"}]:
            text = " ".join(failure["faults"])
            problems += [] if re.search(words, text) and why in failure["why_legal"] else [f"{text}: {failure['why_legal']}"]
            problems += [failure["why_legal"]] * ("killed" in failure["why_legal"])
        syncs = report.get("recording", {}).get("syncs")
        problems += [f"{syncs} syncs"] * (syncs != 1 + (flags != "0"))
        tap.check(sentence, problems)


def check_usage(tap, crash):
    data = config()
    for words, code, text in (
            (["--check", "true"], 2, "COMMAND"), (["--", "true"], 2, "checker"),
            (["--check", "true", "--check-so", "a:b", "--", "true"], 2, "one of them"),
            (["--profile", "fat", "--check", "true", "--", "true"], 2, "posix, ext4"),
            (["--budget", "0", "--check", "true", "--", "true"], 2, "budget"),
            (["--budget", "ten", "--check", "true", "--", "true"], 2, "budget"),
            (["--classes", "all", "--check", "true", "--", "true"], 2, "prefix"),
            (["--sector", "1000", "--check", "true", "--", "true"], 2, "512 or 4096"),
            (["--fault", "sync:1", "--check", "true", "--", "true"], 2, "sync:1:EIO"),
            (["--fault", "read:1:ENOSPC", "--check", "true", "--", "true"], 2, "fault"),
            (["--recorder", "ptrace", "--check", "true", "--", "true"], 2, "fuse"),
            (["--checker", "oracle", "--", "true"], 2, "sqlite3"), (["--checker", "sqlite3", "--", "true"], 2, "file"),
            (["--check-so", "/nonexistent.so:f", "--", "true"], 2, "nonexistent"),
            (["--replay", "x"], 2, "--from"), (["--from", "x", "--check", "true", "--", "true"], 2, "COMMAND"),
            (["--from", "/nonexistent", "--check", "true"], 2, "No such file"),
            (["--check", "true", "--", "/nonexistent/program"], 2, "nonexistent"),
            (["calibrate", "fat"], 2, "ext4")):
        where = [] if words[0] == "calibrate" else ["--dir", data]
        tap.check(f"wrong usage: {' '.join(words)}", says(crash.run(*words[:1], *where, *words[1:]) if not where else
                                                             crash.run(*where, *words), code, text))
    check_json_errors(tap, crash, data)
    for path, text in ((data + "/config", "no directory"), (data + "/none", "No such file")):
        tap.check(f"a data directory that is none: {text}", says(crash.run("--dir", path, "--check", "true", "--", "true"), 2, text))
    answer = crash.run("--dir", data, "--checker", "redis", "--", "true", env={**os.environ, "PATH": "/nonexistent"})
    tap.check("a checker whose tools are missing says which package has them", says(answer, 3, "apt-get install redis"))


def check_json_errors(tap, crash, data):
    """Who asks for JSON gets one object, on standard output, whatever went wrong."""
    later = area("later") + "/trace"
    crash.run("--dir", data, "--trace", later, "--check", "true", "--", "touch", data + "/a")
    if os.path.exists(later):
        with open(later, "r+b") as file:
            file.seek(8)
            file.write(bytes([9]))
    for words, code, text in (
            (["--budget", "0", "--check", "true", "--", "true"], 2, "budget"),
            (["--no-such-option"], 2, "unknown"), (["--jobs", "none"], 2, "--jobs"),
            (["--checker", "nosuch", "--", "true"], 2, "sqlite3"), (["--check", "true"], 2, "COMMAND"),
            (["--check", "true", "--dir", data + "/none", "--", "true"], 2, "No such file"),
            (["--check", "true", "--", "no-such-command-here"], 2, "no-such-command-here"),
            (["--from", later, "--check", "true"], 2, "later sluice|damaged|is no recording"),
            (["--replay", "posix-1-min", "--from", later], 2, "--replay makes none"),
            (["--checker", "redis", "--", "true"], 3, "apt-get install redis")):
        answer = crash.run("--dir", data, "--json", *words, env={**os.environ, "PATH": "/nonexistent"})
        try:
            told = json.loads(answer.stdout)
        except ValueError:
            told = {}
        told = {"error": "", **told}
        tap.check(f"an error in JSON: {' '.join(words)}", says(answer, told.get("exit"), text) + [answer.stdout] * (
            sorted(told) != ["error", "exit"] or not re.search(text, told["error"]) or told["error"] not in answer.stderr))


def check_nobody(tap, crash):
    """A user without rights, for whom /dev/fuse may be closed and directories unreadable."""
    if os.geteuid() != 0:
        tap.skip("as nobody", "only root can become nobody")
        return
    data = config()
    for path in (data, os.path.dirname(data)):
        os.chown(path, 65534, 65534)
    os.chown(data + "/config", 65534, 65534)
    nobody = {"user": 65534, "group": 65534, "extra_groups": [],
              "env": {**os.environ, "TMPDIR": os.path.dirname(data), "HOME": "/"}}
    code, report = test(crash, data, FORGETS, **nobody)
    if code == 3:
        tap.check("where nothing may record it says what is missing", [] if re.search(
            "fuse|namespace|seccomp", report["error"]) else [report["error"]])
    else:
        tap.check("nobody finds the bug, too", fails(code, report))
    for entry, make in (("secret", lambda path: open(path, "wb").close()), ("closed", os.mkdir)):
        made = os.path.join(data, entry)
        make(made)
        os.chmod(made, 0)
        for recorder in ((), ("--recorder", "seccomp")):
            words = ["--dir", data, *recorder]
            command = ["--check", "true", "--", "sh", "-c", f"cd {data}; {SAVE}"]
            # Where nothing may record, that is another matter.
            tap.check(f"an entry that may not be read is named, and COMMAND is not blamed: {entry}{' '.join(('',) + recorder)}", says(
                crash.run(*words, *command, **nobody), 3, f"{made}: Permission denied", f"--ignore '{entry}'"))
            answer = crash.run(*words, "--ignore", entry, *command, **nobody)
            tap.check(f"and may be left out: {entry}{' '.join(('',) + recorder)}",
                      says(answer, 3 if code == 3 else 0, "fuse|namespace|seccomp" if code == 3 else "no failing state"))
        (os.rmdir if os.path.isdir(made) else os.remove)(made)
    os.chmod(data, 0)
    tap.check("a directory that may not be read is said", says(crash.run(
        "--dir", data, "--check", "true", "--", "true", **nobody), 3, "Permission denied"))


# -- the terminal, and signals --------------------------------------------------------------

def check_progress(tap, crash):
    data = config()
    leader, follower = pty.openpty()
    program = subprocess.Popen([crash.path, "crash", "--dir", data, "--check", "sleep 0.02", "--budget", "100", "--",
                                "sh", "-c", f"cd {data}; {SAVE}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=follower, env={**os.environ, "TERM": "xterm"})
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(leader)
    program.wait(timeout=100)
    tap.check("a terminal shows how far it is", [] if b"explore: " in shown and b"failing" in shown else [repr(shown)])


def interrupt(crash, number, program, check, *options, words=None):
    """Sends a signal to a run once it has begun: how it ended, what it printed, what it left."""
    scratch = area("scratch")
    data, mark, begun = config(), f"SLUICE_MARK={scratch}", area("begun") + "/now"
    env = {**os.environ, "TMPDIR": scratch, "SLUICE_MARK": scratch, "BEGUN": begun}
    words = words or ["--json", "--dir", data, "--budget", "100000", *options, "--check", check, "--", "sh", "-c",
                      f"cd {data}; {program}"]
    run = subprocess.Popen([crash.path, "crash", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, env=env, start_new_session=True)
    end = time.monotonic() + 60
    while not os.path.exists(begun) and run.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    if number == signal.SIGINT:
        os.killpg(run.pid, number)  # as a terminal does
    else:
        run.send_signal(number)
    output = run.communicate(timeout=100)
    problems = left_behind(mark, scratch)
    return problems + [f"ended with {run.returncode}: {output}"] * (run.returncode != -number), output[0]


def check_signals(tap, crash):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        problems, _ = interrupt(crash, number, 'touch "$BEGUN"; sleep 1000', "true")
        tap.check(f"{number.name} while it records leaves nothing behind", problems)
        problems, output = interrupt(crash, number, SAVE, 'touch "$BEGUN"; sleep 0.3')
        tap.check(f"{number.name} while it explores leaves nothing behind", problems)
    # A checker that says nothing of the third phase until the second is over: it begins when a sync is gone, or when it
    # recovers under the recorder.
    recovers = 'rm -f config.tmp; echo x >recovered; if [ -n "$SLUICE_CRASH_ACK" ]; then touch "$BEGUN"; sleep 1000; fi'
    problems, _ = interrupt(crash, signal.SIGTERM, SAVE, recovers, "--recover", "--check-timeout", "100s", "--classes", "min")
    tap.check("SIGTERM while a recovery is recorded leaves nothing behind", problems)
    mutated = 'grep -q =2 config || { case $(cat) in *saved*) touch "$BEGUN"; sleep 0.3; exit 1;; esac; }'
    problems, _ = interrupt(crash, signal.SIGTERM, SAVE, mutated, "--mutate", "--classes", "min")
    tap.check("SIGTERM while syncs are taken away leaves nothing behind", problems)
    data, kept = config(), area("kept")
    crash.run("--dir", data, "--trace", kept + "/t", "--check", "true", "--", "sh", "-c", f"cd {data}; {SAVE}")
    problems, _ = interrupt(crash, signal.SIGTERM, "", "", words=[
        "--dir", data, "--from", kept + "/t", "--replay", "posix-0-prefix-0", "--into", kept + "/state", "--check",
        'touch "$BEGUN"; sleep 1000'])
    tap.check("SIGTERM while a state is checked again leaves nothing behind", problems)
    try:
        told = json.loads(output)
        tap.check("what is known by then is told", [] if told["stopped"] and told["distinct"] else [output])
    except ValueError:
        tap.check("what is known by then is told", [output])


def main():
    tap, crash = Tap(), Crash(sys.argv[1])
    program, log, library = (os.path.abspath(path) for path in sys.argv[2:5])
    check_usage(tap, crash)
    refusal = crash.refusal()
    checks = (check_answers, check_page, check_checker, check_base, check_acks, check_mutate, check_again, check_place, check_html, check_programs,
              check_budget, check_full_disk, check_faults,
              check_nobody, check_progress, check_signals)
    for check in checks:
        if refusal:
            tap.skip(check.__name__.replace("check_", "a run: "), refusal)
        else:
            check(tap, crash)
    if not refusal:
        check_recover(tap, crash, program, library)
        check_function(tap, crash, program, library)
        check_log(tap, crash, log)
    tap.done()


if __name__ == "__main__":
    main()
