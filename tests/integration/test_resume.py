"""A lab that is taken up again: after a restart of the machine, months later, beside another, on a disk once full."""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from edgelab.lab.hold import boot_id
from edgelab.lab.residue import lab_processes
from labkit import ROOT, Lab, eventually
from tasknames import Task, changed

INSTANCE = "akri-debug-echo-aae70c"
BROKER = f"krustlet-wasi-{INSTANCE}-pod"
LINE = 'Pod is running and using debugEcho device named: "foo0"\n'
STARTS = [Task.CONTROL_PLANE, Task.REGISTRY, Task.NODE, Task.CONTROLLER, Task.AGENT, Task.PROXY]
MONTHS = timedelta(days=400)


def identity(lab: Lab) -> tuple[str, str]:
    """The uids of the Instance and of its broker."""
    objects = lab.get("akrii", INSTANCE), lab.get("pod", BROKER)
    return objects[0]["metadata"]["uid"], objects[1]["metadata"]["uid"]


def restarts(lab: Lab) -> int:
    """How often the broker's container was started again."""
    count: int = lab.get("pod", BROKER)["status"]["containerStatuses"][0]["restartCount"]
    return count


def cut_power(lab: Lab) -> None:
    """End all that the lab runs, as nothing but a signal that cannot be caught does."""

    def strike() -> bool:
        left = lab_processes([lab.layout.state, lab.layout.run])
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        return not left

    eventually(strike, what="the lab's processes to be gone")


def reboot(lab: Lab) -> None:
    """Leave what a restart of the machine leaves: the state, whose records are of another run of the kernel."""
    cut_power(lab)
    shutil.rmtree(lab.layout.run)
    records = [lab.layout.lock, *(path for part in ("supervisor", "node") for path in state(lab, part).rglob("*.json"))]
    for record in records:
        record.write_text(record.read_text().replace(boot_id(), "00000000-0000-4000-8000-000000000000"))


def state(lab: Lab, path: str) -> Path:
    """A file of the lab."""
    return lab.layout.state / path


def test_after_a_restart_of_the_machine_the_lab_is_as_it_was(lab: Lab) -> None:
    lab.kubectl("create", "configmap", "kept", "--from-literal=answer=42")
    before, count = identity(lab), restarts(lab)
    reboot(lab)
    assert changed(lab.playbook("site.yml")) == [Task.DIRECTORIES, *STARTS]
    assert lab.get("configmap", "kept")["data"] == {"answer": "42"}
    assert (identity(lab), restarts(lab)) == (before, count + 1)
    assert lab.kubectl("logs", BROKER) == lab.kubectl("logs", BROKER, "--previous") == LINE
    lab.kubectl("delete", "configmap", "kept")


def test_months_later_everything_that_expired_is_renewed(lab: Lab) -> None:
    before = identity(lab)
    authority = state(lab, "pki/ca.crt").read_bytes()
    # Kubernetes deletes old requests after an hour, and the bootstrap token when it expires.
    lab.kubectl("delete", "csr", "--all")
    lab.kubectl("delete", "secret", "-n", "kube-system", "--field-selector=type=bootstrap.kubernetes.io/token")
    reboot(lab)
    let_months_pass(lab)
    assert changed(lab.playbook("site.yml")) == [
        Task.DIRECTORIES,
        Task.CERTIFICATES,
        Task.CONTROL_PLANE,
        Task.REGISTRY_CERTIFICATE,
        Task.REGISTRY,
        Task.JOIN,
        Task.NODE,
        Task.APPROVAL,
        Task.CONTROLLER_IDENTITY,
        Task.CONTROLLER,
        Task.AGENT_IDENTITY,
        Task.AGENT,
        Task.PROXY,
    ]
    assert [path.name for path in certificates(lab) if expires(path) < datetime.now(UTC) + timedelta(days=60)] == []
    assert state(lab, "pki/ca.crt").read_bytes() == authority
    assert expires(state(lab, "pki/ca.crt")) > datetime.now(UTC) + timedelta(days=9 * 365)
    assert (identity(lab), lab.kubectl("logs", BROKER)) == (before, LINE)
    assert changed(lab.playbook("site.yml")) == []


def certificates(lab: Lab) -> list[Path]:
    """Every certificate but the authorities' own."""
    made = [path for path in state(lab, "pki").glob("*.crt") if not path.stem.endswith("ca")]
    return [*made, state(lab, "node/client.pem"), state(lab, "node/serving.pem")]


