"""Pull secrets: the credentials for a registry in Secrets of the type kubernetes.io/dockerconfigjson."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name and password for a registry."""

    username: str
    password: str = field(repr=False)


def credentials_for(registry: str, configurations: Iterable[bytes]) -> Credentials | None:
    """The first credentials for a registry among Docker configurations; malformed ones are passed over."""
    for configuration in configurations:
        entry = _entries(configuration).get(registry)
        if isinstance(entry, Mapping) and (found := _credentials(entry)):
            return found
    return None


def _entries(configuration: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(configuration).get("auths", {})
        return {_host(name): entry for name, entry in entries.items()}
    except (ValueError, AttributeError):
        return {}


def _host(name: str) -> str:
    """Docker writes some registries as a URL, e.g. `https://index.docker.io/v1/`."""
    return name.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _credentials(entry: Mapping[str, Any]) -> Credentials | None:
    if entry.get("username"):
        return Credentials(str(entry["username"]), str(entry.get("password", "")))
    try:
        username, found, password = base64.b64decode(entry.get("auth", "")).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return None
    return Credentials(username, password) if found else None
