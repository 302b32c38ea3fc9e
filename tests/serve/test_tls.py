#!/usr/bin/env python3
"""test_tls.py: TLS as its clients see it: curl, openssl s_client, Python's ssl, and some that mean no good."""
import filecmp
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

from certificates import Bytes, Certificate, Secure, context, openssl
from service import PATIENCE, Service, Tap, area, get, remove

RANDOM = random.Random(17)
LARGE = RANDOM.randbytes(6_000_000)
SMALL = RANDOM.randbytes(3000)
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
CIPHERS = {"1.2": ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"),
           "1.3": ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")}


def run(*command, **options):
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **options)


def must(holds, why=None):
    return [] if holds else [str(why if why is not None else "it does not")]


def by_kernel(service):
    """Whether it says that the kernel makes the records."""
    return any("TLS records are made by the kernel" in line for line in service.said)


def expect(answer, status):
    return must(answer is not None and answer.status == status, f"{answer}, want {status}")


def sanitized(service):
    with open(f"/proc/{service.process.pid}/maps", encoding="utf-8") as file:
        return re.search(r"lib[at]san\.so", file.read())


def asks(service, request=get("/small"), head=False, **options):
    """One answer on a TLS connection of its own."""
    with Secure(service, **options) as raw:
        raw.send(request)
        return raw.answer(head)


def s_client(service, *words, text=""):
    """What openssl s_client says."""
    answer = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{service.port}", *words], input=text, capture_output=True,
                            text=True, timeout=PATIENCE, check=False)
    return answer.stdout + answer.stderr


def commands(service, *steps, words):
    """Types at openssl s_client: each step is a text, and what must be said after it."""
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{service.port}", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        said = b""
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        for text, wanted in steps:
            if text:
                process.stdin.write(text.encode())
                process.stdin.flush()
            while wanted not in said:
                more = process.stdout.read1(65536)
                said += more
                if not more:
                    break
        timer.cancel()
        process.kill()
    return said.decode("ascii", errors="backslashreplace")


def subject(service, name):
    """Of the certificate that is shown to who asks for a name."""
    said = s_client(service, *(["-servername", name] if name else ["-noservername"]))
    found = re.search(r"subject=CN = (\S+)", said)
    return found.group(1) if found else said[-300:]


# ---- clients that nobody here wrote -------------------------------------------------------

def curl_gets(tap, service, base, root, version, cipher):
    """Bytes both ways, with one cipher."""
    out, source = os.path.join(base, "curl.out"), os.path.join(root, "large")
    url = f"https://localhost:{service.port}"
    suite = ["--tls13-ciphers", cipher] if version == "1.3" else ["--tls-max", "1.2", "--ciphers", cipher]
    words = ["curl", "-sSf", "--noproxy", "*", "--cacert", os.path.join(base, "localhost.cert.pem"), f"--tlsv{version}", *suite]
    answer = run(*words, "-o", out, url + "/large")
    tap.check(f"curl downloads by {cipher}", must(answer.returncode == 0 and filecmp.cmp(out, source, False), answer.stderr))
    answer = run(*words, "-r", "100000-5999998", "-o", out, url + "/large")
    with open(out, "rb") as file:
        tap.check(f"curl gets a range by {cipher}", must(file.read() == LARGE[100000:5999999], answer.stderr))
    answer = run(*words, "-T", source, url + f"/up-{cipher}")
    tap.check(f"curl uploads by {cipher}", must(answer.returncode == 0 and filecmp.cmp(os.path.join(root, f"up-{cipher}"), source, False),
                                                answer.stderr))


def curl(tap, service, base, root):
    if not shutil.which("curl"):
        tap.skip("curl downloads, gets ranges and uploads", "no curl (see scripts/packages/check.txt)")
        return
    for version, ciphers in CIPHERS.items():
        for cipher in ciphers:
            curl_gets(tap, service, base, root, version, cipher)
    out = os.path.join(base, "many.out")
    names = [f"https://localhost:{service.port}/small?{i}" for i in range(20)]
    answer = run("curl", "-sSf", "--noproxy", "*", "--cacert", os.path.join(base, "localhost.cert.pem"), *names, "-o", out, "-w", "%{num_connects}",
                 *[word for _ in names[1:] for word in ("-o", out)])
    tap.check("curl keeps its connection", must(answer.stdout == b"1" + b"0" * 19, answer.stdout + answer.stderr))


