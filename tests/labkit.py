"""A lab for tests and benchmarks: built by the project's own playbooks, in a state directory of its own.

The cache of binaries is the user's, so that nothing is built twice; everything else lives under one directory and is
gone after `remove()`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edgelab.core.layout import Layout, layout
from edgelab.service.status import ask

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
T = TypeVar("T")


@dataclass(slots=True)
class Result:
    """How a command ended."""

    status: int
    output: str

    def recap(self) -> dict[str, int]:
        """The numbers of Ansible's recap for the one host: ok, changed, failed, skipped, ..."""
        line = next(line for line in reversed(self.output.splitlines()) if ": ok=" in line)
        return {key: int(value) for key, value in (word.split("=") for word in line.split(":", 1)[1].split())}

    def changed_tasks(self) -> list[str]:
        """Names of the tasks that reported a change, in order."""
        names: list[str] = []
        task = ""
        for line in self.output.splitlines():
            if line.startswith(("TASK [", "RUNNING HANDLER [")):
                task = line.split("[", 1)[1].rsplit("]", 1)[0]
            elif line.startswith("changed:") and (not names or names[-1] != task):
                names.append(task)
        return names


@dataclass(slots=True)
class Lab:
    """One lab, by its name and the directory that holds its state."""

    home: Path
    name: str = "test"
    variables: dict[str, Any] = field(default_factory=dict)
    directory: Path = ROOT
    """Where its commands run."""
    inventories: tuple[Path, ...] = ()
    """What its playbooks know of machines, where that is not the inventory `local`."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command on this lab."""
        ours = {"XDG_STATE_HOME": str(self.home / "state"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
        return {**os.environ, **ours, "PATH": f"{BIN}:{os.environ['PATH']}", "NO_PROXY": "127.0.0.1,localhost"}

    @property
    def layout(self) -> Layout:
        """Where the lab keeps its things."""
        return layout(self.name, self.environment, os.getuid())

    @property
    def ports(self) -> dict[str, int]:
        """The lab's ports by their names."""
        ports: dict[str, int] = json.loads(self.layout.marker.read_text())["ports"]
        return ports

    def playbook(self, name: str, *options: str, check: bool = True, **variables: Any) -> Result:
        """Run one of the project's playbooks, e.g. `site.yml`; raises with the output when it fails."""
        given = {"lab_name": self.name, **self.variables, **variables}
        path = name if name == "site.yml" else f"playbooks/{name}"
        known = [word for inventory in self.inventories for word in ("-i", str(inventory))]
        return self.run(["ansible-playbook", *known, path, "-e", json.dumps(given), *options], check=check)

    def run(self, command: list[str], *, check: bool = True, extra: Mapping[str, str] | None = None) -> Result:
        """Run a command with the lab's environment."""
        return run(command, {**self.environment, **(extra or {})}, self.directory, check=check)

    def kubectl(self, *words: str, check: bool = True) -> str:
        """Plain kubectl as the lab's administrator; returns its output."""
        command = [kubectl(), "--kubeconfig", str(self.layout.kubeconfig), *words]
        return self.run(command, check=check).output

    def get(self, *words: str) -> Any:
        """`kubectl get ... -o json`, parsed."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def pid(self, process: str) -> int:
        """Process id of a supervised program (not of its supervisor); 0 when it does not run."""
        record = self.layout.state / "supervisor/hold" / f"{process}.json"
        try:
            pid = int(json.loads(record.read_text())["pid"])
            os.kill(pid, 0)
        except (OSError, ValueError, KeyError):
            return 0
        return pid

    def ready(self, process: str) -> bool:
        """Whether a process of the runtime says that it does its work."""
        try:
            return bool(ask(self.layout.status_socket(process)).get("ready"))
        except OSError:
            return False

    def remove(self) -> None:
        """Take the lab down and its directory away; raises when anything of it is left."""
        self.playbook("down.yml")
        self.run(["edgelab", "residue", "--lab", self.name])
        shutil.rmtree(self.home, ignore_errors=True)


def new_lab(name: str, **variables: Any) -> Lab:
    """A lab in a directory of its own; the tests' process id keeps two runs of the tests apart."""
    return Lab(Path(tempfile.mkdtemp(prefix="edgelab-test-")), f"{name}-{os.getpid()}", variables)


def eventually(look: Callable[[], T], *, within: float = 30.0, what: str = "the condition") -> T:
    """The first true value of look(), asked every 50 ms; fails with the last value seen after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {within:.0f} s for {what}; last seen: {seen!r}")
        time.sleep(0.05)


def run(command: list[str], environment: Mapping[str, str], directory: Path = ROOT, *, check: bool = True) -> Result:
    """Run a command without input; raises with the end of its output when it fails."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-6000:]}")
    return Result(done.returncode, done.stdout)


def press_ctrl_c(process: subprocess.Popen[Any]) -> int:
    """Ctrl-C for the whole session of a process, as on a terminal, until it has ended; its exit status.

    Once is not always enough: Python drops an interrupt that comes while it releases a lock after a fork.
    """
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=5)
    return process.returncode


def kubectl() -> str:
    """A plain kubectl: the user's, or the one that `make kubectl` built."""
    built = sorted(layout("any", os.environ, os.getuid()).cache.glob("bin/kubectl-*/kubectl"))
    found = shutil.which("kubectl") or (str(built[-1]) if built else None)
    assert found, "kubectl is needed: install it, or run `make kubectl`"
    return found
