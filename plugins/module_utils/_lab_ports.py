# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Ports of a lab: chosen free once, kept, forced by the user where he wants. Pure but for `is_free`."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

NAMES = (
    "kube_apiserver",
    "etcd_client",
    "etcd_peer",
    "kube_controller_manager",
    "kube_scheduler",
    "registry",
    "node",
    "http_devices",
    "http_page",
    "cameras",
    "video_page",
)
FIRST, LAST = 20000, 29999  # below the range that the kernel gives to clients (32768 and up)


def choose(
    state: Path,
    kept: Mapping[str, int],
    forced: Mapping[str, int],
    free: Callable[[int], bool],
) -> dict[str, int]:
    """A port for each name: the forced one, else the one kept, else the next that is free.

    The search starts at a place that depends on the lab, so that labs do not meet even while one of them is stopped.
    Raises ValueError for a forced port that is none, has an unknown name, or is given twice.
    """
    _check(forced)
    chosen = {name: port for name, port in kept.items() if name in NAMES and port not in forced.values()} | dict(forced)
    candidates = _candidates(state)
    for name in NAMES:
        if name not in chosen:
            chosen[name] = next(port for port in candidates if port not in chosen.values() and free(port))
    return {name: chosen[name] for name in NAMES}


def _candidates(state: Path) -> list[int]:
    count = LAST - FIRST + 1
    start = int.from_bytes(hashlib.blake2b(str(state).encode(), digest_size=4).digest(), "big") % count
    return [FIRST + (start + step) % count for step in range(count)]


def _check(forced: Mapping[str, int]) -> None:
    unknown = sorted(set(forced) - set(NAMES))
    if unknown:
        raise ValueError(f"No port is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name, port in forced.items():
        if not 0 < port < 65536:
            raise ValueError(f"Port {port} of {name} is not between 1 and 65535")
    if len(set(forced.values())) < len(forced):
        raise ValueError(f"Each process needs a port of its own, but these are given: {dict(forced)}")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        # As servers do: a connection that was closed a moment ago does not occupy the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