def handshakes(tap, service):
    for version in VERSIONS:
        said = s_client(service, f"-tls{version.replace('.', '_')}", "-alpn", "h2,http/1.1")
        tap.check(f"TLS {version} is spoken, and HTTP/1.1 in it", must(f"TLSv{version}" in said and "ALPN protocol: http/1.1" in said, said[-500:]))
    said = s_client(service, "-alpn", "h2")
    tap.check("who speaks HTTP/2 alone is told so", must("no application protocol" in said, said[-500:]))
    said = s_client(service, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    tap.check("TLS 1.1 is not spoken", must("alert protocol version" in said, said[-500:]))
    said = s_client(service, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:AES128-SHA")
    tap.check("nor ciphers that kernels do not know", must("handshake failure" in said, said[-500:]))
    request = get("/small")
    said = commands(service, ("", b"Verify return code"), ("K\n", b"KEYUPDATE"), (request, SMALL[-100:]), words=["-tls1_3"])
    if by_kernel(service):
        tap.check("who wants new keys of the kernel is told that nothing follows", must("KEYUPDATE" in said and "closed" in said, said[-500:]) +
                  service.comes_to("tls_rekeys_refused_total", 1, at_least=True))
    else:
        tap.check("new keys are taken, and made", must("KEYUPDATE" in said and "HTTP/1.1 200 OK" in said, said[-500:]))
    said = commands(service, ("", b"Verify return code"), ("R\n", b"no renegotiation"), words=["-tls1_2"])
    tap.check("nobody begins anew", must("no renegotiation" in said or "closed" in said, said[-500:]))
    for version, number in VERSIONS.items():
        client = context(number)
        with Secure(service, client) as raw:
            raw.send(get("/small"))
            raw.answer()
            session = raw.socket.session
        with Secure(service, client, session=session) as raw:
            resumed = raw.socket.session_reused
            raw.send(get("/small"))
            tap.check(f"a ticket of TLS {version} is taken", must(resumed) + must(raw.answer().body == SMALL))
    tap.check("and counted", service.comes_to("tls_resumed_total", 2, at_least=True))


def names(tap, sluice, root, base):
    certs = [Certificate(base, "first.test"), Certificate(base, "many", "*.many.test", "many.test"), Certificate(base, "one", "one.many.test")]
    with Service(sluice, root, *[word for cert in certs for word in cert.options()]) as service:
        for name, wanted in (("first.test", "first.test"), ("many.test", "many"), ("other.many.test", "many"), ("one.many.test", "one"),
                             ("ONE.many.TEST", "one"), ("a.b.many.test", "first.test"), ("unknown.test", "first.test"), (None, "first.test")):
            got = subject(service, name)
            tap.check(f"who asks for {name} gets the certificate of {wanted}", must(got == wanted, got))
        tap.check("it ends well", must(service.end() == 0))


# ---- streams ------------------------------------------------------------------------------

def streams(tap, service, root):
    for version, number in VERSIONS.items():
        with Secure(service, context(number)) as raw:
            wanted = [LARGE if i % 7 == 3 else SMALL for i in range(20)]
            raw.send("".join(get("/large" if body is LARGE else "/small") for body in wanted))
            got = [raw.answer().body for _ in wanted]
            tap.check(f"TLS {version}: requests in a row are answered in a row", must(got == wanted))
            raw.send(get("/large", "Range: bytes=0-99,200000-200099,5999990-"))
            parts = raw.answer()
            tap.check(f"TLS {version}: so are ranges", expect(parts, 206) + must(all(LARGE[a:b] in parts.body for a, b in
                                                                                  ((0, 100), (200000, 200100), (5999990, 6000000)))))
            raw.send(get("/small", method="HEAD"))
            tap.check(f"TLS {version}: and HEAD", expect(raw.answer(head=True), 200))
            raw.send(get("/small", "Connection: close"))
            tap.check(f"TLS {version}: the end is said", must(raw.answer().body == SMALL and raw.ended()))
        with Secure(service, context(number)) as raw:
            raw.send(get("/small"))
            raw.answer()
            raw.socket.unwrap()
            tap.check(f"TLS {version}: and answered", must(True))
        with Bytes(service, context(number)) as client:
            client.shake(step=1)
            client.tls.write(get("/small", "Connection: close").encode())
            client.leave(1)
            got = b""
            while not got.endswith(SMALL):
                got += client.read()
            tap.check(f"TLS {version}: bytes that come one at a time are enough", must(got.startswith(b"HTTP/1.1 200 OK")))
    tap.check("the empty file is empty", must(asks(service, get("/empty")).body == b""))
    path = os.path.join(root, "shrinks")
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    with Secure(service, receive=8192) as raw:
        raw.send(get("/shrinks"))
        raw.more()
        os.truncate(path, 1 << 20)
        try:
            told = raw.ended()
        except ssl.SSLError as why:
            told = why
        tap.check("a file that became shorter ends without a word", must(isinstance(told, ssl.SSLEOFError), told) +
                  service.comes_to("files_changed_total", 1))


def uploads(tap, service, root):
    path = os.path.join(root, "put")
    head = get("/put", f"Content-Length: {len(LARGE)}", method="PUT").encode()
    tap.check("what is uploaded is whole", expect(asks(service, head + LARGE), 201))
    with open(path, "rb") as file:
        tap.check("and there", must(file.read() == LARGE))
    with Secure(service) as raw:
        raw.send(head + SMALL)
        before = service.metrics()["tls_truncated_total"]
        raw.socket.close()
        tap.check("an upload that ends without a word is noticed", service.comes_to("tls_truncated_total", before + 1, at_least=True))
    with open(path, "rb") as file:
        tap.check("and leaves what was there", must(file.read() == LARGE))


# ---- certificates that change ---------------------------------------------------------------

def reloads(tap, sluice, root, base):
    folder = os.path.join(base, "live")
    os.makedirs(os.path.join(folder, "archive"))
    first, second, other = (Certificate(os.path.join(folder, "archive"), name, "localhost") for name in ("first", "second", "other"))
    paths = {what: os.path.join(folder, f"{what}.pem") for what in ("cert", "key")}

    def point(cert, key):
        for what, target in (("cert", cert), ("key", key)):
            os.symlink(target, paths[what] + ".new")
            os.rename(paths[what] + ".new", paths[what])

    def reload(service, pattern):
        said = len(service.said)
        service.signal(signal.SIGHUP)
        return must(service.heard(pattern, said), service.said[said:])
    point(first.cert, first.key)
    with Service(sluice, root, "--tls-cert", paths["cert"], "--tls-key", paths["key"]) as service, Secure(service) as kept:
        tap.check("the first certificate is shown", must(subject(service, "localhost") == "first"))
        point(second.cert, second.key)
        tap.check("SIGHUP takes the next one", reload(service, "reloaded$") +
                  must(service.until(lambda: subject(service, "localhost") == "second")))
        kept.send(get("/small"))
        tap.check("connections go on", must(kept.answer().body == SMALL))
        point(second.cert, other.key)
        tap.check("a key of another certificate is not taken", reload(service, "does not belong to") + reload(service, "not reloaded, going on as before"))
        with open(paths["cert"] + ".bad", "w", encoding="ascii") as file:
            file.write("no certificate\n")
        point(paths["cert"] + ".bad", second.key)
        tap.check("nor what is none", reload(service, "no certificate could be used") + must(subject(service, "localhost") == "second"))
        expired = Certificate(folder, "expired", "localhost", days=-1)
        point(expired.cert, expired.key)
        tap.check("nor one that has expired", reload(service, "expired on") + must(asks(service).body == SMALL))
        point(first.cert, first.key)
        tap.check("a good one is, after that", reload(service, "reloaded$") +
                  must(service.until(lambda: subject(service, "localhost") == "first")))
        tap.check("it ends well", must(service.end() == 0))


def refusals(tap, sluice, root, base):
    def fails(sentence, pattern, *arguments):
        answer = subprocess.run([sluice, "serve", root, "--listen", "127.0.0.1:0", *arguments], capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False)
        tap.check(sentence, must(answer.returncode == 2 and re.search(pattern, answer.stderr), f"{answer.returncode} {answer.stderr!r}"))
    good, expired = Certificate(base, "good"), Certificate(base, "expired", days=-1)
    locked = os.path.join(base, "locked.pem")
    openssl("pkey", "-in", good.key, "-aes128", "-passout", "pass:secret", "-out", locked)
    fails("an expired certificate is refused, with its day", r"expired.cert.pem: the certificate expired on 20\d\d-", *expired.options())
    other = Certificate(base, "other")
    fails("so is a key of another one", r"good.key.pem: the key does not belong to .*other.cert.pem; give", "--tls-cert", other.cert, "--tls-key", good.key)
    fails("so is a key with a password, without asking for it", r"locked.pem: no private key could be read", "--tls-cert", good.cert, "--tls-key", locked)
    fails("so is a certificate that is none", r"key.pem: no certificate could be used", "--tls-cert", good.key, "--tls-key", good.key)
    fails("so is one that is not there", r"/nowhere: No such file", "--tls-cert", "/nowhere", "--tls-key", good.key)
    fails("so is one without a key", r"--tls-cert: want a --tls-key for each", "--tls-cert", good.cert)
    fails("so is a key without one", r"--tls-key: want a --tls-key for each", "--tls-key", good.key)
    fails("so is a version that is none", r"--tls-min: want 1.2 or 1.3", *good.options(), "--tls-min", "1.4")
    fails("so is a version without TLS", r"--tls-min: want --tls-cert too", "--tls-min", "1.3")


# ---- clients that mean no good --------------------------------------------------------------

def clear(tap, service):
    with service.connect() as raw:
        raw.send(get("/small"))
        answer = raw.answer()
        tap.check("HTTP in the clear is answered 400", expect(answer, 400) + must(b"HTTPS" in answer.body and raw.ended(), answer))
    tap.check("and counted", service.comes_to("tls_plain_http_total", 1, at_least=True))
    for sentence, data in (("bytes that mean nothing", RANDOM.randbytes(5000)), ("nothing at all", b""), ("half a hello", b"\x16\x03\x01\x02\x00\x01\x00"),
                           ("a record that is too long", b"\x16\x03\x01\xff\xff" + bytes(70000))):
        with service.connect() as raw:
            try:
                raw.send(data)
                raw.socket.shutdown(socket.SHUT_WR)
                raw.ended()
            except OSError:
                pass
        tap.check(f"who sends {sentence} gets nothing, and others all", must(asks(service).body == SMALL))


def changed(tap, service):
    for version, number in VERSIONS.items():
        with Bytes(service, context(number)) as client:
            client.shake()
            before = service.metrics()["tls_broken_total"]
            # Once all of an answer is there nothing else is on its way that an alert would have to wait for.
            client.tls.write(get("/small").encode())
            client.leave(1000)
            got = b""
            while not got.endswith(SMALL):
                got += client.read()
            client.tls.write(get("/small").encode())
            data = bytearray(client.leaving.read())
            data[-1] ^= 1
            client.raw.send(bytes(data))
            try:
                while client.read():
                    pass
                told = "an end"
            except (ssl.SSLError, OSError, EOFError) as why:
                told = str(why)
            tap.check(f"TLS {version}: a changed byte ends the connection, with an alert", must("bad record mac" in told, told) +
                      service.comes_to("tls_broken_total", before + 1, at_least=True))


def slow(tap, sluice, root, cert):
    with Service(sluice, root, *cert.options(), "--metrics", "127.0.0.1:0", "--header-timeout", "1s", "--workers", "1") as service:
        with service.connect() as silent, service.connect() as half, Bytes(service) as shaken:
            half.send(b"\x16\x03\x01\x02\x00\x01\x00\x01")
            shaken.shake(step=1000)
            ends = [raw.ended() for raw in (silent, half)]
            tap.check("who does not get on with the handshake is cut", must(all(ends)) + service.comes_to("connections_timed_out_total", 2))
            shaken.tls.write(get("/small").encode())
            shaken.leave(100)
            tap.check("who has done it may be idle longer", must(shaken.read().startswith(b"HTTP/1.1 200")))
    with Service(sluice, root, *cert.options(), "--metrics", "127.0.0.1:0", "--max-connections", "10", "--workers", "1") as service:
        held = [service.connect() for _ in range(30)]
        time.sleep(0.2)
        answers = [asks(service).body == SMALL for _ in range(20)]
        tap.check("they do not keep others out", must(all(answers)) + service.comes_to("connections_evicted_total", 10, at_least=True))
        for raw in held:
            raw.socket.close()
        tap.check("it ends well", must(service.end() == 0))


def stalled(tap, sluice, root, cert):
    with open(os.path.join(root, "huge"), "wb") as file:
        file.truncate(256 << 20)
    with Service(sluice, root, *cert.options(), "--metrics", "127.0.0.1:0", "--workers", "1") as service:
        asks(service, get("/large"))
        before = service.memory_kib()
        readers = [Secure(service, receive=4096) for _ in range(100)]
        for raw in readers:
            raw.send(get("/huge"))
        for raw in readers:
            raw.more()
        tap.check("others are served beside readers that stall", must(all(asks(service).body == SMALL for _ in range(20))))
        grown = (service.memory_kib() - before) / len(readers)
        sentence = "who stalls costs a bounded amount of memory"
        if sanitized(service):
            tap.skip(sentence, "a sanitizer keeps what was freed")
        else:
            # What was sealed (36 KiB), OpenSSL's own, the connection; malloc keeps some.
            tap.check(sentence, must(grown < 160, f"{grown:.0f} KiB each"))
            print(f"# {grown:.0f} KiB each")
        for raw in readers:
            raw.socket.close()
        tap.check("it ends well", must(service.end() == 0))


def paths(tap, sluice, root, cert):
    """Who makes the records: it is said, and the metrics have it."""
    with Service(sluice, root, *cert.options(), "--metrics", "127.0.0.1:0") as service:
        kernel = by_kernel(service)
        asks(service, get("/large"))
        numbers = service.metrics()
        ways = (numbers["tls_kernel_total"], numbers["tls_user_total"])
        tap.check(f"records are made by {'the kernel' if kernel else 'the program'}, as it says", must(ways == ((1, 0) if kernel else (0, 1)), ways))
        if kernel:
            sent = service.until(lambda: sum(service.metrics()[f"{how}_bytes_total"] for how in ("hot", "cold")) == len(LARGE))
            tap.check("and files go to the kernel as they are", must(numbers["tls_user_bytes_total"] == 0 and sent, service.metrics()))
        else:
            tap.check("and why", must(any(re.search("user space: this kernel has no kTLS", line) for line in service.said), service.said))
            tap.check("every byte of them", must(service.until(lambda: service.metrics()["tls_user_bytes_total"] > len(LARGE)), numbers))
        tap.check("when the certificate expires is told", must(abs(numbers["tls_certificate_expires_seconds"] - time.time() - 30 * 86400) < 86400, numbers))
    with Service(sluice, root, *cert.options(), "--no-ktls", "--tls-min", "1.3", "--metrics", "127.0.0.1:0") as service:
        asks(service, get("/large"))
        numbers = service.metrics()
        tap.check("--no-ktls leaves the kernel out of it", must((numbers["tls_kernel_total"], numbers["tls_user_total"]) == (0, 1), numbers))
        said = s_client(service, "-tls1_2")
        tap.check("--tls-min 1.3 does not speak TLS 1.2", must("alert protocol version" in said, said[-300:]))
    with Service(sluice, root, *cert.options(), path=os.path.join(root, "socket")) as service:
        tap.check("a unix socket speaks TLS too", must(asks(service).body == SMALL))


def main():
    tap = Tap()
    if not shutil.which("openssl"):
        tap.skip("TLS is spoken as its clients expect it", "no openssl, which makes the certificates (see scripts/packages/check.txt)")
        tap.done()
    base = area()
    root = os.path.join(base, "root")
    os.mkdir(root)
    print("# seed 17")
    try:
        for name, data in (("large", LARGE), ("small", SMALL), ("empty", b"")):
            with open(os.path.join(root, name), "wb") as file:
                file.write(data)
        cert = Certificate(base, "localhost")
        with Service(sys.argv[1], root, *cert.options(), "--writable", "--metrics", "127.0.0.1:0", "--workers", "2") as service:
            curl(tap, service, base, root)
            handshakes(tap, service)
            streams(tap, service, root)
            uploads(tap, service, root)
            clear(tap, service)
            changed(tap, service)
            tap.check("it ends well", must(service.end() == 0))
        names(tap, sys.argv[1], root, base)
        reloads(tap, sys.argv[1], root, base)
        refusals(tap, sys.argv[1], root, base)
        slow(tap, sys.argv[1], root, cert)
        stalled(tap, sys.argv[1], root, cert)
        paths(tap, sys.argv[1], root, cert)
    finally:
        remove(base)
    tap.done()


if __name__ == "__main__":
    main()
