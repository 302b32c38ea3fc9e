#!/usr/bin/env python3
"""test_wal.py: `sluice wal` tells what is in a log; the logs are written here, after docs/format/wal.md alone."""
import json
import os
import re
import struct
import sys
import tempfile

from command import Sluice, Tap

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BLOCK, BUFFER, SEGMENT, LOG_ID = 4096, 8192, 32768, 0x1122334455667788
DATA, PAD, END, EPOCH = 1, 2, 3, 4


def crc32c(register, data):
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register


def header(data):
    data = data.ljust(60, b"\0")
    return (data + struct.pack("<I", crc32c(0x5A17ED00, data))).ljust(BLOCK, b"\0")


def file_header(version=1):
    return header(b"SLUICWAL" + struct.pack("<IIQQII", version, BLOCK, SEGMENT, LOG_ID, BUFFER, 0))


def segment_header(seq, slot, slots, first=1):
    return header(b"SLUICSEG" + struct.pack("<QQQIII", LOG_ID, seq, first, 0, slot, slots))


def record(lsn, data, kind=DATA, epoch=1, durable=None):
    durable = lsn if durable is None else durable
    body = struct.pack("<IQIBBHQ", len(data), lsn, epoch, kind, 0, 1, durable) + data
    body += b"\0" * (-(len(body) + 4) % 32)
    seed = crc32c(0xFFFFFFFF, struct.pack("<Q", LOG_ID)) or 1
    return struct.pack("<I", crc32c(seed, body)) + body


class Log:
    """A log of one segment, each record in a write of its own."""

    def __init__(self):
        self.bytes = bytearray(file_header() + segment_header(1, 0, 1)) + bytearray(SEGMENT - BLOCK)
        self.lsn = SEGMENT + BLOCK
        self.write(b"", EPOCH)

    def write(self, data, kind=DATA):
        at, start = BLOCK + self.lsn - SEGMENT, self.lsn
        block = record(start, data, kind, durable=start)
        rest = BLOCK - len(block) % BLOCK
        block += record(start + len(block), b"\0" * (rest - 32), PAD, durable=start)
        self.bytes[at:at + len(block)] = block
        self.lsn += len(block)
        return start

    def flip(self, lsn):
        self.bytes[BLOCK + lsn - SEGMENT + 40] ^= 4


def members(page):
    """The names in the tables of a page, by section."""
    with open(os.path.join(TOP, page), encoding="utf-8") as file:
        parts = re.split(r"^## ", file.read(), flags=re.M)
    return [{name for cell in re.findall(r"^\| (`[^|]+) \|", part, re.M) for name in re.findall(r"`(\w+)`", cell)}
            for part in parts]


def main():
    tap, sluice = Tap(), Sluice(sys.argv[1])
    with tempfile.TemporaryDirectory() as area:
        path = os.path.join(area, "log")

        def look(content, verb="verify", *options):
            with open(path, "wb") as file:
                file.write(content)
            return sluice.run("wal", verb, *options, path)

        def expect(answer, code, text):
            return [] if answer.returncode == code and re.search(text, answer.stdout + answer.stderr) else [
                f"exit {answer.returncode}, {answer.stdout!r} {answer.stderr!r}"]

        log = Log()
        first, second, third = log.write(b"first"), log.write(b"second" * 200), log.write(b"third")
        good = bytes(log.bytes)
        tap.check("a log written after the page is clean", expect(look(good), 0, r"log: clean\n"))
        tap.check("its records are counted", expect(look(good), 0, r"3 records, 1210 bytes, from LSN 36864 to"))
        dump = look(good, "dump")
        tap.check("a dump lists its records", expect(dump, 0, rf"{first} +\d+ +1 data +5  first\n"))
        tap.check("a dump leaves out the log's own records", [dump.stdout] if " pad " in dump.stdout else [])
        tap.check("a dump of all has them", expect(look(good, "dump", "--all"), 0, r" epoch .*\n.* pad "))
        log.flip(third)
        tap.check("a torn tail is fine", expect(look(log.bytes), 0, "log: torn: .*nobody was told"))
        log.flip(second)
        log.flip(third)
        tap.check("damage is told with its place", expect(look(log.bytes), 1, r"log: damaged: .*\(at byte \d+"))
        tap.check("an empty file is told", expect(look(b""), 1, "log: foreign: the file is empty"))
        tap.check("a foreign file is told", expect(look(b"hello" * 1000), 1, "log: foreign: it does not begin"))
        tap.check("a later version is told", expect(look(file_header(2) + good[BLOCK:]), 1, "log: future: .*later"))
        tap.check("a file that was cut is told", expect(look(good[:6000]), 1, "log: damaged: the file was cut"))
        tap.check("its records are not counted, and not said to be none", expect(
            look(good[:6000]), 1, "its records were not read\n$") + [look(good[:6000]).stdout] * ("LSN" in look(good[:6000]).stdout))
        idle = bytearray(good)
        idle[BLOCK - 1] ^= 4
        tap.check("bytes that hold nothing are not looked at, as the manual says", expect(look(idle), 0, r"log: clean\n"))
        tap.check("a file shorter than a header is told", expect(look(good[:40]), 1, "log: (foreign|damaged): "))
        tap.check("what is no file is told", expect(sluice.run("wal", "verify", "/dev/null"), 1, "foreign: neither"))
        tap.check("a directory is told", expect(sluice.run("wal", "verify", area), 2, "is a directory; name the file"))
        tap.check("a missing file is told", expect(sluice.run("wal", "verify", path + "x"), 2, "No such file"))
        tap.check("a wrong verb is told", expect(sluice.run("wal", "fix", path), 2, "neither dump nor verify"))
        tap.check("a missing operand is told", expect(sluice.run("wal", "dump"), 2, "wal"))

        report = json.loads(look(good, "dump", "--json").stdout)
        page = members("docs/json/wal.md")
        tap.check("the JSON has the members of its page, and no others",
                  sorted(set(report) ^ (page[0] - {"error"})))
        tap.check("so have its records", sorted(set(report["records"][0]) ^ page[1]))
        tap.check("the JSON tells the records", [] if [(r["lsn"], r["bytes"]) for r in report["records"]] == [
            (first, 5), (second, 1200), (third, 5)] and report["records"][0]["begins"] == b"first".hex() else [str(report)])
        report = json.loads(look(b"", "verify", "--json").stdout)
        tap.check("the JSON tells a bad log", [] if report["verdict"] == "foreign" and "records" not in report else [str(report)])
        answer = sluice.run("wal", "dump", "--json", path + "x")
        tap.check("the JSON of an error is JSON", [] if json.loads(answer.stdout)["error"] == "ENOENT" else [answer.stdout])
    tap.done()


if __name__ == "__main__":
    main()
