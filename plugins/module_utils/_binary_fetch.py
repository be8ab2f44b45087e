# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Downloading a program whose digest is known: pinned, recorded at an earlier download, or published beside it.

`UnavailableError` says that there is nothing to be had and another source may be tried. A wrong digest is a LabError:
whoever served that must be looked at, and nothing of it is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ansible.module_utils.urls import open_url
from ansible_collections.edgelab.akri.plugins.module_utils._binary_cache import Record, sha256
from ansible_collections.edgelab.akri.plugins.module_utils._binary_model import Program, published_digest
from ansible_collections.edgelab.akri.plugins.module_utils._files import cannot_write

with contextlib.suppress(ImportError):  # the module says that the runtime is missing
    from edgelab.core.errors import LabError

_SECONDS = 10
_CHUNK = 1 << 20
_CHECKSUM_FILE_BYTES = 1 << 16


class UnavailableError(Exception):
    """Nothing can be downloaded; the text says why."""


def fetch(program: Program, earlier: Record | None, scratch: Path) -> tuple[Path, Record]:
    """Download a program into a scratch directory; returns it with its record."""
    if not program.url:
        raise UnavailableError("no download is known")
    digest = expected_digest(program, earlier)
    served = scratch / f"served-{program.name}"
    found = _download(program.url, served)
    if found != digest:
        raise _wrong_digest(program.url, found, digest)
    path = scratch / program.name
    if urlsplit(program.url).path.endswith(".tar.gz"):
        _take_from_archive(served, program.name, path)
    else:
        served.rename(path)
    return path, Record("download", program.url, sha256(path), published_sha256=digest)


def expected_digest(program: Program, earlier: Record | None) -> str:
    """The digest that a download must have. Raises LabError when the publisher's changed for one version."""
    if program.sha256:
        return program.sha256
    url = program.sha256_url
    if not url:
        raise UnavailableError("no digest is known")
    text = b"".join(_read(url, _CHECKSUM_FILE_BYTES)).decode(errors="replace")
    name = urlsplit(program.url).path.rpartition("/")[2]
    digest = published_digest(text, name)
    if digest is None:
        raise UnavailableError(f"{url} has no digest of {name}")
    if earlier and earlier.published_sha256 not in ("", digest):
        raise _wrong_digest(url, digest, earlier.published_sha256)
    return digest


def _wrong_digest(url: str, found: str, wanted: str) -> LabError:
    return LabError(
        attempted=f"Download {url}",
        seen=f"Its sha256 is {found}, not {wanted}; nothing of it was kept",
        cause="A damaged download, a proxy that serves something else, or a release that was replaced",
        remedy="Try again; if it stays, compare with the publisher's page and name a program you trust",
    )


def _download(url: str, path: Path) -> str:
    digest = hashlib.sha256()
    try:
        file = path.open("wb")
    except OSError as error:
        raise cannot_write(path, error) from error
    with file:
        for chunk in _read(url):
            digest.update(chunk)
            try:
                file.write(chunk)
            except OSError as error:
                raise cannot_write(path, error) from error
    return digest.hexdigest()


def _read(url: str, limit: int | None = None) -> Iterator[bytes]:
    try:
        with open_url(url, timeout=_SECONDS) as response:
            while chunk := response.read(limit or _CHUNK):
                yield chunk
                if limit:
                    return
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"{url}: {error}") from error


def _take_from_archive(archive: Path, name: str, path: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                source = tar.extractfile(member) if member.name.rpartition("/")[2] == name else None
                if source:
                    path.write_bytes(source.read())
                    return
    except tarfile.TarError as error:
        raise UnavailableError(f"the archive cannot be read: {error}") from error
    raise UnavailableError(f"the archive has no {name}")