def expires(path: Path) -> datetime:
    """When a certificate ends."""
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def let_months_pass(lab: Lab) -> None:
    """Date back every certificate and token of a stopped lab, so that they expired a month and more ago."""
    for path in certificates(lab):
        date_back(path, state(lab, "pki"))
    key = private_key(state(lab, "pki/service-account.key"))
    for name in ("agent", "controller"):
        path = state(lab, f"kubeconfigs/{name}")
        token = yaml.safe_load(path.read_text())["users"][0]["user"]["token"]
        path.write_text(path.read_text().replace(token, dated_back(token, key)))


def private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key in a file."""
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def date_back(path: Path, authorities: Path) -> None:
    """Let the authority that signed a certificate sign it again with older dates."""
    content = path.read_text()
    old = x509.load_pem_x509_certificate(content.encode())
    signers = {x509.load_pem_x509_certificate(file.read_bytes()).subject: file for file in authorities.glob("*ca.crt")}
    builder = x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer).public_key(old.public_key())
    builder = builder.serial_number(old.serial_number)
    builder = builder.not_valid_before(old.not_valid_before_utc - MONTHS)
    builder = builder.not_valid_after(old.not_valid_after_utc - MONTHS)
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    new = builder.sign(private_key(signers[old.issuer].with_suffix(".key")), SHA256())
    begin = content.index("-----BEGIN CERTIFICATE-----")
    path.write_text(content[:begin] + new.public_bytes(Encoding.PEM).decode())


def dated_back(token: str, key: ec.EllipticCurvePrivateKey) -> str:
    """A ServiceAccount's token with older dates, signed as the API server would have signed it."""
    header, payload, _signature = token.split(".")
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims |= {name: claims[name] - int(MONTHS.total_seconds()) for name in ("iat", "nbf", "exp")}
    signed = f"{header}.{base64url(json.dumps(claims).encode())}"
    numbers = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{base64url(b''.join(number.to_bytes(32) for number in numbers))}"


def base64url(content: bytes) -> str:
    """As in tokens: without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_two_labs_run_beside_each_other(lab: Lab, empty_lab: Lab) -> None:
    names = ("etcd", "kube-apiserver", "registry", "node", "agent", "controller", "proxy")
    before = {name: lab.pid(name) for name in names}
    empty_lab.playbook("site.yml")
    assert set(lab.ports.values()).isdisjoint(empty_lab.ports.values())
    assert lab.layout.run != empty_lab.layout.run
    lab.playbook("verify.yml")
    empty_lab.remove()
    lab.playbook("verify.yml")
    assert {name: lab.pid(name) for name in names} == before


def test_a_full_disk_is_named_and_the_next_run_completes(empty_lab: Lab) -> None:
    disk = empty_lab.layout.state.parent
    disk.mkdir(parents=True)
    # Such a disk is refused beforehand; here it fills up later.
    variables = json.dumps({"lab_name": empty_lab.name, "preflight_accepted": ["disk"]})
    with full_disk(disk) as (enter, filler):
        full = empty_lab.run([*enter, "ansible-playbook", "site.yml", "-e", variables], check=False)
        assert full.status != 0
        assert f"No space left on device: the file system mounted at {disk}" in full.output
        written = [path for path in filler.parent.rglob("*") if path.is_file() and path != filler]
        assert written
        assert [path for path in written if path.name.startswith(".") or not path.stat().st_size] == []

        filler.unlink()
        try:
            empty_lab.run([*enter, "ansible-playbook", "playbooks/up.yml", "-e", variables])
        finally:
            empty_lab.run([*enter, "ansible-playbook", "playbooks/down.yml", "-e", variables])


@contextlib.contextmanager
def full_disk(directory: Path) -> Iterator[tuple[list[str], Path]]:
    """A file system with 64 kB left at a directory, in namespaces of its own so that it needs no root.

    Yields the words that run a command in there, in the project's directory, and the file that fills it.
    """
    script = (
        'mount -t tmpfs -o size=512m none "$1" && fallocate -l $((512 * 1024 - 64))K "$1/filler" '
        "&& echo mounted && exec cat"
    )
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == "mounted\n"
        enter = ["nsenter", f"--target={holder.pid}", "--user", "--mount", "--wd", "--preserve-credentials"]
        yield enter, Path(f"/proc/{holder.pid}/root", directory.relative_to("/"), "filler")
        holder.stdin.close()
