# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Which of the collection's files a machine needs, and how they travel. Runs on the controller.

The runtime goes as sources, which modules import, and as a wheel, which pip installs: so that nothing has to be built
on the machine.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The collection."""
PARTS = (
    "requirements.lock",
    "runtime/pyproject.toml",
    "runtime/README.md",
    "runtime/src/**/*.py",
    "wasm/*.wasm",
    "controlplane/**/*",
    "roles/*/files/**/*",
)
WHEEL = "runtime/wheel"
"""Where the wheel goes, beside its sources."""


class WheelError(Exception):
    """The wheel cannot be built; the text says why and what to do."""


def digest(root: Path = ROOT) -> str:
    """Names the files: another one for every change of their content."""
    sums = [(str(path.relative_to(root)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in _files(root)]
    return hashlib.blake2b(json.dumps([PARTS, sums]).encode(), digest_size=8).hexdigest()


def pack(archive: Path, root: Path = ROOT) -> None:
    """Write the files, and the runtime's wheel, into a tar archive. Raises WheelError."""
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(archive, "w:gz", compresslevel=1) as files:
        for path in _files(root):
            files.add(path, str(path.relative_to(root)), filter=_anonymous)
        wheel = _wheel(root / "runtime", Path(scratch))
        files.add(wheel, f"{WHEEL}/{wheel.name}", filter=_anonymous)


def _files(root: Path) -> list[Path]:
    found = {path for part in PARTS for path in root.glob(part)}
    return sorted(path for path in found if path.is_file() and path.suffix != ".pyc")


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _wheel(source: Path, target: Path) -> Path:
    code = "import sys; from flit_core.buildapi import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(target)], cwd=source, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WheelError(
            f"Build the runtime's wheel on the controller. {' '.join(done.stderr.splitlines()[-1:])}. Install what the "
            f"collection needs where Ansible runs: {sys.executable} -m pip install -r {source.parent}/requirements.lock"
        )
    return target / done.stdout.strip().splitlines()[-1]
