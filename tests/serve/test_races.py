#!/usr/bin/env python3
"""test_races.py: a directory becomes a link out of the root and back, as fast as it can, while files in it are asked for."""
import os
import sys
import threading
import time

from service import PATIENCE, Service, Tap, area, get, remove

SECRET = b"this is outside"
INSIDE = b"this is inside"
REQUESTS = 1000
# Each request looks anew, whatever was found before.
OPTIONS = ("--metrics", "127.0.0.1:0", "--workers", "2", "--cache-valid", "0s")


class Flipping:
    """The directory is there, then nothing, then a link, then nothing, and so on."""

    def __init__(self, place):
        self.place, self.stop = place, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.is_set():
            for source in (self.place + ".real", self.place + ".link"):
                os.rename(source, self.place)
                os.rename(self.place, source)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def tree(base):
    root = os.path.join(base, "root")
    place = os.path.join(root, "flip")
    for name, text in ((place + ".real", INSIDE), (os.path.join(base, "out"), SECRET)):
        os.makedirs(name)
        with open(os.path.join(name, "file.txt"), "wb") as file:
            file.write(text)
    os.symlink(os.path.join("..", "out"), place + ".link")
    return root, place


def asked(service, wanted):
    """What came, by how often: at least so many answers, and on until all that is wanted has come."""
    got, end = {}, time.monotonic() + PATIENCE
    with service.connect() as raw:
        while (sum(got.values()) < REQUESTS or not wanted <= set(got)) and time.monotonic() < end:
            raw.send(get("/flip/file.txt"))
            answer = raw.answer()
            what = answer.body if answer.status == 200 else answer.status
            got[what] = got.get(what, 0) + 1
    return got


def main():
    tap, base, sluice = Tap(), area(), sys.argv[1]
    try:
        root, place = tree(base)
        with Service(sluice, root, *OPTIONS) as service:
            with Flipping(place):
                got = asked(service, {INSIDE, 404})
            looked = service.metrics()
        looked = looked["cache_misses_total"] + looked["cache_stale_total"]
        # 503: the kernel could not tell in so many attempts that the way does not lead out.
        tap.check("a race with links never leads out", [] if set(got) <= {INSIDE, 404, 503} else [str(got)])
        tap.check("though it was met in more than one of its states", [] if {INSIDE, 404} <= set(got) else [str(got)])
        tap.check("and each request looked anew", [] if looked >= sum(got.values()) else [f"{looked} looks, {got}"])
        # The same race, where links out are followed: it does get there.
        with Service(sluice, root, *OPTIONS, "--follow") as service:
            with Flipping(place):
                got = asked(service, {INSIDE, SECRET, 404})
        tap.check("with --follow the same race leads out, so it was one", [] if {INSIDE, SECRET} <= set(got) else [str(got)])
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
