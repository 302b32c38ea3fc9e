#!/usr/bin/env python3
"""scripts.py ROOT: scripts/ with a machine of our own making around it: what is asked of it, and what is left behind.

Programs that the scripts call are replaced by ones that note how they were called: nothing is installed or downloaded.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from command import Tap

LACKED = ("libcmocka-dev", "qemu-system-x86", "scdoc")


class Machine:
    """A copy of scripts/ in a tree of its own, and a directory of programs that come first in PATH."""

    def __init__(self, root, folder):
        self.folder, self.programs = folder, os.path.join(folder, "programs")
        self.calls = os.path.join(folder, "calls")
        self.temporary = os.path.join(folder, "temporary")
        os.mkdir(self.programs)
        os.mkdir(self.temporary)
        shutil.copytree(os.path.join(root, "scripts"), os.path.join(folder, "scripts"))

    def program(self, name, text):
        path = os.path.join(self.programs, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{text}\n')
        os.chmod(path, 0o755)

    def environment(self):
        return {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}", "TMPDIR": self.temporary}

    def run(self, script, *arguments):
        return subprocess.run([os.path.join(self.folder, "scripts", script), *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, env=self.environment(), cwd=self.folder)

    def called(self, name):
        try:
            with open(self.calls, encoding="utf-8") as file:
                return [line.rstrip("\n") for line in file if line.split()[0] == name]
        except FileNotFoundError:
            return []

    def debian(self, user, lacked=LACKED):
        """A Debian on which some packages are lacking."""
        lacks = "|".join(lacked) or "nothing"
        self.program("dpkg-query", f'for last; do :; done\ncase $last in {lacks}) exit 1 ;; *) echo installed ;; esac')
        self.program("id", f'echo {0 if user == "root" else 1000}')
        self.program("sudo", "exit 1")
        self.program("apt-get", "exit 0")


def lists(root):
    """Packages of the tiers `make check` sets up."""
    names = set()
    for tier in ("build", "check", "vm"):
        with open(os.path.join(root, "scripts", "packages", tier + ".txt"), encoding="utf-8") as file:
            names |= {word for line in file for word in line.split("#")[0].split()}
    return names


def apt_lines(text):
    return [line.strip() for line in text.splitlines() if "apt-get install" in line]


def setting_up(tap, root, machine):
    tap.check("the packages that these tests call lacking are in the lists",
              [f"{name} is in none" for name in LACKED if name not in lists(root)])
    machine.debian("somebody")
    done = machine.run("setup.sh", "check", "vm")
    lines = apt_lines(done.stdout + done.stderr)
    tap.check("without root or sudo one line installs what all tiers lack, and nothing is called",
              [] if done.returncode == 3 and len(lines) == 1 and
              sorted(lines[0].split(" -y ")[1].split()) == sorted(LACKED) and not machine.called("apt-get") else
              [f"exit {done.returncode}", *lines, done.stdout, done.stderr])
    tap.check("each lacking package is named once, with what it is for",
              [f"{name}: {done.stdout}" for name in LACKED if len(re.findall(rf"^  {name}: \S", done.stdout, re.M)) != 1])
    machine.debian("root")
    done = machine.run("setup.sh", "check", "vm")
    installs = [call for call in machine.called("apt-get") if " install " in call]
    tap.check("root installs what is lacking, and nothing else",
              [] if done.returncode == 0 and len(installs) == 1 and
              sorted(installs[0].split(" -y ")[1].split()) == sorted(LACKED) else [*installs, done.stderr])
    machine.program("apt-get", "exit 100")
    done = machine.run("setup.sh", "check")
    tap.check("an installation that fails is said", [] if done.returncode == 3 and "could not install:" in done.stderr else
              [f"exit {done.returncode}: {done.stderr}"])
    machine.debian("somebody", ())
    done = machine.run("setup.sh", "check", "vm")
    tap.check("where nothing is lacking nothing is said", [] if (done.returncode, done.stdout, done.stderr) == (0, "", "") else
              [done.stdout, done.stderr])
    done = machine.run("setup.sh", "check", "nonsense")
    tap.check("an unknown tier is refused", [] if done.returncode == 2 and "nonsense: no such tier" in done.stderr else [done.stderr])


def fill_in(machine, tests):
    """What check.sh needs of the tree, with `meson test` being a script of ours."""
    build = os.path.join(machine.folder, "build")
    os.makedirs(os.path.join(build, "meson-logs"), exist_ok=True)
    os.makedirs(os.path.join(machine.folder, "tests", "vm"), exist_ok=True)
    os.makedirs(os.path.join(build, "meson-info"), exist_ok=True)
    for name, content in (("dependencies", [{"name": "cmocka"}, {"name": "liburing"}]), ("targets", []), ("tests", [])):
        with open(os.path.join(build, "meson-info", f"intro-{name}.json"), "w", encoding="utf-8") as file:
            json.dump(content, file)
    for path in (os.path.join(machine.folder, "tests", "vm", "kernel.py"), os.path.join(machine.folder, "scripts", "unpack-peer.sh")):
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexit 0\n")
        os.chmod(path, 0o755)
    machine.program("cc", "exit 0")
    machine.program("ninja", "exit 0")
    machine.program("meson", f'case $1 in test) {tests} ;; esac')
    return build


def left(build):
    return [name for name in os.listdir(build) if name.startswith("check.")]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def checking(tap, machine):
    machine.debian("somebody")
    build = fill_in(machine, "exit 0")
    done = machine.run("check.sh", "check", "build")
    tap.check("make check without root prints one apt line for all it sets up",
              [] if len(apt_lines(done.stdout + done.stderr)) == 1 else [done.stdout, done.stderr])
    machine.debian("somebody", ())
    log, found = os.path.join(build, "meson-logs", "testlog.json"), os.path.join(machine.folder, "found")
    with open(found, "w", encoding="utf-8") as file:
        file.write(json.dumps({"name": "sluice:unit / thing", "result": "OK", "stdout": "ok 1 - it works\n1..1\n"}) + "\n")
    fill_in(machine, f'touch "$SLUICE_TEST_DIR/litter"; sleep 600 & echo $! >"{build}/orphan"; cp "{found}" "{log}"; exit 0')
    done = machine.run("check.sh", "check-fast", "build")
    with open(os.path.join(build, "orphan"), encoding="utf-8") as file:
        orphan = int(file.read())
    tap.check("check.sh ends with the counts", [] if done.returncode == 0 and
              done.stdout.splitlines()[-1:] == ["1 passed, 0 failed, 0 skipped"] else [str(done.returncode), done.stdout, done.stderr])
    tap.check("its directory and what the tests left running are gone",
              [str(left(build))] * bool(left(build)) + ["the process lives"] * alive(orphan))
    os.unlink(os.path.join(build, "orphan"))


def stopping(tap, machine):
    """check.sh in the middle of its tests, then a signal."""
    for number in (signal.SIGTERM, signal.SIGINT):
        build = fill_in(machine, "touch \"$SLUICE_TEST_DIR/litter\"; echo $$ >\"$SLUICE_TEST_DIR/../begun\"; exec sleep 600")
        begun = os.path.join(build, "begun")
        process = subprocess.Popen([os.path.join(machine.folder, "scripts", "check.sh"), "check-fast", "build"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=machine.environment(), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        end = time.monotonic() + 60
        while not (os.path.exists(begun) and os.path.getsize(begun)) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        with open(begun, encoding="utf-8") as file:
            tests = int(file.read())
        process.send_signal(number)
        code = process.wait(timeout=60)
        problems = [f"exit {code}"] * (code != 128 + number) + [str(left(build))] * bool(left(build))
        tap.check(f"{number.name} ends the tests and leaves nothing", problems + ["the tests live"] * alive(tests))
        os.unlink(begun)


def failing(tap, machine):
    fill_in(machine, "exit 0")
    machine.program("ninja", "exit 1")
    done = machine.run("check.sh", "check-fast", "build")
    tap.check("a build that fails is a failure with its counts", [] if done.returncode == 1 and
              done.stdout.splitlines()[-2:] == ["check: the build failed", "0 passed, 1 failed, 0 skipped"] else [done.stdout])


def unpacking(tap, root, machine):
    shutil.copy(os.path.join(root, "scripts", "unpack-peer.sh"), os.path.join(machine.folder, "scripts"))
    machine.debian("somebody", ("nopeer-x", "nopeer-y", "nopeer-z"))
    machine.program("apt-get", """case "$*" in
        *-s*nopeer-x) echo 'Inst nopeer-x (1.0 Debian)'; echo 'Inst libnopeer (1.0 Debian)'; echo 'Conf nopeer-x' ;;
        *download*) for last; do :; done; touch nopeer-x.deb libnopeer.deb ;;
        esac""")
    machine.program("dpkg", """mkdir -p "$3/usr/bin" && printf '#!/bin/sh\\necho "peer $*"\\n' >"$3/usr/bin/nopeer-x" && chmod +x "$3/usr/bin/nopeer-x" """)
    done = machine.run("unpack-peer.sh", "build", "nopeer-x")
    peers = os.path.join(machine.folder, "build", "peers")
    ran = subprocess.run([os.path.join(peers, "run"), "nopeer-x", "a", "b"], capture_output=True, text=True, env=machine.environment())
    installs = [call for call in machine.called("apt-get") if " install " in call and " -s " not in call]
    tap.check("a peer is unpacked with what it needs, not installed, and runs", [] if done.returncode == 0 and
              ran.stdout == "peer a b\n" and len(machine.called("dpkg")) == 2 and not installs and "libnopeer" in done.stdout else
              [done.stdout, done.stderr, ran.stdout, ran.stderr, *installs])
    machine.run("unpack-peer.sh", "build", "nopeer-x")
    tap.check("it is unpacked once", [] if len(machine.called("dpkg")) == 2 else machine.called("dpkg"))
    done = machine.run("unpack-peer.sh", "build", "nopeer-y")
    tap.check("a package that nobody knows is said", [] if done.returncode == 3 and
              "nopeer-y: apt-get does not know it" in done.stderr else [done.stderr])
    machine.program("apt-get", "case \"$*\" in *-s*) echo 'Inst nopeer-z (1.0 Debian)' ;; *) exit 100 ;; esac")
    done = machine.run("unpack-peer.sh", "build", "nopeer-z")
    tap.check("a download that fails leaves nothing unpacked", [] if done.returncode == 3 and
              not os.path.exists(os.path.join(peers, "root", ".nopeer-z")) else [f"exit {done.returncode}"])
    tap.check("what was downloaded is gone", os.listdir(machine.temporary))


def main():
    tap, root = Tap(), os.path.abspath(sys.argv[1])
    for subject in (lambda machine: setting_up(tap, root, machine), lambda machine: checking(tap, machine),
                    lambda machine: stopping(tap, machine), lambda machine: failing(tap, machine),
                    lambda machine: unpacking(tap, root, machine)):
        with tempfile.TemporaryDirectory() as folder:
            subject(Machine(root, folder))
    tap.done()


if __name__ == "__main__":
    main()
