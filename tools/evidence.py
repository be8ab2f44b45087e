"""Collect what explains a failure on the machine of a lab, without secrets, into an archive.

    python3 evidence.py --lab NAME --archive FILE.tar.gz

Versions, the cluster's objects and their descriptions, the logs of all Pods, the lab's own logs and the journals, each
a text file. What cannot be had is said in its file. Runs with any Python 3 and nothing else, so that it can be sent to
a machine. Tokens, keys and passwords are replaced by words: only `redacted` stands between them and a public artifact.
"""

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

SECONDS = 60
LAST = 1_000_000
SECRETS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL), "<private key>"),
    (re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), "<token>"),
    (re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"), "<bootstrap token>"),
    (re.compile(r"\b(ya29\.|gh[a-z]_|github_pat_)[\w.-]+"), "<token>"),
    (re.compile(r"(?i)(bearer|basic)( +)[A-Za-z0-9+/=._~-]{8,}"), r"\1\2<hidden>"),
    (
        re.compile(r"""(?i)((?:client-key-data|private_key|password|token|secret)["']?\s*[:=]\s*["']?)[^\s"',}]{6,}"""),
        r"\1<hidden>",
    ),
)
VERSIONS = {
    "kernel": ["uname", "-a"],
    "system": ["cat", "/etc/os-release"],
    "memory": ["free", "-m"],
    "disk": ["df", "-h"],
    "snaps": ["snap", "list"],
    "docker": ["docker", "version"],
    "podman": ["podman", "version"],
}
JOURNALS = {
    "failed-units": ["systemctl", "--failed", "--no-pager"],
    "journal": ["journalctl", "--no-pager", "-n", "2000"],
    "journal-microk8s": ["journalctl", "--no-pager", "-n", "3000", "-u", "snap.microk8s.*"],
    "containers": ["docker", "ps", "-a"],
    "microk8s": ["microk8s", "status"],
}
OBJECTS = {
    "version": ["version"],
    "all": ["get", "all,nodes,akric,akrii", "-A", "-o", "wide"],
    "nodes": ["describe", "nodes"],
    "pods": ["describe", "pods", "-A"],
    "events": ["get", "events", "-A", "--sort-by=.lastTimestamp"],
    "akri": ["get", "akric,akrii", "-A", "-o", "yaml"],
    "requests": ["get", "csr", "-o", "wide"],
}


def main() -> int:
    """Collect; always 0, since what cannot be had is said in the archive."""
    parser = argparse.ArgumentParser(description="Collect what explains a failure, without secrets.")
    parser.add_argument("--lab", default="default", help="the lab's name")
    parser.add_argument("--archive", required=True, type=Path, help="the archive to write")
    given = parser.parse_args()
    with tarfile.open(given.archive, "w:gz") as archive:
        for name, text in sorted(collect(given.lab).items()):
            add(archive, f"evidence/{name}.txt", redacted(text))
    given.archive.chmod(0o600)
    return 0


def collect(lab: str) -> dict[str, str]:
    """All texts by their names, secrets included."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state", "edgelab", lab)
    texts = {f"machine-{name}": said(command) for name, command in {**VERSIONS, **JOURNALS}.items()}
    texts |= {f"log-{path.stem}": last(path) for path in sorted((state / "log").glob("*.log"))}
    return texts | cluster([*kubectl(), f"--kubeconfig={state / 'kubeconfig'}"])


def cluster(command: list[str]) -> dict[str, str]:
    """The objects of the cluster, and what its Pods said."""
    texts = {f"cluster-{name}": said([*command, *words]) for name, words in OBJECTS.items()}
    form = "jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{'\\n'}{end}"
    for line in said([*command, "get", "pods", "-A", "-o", form]).splitlines():
        namespace, _space, pod = line.partition(" ")
        if pod and " " not in pod:
            words = ["logs", "-n", namespace, pod, "--all-containers", "--prefix", "--tail=1000"]
            texts[f"pod-{namespace}-{pod}"] = said([*command, *words])
    return texts


def kubectl() -> list[str]:
    """The kubectl to use: the user's, the collection's own, or MicroK8s'."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "edgelab/bin")
    built = sorted(cache.glob("kubectl-*/kubectl"))
    for candidate in (["kubectl"], [str(path) for path in built[-1:]], ["/snap/bin/microk8s", "kubectl"]):
        if candidate and shutil.which(candidate[0]):
            return candidate
    return ["kubectl"]


def said(command: list[str]) -> str:
    """What a command said, or why it could not be asked."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{' '.join(command)}: {error}\n"
    return done.stdout.decode(errors="replace")[-LAST:]


def last(path: Path) -> str:
    """The end of a file."""
    try:
        return path.read_text(errors="replace")[-LAST:]
    except OSError as error:
        return f"{path}: {error}\n"


def redacted(text: str) -> str:
    """The text without tokens, keys and passwords."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def add(archive: tarfile.TarFile, name: str, text: str) -> None:
    """Put a text into an archive."""
    content = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    sys.exit(main())
