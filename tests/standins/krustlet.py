"""A stand-in for Krustlet, which is built from Rust and cannot be had here: its flags, and what it does on the wire.

What the original does (K:crates/kubelet of its main branch, 2023), this does for real: it bootstraps by two requests
for certificates and waits for their approval, registers a Node with its constants, renews the Lease, serves HTTPS
without asking who is there, ends on SIGINT after deleting its Pods, and refuses what the original refuses. It runs no
Wasm module and manages no devices: its log of every container says so.
"""

import argparse
import base64
import datetime
import http.server
import ipaddress
import json
import os
import signal
import ssl
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from krustlet_node import conditions, node_object, node_status
from lightkube import ApiError, Client, KubeConfig
from lightkube.models.certificates_v1 import CertificateSigningRequestSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.certificates_v1 import CertificateSigningRequest
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import Node, Pod

HEARTBEAT_SECONDS = 10
LOG = b"A stand-in for Krustlet runs no module.\n"
MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%fZ"


def arguments() -> argparse.Namespace:
    """Krustlet's flags; --version is what tells a program that a user gives."""
    data = os.environ.get("KRUSTLET_DATA_DIR", str(Path.home() / ".krustlet"))
    parser = argparse.ArgumentParser(prog="krustlet", allow_abbrev=False)
    parser.add_argument("--version", action="version", version="krustlet 1.0.0-alpha.1 (a stand-in)")
    parser.add_argument("-a", "--addr", type=ipaddress.ip_address, default="0.0.0.0")
    parser.add_argument("-p", "--port", type=int, default=3000)
    parser.add_argument("--max-pods", type=int, default=110)
    parser.add_argument("--cert-file", type=Path)
    parser.add_argument("--private-key-file", type=Path)
    parser.add_argument("-n", "--node-ip", type=ipaddress.ip_address, required=True)
    parser.add_argument("--node-labels", default="")
    parser.add_argument("--hostname", required=True)
    parser.add_argument("--node-name", required=True)
    parser.add_argument("--data-dir", type=Path, default=data)
    parser.add_argument("--bootstrap-file", type=Path, default="/etc/kubernetes/bootstrap-kubelet.conf")
    parser.add_argument("--plugins-dir", type=Path)
    parser.add_argument("--device-plugins-dir", type=Path)
    parser.add_argument("--x-allow-local-modules", choices=["true", "false"])
    parser.add_argument("--insecure-registries")
    given = parser.parse_args()
    given.cert_file = given.cert_file or given.data_dir / "config/krustlet.crt"
    given.private_key_file = given.private_key_file or given.data_dir / "config/krustlet.key"
    return given


def main() -> None:
    """Bootstrap, register, serve until told to end."""
    given = arguments()
    client = connect(identity(given))
    serving_certificate(given, client)
    register(given, client)
    server = serve(given)
    ended = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: ended.set())  # and no handler for SIGTERM
    say(f"serving on {given.addr}:{given.port}")
    while not ended.wait(HEARTBEAT_SECONDS):
        client.patch(Lease, given.node_name, {"spec": {"renewTime": now()}}, namespace="kube-node-lease")
        client.patch(Node.Status, given.node_name, {"status": {"conditions": conditions()}})
    for pod in client.list(Pod, namespace="*", fields={"spec.nodeName": given.node_name}):
        client.delete(Pod, pod.metadata.name, namespace=pod.metadata.namespace, grace_period=0)
    server.shutdown()


def connect(kubeconfig: Path) -> Client:
    """A client by a kubeconfig."""
    return Client(config=KubeConfig.from_file(str(kubeconfig)), trust_env=False)


def identity(given: argparse.Namespace) -> Path:
    """The node's kubeconfig, which is asked for with the bootstrap file when it is not there (bootstrap_auth)."""
    path = Path(os.environ["KUBECONFIG"])  # the original fails likewise without it
    if path.exists():
        return path
    key = ec.generate_private_key(ec.SECP256R1())
    asked = request(key, given.node_name, [])
    client = connect(given.bootstrap_file)
    usages = ["digital signature", "key encipherment", "client auth"]
    try:
        ask(client, given.node_name, asked, "kubernetes.io/kube-apiserver-client-kubelet", usages)
    except ApiError as error:
        if error.status.code != http.HTTPStatus.CONFLICT:
            raise
        say("CSR exists already. Re-using it.")
    certificate = answer(client, given.node_name)
    cluster = yaml.safe_load(given.bootstrap_file.read_text())["clusters"][0]["cluster"]
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(pem(key))}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kubeconfig(cluster, user)))
    return path


