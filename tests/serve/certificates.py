"""certificates.py: certificates for tests, made by openssl(1), and clients in Python that speak TLS."""
import os
import ssl
import subprocess

from service import PATIENCE, Raw


def openssl(*words, **options):
    return subprocess.run(["openssl", *words], capture_output=True, timeout=PATIENCE, check=True, **options)


class Certificate:
    """A key and a certificate for it, signed by itself; days < 0: expired."""

    def __init__(self, folder, name, *names, days=30):
        self.cert, self.key = (os.path.join(folder, f"{name}.{what}.pem") for what in ("cert", "key"))
        request = os.path.join(folder, f"{name}.request.pem")
        extensions = os.path.join(folder, f"{name}.extensions")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.key)
        openssl("req", "-new", "-key", self.key, "-subj", f"/CN={name}", "-out", request)
        with open(extensions, "w", encoding="ascii") as file:
            file.write("subjectAltName=" + ",".join(f"DNS:{each}" for each in names or (name,)) + "\n")
        openssl("x509", "-req", "-in", request, "-signkey", self.key, "-days", str(days), "-extfile", extensions, "-out", self.cert)

    def options(self):
        return ["--tls-cert", self.cert, "--tls-key", self.key]


def context(version=None):
    """Of a client that takes any certificate; version: the only one it speaks."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = version
    return made


class Secure(Raw):
    """A connection on which anything may be sent, by TLS; an end without close_notify is an SSLEOFError."""

    def __init__(self, service, client=None, name="localhost", session=None, **options):
        super().__init__(service, **options)
        self.socket = (client or context()).wrap_socket(self.socket, server_hostname=name, session=session, suppress_ragged_eofs=False)


class Bytes:
    """TLS over memory: what goes over the wire can be cut and changed on its way."""

    def __init__(self, service, client=None):
        self.raw = Raw(service)
        self.arrived, self.leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (client or context()).wrap_bio(self.arrived, self.leaving, server_hostname="localhost")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.socket.close()

    def leave(self, step):
        data = self.leaving.read()
        for at in range(0, len(data), step):
            self.raw.send(data[at:at + step])

    def arrive(self):
        data = self.raw.socket.recv(65536)
        if not data:
            raise EOFError("the connection ended")
        self.arrived.write(data)

    def shake(self, step=1):
        while True:
            try:
                self.tls.do_handshake()
                self.leave(step)
                return
            except ssl.SSLWantReadError:
                self.leave(step)
                self.arrive()

    def read(self):
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                self.arrive()
