"""The molecule scenarios of roles that need a kernel of their own, a step at a time."""

import os
import subprocess
import sys
from dataclasses import dataclass

from edge_host import EdgeHost
from labkit import BIN, ROOT, Result


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
            "MOLECULE_EPHEMERAL_DIRECTORY": f"{self.scratch}/{self.name}",
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **ours},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-6000:]}")
        return Result(done.returncode, done.stdout)