def serving_certificate(given: argparse.Namespace, client: Client) -> None:
    """The certificate of the server; unlike its identity, a request that is there already is an error."""
    if given.cert_file.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(given.hostname), x509.IPAddress(given.node_ip)]
    usages = ["digital signature", "key encipherment", "server auth"]
    name = f"{given.hostname}-tls"
    ask(client, name, request(key, given.hostname, names), "kubernetes.io/kubelet-serving", usages)
    told = f"TLS certificate requires manual approval. Run kubectl certificate approve {name}"
    say(f"BOOTSTRAP: {told}")
    certificate = answer(client, name)
    given.cert_file.parent.mkdir(parents=True, exist_ok=True)
    given.cert_file.write_bytes(certificate)
    given.private_key_file.touch(mode=0o600)
    given.private_key_file.write_bytes(pem(key))
    say("BOOTSTRAP: received TLS certificate approval: continuing")


def request(key: ec.EllipticCurvePrivateKey, name: str, names: Sequence[x509.GeneralName]) -> bytes:
    """A request for a certificate, as PEM."""
    subject = [(NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, f"system:node:{name}")]
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(*pair) for pair in subject]))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def ask(client: Client, name: str, asked: bytes, signer: str, usages: list[str]) -> None:
    """Create the CertificateSigningRequest."""
    spec = CertificateSigningRequestSpec(request=encoded(asked), signerName=signer, usages=usages)
    client.create(CertificateSigningRequest(metadata=ObjectMeta(name=name), spec=spec))


def answer(client: Client, name: str) -> bytes:
    """The certificate, once it is approved and signed; one that is deleted meanwhile ends the program."""
    for event, csr in client.watch(CertificateSigningRequest, fields={"metadata.name": name}):
        if event == "DELETED":
            raise SystemExit(f"Error: the CSR {name} was deleted before it was approved")
        if csr.status and csr.status.certificate:
            return base64.b64decode(csr.status.certificate)
    raise SystemExit("Error: certificates were never approved")


def kubeconfig(cluster: Mapping[str, Any], user: Mapping[str, str]) -> dict[str, Any]:
    """The JSON that Krustlet writes."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "krustlet", "cluster": cluster}],
        "users": [{"name": "krustlet", "user": user}],
        "contexts": [{"name": "krustlet", "context": {"cluster": "krustlet", "user": "krustlet"}}],
        "current-context": "krustlet",
    }


def register(given: argparse.Namespace, client: Client) -> None:
    """The Node with Krustlet's constants, and its Lease; one that is there is left as it is."""
    try:
        node = client.create(Node.from_dict(node_object(given)))
    except ApiError as error:
        if error.status.code != http.HTTPStatus.CONFLICT:
            raise
        return
    client.patch(Node.Status, given.node_name, {"status": node_status(given)})
    owner = {"apiVersion": "v1", "kind": "Node", "name": given.node_name, "uid": node.metadata.uid}
    metadata = {"name": given.node_name, "namespace": "kube-node-lease", "ownerReferences": [owner]}
    spec = {"holderIdentity": given.node_name, "leaseDurationSeconds": 300, "renewTime": now(), "acquireTime": now()}
    client.create(Lease.from_dict({"metadata": metadata, "spec": spec}))


def serve(given: argparse.Namespace) -> http.server.ThreadingHTTPServer:
    """Serve HTTPS in the background."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(given.cert_file, given.private_key_file)
    server = http.server.ThreadingHTTPServer((str(given.addr), given.port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Handler(http.server.BaseHTTPRequestHandler):
    """What the original's web server answers, whoever asks (crates/kubelet/src/webserver/mod.rs)."""

    def do_GET(self) -> None:
        """Ping, health and logs."""
        path = self.path.partition("?")[0]
        if path in ("/", "/healthz"):
            self._answer(http.HTTPStatus.OK, b"this is the Krustlet HTTP server")
        elif path.startswith("/containerLogs/"):
            self._answer(http.HTTPStatus.OK, LOG)
        else:
            self._answer(http.HTTPStatus.NOT_FOUND, b"")

    def do_POST(self) -> None:
        """Exec, which there is not."""
        self._answer(http.HTTPStatus.NOT_IMPLEMENTED, b"Exec not implemented.")

    def _answer(self, status: http.HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def say(text: str) -> None:
    """A line of the log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def now() -> str:
    """The time as Leases have it."""
    return datetime.datetime.now(datetime.UTC).strftime(MICROSECONDS)


def encoded(content: bytes) -> str:
    """Base64."""
    return base64.b64encode(content).decode()


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as a file holds it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


if __name__ == "__main__":
    main()
