# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A Python that has this collection's runtime: the one that runs Ansible if it does, else a virtual environment.

The virtual environment is named by a hash of everything that went into it and never changed once it is complete, so
processes that run from it are not disturbed, and an interrupted installation is begun anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import cannot_write, write_whole
from ansible_collections.edgelab.akri.plugins.module_utils._lab_cache import mark_used, prune
from ansible_collections.edgelab.akri.plugins.module_utils._lab_lock import alone

with contextlib.suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError

COMPLETE = "complete"

# Run isolated (-I) by an interpreter: prints the directory of its own edgelab, nothing if a distribution is missing.
_LOOK = """
import importlib.metadata as metadata, importlib.util, re, sys
try:
    needed = [re.match(r"[\\w.-]+", line)[0] for line in metadata.requires("edgelab") or ()]
    for name in needed + sys.argv[1:]:
        metadata.version(name)
    print(importlib.util.find_spec("edgelab").submodule_search_locations[0])
except (metadata.PackageNotFoundError, AttributeError):
    pass
"""


@dataclass(frozen=True)
class Wanted:
    """What must be there: the runtime's directory, the lock file to install from, distributions the modules need."""

    source: Path
    requirements: Path
    distributions: tuple[str, ...]

    @property
    def package(self) -> Path:
        """The package as it is to run."""
        return self.source / "src" / "edgelab"

    @property
    def distribution(self) -> Path:
        """What pip installs: the wheel, where one was brought along with the sources, else the sources."""
        return next(self.source.glob("wheel/*.whl"), self.source)

    def digest(self) -> str:
        """Names the virtual environment that these files make."""
        parts = [sys.version, _digest(self.package), self.requirements.read_text()]
        parts.append((self.source / "pyproject.toml").read_text())
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def present(wanted: Wanted, cache: Path, *, dry_run: bool) -> dict[str, Any]:
    """Find or make the Python; returns the module's result, `installed` False where check mode did not make it."""
    own = _stable_name(sys.executable)
    package = package_of(own, wanted)
    changed = False
    if package is None:
        environment = cache / "runtime" / wanted.digest()
        own = str(environment / "bin" / "python")
        changed = not (environment / COMPLETE).exists()
        if changed and dry_run:
            return _result(own, str(_packages(environment) / "edgelab"), changed=True, installed=False)
        if changed:
            _make(environment, wanted)
        package = package_of(own, wanted)
    if package is None:
        raise _incomplete(own)
    if not dry_run:
        _forget_others(cache / "runtime", own)
    return _result(own, package, changed=changed, installed=True)


def _forget_others(environments: Path, own: str) -> None:
    current = Path(own).parents[1]
    if current.parent == environments:
        mark_used(current)
    if environments.is_dir():
        with alone(environments):
            prune(environments, current)


def _result(python: str, package: str, *, changed: bool, installed: bool) -> dict[str, Any]:
    return {
        "changed": changed,
        "installed": installed,
        "python": python,
        "command": _command(python),
        "program": program_of(python, installed=installed),
        "package": package,
    }


def _command(python: str) -> list[str]:
    return [python, "-I", "-m", "edgelab"]


def program_of(python: str, *, installed: bool) -> str:
    """The command `edgelab` as people type it: the program beside the interpreter, where pip puts it."""
    program = Path(python).with_name("edgelab")
    return str(program) if program.exists() or not installed else shlex.join(_command(python))


def _packages(environment: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return environment / "lib" / version / "site-packages"


def package_of(python: str, wanted: Wanted) -> str | None:
    """Where an interpreter has the wanted runtime with all it needs; None if it lacks any of it or has another one."""
    command = [python, "-I", "-c", _LOOK, *wanted.distributions]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    same = bool(found) and _digest(Path(found)) == _digest(wanted.package)
    return os.path.realpath(found) if same else None


def _stable_name(python: str) -> str:
    # An environment has its interpreter under several names; processes must not restart because another was used.
    usual = Path(python).with_name("python3")
    return str(usual) if usual.exists() else python


def _digest(package: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(_sources(package)):
        digest.update(json.dumps([str(path.relative_to(package)), path.read_text()]).encode())
    return digest.hexdigest()


def _sources(package: Path) -> Iterator[Path]:
    return package.rglob("*.py")


def _make(environment: Path, wanted: Wanted) -> None:
    try:
        environment.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(environment, error) from error
    with alone(environment.parent):  # another lab may want the same
        if (environment / COMPLETE).exists():
            return
        shutil.rmtree(environment, ignore_errors=True)
        make_environment(environment)
        _install(environment, ["--require-hashes", "--no-deps", "-r", str(wanted.requirements)])
        _install(environment, ["--no-deps", "--no-build-isolation", str(wanted.distribution)])
        write_whole(environment / COMPLETE, "")


def make_environment(environment: Path) -> None:
    """Make an empty virtual environment with pip in it; leaves nothing behind when that fails."""
    done = _run([sys.executable, "-m", "venv", str(environment)])
    if done.returncode:
        shutil.rmtree(environment, ignore_errors=True)
        raise LabError(
            attempted=f"Make the virtual environment {environment} with {sys.executable}",
            seen=_end(done.stdout),
            cause="On Debian and Ubuntu the module venv is a package of its own",
            remedy="apt-get install python3-venv, then run this again",
        )


def _install(environment: Path, arguments: Sequence[str]) -> None:
    # Most of it is never imported; what is, Python compiles at its first use.
    options = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    done = _run([str(environment / "bin" / "python"), "-m", "pip", "install", *options, *arguments])
    if done.returncode:
        raise LabError(
            attempted=f"Install {arguments[-1]} with pip",
            seen=_end(done.stdout),
            cause="pip uses your own configuration (pip config list) and HTTPS_PROXY",
            remedy="Make the package index reachable; a private one must hold the versions of the lock file",
        )


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    # The role points PYTHONPATH at the sources for this module alone; pip's variables stay.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command, env=environment, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _end(output: str, lines: int = 12) -> str:
    return "\n".join(output.strip().splitlines()[-lines:])


def _incomplete(python: str) -> LabError:
    return LabError(
        attempted=f"Use {python}",
        seen="It lacks a part of the runtime although the installation ended well",
        cause="Its files were changed or removed",
        remedy=f"Remove {Path(python).parents[1]} and run this again",
    )
