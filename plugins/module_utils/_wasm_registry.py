# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""An OCI registry as the module wasm_artifact needs it: look what is missing, push it, remove a tag.

Every failure is a LabError. A tag is moved only when everything that it will lead to is there.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._wasm_artifact import MANIFEST, Artifact, Step, result

try:
    import requests
    from dxf import DXF
    from dxf.exceptions import DXFError
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

try:
    from edgelab.core.errors import LabError
except ImportError:  # said by _lab_module.run
    LabError = Exception  # type: ignore[assignment,misc]

TIMEOUT = 30.0


class UnreachableError(LabError):
    """Nobody answers at the registry's address."""


@dataclass(frozen=True)
class Address:
    """Where a registry is (HOST:PORT, HTTPS): vouched for by the CA file, or by the system's CAs where None.

    `client` is the certificate and the key that it asks of its clients.
    """

    host: str
    ca: Path | None = None
    client: tuple[Path, Path] | None = None

    @property
    def verify(self) -> str | bool:
        """What vouches for the registry, as `requests` takes it."""
        return str(self.ca) if self.ca else True

    @property
    def files_are_there(self) -> bool:
        """Whether all that it takes to reach the registry exists."""
        return all(path.exists() for path in (self.ca, *(self.client or ())) if path)


def ensure(address: Address, artifacts: Sequence[Artifact], *, dry_run: bool) -> dict[str, Any]:
    """Make the registry have the artifacts as they are; returns the module's result.

    A CA or client certificate that is not there means that there is no registry, and so nothing to remove; in a dry
    run, not yet. A registry that does not answer is in a dry run taken to be as wanted, with a warning.
    """
    unwanted = all(artifact.manifest is None for artifact in artifacts)
    if (dry_run or unwanted) and not address.files_are_there:
        return result(address.host, [Step(artifact, None, artifact.blobs) for artifact in artifacts])
    registry = Registry(address)
    try:
        steps = [registry.look(artifact) for artifact in artifacts]
    except UnreachableError as error:
        if not dry_run:
            raise
        unchanged = [Step(artifact, artifact.digest, ()) for artifact in artifacts]
        return {**result(address.host, unchanged), "warnings": [f"{error} Nothing is known about what it holds."]}
    if not dry_run:
        for step in steps:
            registry.take(step)
    return result(address.host, steps)


class Registry:
    """The registry at an address."""

    def __init__(self, address: Address) -> None:
        self._address = address
        bypass_proxies(address.host)

    def look(self, artifact: Artifact) -> Step:
        """What the artifact lacks."""
        with self._opened(artifact) as repository:
            missing = tuple(blob for blob in artifact.blobs if _head(repository, f"blobs/{blob.digest}") is None)
            return Step(artifact, _head(repository, f"manifests/{artifact.tag}"), missing)

    def take(self, step: Step) -> None:
        """Push or remove what the step needs."""
        if not step.needed:
            return
        artifact, path = step.artifact, f"manifests/{step.artifact.tag}"
        with self._opened(artifact) as repository:
            for blob in step.missing:
                repository.push_blob(data=iter([blob.content]), digest=blob.digest, check_exists=False)
            if artifact.manifest is None:
                # Not del_alias, which removes every tag of the digest.
                request(repository, "delete", path)
            else:
                # Not set_manifest, which wants a mediaType field.
                request(repository, "put", path, data=artifact.manifest, headers={"Content-Type": MANIFEST})

    def _opened(self, artifact: Artifact) -> AbstractContextManager[DXF]:
        attempted = f"Use {artifact.repository}:{artifact.tag} in the registry {self._address.host}"
        return opened(self._address, artifact.repository, attempted)


@contextmanager
def opened(address: Address, repository: str, attempted: str) -> Iterator[DXF]:
    """A repository of a registry, to be asked within the block; what goes wrong there is told as a LabError.

    Public registries that want a token for everybody get one, without a name or password.
    """
    try:
        with DXF(address.host, repository, auth=_sign_in, tlsverify=address.verify, timeout=TIMEOUT) as dxf:
            if address.client:
                # python-dxf has no option for a client certificate.
                dxf._sessions[0].cert = tuple(map(str, address.client))  # noqa: SLF001
            yield dxf
    except requests.exceptions.SSLError as error:
        remedy = (
            "Give the certificate authority of the registry as ca_path, and the certificate that it asks of its "
            "clients as client_certificate and client_key"
        )
        raise LabError(attempted=attempted, seen=str(error), remedy=remedy) from error
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        raise UnreachableError(attempted=attempted, seen=str(error), cause="The registry does not run") from error
    except (requests.exceptions.RequestException, DXFError, OSError) as error:
        raise LabError(attempted=attempted, seen=_told(error)) from error


def _sign_in(dxf: DXF, response: requests.Response) -> None:
    dxf.authenticate(response=response)


def _told(error: Exception) -> str:
    """An error with the registry's own words, which say more than the status."""
    response = getattr(error, "response", None)
    words = "" if response is None else response.text.strip()[:500]
    return f"{str(error) or type(error).__name__} {words}".strip()


def _head(repository: DXF, path: str) -> str | None:
    """The digest that the registry has under a path, or None."""
    try:
        response = request(repository, "head", path, headers={"Accept": MANIFEST})
    except requests.exceptions.HTTPError as error:
        if error.response is not None and error.response.status_code == requests.codes.not_found:
            return None
        raise
    digest: str = response.headers["Docker-Content-Digest"]
    return digest


def request(repository: DXF, method: str, path: str, **details: Any) -> requests.Response:
    """One request below a repository's address. Raises what `requests` and python-dxf raise."""
    # python-dxf has no public way to do a single request with its sign-in and its repository's address.
    response: requests.Response = repository._request(method, path, **details)  # noqa: SLF001
    return response


def bypass_proxies(address: str) -> None:
    """A registry on this machine or on a private network is not behind a proxy, whatever the environment says."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        is_near = ipaddress.ip_address(host).is_private
    except ValueError:
        is_near = host == "localhost"
    if is_near:
        os.environ["no_proxy"] = ",".join(
            filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), host])
        )
