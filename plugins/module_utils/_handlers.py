# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""A discovery handler is registered with the agent of this node, as the agent's status socket tells.

A handler that can, registers itself: then this waits for it. One that cannot is registered on its behalf and kept by
the agent over its restarts. Only what was kept can be taken back. Nothing here calls the handler itself, beyond a
connect to its endpoint; a Discover call is made on request and never while a Configuration uses the handler, because
it would disturb that.

An upstream agent has neither a list of its handlers nor a way to forget one: what needs either is refused.
Raises LabError.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

try:
    from edgelab.core.errors import LabError
    from edgelab.service.status import ask
except ImportError:
    pass  # _lab_module.run() says so before anything here is called

_CONNECT_SECONDS = 5.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Wanted:
    """A handler: its name, its endpoint (empty: any), and whether it is to be kept for it; timeout in seconds."""

    name: str
    endpoint: str = ""
    endpoint_type: str = "UDS"
    shared: bool = False
    keep: bool = False
    timeout: float = 30.0


@dataclass(frozen=True)
class Agent:
    """The agent in a run directory."""

    run_dir: Path

    @property
    def socket(self) -> Path:
        """Its status socket."""
        return self.run_dir / "agent.sock"

    def handlers(self) -> list[dict[str, Any]]:
        """What it knows; LabError when it does not answer."""
        return list(self.ask("status").get("handlers", []))

    def ask(self, operation: str, **details: Any) -> dict[str, Any]:
        """Ask it; LabError when it does not answer or refuses."""
        try:
            return ask(self.socket, operation, **details)
        except (OSError, ValueError) as error:
            raise LabError(
                attempted=f"Ask the agent on {self.socket} for its discovery handlers",
                seen=str(error),
                cause="No embedded agent runs there. An upstream agent has no list of its handlers",
                remedy="Run the role edgelab.akri.akri_agent, or look at the upstream agent's log",
            ) from error


def find(handlers: list[dict[str, Any]], wanted: Wanted) -> dict[str, Any] | None:
    """The handler among those known; its kept entry first."""
    named = [entry for entry in handlers if entry["name"] == wanted.name]
    fitting = [entry for entry in named if wanted.endpoint in ("", entry["endpoint"])]
    return next(iter(sorted(fitting, key=lambda entry: not entry["kept"])), None)


def needs_keeping(found: Mapping[str, Any] | None, wanted: Wanted) -> bool:
    """Whether the agent has to be told to keep the handler."""
    return found is None or (found["kept"], found["shared"], found["endpoint_type"]) != (
        True,
        wanted.shared,
        wanted.endpoint_type,
    )


def refusal(found: Mapping[str, Any], wanted: Wanted) -> LabError | None:
    """Why a known handler cannot be taken back, if so."""
    if not found["kept"]:
        return LabError(
            attempted=f"Take back the registration of discovery handler {wanted.name} at {found['endpoint']}",
            seen="It registered itself, and would again",
            remedy="Stop the handler instead",
        )
    return None


