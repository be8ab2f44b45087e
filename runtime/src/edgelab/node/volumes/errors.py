"""What a Pod asks for and this node cannot give."""

from dataclasses import dataclass

from edgelab.core.errors import LabError


@dataclass(slots=True)
class ConfigError(LabError):
    """A missing or unusable piece of a container's configuration: waiting reason CreateContainerConfigError."""

    __str__ = LabError.__str__


def missing(container: str, what: str) -> ConfigError:
    """An object or key that the specification names does not exist."""
    return ConfigError(
        attempted=f"Configure {container}", seen=f"{what} not found", remedy="Create it; it is looked for"
    )


def unusable(container: str, seen: str, remedy: str = "") -> ConfigError:
    """Something that exists, and that this node cannot give to a module."""
    return ConfigError(attempted=f"Configure {container}", seen=seen, remedy=remedy)
