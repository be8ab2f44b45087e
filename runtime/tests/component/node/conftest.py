"""What tests of the node share: certificates for real TLS, and web servers that modules ask."""

import datetime
import ipaddress
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Ca:
    """A certificate authority in a directory."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self._name = directory, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path = directory / f"{name}.crt"
        self.path.write_bytes(self._sign(name, "", self._key, ca=True).public_bytes(Encoding.PEM))

    def issue(self, name: str, group: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self._directory / f"{self._name}-{name}.pem"
        path.write_bytes(pem + self._sign(name, group, key, ca=False).public_bytes(Encoding.PEM))
        return path

    def _sign(self, name: str, group: str, key: Any, *, ca: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)])
        builder = x509.CertificateBuilder(
            issuer_name=issuer,
            subject_name=x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(hours=1),
            not_valid_after=now + datetime.timedelta(hours=1),
        )
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        return builder.add_extension(address, critical=False).sign(self._key, hashes.SHA256())


@pytest.fixture
def make_ca(tmp_path: Path) -> Callable[[str], Ca]:
    """Makes certificate authorities by name."""
    return lambda name: Ca(tmp_path, name)


class Web(ThreadingHTTPServer):
    """A web server on loopback. `answers` maps paths to what is done; all that is asked is noted in `asked`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def says(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer a path with this."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join([f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *lines, "", ""])
        self.sends(path, head.encode() + body)

    def sends(self, path: str, raw: bytes) -> None:
        """Answer a path with exactly these bytes."""
        self.answers[path] = lambda asked: _send(asked, raw)

    def drips(self, path: str, before: bytes) -> None:
        """Answer a path with these bytes, and then with one byte at a time for ever."""

        def answer(asked: BaseHTTPRequestHandler) -> None:
            _send(asked, before)
            while not self.ended.wait(0.02):
                _send(asked, b"x")

        self.answers[path] = answer

    def handle_error(self, *_: object) -> None:
        """Clients that have gone are what some tests are about."""


class _Asked(BaseHTTPRequestHandler):
    server: Web

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers.items()), body))
        self.server.answers[self.path](self)
        self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def _send(asked: BaseHTTPRequestHandler, raw: bytes) -> None:
    asked.wfile.write(raw)
    asked.wfile.flush()


@pytest.fixture
def new_web() -> Iterator[Callable[[], Web]]:
    """Starts web servers."""
    started: list[Web] = []

    def start() -> Web:
        web = Web()
        started.append(web)
        threading.Thread(target=web.serve_forever, args=(0.02,), daemon=True).start()
        return web

    yield start
    for web in started:
        web.ended.set()
        web.shutdown()
        web.server_close()


@pytest.fixture
def web(new_web: Callable[[], Web]) -> Web:
    """A web server."""
    return new_web()
