"""A test machine with the stand-in for snapd and MicroK8s, and this checkout, whose Python works there too.

    python tests/standins/microk8s/machine.py NAME -- COMMAND...

runs a command while the machine is there. It finds how to reach it in MACHINE_ADDRESS, MACHINE_KEY and
MACHINE_KNOWN_HOSTS, and the Python to use there in MACHINE_PYTHON.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from machines.machine import Machine, machine

ROOT = Path(__file__).resolve().parents[3]
HERE = "/opt/standins/microk8s"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")


@contextlib.contextmanager
def microk8s_machine(name: str) -> Iterator[Machine]:
    """The machine, where `snap install microk8s --classic` works."""
    seen = {str(Path(__file__).parent): HERE, str(programs()): "/opt/standins/bin"}
    seen |= {path: path for path in (str(ROOT), sys.base_prefix) if path != "/usr"}
    with machine(name, *(f"--bind-ro={here}:{there}" for here, there in seen.items())) as made:
        made.ssh(f"{HERE}/prepare.sh")
        yield made


def programs() -> Path:
    """The directory of the collection's cached programs, which are built or fetched if need be."""
    wanted = ",".join(f'"{name}"' for name in PROGRAMS)
    playbook = [sys.executable, "-m", "ansible", "playbook", "playbooks/kubectl.yml"]
    subprocess.run([*playbook, "-e", f'{{"binaries_wanted": [{wanted}]}}'], cwd=ROOT, check=True, capture_output=True)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "edgelab/bin")


def main() -> int:
    """Run what the command line says; returns how that ended."""
    match sys.argv[1:]:
        case [name, "--", *command] if command:
            with microk8s_machine(name) as made:
                reach = {
                    "MACHINE_ADDRESS": made.address,
                    "MACHINE_KEY": str(made.key),
                    "MACHINE_KNOWN_HOSTS": str(made.known_hosts),
                    "MACHINE_PYTHON": sys.executable,
                }
                return subprocess.run(command, env={**os.environ, **reach}, check=False).returncode
        case _:
            sys.exit(f"{__doc__}")


if __name__ == "__main__":
    sys.exit(main())
