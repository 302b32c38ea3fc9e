#!/usr/bin/env python3
"""test_reload.py: what a reload may take when the process is confined, or another user by now."""
import os
import re
import shutil
import signal
import sys

from service import Service, Tap, area, get, remove


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def replace(path, text):
    """As an editor or a package does it: by rename."""
    write(path + ".new", text)
    os.rename(path + ".new", path)


def swap(link, target):
    os.symlink(target, link + ".new")
    os.rename(link + ".new", link)


def reload(service):
    """What it says to a reload, all of it."""
    before = len(service.said)
    service.signal(signal.SIGHUP)
    service.until(lambda: any("reloaded" in line for line in service.said[before:]))
    return service.said[before:]


def done(said):
    return [] if said[-1:] == ["sluice serve: reloaded"] else said or ["nothing is said"]


def refused(said, pattern):
    good = len(said) > 1 and re.search(pattern, said[0]) and said[-1].endswith("not reloaded, going on as before")
    return [] if good else said or ["nothing is said"]


def body(service, target, text):
    answer = service.ask(get(target))
    return [] if answer.status == 200 and answer.body == text.encode() else [str(answer)]


def is_confined(service):
    return not any("not confined to its files" in line for line in service.said)


ANOTHER = r": it is another directory now, and confinement holds to the first one; restart, or run with --confine-to"


def releases(base):
    for name in ("v1", "v2"):
        write(os.path.join(base, name, "a.txt"), name)
    return os.path.join(base, "cur")


def directories(tap, sluice, base):
    """The directory is another one."""
    cur = releases(base)
    swap(cur, "v1")
    with Service(sluice, cur, "--workers", "2", "--cache-valid", "0s") as service:
        if not is_confined(service):
            tap.skip("a reload into another directory is refused", "the kernel has no Landlock")
            return
        swap(cur, "v2")
        said = reload(service)
        tap.check("a reload into another directory is refused, and why", refused(said, re.escape(cur) + ANOTHER))
        tap.check("and the first one is served on", body(service, "/a.txt", "v1"))
        swap(cur, "v1")
        tap.check("a reload into the same one is none of that", done(reload(service)) + body(service, "/a.txt", "v1"))
        os.rename(os.path.join(base, "v1"), os.path.join(base, "v1.old"))
        shutil.copytree(os.path.join(base, "v1.old"), os.path.join(base, "v1"))
        tap.check("nor is a copy in its place the same one", refused(reload(service), ANOTHER) + body(service, "/a.txt", "v1"))
        os.makedirs(os.path.join(base, "v1.old", "within"))
        write(os.path.join(base, "v1.old", "within", "a.txt"), "within")
        swap(cur, "v1.old/within")
        tap.check("what lies within it can be had", done(reload(service)) + body(service, "/a.txt", "within"))
    shutil.rmtree(os.path.join(base, "v1.old"))


def beneath(tap, sluice, base):
    """The usual deployment: a link from one release to the next."""
    cur = releases(base)
    swap(cur, "v1")
    outside = base + ".outside"
    write(os.path.join(outside, "a.txt"), "outside")
    try:
        with Service(sluice, cur, "--confine-to", base, "--workers", "2", "--cache-valid", "0s") as service:
            if not is_confined(service):
                tap.skip("with --confine-to it is taken", "the kernel has no Landlock")
                return
            swap(cur, "v2")
            tap.check("with --confine-to it is taken, when it is beneath", done(reload(service)) + body(service, "/a.txt", "v2"))
            swap(cur, outside)
            tap.check("and only then", refused(reload(service), ANOTHER) + body(service, "/a.txt", "v2"))
        with Service(sluice, cur, "--confine-to", base) as service:
            tap.check("it must lie there from the beginning", ["it began"])
    except RuntimeError as error:
        tap.check("it must lie there from the beginning", [] if "is not beneath" in str(error) else [str(error)])
    finally:
        shutil.rmtree(outside)


def tables(tap, sluice, base):
    """What else a reload reads, put in place by rename."""
    root, types, pages = (os.path.join(base, name) for name in ("www", "etc/types", "pages"))
    write(os.path.join(root, "a.odd"), "odd")
    write(types, "text/first odd\n")
    write(os.path.join(pages, "404.html"), "first")
    with Service(sluice, root, "--types", types, "--error-pages", pages, "--workers", "1", "--cache-valid", "0s") as service:
        if not is_confined(service):
            tap.skip("a table replaced by rename is read", "the kernel has no Landlock")
            return
        replace(types, "text/second odd\n")
        replace(os.path.join(pages, "404.html"), "second")
        problems = done(reload(service))
        kind = service.ask(get("/a.odd")).fields["content-type"]
        tap.check("a table replaced by rename is read", problems + ([] if kind.startswith("text/second") else [kind]))
        page = service.ask(get("/none")).body
        tap.check("so is an error page", [] if page == b"second" else [repr(page)])
        os.rename(pages, pages + ".old")
        write(os.path.join(pages, "404.html"), "third")
        tap.check("a directory of them replaced is refused, and why",
                  refused(reload(service), re.escape(pages) + r": .*another one now, and confinement holds to the first"))
        page = service.ask(get("/none")).body
        tap.check("and the pages of before go on", [] if page == b"second" else [repr(page)])


def other_user(tap, sluice, base):
    """What another user may not open it may not reload."""
    root, log = os.path.join(base, "www"), os.path.join(base, "log", "access")
    if os.geteuid() != 0:
        tap.skip("what the new user may not open is told", "it takes root to become somebody else")
        return
    os.chmod(base, 0o755)
    write(os.path.join(root, "a.txt"), "here")
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with Service(sluice, root, "--access-log", log, "--user", "nobody", "--workers", "1", "--cache-valid", "0s") as service:
        os.rename(log, log + ".1")
        tap.check("what the new user may not open is told, and why",
                  refused(reload(service), re.escape(log) + r": Permission denied; a reload is done as the user of --user"))
        tap.check("and it goes on", body(service, "/a.txt", "here"))
        write(log, "")
        os.chown(log, 65534, 65534)
        tap.check("a log made for that user is taken", done(reload(service)))
        service.ask(get("/a.txt"))
        tap.check("and written", [] if service.until(lambda: os.path.getsize(log) > 0) else ["it is not"])


def main():
    tap, sluice = Tap(), sys.argv[1]
    for test in (directories, beneath, tables, other_user):
        base = area()
        try:
            test(tap, sluice, base)
        finally:
            remove(base)
    tap.done()


if __name__ == "__main__":
    main()