def ensure_present(
    agent: Agent,
    wanted: Wanted,
    *,
    dry_run: bool,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """The handler is registered: kept on its behalf, or waited for. Returns changed, diff and the handler."""
    if dry_run and not agent.socket.exists():
        return _result(wanted.keep, None, _described(wanted) if wanted.keep else None)
    found = find(agent.handlers(), wanted)
    if wanted.keep:
        return _ensure_kept(agent, wanted, found, dry_run=dry_run)
    deadline = clock() + wanted.timeout
    while found is None and not dry_run:
        if clock() >= deadline:
            raise _missing(agent.handlers(), wanted)
        sleep(_LOOK_SECONDS)
        found = find(agent.handlers(), wanted)
    return _result(False, found, found)


def _ensure_kept(agent: Agent, wanted: Wanted, found: dict[str, Any] | None, *, dry_run: bool) -> dict[str, Any]:
    if not needs_keeping(found, wanted):
        return _result(False, found, found)
    if dry_run:
        return _result(True, found, {**(found or {}), **_described(wanted)})
    probe(wanted.endpoint, wanted.endpoint_type)
    agent.ask("keep", **{key: value for key, value in _described(wanted).items() if key != "kept"})
    return _result(True, found, find(agent.handlers(), wanted))


def ensure_absent(agent: Agent, wanted: Wanted, *, dry_run: bool) -> dict[str, Any]:
    """The handler is no longer kept on its behalf. Returns changed and diff."""
    if dry_run and not agent.socket.exists():
        return _result(False, None, None)
    found = find(agent.handlers(), wanted)
    if found is None:
        return _result(False, None, None)
    refused = refusal(found, wanted)
    if refused:
        raise refused
    if not dry_run:
        agent.ask("forget", name=found["name"], endpoint=found["endpoint"])
    return _result(True, found, None)


def probe(endpoint: str, endpoint_type: str) -> None:
    """Connect to an endpoint and hang up. LabError when nobody listens."""
    try:
        if endpoint_type == "UDS":
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_CONNECT_SECONDS)
                connection.connect(endpoint)
        else:
            url = urlsplit(endpoint)
            socket.create_connection((url.hostname or "", url.port or 0), timeout=_CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise LabError(
            attempted=f"Connect to the discovery handler at {endpoint} ({endpoint_type})",
            seen=str(error),
            cause="The handler does not run, or listens elsewhere",
            remedy="Start it first, or correct the endpoint",
        ) from error


def check_unused(handlers: list[dict[str, Any]], endpoint: str) -> None:
    """LabError if a Configuration uses the handler at this endpoint: a Discover call would disturb it."""
    users = [user for entry in handlers if entry["endpoint"] == endpoint for user in entry["used_by"]]
    if users:
        raise LabError(
            attempted=f"Call Discover on the handler at {endpoint}",
            seen=f"It is in use by Configuration {', '.join(users)}",
            cause="Another call would disturb it: handlers answer the last caller",
            remedy="Look at the Instances of that Configuration instead, or leave out discover",
        )


def discovered(agent: Agent, handler: Mapping[str, Any], details: str, timeout: float) -> list[str]:
    """Ids of the devices that a handler reports when asked, provided that nobody uses it. LabError otherwise."""
    check_unused(agent.handlers(), handler["endpoint"])
    # Imported here because gRPC is slow to load, and hardly any call needs it.
    from edgelab.agent.endpoints import Endpoint  # noqa: PLC0415
    from edgelab.agent.probe import first_answer  # noqa: PLC0415

    endpoint = Endpoint(handler["name"], handler["endpoint"], handler["endpoint_type"] == "NETWORK")
    return [device.id for device in first_answer(endpoint, details, timeout=timeout)]


def _missing(handlers: list[dict[str, Any]], wanted: Wanted) -> LabError:
    known = ", ".join(f"{entry['name']} at {entry['endpoint']}" for entry in handlers) or "none"
    where = f" at {wanted.endpoint}" if wanted.endpoint else ""
    return LabError(
        attempted=f"Wait {wanted.timeout:g} s for discovery handler {wanted.name}{where} to register with the agent",
        seen=f"Registered: {known}",
        cause="The handler does not run, or cannot register itself",
        remedy="Look at the handler's log; for one that cannot register itself, set keep and its endpoint",
    )


def _described(wanted: Wanted) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "endpoint": wanted.endpoint,
        "endpoint_type": wanted.endpoint_type,
        "shared": wanted.shared,
        "kept": True,
    }


def _result(changed: bool, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    lasting = ("name", "endpoint", "endpoint_type", "shared", "kept")
    shown = [{key: entry[key] for key in lasting if key in entry} if entry else {} for entry in (before, after)]
    return {"changed": changed, "handler": dict(after or {}), "diff": {"before": shown[0], "after": shown[1]}}
