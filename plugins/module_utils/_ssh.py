# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""How this machine gets into another one by ssh: a key pair, the other's host keys, and a look whether it works.

All of it is in one directory of mode 0700: `id_ed25519` (0600), `id_ed25519.pub` and `known_hosts`. The host keys come
from somebody who knows them; one that a server merely shows is never believed.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

CONNECT_SECONDS = 10
NO_PROGRAM = "There is no ssh program on this machine"
HOPELESS = ("Host key verification failed", NO_PROGRAM)
"""What ssh says where trying again does not help."""


@dataclass(frozen=True)
class Server:
    """A machine and an account on it."""

    address: str
    port: int
    user: str

    @property
    def known_as(self) -> str:
        """How known_hosts names it: with its port unless that is ssh's own."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"


class Files:
    """The directory with the key pair and the host keys."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.private_key = directory / "id_ed25519"
        self.known_hosts = directory / "known_hosts"

    def public_key(self) -> str | None:
        """The public key as one line, None while there is no pair."""
        try:
            text = self.private_key.with_suffix(".pub").read_text().strip()
        except OSError:
            return None
        return text if self.private_key.exists() else None

    def make_key(self, comment: str) -> str:
        """Make a key pair; its public key as one line. Raises LabError where it cannot be written."""
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        line = f"{public.decode()} {comment}"
        write_whole(self.private_key, private.decode())
        write_whole(self.private_key.with_suffix(".pub"), f"{line}\n", mode=0o644)
        return line

    def knows(self, server: Server) -> bool:
        """Whether the server's host keys have been noted."""
        try:
            lines = self.known_hosts.read_text().splitlines()
        except OSError:
            return False
        return any(line.split(" ")[0] == server.known_as for line in lines)

    def note(self, server: Server, keys: Mapping[str, str]) -> None:
        """Note a server's host keys, and forget any others."""
        lines = (f"{server.known_as} {kind} {key}\n" for kind, key in sorted(keys.items()))
        write_whole(self.known_hosts, "".join(lines))

    def forget(self) -> None:
        """Remove the directory, and the one above it when that was the last."""
        shutil.rmtree(self.directory, ignore_errors=True)
        with suppress(OSError):
            self.directory.parent.rmdir()

    def options(self) -> list[str]:
        """What ssh is told so that it uses these files alone and never takes an unknown host key."""
        options = {
            "UserKnownHostsFile": self.known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "UpdateHostKeys": "no",
            "IdentitiesOnly": "yes",
        }
        return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]

    def login(self, server: Server) -> str:
        """Log in and do nothing; "" when that worked, else what ssh said."""
        command = ["ssh", "-F", "none", "-i", str(self.private_key), "-p", str(server.port), *self.options()]
        command += ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}"]
        command += [f"{server.user}@{server.address}", "true"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=3 * CONNECT_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"No end of the login within {3 * CONNECT_SECONDS} s"
        except FileNotFoundError:
            return NO_PROGRAM
        return "" if done.returncode == 0 else done.stderr.strip() or f"ssh ended with {done.returncode}"
