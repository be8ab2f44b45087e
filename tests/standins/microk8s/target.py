"""How tests use a machine with the stand-in: run the role by Ansible, and ask the machine."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit import BIN, ROOT, Result
from machines.machine import Machine


@dataclass(frozen=True)
class Target:
    """The machine, and whom Ansible logs in as."""

    machine: Machine
    user: str = "root"

    def play(self, playbook: str, *options: str, check: bool = True, **variables: Any) -> Result:
        """Run a playbook on it; raises with the output when it fails."""
        inventory = self.machine.inventory(self.user, lab_name="microk8s", **variables)
        command = [str(BIN / "ansible-playbook"), "-i", str(inventory), *options, playbook]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        result = Result(done.returncode, done.stdout + done.stderr)
        if check and result.status:
            raise AssertionError(result.output)
        return result

    def converge(self, *options: str, check: bool = True, **variables: Any) -> Result:
        """Have MicroK8s as the lab's cluster."""
        return self.play("molecule/microk8s_host/converge.yml", *options, check=check, **variables)

    def away(self) -> Result:
        """Undo that."""
        return self.play("tests/microk8s/away.yml")

    def says(self, *words: str) -> str:
        """What a command there says."""
        return self.machine.ssh(*words).strip()

    def enabled(self) -> set[str]:
        """The addons that are enabled."""
        lines = self.says("/snap/bin/microk8s", "status", "--wait-ready", "--timeout", "60", "--format", "short")
        pairs: Sequence[Sequence[str]] = [line.split(": ") for line in lines.splitlines() if "/" in line]
        return {name for name, word in pairs if word == "enabled"}
