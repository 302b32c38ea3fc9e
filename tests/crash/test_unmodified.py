#!/usr/bin/env python3
"""test_unmodified.py: real programs from Debian's packages: what they lose when they are set so, and nothing else."""
import os
import re
import shutil
import subprocess
import sys

from crash import Crash, Tap, area, json

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

GIT = {**os.environ, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
       "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


PROFILES = ["posix", "ext4", "xfs", "btrfs"]

# A server, or an interpreter, takes long to start on a busy machine, and that is no verdict on a state.
PATIENT = ("--check-timeout", "100s")


def missing(*tools):
    """What is not installed, as a reason to skip, or None."""
    lacking = [tool for tool in tools if not shutil.which(tool)]
    return f"not installed: {', '.join(lacking)}" if lacking else None


def outputs(report):
    return [failure["checker_output"] for failure in report["failing"]]


def clean(code, report):
    """Nothing fails, and that is because it was tested: each acknowledgement of a run that went well."""
    tested = report.get("tested") and report["distinct"] >= 5 and report["recording"]["acks"]
    return [] if code == 0 and not report["failing"] and tested else [f"exit {code}", str(report.get("error", "")), *map(str, report["failing"])]


def loses(code, report, *words):
    """Some state fails, and its checker says one of the words."""
    if code == 1 and any(word in text for text in outputs(report) for word in words):
        return []
    return [f"exit {code}, none says {words}", str(report.get("error", "")), *outputs(report)]


# -- sqlite ---------------------------------------------------------------------------------

def everywhere(crash, budget, data, *words, **options):
    """One recording, and of the states of it that each profile allows some of every kind, most of posix."""
    trace = data + ".trace"
    yield PROFILES[0], crash.json(*PATIENT, "--dir", data, "--budget", budget, "--trace", trace, *words, **options)
    asked = words[:words.index("--")]
    for profile in PROFILES[1:]:
        yield profile, crash.json(*PATIENT, "--dir", data, "--budget", str(int(budget) // 3), "--from", trace, "--profile", profile, *asked,
                                  **options)


def sqlite(journal, synchronous):
    """Two transactions, each acknowledged by a query that must then have an answer: a directory, and the command."""
    data = area()
    path = os.path.join(data, "db")
    subprocess.run(["sqlite3", path, f"PRAGMA journal_mode={journal}; CREATE TABLE t(id, text);"], check=True,
                   stdout=subprocess.DEVNULL)
    script = f"PRAGMA synchronous={synchronous};\n"
    for number in (1, 2):
        script += (f"INSERT INTO t VALUES({number}, hex(zeroblob(700)));\n"
                   f"SELECT 'SELECT count(*) FROM t WHERE id={number}';\n")
    return data, ("--", "stdbuf", "-oL", "sqlite3", "-batch", path, script)


def check_sqlite(tap, crash):
    reason = missing("sqlite3", "stdbuf")
    table = [
        ("DELETE", "FULL"), ("WAL", "NORMAL"), ("DELETE", "OFF"),
    ]
    for journal, synchronous in table:
        sentence = f"sqlite {journal}, {synchronous}, posix: an acknowledged transaction is lost"
        if reason:
            tap.skip(sentence, reason)
            continue
        data, command = sqlite(journal, synchronous)
        answer = crash.json(*PATIENT, "--dir", data, "--checker", "sqlite3:db", "--classes", "prefix,omit1,min", "--budget",
                            "400", *command)
        words = ("acknowledged", "integrity_check", "malformed") if synchronous == "OFF" else ("acknowledged",)
        tap.check(sentence, loses(*answer, *words))
    for journal, synchronous in (("DELETE", "EXTRA"), ("WAL", "FULL")):
        sentence = f"sqlite {journal}, {synchronous}: nothing is lost in any kind of state"
        if reason:
            tap.skip(sentence, reason)
            continue
        data, command = sqlite(journal, synchronous)
        for profile, answer in everywhere(crash, "300", data, "--checker", "sqlite3:db", *command):
            tap.check(f"{sentence}, {profile}", clean(*answer))


# -- git ------------------------------------------------------------------------------------

def git(crash, profile, *settings):
    """A commit, acknowledged by its name."""
    data = area()

    def run(*words):
        subprocess.run(["git", "-C", data, *words], check=True, env=GIT, stdout=subprocess.DEVNULL)

    run("init", "-q")
    for setting in ("gc.auto=0", "maintenance.auto=false", *settings):
        run("config", *setting.split("="))
    for number in (1, 2):
        with open(os.path.join(data, "file"), "w", encoding="utf-8") as file:
            file.write(f"version {number}\n" * 100)
        run("add", "file")
        if number == 1:
            run("commit", "-q", "-m", "first")
    subprocess.run(["sync", "-f", data], check=True)
    return crash.json(*PATIENT, "--dir", data, "--profile", profile, "--checker", "git", "--budget", "250", "--",
                      "sh", "-c", f"git -C {data} commit -q -m second && git -C {data} rev-parse HEAD", env=GIT)


def check_git(tap, crash):
    broken = ("corrupt", "is empty", "unable to", "missing", "bad object")
    if missing("git"):
        tap.skip("git", missing("git"))
        return
    for profile in PROFILES:
        answer = git(crash, profile)
        tap.check(f"git as it is set, {profile}: an object of an acknowledged commit is broken", loses(*answer, *broken))
    code, report = git(crash, "ext4", "core.fsync=all")
    torn = [text for text in outputs(report) if any(word in text for word in ("corrupt", "is empty"))]
    tap.check("git with core.fsync=all, ext4: no object is broken", torn if code in (0, 1) else [str(report)])
    tap.check("git with core.fsync=all, ext4: the ref's new name is not made durable",
              loses(code, report, "acknowledged"))


# -- stores of keys and values --------------------------------------------------------------

REDIS = """
box=$(mktemp -d); trap 'rm -rf "$box"' EXIT
ln -s "$(command -v redis-check-rdb)" "$box/redis-server"
"$box/redis-server" --dir "$1" --port 0 --unixsocket "$box/s" --save '' --appendonly yes --appendfsync "$2" \
	--daemonize no --logfile '' >"$box/log" 2>&1 &
server=$!
until [ "$(redis-cli -s "$box/s" ping 2>/dev/null)" = PONG ]; do
	kill -0 $server || { cat "$box/log" >&2; exit 1; }; sleep 0.02
done
for key in $3; do
	[ "$(redis-cli -s "$box/s" set $key value-$key)" = OK ] && echo "$key value-$key"
done
redis-cli -s "$box/s" shutdown nosave >&2
wait $server
"""

PLYVEL = """
import sys, plyvel
db = plyvel.DB(sys.argv[1], create_if_missing=True)
for key in sys.argv[3].split():
    db.put(key.encode(), b'value-' + key.encode(), sync=sys.argv[2] == 'sync')
    print(key, 'value-' + key, flush=True)
db.close()
"""


def redis(crash, fsync, profile):
    data = area()
    subprocess.run(["sh", "-c", REDIS, "sh", data, "always", "old"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return crash.json(*PATIENT, "--dir", data, "--profile", profile, "--checker", "redis", "--budget", "150",
                      "--", "sh", "-c", REDIS, "sh", data, fsync, "a b c")


def lmdb():
    """Two keys, each loaded by a process of its own: a directory, and the command."""
    data = area()

    def load(key):
        return (f"printf '%s\\n' VERSION=3 format=print type=btree HEADER=END ' {key}' ' value-{key}' DATA=END |"
                f" mdb_load -f /dev/stdin {data} && echo {key} value-{key}")

    subprocess.run(["sh", "-c", load("old")], check=True, stdout=subprocess.DEVNULL)
    return data, ("--", "sh", "-c", load("a") + "; " + load("b"))


def leveldb(crash, python, sync, profile):
    data = area()
    subprocess.run([python, "-c", PLYVEL, data, "sync", "old"], check=True, stdout=subprocess.DEVNULL)
    return crash.json(*PATIENT, "--dir", data, "--profile", profile, "--checker", "leveldb", "--budget", "60",
                      "--", python, "-c", PLYVEL, data, sync, "a b", env={**os.environ, "PATH": "/usr/bin:" + os.environ["PATH"]})


def python_with_plyvel():
    for python in ("python3", "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import plyvel"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return python
    return None


def check_stores(tap, crash):
    reason, python = missing("redis-check-rdb", "redis-cli"), python_with_plyvel()
    table = [
        # Bytes of the size that are not there yet read as zeros, and the server refuses to start with them.
        ("always", "posix", "Bad file format"), ("always", "xfs", None), ("everysec", "xfs", "acknowledged"),
    ]
    for fsync, profile, word in table:
        sentence = f"redis, appendfsync {fsync}, {profile}: " + (f"a state says '{word}'" if word else "nothing is lost")
        if reason:
            tap.skip(sentence, reason)
            continue
        answer = redis(crash, fsync, profile)
        tap.check(sentence, loses(*answer, word) if word else clean(*answer))
    if missing("mdb_load", "mdb_dump"):
        tap.skip("lmdb: nothing is lost", missing("mdb_load", "mdb_dump"))
    else:
        data, command = lmdb()
        for profile, answer in everywhere(crash, "200", data, "--checker", "lmdb", *command):
            tap.check(f"lmdb, {profile}: nothing is lost", clean(*answer))
    table = [
        # The old manifest is deleted before the new name of CURRENT is durable.
        ("sync", "posix", "CURRENT points"), ("sync", "ext4", None), ("nosync", "ext4", "acknowledged"),
    ]
    for sync, profile, word in table:
        sentence = f"leveldb, {sync}, {profile}: " + (f"a state says '{word}'" if word else "nothing is lost")
        if not python:
            tap.skip(sentence, "not installed: plyvel for python3")
            continue
        answer = leveldb(crash, python, sync, profile)
        tap.check(sentence, loses(*answer, word) if word else clean(*answer))


# -- the manual's recipes -------------------------------------------------------------------

def recipes():
    """The examples of the manual that use a built-in checker: its name, and the lines as one would type them."""
    with open(os.path.join(TOP, "man", "sluice-crash.1.scd"), encoding="utf-8") as file:
        examples = file.read().split("# EXAMPLES")[1]
    for block in re.findall(r"^```\n(.*?)^```", examples, re.M | re.S):
        name = re.search(r"--checker (\w+)", block)
        # Those that run a script of the reader's are no recipes.
        if name and "./" not in block.replace("../", ""):
            yield name[1], re.sub(r"^\$ ", "", block, flags=re.M)


def check_recipes(tap, crash):
    """Each one runs as it stands there, tests something, and says what."""
    found = dict(recipes())
    tap.check("the manual has a recipe for each checker", sorted(set(found) ^ {"sqlite3", "git", "redis", "lmdb", "leveldb"}))
    needs = {"sqlite3": ["sqlite3"], "git": ["git"], "redis": ["redis-check-rdb", "redis-cli"], "lmdb": ["mdb_load", "mdb_dump"]}
    tools = area("tools")
    os.symlink(crash.path, os.path.join(tools, "sluice"))
    if shutil.which("redis-check-rdb") and not shutil.which("redis-server"):
        os.symlink(shutil.which("redis-check-rdb"), os.path.join(tools, "redis-server"))
    for name, script in found.items():
        sentence = f"the manual's recipe for {name} runs"
        reason = missing(*needs.get(name, ())) or (name == "leveldb" and not python_with_plyvel() and "not installed: plyvel")
        if reason:
            tap.skip(sentence, reason)
            continue
        # As it is typed, but for a budget, and for patience.
        script = script.replace("sluice crash ", f"sluice crash --json --budget 25 {' '.join(PATIENT)} ")
        answer = subprocess.run(["sh", "-c", script], cwd=area(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**GIT, "PATH": f"{tools}:/usr/bin:{os.environ['PATH']}"}, timeout=800, check=False)
        try:
            report = json.loads(answer.stdout)
        except ValueError:
            report = {}
        tap.check(sentence, [f"exit {answer.returncode}: {answer.stdout}{answer.stderr}"] * (
            answer.returncode not in (0, 1) or not report.get("tested") or report["base_refused"] or
            report["recording"]["acks"] < 1 or report["recording"]["program"] != "ended well"))


def main():
    tap, crash, name = Tap(), Crash(sys.argv[1]), sys.argv[2]
    refusal = crash.refusal()
    if refusal:
        tap.skip(f"{name}, unmodified", refusal)
    else:
        {"sqlite": check_sqlite, "git": check_git, "stores": check_stores,
         "recipes": check_recipes}[name](tap, crash)
    tap.done()


if __name__ == "__main__":
    main()
