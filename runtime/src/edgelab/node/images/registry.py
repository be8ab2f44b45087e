"""Talking to a registry: what a tag means, the manifest, the module. Blocking; runs in a thread.

Everything is asked for by digest and checked against it: what does not agree is refused and not kept. Registries are
spoken to with TLS, verified against the lab's CA where one is named for the registry, else against the system's, and
with a client certificate where one is named.
"""

import contextlib
import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from dxf import DXF, exceptions

from edgelab.node.images.credentials import Credentials
from edgelab.node.images.errors import ImageError, refused
from edgelab.node.images.manifest import LARGEST_MANIFEST, Layer
from edgelab.node.images.reference import Reference

_SECONDS = 30.0
"""How long a registry may stay silent."""

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Registries:
    """How to reach registries, by `host:port`: the CA file of each that has its own, and which speak plain HTTP.

    `clients` are the files of the certificate and the key that a registry asks of its clients.
    """

    certificate_authorities: Mapping[str, Path] = field(default_factory=dict)
    clients: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)
    plain_http: frozenset[str] = frozenset()


class Repository:
    """The repository of one image; use it inside `with`."""

    def __init__(self, reference: Reference, registries: Registries, credentials: Credentials | None) -> None:
        self._reference = reference
        self._client = registries.clients.get(reference.registry)
        self._dxf = DXF(
            reference.registry,
            reference.repository,
            auth=_authentication(credentials),
            insecure=reference.registry in registries.plain_http,
            tlsverify=str(registries.certificate_authorities.get(reference.registry) or "") or True,
            timeout=_SECONDS,
        )

    def __enter__(self) -> "Repository":
        self._dxf.__enter__()
        if self._client:
            # python-dxf has no option for a client certificate.
            self._dxf._sessions[0].cert = tuple(map(str, self._client))  # noqa: SLF001
        return self

    def __exit__(self, *details: object) -> None:
        self._dxf.__exit__(*details)

    def resolve(self) -> str:
        """The digest that the reference means now."""
        if self._reference.digest:
            return self._reference.digest
        with _told(self._reference):
            _manifest, response = self._dxf.head_manifest_and_response(self._reference.tag)
            digest = response.headers.get("Docker-Content-Digest", "")
            if digest.startswith("sha256:"):
                return str(digest)
            return _digest(self._dxf.get_manifest_and_response(self._reference.tag)[1].content)

    def manifest(self, digest: str) -> bytes:
        """The manifest with that digest, checked."""
        with _told(self._reference):
            content: bytes = self._dxf.get_manifest_and_response(digest)[1].content
        if len(content) > LARGEST_MANIFEST:
            raise refused(str(self._reference), f"Its manifest has {len(content)} bytes")
        if _digest(content) != digest:
            raise refused(str(self._reference), f"Its manifest has the digest {_digest(content)}, not {digest}")
        return content

    @contextlib.contextmanager
    def module(self, layer: Layer, directory: Path) -> Iterator[Path]:
        """A file with the content of a layer, checked; it is gone after the block."""
        path = directory / f"{uuid.uuid4().hex}.wasm"
        try:
            with _told(self._reference), path.open("wb") as file:
                self._download(layer, file)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _download(self, layer: Layer, file: Any) -> None:
        left, sha256 = layer.size, hashlib.sha256()
        for chunk in self._dxf.pull_blob(layer.digest, chunk_size=_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise refused(str(self._reference), f"Its module is larger than the {layer.size} bytes it states")
            sha256.update(chunk)
            file.write(chunk)
        if f"sha256:{sha256.hexdigest()}" != layer.digest:
            raise refused(str(self._reference), f"Its module does not have the digest {layer.digest}")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _authentication(credentials: Credentials | None) -> Any:
    def authenticate(dxf: Any, response: Any) -> None:
        if credentials:
            dxf.authenticate(credentials.username, credentials.password, actions=["pull"], response=response)
        else:
            dxf.authenticate(actions=["pull"], response=response)

    return authenticate


@contextlib.contextmanager
def _told(reference: Reference) -> Iterator[None]:
    try:
        yield
    except exceptions.DXFDigestMismatchError as error:
        raise refused(str(reference), f"The registry sent something else than was asked for: {error}") from error
    except exceptions.DXFUnauthorizedError as error:
        raise refused(
            str(reference), "The registry refuses access", "Check the image's name and its imagePullSecrets"
        ) from error
    except requests.HTTPError as error:
        answer = error.response
        seen = f"The registry answered {answer.status_code} {answer.reason}" if answer is not None else str(error)
        raise refused(str(reference), seen, "Check that the image was pushed under this name") from error
    except (requests.RequestException, exceptions.DXFError, OSError) as error:
        raise ImageError(attempted=f"Pull {reference}", seen=f"{type(error).__name__}: {error}") from error
