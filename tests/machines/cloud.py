"""Instances of the stand-in for Compute Engine that are real machines: Debian in systemd-nspawn.

What Google's guest agent does in an image of theirs is done from outside here: it makes accounts with sudo for the keys
in an instance's metadata, and tells the host keys.
"""

import contextlib
import shlex

from google.cloud import compute_v1
from machines.machine import Machine, machine
from standins.gce_cloud import Booted


class CloudMachines(contextlib.ExitStack):
    """Machines for `standins.gce_cloud.Cloud`. Whatever still runs at the end of the block ends with it."""

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[str, Machine] = {}
        self._ends: dict[str, contextlib.ExitStack] = {}

    def create(self, instance: compute_v1.Instance) -> Booted:
        """Boot a machine with the accounts of the instance's metadata."""
        self._ends[instance.name] = self.enter_context(contextlib.ExitStack())
        made = self._ends[instance.name].enter_context(machine(instance.name))
        self.running[instance.name] = made
        for item in instance.metadata.items:
            if item.key == "ssh-keys":
                for line in item.value.splitlines():
                    let_in(made, *line.split(":", 1))
        kind, _, text = made.host_key.partition(" ")
        return Booted(made.address, {kind: text})

    def delete(self, name: str) -> None:
        """End an instance's machine; its disk goes, too."""
        self.running.pop(name, None)
        end = self._ends.pop(name, None)
        if end:
            end.close()


def let_in(made: Machine, user: str, key: str) -> None:
    """Make an account with sudo, or let one more key in."""
    home = f"/home/{user}/.ssh"
    script = f"""
        id {user} 2>/dev/null || useradd --create-home --shell /bin/bash {user}
        echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{user}
        mkdir -p -m 0700 {home}
        echo {shlex.quote(key)} >> {home}/authorized_keys
        chown -R {user}: {home}"""
    made.ssh("sh", "-ec", shlex.quote(script))
