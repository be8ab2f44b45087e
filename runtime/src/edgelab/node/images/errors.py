"""Why an image cannot be had, in the words that Kubernetes has for it."""

from dataclasses import dataclass

from edgelab.core.errors import LabError

COMPILER_REFUSED = 3
"""Exit status of the compiler that says: the module itself is at fault."""


@dataclass(slots=True)
class ImageError(LabError):
    """An image that cannot be had; `reason` becomes the container's waiting reason."""

    reason: str = "ErrImagePull"

    # A dataclass would make this a new, argument-only message.
    __str__ = LabError.__str__


def refused(reference: str, seen: str, remedy: str = "") -> ImageError:
    """The registry answered, and what it has must not be used."""
    return ImageError(attempted=f"Pull {reference}", seen=seen, remedy=remedy)


def unsupported(reference: str, seen: str) -> ImageError:
    """The image is none that this node can run; the reason is the node's own word, for kubelets have none."""
    return ImageError(
        attempted=f"Use {reference}",
        seen=seen,
        cause="This node runs WebAssembly modules (WASI preview 1) only",
        remedy="Push a Wasm module, or give the Pod a nodeSelector for a node that runs containers",
        reason="UnsupportedImage",
    )
