"""Names of images: `registry/repository:tag@digest`. There is no default registry; the default tag is `latest`."""

import re
from dataclasses import dataclass

from edgelab.node.images.errors import ImageError

_REFERENCE = re.compile(
    r"(?:(?P<registry>[a-zA-Z0-9.-]+(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?)/)?"
    r"(?P<repository>[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """An image by name; with a digest the tag is for people only."""

    registry: str
    repository: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")

    def pinned(self, digest: str) -> str:
        """The image id: what exactly a container runs."""
        return f"{self.registry}/{self.repository}@{digest}"


def parse(text: str) -> Reference:
    """Read an image's name. Raises ImageError with the reason InvalidImageName."""
    found = _REFERENCE.fullmatch(text)
    if not found:
        raise _invalid(text, "It is not of the form REGISTRY/REPOSITORY[:TAG][@sha256:DIGEST]")
    registry = found["registry"] or ""
    if not (re.search(r"[.:]", registry) or registry == "localhost"):
        raise _invalid(text, "It names no registry, and this node has no default one")
    return Reference(registry, found["repository"], found["tag"] or "latest", found["digest"] or "")


def _invalid(text: str, seen: str) -> ImageError:
    return ImageError(
        attempted=f"Use the image {text!r}",
        seen=seen,
        remedy="Name a Wasm module with its registry, e.g. 127.0.0.1:5000/hello:v1",
        reason="InvalidImageName",
    )
