# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Kubeconfigs of Kind clusters: a file of its own, the certificate of the API server's authority, and a merged file.

Files of their own are written whole: the kubeconfig 0600, the authority, which is no secret, 0644. Merging into a file
that others use, too, is left to kind, which locks it; here is only told whether that has to be done.
"""

from __future__ import annotations

import base64
import contextlib
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole

with contextlib.suppress(ImportError):  # the module that uses this says that the runtime is missing
    import yaml


@dataclass(frozen=True)
class Files:
    """Where to put what: a kubeconfig of its own, the authority, and a kubeconfig to merge into; None is nowhere."""

    kubeconfig: Path | None
    authority: Path | None
    merged: Path | None

    def outdated(self, kubeconfig: str) -> list[Path]:
        """Which files do not hold what they should."""
        own = [path for path, content, mode in self._own(kubeconfig) if not _holds(path, content, mode)]
        return [*own, *([self.merged] if self.merged and not _has_merged(self.merged, kubeconfig) else [])]

    def write(self, kubeconfig: str) -> None:
        """Write the files of their own."""
        for path, content, mode in self._own(kubeconfig):
            if not _holds(path, content, mode):
                write_whole(path, content, mode)

    @property
    def there(self) -> list[Path]:
        """The files of their own that exist."""
        return [path for path in (self.kubeconfig, self.authority) if path and path.exists()]

    def _own(self, kubeconfig: str) -> Iterator[tuple[Path, str, int]]:
        if self.kubeconfig:
            yield self.kubeconfig, kubeconfig, 0o600
        if self.authority:
            cluster = _only(yaml.safe_load(kubeconfig), "clusters")["cluster"]
            yield self.authority, base64.b64decode(cluster["certificate-authority-data"]).decode(), 0o644


def has_entries(path: Path, context: str) -> bool:
    """Whether a merged kubeconfig speaks of a cluster."""
    return any(_entry(_read(path), kind, context) for kind in ("clusters", "users", "contexts"))


def _has_merged(path: Path, kubeconfig: str) -> bool:
    wanted, found = yaml.safe_load(kubeconfig), _read(path)
    return all(
        _entry(found, kind, _only(wanted, kind)["name"]) == _only(wanted, kind)
        for kind in ("clusters", "users", "contexts")
    )


def _holds(path: Path, content: str, mode: int) -> bool:
    try:
        return path.read_text() == content and stat.S_IMODE(path.stat().st_mode) == mode
    except OSError:
        return False


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, yaml.YAMLError):
        found = yaml.safe_load(path.read_text())
        return found if isinstance(found, dict) else {}
    return {}


def _only(kubeconfig: dict[str, Any], kind: str) -> dict[str, Any]:
    entry: dict[str, Any] = kubeconfig[kind][0]
    return entry


def _entry(kubeconfig: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    return next((one for one in kubeconfig.get(kind) or [] if one.get("name") == name), {})
