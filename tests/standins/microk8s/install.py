"""What installing the stand-in's snap makes, and removing it takes away: certificates, arguments, services."""

import base64
import grp
import os
import shutil
from pathlib import Path

from standin import COMMON, DATA, GROUP, HERE, SNAP, SNAP_BIN, UNIT_FILES, UNITS, run

SERVER = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.152.183.1"
CLIENTS = {
    "client": "/CN=admin/O=system:masters",
    "controller": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "apiserver-kubelet-client": "/CN=kube-apiserver-kubelet-client/O=system:masters",
}
CONFIGS = {"client": "admin", "controller": "system:kube-controller-manager", "scheduler": "system:kube-scheduler"}
UNIT = """\
[Unit]
Description=Service for snap application microk8s.{name} (stand-in)
[Service]
ExecStart=/usr/bin/python3 {here}/kubelite.py {name}
Restart=on-failure
RestartSec=1
[Install]
WantedBy=multi-user.target
"""


def install() -> None:
    """Make MicroK8s, and start it."""
    run("groupadd", "--force", GROUP)
    (SNAP / "8511").mkdir(parents=True)
    DATA.symlink_to("8511")
    for directory in ("certs", "credentials", "var/lock", "var/etcd"):
        (DATA / directory).mkdir(parents=True)
    shutil.copytree(HERE / "args", DATA / "args")
    (DATA / "args/certs.d").mkdir()
    shutil.copytree(HERE / "addons/core", COMMON / "addons/core")
    make_certificates(DATA / "certs")
    for name, user in CONFIGS.items():
        write_kubeconfig(DATA / f"credentials/{name}.config", user, DATA / f"certs/{name}")
    let_group_in()
    SNAP_BIN.parent.mkdir(parents=True, exist_ok=True)
    SNAP_BIN.symlink_to(HERE / "microk8s")
    for unit in UNITS:
        (UNIT_FILES / f"{unit}.service").write_text(UNIT.format(name=unit.rpartition(".")[2], here=HERE))
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", *UNITS)


def remove() -> None:
    """Take the services away."""
    run("systemctl", "disable", *UNITS)
    for unit in UNITS:
        (UNIT_FILES / f"{unit}.service").unlink()
    run("systemctl", "daemon-reload")


def let_group_in() -> None:
    """Let the group write what the real snap lets it write, and nobody else read it."""
    group = grp.getgrnam(GROUP).gr_gid
    for root in (DATA / "credentials", DATA / "certs", DATA / "args"):
        for path in (root, *root.rglob("*")):
            os.chown(path, 0, group)
            path.chmod(0o770 if path.is_dir() else 0o660)


def make_certificates(directory: Path) -> None:
    """The authorities, the API server's certificate, those of its clients, and the key of service accounts."""
    for name, subject in (("ca", "/CN=10.152.183.1"), ("front-proxy-ca", "/CN=front-proxy-ca")):
        openssl(
            "req",
            "-x509",
            "-new",
            "-nodes",
            *key(directory / name),
            "-subj",
            subject,
            "-days",
            "3650",
            "-out",
            str(directory / f"{name}.crt"),
        )
    addresses = "".join(f",IP:{address}" for address in run("hostname", "-I").stdout.split() if "." in address)
    issue(directory, "server", "/CN=127.0.0.1", f"subjectAltName={SERVER}{addresses}")
    for name, subject in CLIENTS.items():
        issue(directory, name, subject, "extendedKeyUsage=clientAuth")
    issue(directory, "front-proxy-client", "/CN=front-proxy-client", "extendedKeyUsage=clientAuth", "front-proxy-ca")
    openssl("genrsa", "-out", str(directory / "serviceaccount.key"), "2048")


def issue(directory: Path, name: str, subject: str, extension: str, authority: str = "ca") -> None:
    """A key, and a certificate of an authority for it."""
    signer = ("-CA", str(directory / f"{authority}.crt"), "-CAkey", str(directory / f"{authority}.key"))
    openssl(
        "req",
        "-x509",
        "-new",
        "-nodes",
        *key(directory / name),
        "-subj",
        subject,
        "-addext",
        extension,
        "-addext",
        "basicConstraints=CA:FALSE",
        *signer,
        "-days",
        "365",
        "-out",
        str(directory / f"{name}.crt"),
    )


def key(path: Path) -> tuple[str, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", f"{path}.key")


def openssl(*argv: str) -> None:
    run("openssl", *argv)


def write_kubeconfig(path: Path, user: str, pair: Path) -> None:
    """A kubeconfig with all that it needs, as `microk8s config` prints it."""
    data = {
        "CA": (DATA / "certs/ca.crt").read_bytes(),
        "CERTIFICATE": pair.with_suffix(".crt").read_bytes(),
        "KEY": pair.with_suffix(".key").read_bytes(),
    }
    text = (HERE / "kubeconfig.template").read_text().replace("USER", user)
    for name, content in data.items():
        text = text.replace(f"{name}_DATA", base64.b64encode(content).decode())
    path.write_text(text)
