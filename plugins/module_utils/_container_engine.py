# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The program that builds images: podman, buildah or docker, whichever there is.

Only what all three can do is used: build from a directory, save as an archive with OCI's layout, remove.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

try:
    from edgelab.core.errors import LabError
except ImportError:  # said by _lab_module.run
    LabError = Exception  # type: ignore[assignment,misc]

ENGINES = ("podman", "buildah", "docker")


@dataclass(frozen=True)
class Engine:
    """One of ENGINES."""

    name: str

    def build(self, image: str, context: Path, *, arguments: Mapping[str, str], labels: Mapping[str, str]) -> None:
        """Build the Containerfile of a directory."""
        options = ["--file", str(context / "Containerfile"), "--tag", image]
        for key, value in arguments.items():
            options += ["--build-arg", f"{key}={value}"]
        for key, value in labels.items():
            options += ["--label", f"{key}={value}"]
        if self.name != "docker":
            options += ["--timestamp", "0"]  # the same inputs make the same digest
        run([self.name, "build", "--quiet", *options, str(context)])

    def save(self, image: str, archive: Path) -> None:
        """Write an image to an archive with OCI's layout."""
        commands = {
            "podman": ["podman", "save", "--quiet", "--format", "oci-archive", "--output", str(archive), image],
            "buildah": ["buildah", "push", "--quiet", image, f"oci-archive:{archive}:{image}"],
            "docker": ["docker", "save", "--output", str(archive), image],
        }
        run(commands[self.name])

    def remove(self, images: Sequence[str]) -> None:
        """Take images away that are there no longer for anything, if they are there."""
        subprocess.run([self.name, "rmi", "--force", *images], capture_output=True, check=False)


def find(name: str) -> Engine:
    """The engine of that name, or with `auto` the first that there is. Raises LabError when there is none."""
    wanted = ENGINES if name == "auto" else (name,)
    found = next((each for each in wanted if shutil.which(each)), None)
    if found is None:
        raise LabError(
            attempted="Build a container image",
            seen=f"No {' and no '.join(wanted)} on PATH",
            remedy="apt-get install podman, or give the reference of an image that was built elsewhere",
        )
    return Engine(found)


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
    """Run a command; returns its standard output. Raises LabError with the end of what it said when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except OSError as error:
        raise LabError(attempted=f"Run {command[0]}", seen=str(error)) from error
    if done.returncode:
        raise LabError(
            attempted=" ".join(command[:2]),
            seen=f"It ended with status {done.returncode}:\n{_end(done.stderr or done.stdout)}",
            remedy=f"Run it by hand to see more: {' '.join(command)}",
        )
    return done.stdout


def _end(output: str, lines: int = 15) -> str:
    return "\n".join(output.strip().splitlines()[-lines:])
