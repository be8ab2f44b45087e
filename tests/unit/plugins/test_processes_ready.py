"""Readiness over HTTPS, with a real TLS server."""

import datetime
import ipaddress
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _processes_ready as subject
from ansible_collections.edgelab.akri.plugins.module_utils._processes_model import Ready
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SERVER = """
import http.server, ssl, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 500)
        self.end_headers()
        self.wfile.write(b"etcd is not there")

server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv[1])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


def certificate(path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, path.stem)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, form, encryption = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(key.private_bytes(encoding, form, encryption) + built.public_bytes(encoding))
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, int, str]]:
    """Pid, port and certificate of a TLS server that answers /readyz with 200 and all else with 500."""
    trusted = certificate(tmp_path / "trusted.pem")
    command = [sys.executable, "-c", SERVER, str(trusted)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, start_new_session=True, **pipes)
    assert process.stdout is not None
    yield process.pid, int(process.stdout.readline()), str(trusted)
    process.kill()
    process.communicate()


def test_answer_200_is_ready(server: tuple[int, int, str]) -> None:
    pid, port, ca = server
    assert subject.missing(Ready(https=f"https://127.0.0.1:{port}/readyz", ca=ca), pid) == ""


def test_another_answer_is_told(server: tuple[int, int, str]) -> None:
    pid, port, ca = server
    url = f"https://127.0.0.1:{port}/livez"
    assert subject.missing(Ready(https=url, ca=ca), pid) == f"{url} answers 500: etcd is not there"


def test_server_that_nobody_vouches_for_is_not_ready(server: tuple[int, int, str], tmp_path: Path) -> None:
    pid, port, _ca = server
    other = certificate(tmp_path / "other.pem")
    said = subject.missing(Ready(https=f"https://127.0.0.1:{port}/readyz", ca=str(other)), pid)
    assert "CERTIFICATE_VERIFY_FAILED" in said


def test_answer_of_another_process_does_not_count(server: tuple[int, int, str]) -> None:
    _pid, port, ca = server
    ready = Ready(https=f"https://127.0.0.1:{port}/readyz", ca=ca)
    assert subject.missing(ready, os.getpid()) == f"it does not listen on tcp:{port}"


def test_program_that_does_not_run_is_not_ready() -> None:
    assert subject.missing(None, None) == "its program does not run"
    assert subject.missing(None, os.getpid()) == ""
