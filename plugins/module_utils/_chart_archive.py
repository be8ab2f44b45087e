# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The archive of a Helm chart: fetched by Helm once, known by its sha256, read without Helm.

    DIRECTORY/SHA256.tgz    the cache; an archive appears whole, by a rename, or not at all
    RECORDS                 {"SOURCE VERSION": SHA256} of charts whose sha256 nobody gave: what came first is trusted

Raises LabError where a chart is not to be had, is not the one that is wanted, or is no chart.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._binary_cache import sha256
from ansible_collections.edgelab.akri.plugins.module_utils._chart import Readings, problems
from ansible_collections.edgelab.akri.plugins.module_utils._files import cannot_write, write_whole

MISSING: list[str] = []
"""What the Python that runs this module lacks."""

try:
    import yaml
except ImportError:
    MISSING.append("PyYAML")
with contextlib.suppress(ImportError):  # said by _lab_module.run
    from edgelab.core.errors import LabError

_PULL_SECONDS = 120
_MEMBER_BYTES = 4 << 20


@dataclass(frozen=True)
class Source:
    """Where a chart comes from: a file, a URL, an OCI reference, or a name in a repository (then with its URL)."""

    chart: str
    repository: str | None = None
    version: str | None = None
    sha256: str | None = None
    ca_path: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether the chart is a file of the user's, which is used where it is."""
        return "://" not in self.chart and not self.repository

    @property
    def title(self) -> str:
        """What people call it, and what it is recorded as."""
        place = f"{self.repository.rstrip('/')}/" if self.repository else ""
        return f"{place}{self.chart} {self.version or ''}".strip()


@dataclass(frozen=True)
class Chart:
    """What stands in an archive."""

    name: str
    version: str
    readings: Readings
    crds: list[dict[str, Any]]


class Shelf:
    """The cache of archives, the records of a lab, and the Helm that fetches."""

    def __init__(self, directory: Path, records: Path, helm: str) -> None:
        self._directory, self._records, self._helm = directory, records, helm

    def find(self, source: Source) -> Path | None:
        """The archive, if it is at hand and the one that is wanted."""
        if source.is_file:
            return _checked(source, Path(source.chart))
        digest = self._expected(source)
        path = self._directory / f"{digest}.tgz"
        return path if digest and path.is_file() and sha256(path) == digest else None

    def fetch(self, source: Source) -> Path:
        """Have Helm pull the archive, and keep it if it is the one that is wanted."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._directory, prefix=".scratch.") as scratch:
                return self._keep(source, _pull(source, self._helm, Path(scratch)))
        except OSError as error:
            raise cannot_write(self._directory, error) from error

    def trusts_anew(self, source: Source) -> bool:
        """Whether nobody knows yet which sha256 the chart has, so that what comes is trusted."""
        return not source.is_file and not self._expected(source)

    def _keep(self, source: Source, pulled: Path) -> Path:
        digest = sha256(pulled)
        expected = self._expected(source) or digest
        if digest != expected:
            raise _another(source, digest, expected)
        path = self._directory / f"{digest}.tgz"
        pulled.rename(path)
        if not source.sha256:
            write_whole(self._records, json.dumps({**self._recorded(), source.title: digest}, indent=2) + "\n")
        return path

    def _expected(self, source: Source) -> str:
        return source.sha256 or self._recorded().get(source.title, "")

    def _recorded(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._records.read_text()))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as error:
            remedy = f"Remove {self._records} if you trust what is served now"
            raise LabError(f"Read which charts this lab trusts from {self._records}", str(error), "", remedy) from error


def present(shelf: Shelf, source: Source, values: Mapping[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Make sure that the archive is at hand and reads the values; returns the module's result."""
    found = shelf.find(source)
    told = {
        "changed": found is None,
        "diff": {"before": "", "after": "" if found else f"{source.title} is in the cache\n"},
    }
    if found is None and dry_run:
        return {**told, "path": "", "crds": []}
    anew = shelf.trusts_anew(source)
    path = found or shelf.fetch(source)
    chart = read(path)
    wrong = problems(values, chart.readings)
    if wrong:
        raise LabError(
            attempted=f"Check the values for the chart {chart.name} {chart.version}",
            seen="; ".join(wrong),
            cause="Helm ignores what no template reads, so that nothing would happen",
            remedy="Correct these values, or name another version of the chart",
        )
    trusted = f"{source.title} was trusted as it came, with sha256 {path.stem}; this lab takes no other from now on."
    return {
        **told,
        "path": str(path),
        "name": chart.name,
        "version": chart.version,
        "crds": chart.crds,
        "trusted": trusted if anew else "",
    }


