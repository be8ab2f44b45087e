"""The molecule scenarios of roles that need a kernel of their own, a step at a time."""

import os
import sys
from dataclasses import dataclass

from edge_host import EdgeHost
from labkit import BIN, Result, run


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario of molecule, on the edge host."""

    name: str
    host: EdgeHost
    scratch: str

    def step(self, name: str, *options: str, check: bool = True) -> Result:
        """Run a step, `converge` for example, with options for ansible-playbook; raises with its output if it fails."""
        command = [sys.executable, "-m", "molecule", name, "--scenario-name", self.name]
        command += ["--", *options] if options else []
        ours = {
            "EDGELAB_EDGE_SSH": str(self.host.ssh_config),
            "EDGELAB_EDGE_LAB_ADDRESS": self.host.lab_address,
            "MOLECULE_EPHEMERAL_DIRECTORY": f"{self.scratch}/{self.name}",
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "NO_COLOR": "1",
        }
        return run(command, {**os.environ, **ours}, check=check)
