"""Discovery handlers that the agent knows, remembered over its restarts.

A handler is known by its name and endpoint, as in Akri 0.13.26. Each change is written to a file at once; a file that
cannot be read counts as empty, because handlers register again. Registering never fails for a handler that is known
already: it wakes whoever waits for that handler.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edgelab.core.errors import LabError
from edgelab.service.files import write_whole

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a discovery handler listens: a Unix socket's path, or `http://HOST:PORT` if `network`.

    `kept`: it was registered on its behalf and stays known until it is forgotten.
    """

    name: str
    address: str
    network: bool = False
    shared: bool = False
    kept: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What makes an endpoint the same one."""
        return self.name, self.address

    def target(self) -> tuple[str, int] | Path:
        """Host and port, or the path of a socket. Raises LabError for an address that cannot be dialled."""
        if not self.network:
            return self._socket_path()
        url = urlsplit(self.address)
        try:
            host, port = url.hostname, url.port
        except ValueError:
            host = port = None
        if url.scheme != "http" or not host or not port:
            raise self._wrong("http://HOST:PORT")
        return host, port

    def _socket_path(self) -> Path:
        if not self.address.startswith("/"):
            raise self._wrong("the absolute path of a Unix socket")
        return Path(self.address)

    def _wrong(self, expected: str) -> LabError:
        return LabError(
            attempted=f"Use the endpoint of discovery handler {self.name or '(no name)'}",
            seen=f"Its address is {self.address!r}, which is not {expected}",
            remedy="Register it with the right address and endpoint type",
        )


class Endpoints:
    """The known endpoints; `on_change` is called with a handler's name when it registers, changes or is forgotten."""

    def __init__(self, file: Path) -> None:
        self.on_change: Callable[[str], None] = lambda _name: None
        self._file = file
        self._known = {endpoint.key: endpoint for endpoint in _read(file)}

    def all(self) -> list[Endpoint]:
        """Every known endpoint, by name and address."""
        return [self._known[key] for key in sorted(self._known)]

    def of(self, name: str) -> list[Endpoint]:
        """The endpoints of one handler."""
        return [endpoint for endpoint in self.all() if endpoint.name == name]

    def find(self, name: str, address: str) -> Endpoint | None:
        """One endpoint, if it is known."""
        return self._known.get((name, address))

    def register(self, endpoint: Endpoint) -> bool:
        """Know an endpoint from now on; True if that changed anything. What was kept stays kept."""
        before = self._known.get(endpoint.key)
        after = replace(endpoint, kept=endpoint.kept or bool(before and before.kept))
        if after != before:
            self._known[after.key] = after
            self._write()
            log.info("discovery handler %s is at %s (shared: %s)", after.name, after.address, after.shared)
        self.on_change(after.name)
        return after != before

    def forget(self, endpoint: Endpoint) -> None:
        """No longer know an endpoint."""
        if self._known.pop(endpoint.key, None):
            self._write()
            log.info("discovery handler %s at %s is forgotten", endpoint.name, endpoint.address)
            self.on_change(endpoint.name)

    def _write(self) -> None:
        text = json.dumps([asdict(endpoint) for endpoint in self.all()], indent=1)
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._file, text.encode())


def _read(file: Path) -> Iterable[Endpoint]:
    try:
        entries: list[Mapping[str, Any]] = json.loads(file.read_text())
        return [Endpoint(**entry) for entry in entries]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        log.warning("%s is unreadable (%s): handlers are known again when they register", file, error)
        return []