def _checked(source: Source, path: Path) -> Path:
    if not path.is_file():
        raise LabError(
            attempted=f"Use the chart {path}",
            seen="It is not a file",
            remedy="Give the archive that `helm package` makes, a URL, an OCI reference, or a name and its repository",
        )
    digest = sha256(path)
    if source.sha256 not in (None, "", digest):
        raise _another(source, digest, str(source.sha256))
    return path


def _another(source: Source, found: str, wanted: str) -> LabError:
    return LabError(
        attempted=f"Have the chart {source.title}",
        seen=f"Its sha256 is {found}, not {wanted}; it was not used",
        cause="A damaged download, a proxy that serves something else, or a release that was replaced",
        remedy="Compare with what the publisher's index.yaml says",
    )


def _pull(source: Source, helm: str, scratch: Path) -> Path:
    options = {"--repo": source.repository, "--version": source.version, "--ca-file": source.ca_path}
    words = [word for name, value in options.items() if value for word in (name, value)]
    # The user's sign-ins to registries stay Helm's; its caches go with the scratch directory.
    environment = {**os.environ, "HELM_CACHE_HOME": f"{scratch}/cache", "HELM_DATA_HOME": f"{scratch}/data"}
    (scratch / "out").mkdir()
    try:
        subprocess.run(
            [helm, "pull", source.chart, "--destination", f"{scratch}/out", *words],
            check=True,
            capture_output=True,
            text=True,
            timeout=_PULL_SECONDS,
            env=environment,
        )
        return next((scratch / "out").glob("*.tgz"))
    except (OSError, subprocess.SubprocessError, StopIteration) as error:
        raise LabError(
            attempted=f"Have Helm pull the chart {source.title}",
            seen=str(getattr(error, "stderr", None) or error).strip(),
            cause="The publisher cannot be reached from here, or has no such chart",
            remedy="Name an archive that you have, or another version or repository",
        ) from error


def read(path: Path) -> Chart:
    """What stands in an archive."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            texts = dict(_members(archive))
        described = yaml.safe_load(texts["Chart.yaml"])
        subcharts = [str(each.get("alias") or each["name"]) for each in described.get("dependencies") or ()]
        templates = [text for name, text in texts.items() if name.startswith("templates/")]
        crds = [body for name, text in sorted(texts.items()) if name.startswith("crds/") for body in _objects(text)]
        readings = Readings.of(yaml.safe_load(texts.get("values.yaml", "")) or {}, templates, subcharts)
        return Chart(described["name"], described["version"], readings, crds)
    except (OSError, tarfile.TarError, yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        raise LabError(attempted=f"Read the chart {path}", seen=f"It is not the archive of a chart: {error}") from error


def _members(archive: tarfile.TarFile) -> list[tuple[str, str]]:
    """Paths below the chart's directory, and texts; binary and very large files are none of a chart's working parts."""
    found = []
    for member in archive:
        file = archive.extractfile(member) if member.isfile() and member.size <= _MEMBER_BYTES else None
        if file:
            found.append((member.name.partition("/")[2], file.read().decode(errors="replace")))
    return found


def _objects(text: str) -> list[dict[str, Any]]:
    return [body for body in yaml.safe_load_all(text) if body]
