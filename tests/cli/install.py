#!/usr/bin/env python3
"""install.py: what `make install` puts down is enough to build against, dynamically and statically."""
import os
import shutil
import subprocess
import sys
import tempfile

from command import Tap

PROGRAM = """
#include <sluice/sluice.h>
#include <stdio.h>
int main(void)
{
	printf("%u\\n", sl_version() == SL_VERSION);
	return 0;
}
"""


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, **options)


class Installed:
    """An installation in a directory of its own."""

    def __init__(self, root, build):
        self.root, self.pkgconfig = root, root
        self.answer = run("meson", "install", "-C", build, "--no-rebuild", "--destdir", root)
        found = self.files("sluice.pc")
        if found:
            self.pkgconfig = os.path.dirname(found[0])

    def files(self, *names):
        return [os.path.join(folder, name) for folder, _, files in os.walk(self.root) for name in files if name in names]

    def flags(self, *arguments):
        env = {**os.environ, "PKG_CONFIG_LIBDIR": self.pkgconfig, "PKG_CONFIG_SYSROOT_DIR": self.root}
        return run("pkg-config", *arguments, "sluice", env=env).stdout.split()

    def build_and_run(self, name, *flags):
        """Problems of compiling and running a small program with flags."""
        path = os.path.join(self.root, name)
        answer = run("cc", "-std=c11", "-Wall", "-Werror", "-x", "c", "-", "-x", "none", "-o", path, *flags, input=PROGRAM)
        if answer.returncode:
            return answer.stderr.splitlines()
        libraries = ":".join({os.path.dirname(p) for p in self.files("libsluice.so.0.1.0")})
        answer = run(path, env={**os.environ, "LD_LIBRARY_PATH": libraries})
        return [] if answer.stdout == "1\n" else [answer.stdout + answer.stderr]


def main():
    tap, build = Tap(), sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="sluice-install-", dir=os.environ.get("SLUICE_TEST_DIR")) as root:
        installed = Installed(root, build)
        answer = installed.answer
        tap.check("the installation succeeds",
                  (answer.stdout + answer.stderr).splitlines() if answer.returncode else [])
        wanted = ["sluice", "libsluice.a", "libsluice.so", "libsluice.so.0", "sluice.pc", "sluice.h", "ring.h"]
        wanted += ["sluice.1"] if shutil.which("scdoc") else []
        tap.check("command, libraries, headers and the pkg-config file are there",
                  [f"no {name}" for name in wanted if not installed.files(name)])
        library = installed.files("libsluice.so.0.1.0")
        soname = run("objdump", "-p", *library).stdout if library else ""
        tap.check("the library's soname is libsluice.so.0",
                  [] if "SONAME               libsluice.so.0\n" in soname else [soname])
        tap.check("a program builds against the shared library and runs",
                  installed.build_and_run("shared", *installed.flags("--cflags", "--libs")))
        tap.check("a program builds wholly statically and runs",
                  installed.build_and_run("static", "-static", *installed.flags("--static", "--cflags", "--libs")))
    tap.done()


if __name__ == "__main__":
    main()
