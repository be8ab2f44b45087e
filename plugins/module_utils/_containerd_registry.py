# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What containerd reads about one registry: the directory HOST:PORT with hosts.toml and the certificates it names.

containerd reads it anew at each pull, so nothing is restarted. The files are named relative to the directory: it may
be mounted elsewhere on the node. Decides first (`plan`), then writes (`apply`).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import cannot_write, write_whole

with suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError

_KEY = "client.key"


@dataclass(frozen=True)
class Certificates:
    """The files that vouch for the registry, and for its clients where it asks them for a certificate."""

    ca: Path
    client: Path | None = None
    client_key: Path | None = None

    def files(self) -> dict[str, Path]:
        """Each under the name that it gets in the directory."""
        named = {"ca.crt": self.ca, "client.crt": self.client, _KEY: self.client_key}
        return {name: path for name, path in named.items() if path}


@dataclass(frozen=True)
class Plan:
    """What to do in a directory: files to write, whole; names to remove; or, with `gone`, the directory to remove."""

    directory: Path
    write: Mapping[str, str]
    remove: tuple[str, ...] = ()
    gone: bool = False

    @property
    def needed(self) -> bool:
        """Something is to be done."""
        return bool(self.write or self.remove or self.gone)


def hosts_toml(registry: str, *, with_client: bool) -> str:
    """The file hosts.toml for a registry at HOST:PORT.

    >>> print(hosts_toml("10.0.0.1:5000", with_client=True))
    server = "https://10.0.0.1:5000"
    <BLANKLINE>
    [host."https://10.0.0.1:5000"]
      capabilities = ["pull", "resolve"]
      ca = "ca.crt"
      client = [["client.crt", "client.key"]]
    <BLANKLINE>
    """
    lines = [
        f'server = "https://{registry}"',
        "",
        f'[host."https://{registry}"]',
        '  capabilities = ["pull", "resolve"]',
        '  ca = "ca.crt"',
        *(['  client = [["client.crt", "client.key"]]'] if with_client else []),
    ]
    return "\n".join(lines) + "\n"


def plan_present(directory: Path, registry: str, certificates: Certificates, *, dry_run: bool) -> Plan:
    """What the directory of a registry lacks. In a dry run a certificate need not be there yet."""
    wanted = {"hosts.toml": hosts_toml(registry, with_client=certificates.client is not None)}
    for name, path in certificates.files().items():
        wanted[name] = _certificate(path, registry, dry_run=dry_run)
    here = directory / registry
    found = {path.name: _text(path) for path in here.iterdir()} if here.is_dir() else {}
    write = {name: text for name, text in wanted.items() if found.get(name) != text or _is_open(here / name)}
    return Plan(here, write, tuple(sorted(set(found) - set(wanted))))


def plan_absent(directory: Path, registry: str) -> Plan:
    """What there is to remove of a registry."""
    here = directory / registry
    return Plan(here, {}, gone=here.exists())


def apply(plan: Plan) -> None:
    """Carry a plan out. hosts.toml comes last, so that containerd never reads of a certificate that is not there."""
    for name in sorted(plan.write, key=lambda name: name == "hosts.toml"):
        write_whole(plan.directory / name, plan.write[name], 0o600 if name == _KEY else 0o644)
    try:
        for name in plan.remove:
            (plan.directory / name).unlink()
        if plan.gone:
            shutil.rmtree(plan.directory)
    except OSError as error:
        raise cannot_write(plan.directory, error) from error


def result(plan: Plan) -> dict[str, Any]:
    """What the module returns: names of files, none of their content."""
    here = plan.directory
    touched = [*sorted(plan.write), *plan.remove]
    return {
        "changed": plan.needed,
        "path": str(here),
        "diff": {
            "before": f"{here} is there\n" if plan.gone else "".join(f"{here / name} differs\n" for name in touched),
            "after": "".join(f"{here / name} is as wanted\n" for name in touched),
        },
    }


def _certificate(path: Path, registry: str, *, dry_run: bool) -> str:
    try:
        return path.read_text()
    except FileNotFoundError as error:
        if dry_run:
            return ""
        raise _unreadable(path, registry, error) from error
    except OSError as error:
        raise _unreadable(path, registry, error) from error


def _unreadable(path: Path, registry: str, error: OSError) -> LabError:
    return LabError(
        attempted=f"Let containerd pull from {registry}",
        seen=str(error),
        remedy=f"Make {path} (the role registry does), then run this again",
    )


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _is_open(path: Path) -> bool:
    return path.name == _KEY and bool(path.stat().st_mode & 0o077)
