"""What the stand-in's commands `snap` and `microk8s` share: where things are, how they fail, and the programs they run.

A stand-in for snapd and the MicroK8s snap, for machines that cannot reach the snap store. It speaks the same interface:
the commands, their words and exit codes, the files under /var/snap/microk8s, the systemd services. Its control plane is
real (etcd in dqlite's place, kube-apiserver, kube-controller-manager, kube-scheduler), started with the arguments of
the args files, so a wrong argument really fails. It has no kubelet, no containerd and no network for Pods: Pods that
addons make stay Pending, and nobody asks whether a Node is Ready. The scheduled workflow runs the real ones.

Facts are from github.com/canonical/microk8s and microk8s-core-addons, branch 1.35.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
PROGRAMS = Path("/opt/standins/bin")
"""The programs of the control plane, as the collection caches them: NAME-VERSION-OS-ARCH/NAME."""
STATE = Path("/var/lib/snapd/standin.json")
SNAP_BIN = Path("/snap/bin/microk8s")
SNAP = Path("/var/snap/microk8s")
DATA = SNAP / "current"
COMMON = SNAP / "common"
UNITS = ("snap.microk8s.daemon-k8s-dqlite", "snap.microk8s.daemon-kubelite")
UNIT_FILES = Path("/etc/systemd/system")
GROUP = "microk8s"
STOPPED = DATA / "var/lock/stopped.lock"
CLIENT_CONFIG = DATA / "credentials/client.config"


def fail(words: str, code: int = 1) -> NoReturn:
    """End with an error, as these commands do."""
    sys.stderr.write(f"{words}\n")
    sys.exit(code)


def say(words: str) -> None:
    """Say something, as these commands do."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def state() -> dict[str, Any] | None:
    """What snapd knows of the snap: channel, held, disabled; None when it is not installed."""
    return json.loads(STATE.read_text()) if STATE.exists() else None


def remember(found: dict[str, Any]) -> None:
    """Let snapd know."""
    STATE.parent.mkdir(parents=True, exist_ok=True)
    STATE.write_text(json.dumps(found))


def program(name: str) -> str:
    """The path of a program of the control plane."""
    found = sorted(PROGRAMS.glob(f"{name}-v*/{name}"))
    if not found:
        fail(f"the stand-in has no {name} in {PROGRAMS}")
    return str(found[-1])


def run(*argv: str, check: bool = True, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command; fails with its words."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if check and done.returncode:
        fail(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr or done.stdout}")
    return done


def kubectl(*argv: str, check: bool = True, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run kubectl as the administrator."""
    return run(program("kubectl"), f"--kubeconfig={CLIENT_CONFIG}", *argv, check=check, text=text)


def arguments(service: str) -> list[str]:
    """The arguments of a service, read as kubelite reads them."""
    read = []
    for line in (DATA / "args" / service).read_text().splitlines():
        plain = line.strip()
        if plain and not plain.startswith("#"):
            read += [os.path.expandvars(part) for part in plain.replace('"', "").replace("'", "").split(" ")]
    return read


def environment() -> None:
    """The variables that args files refer to."""
    os.environ.update(SNAP_DATA=str(DATA), SNAP_COMMON=str(COMMON))
