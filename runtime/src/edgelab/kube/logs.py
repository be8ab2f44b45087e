"""Following what a Pod's container says, through the API server's log endpoint."""

import datetime
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.resources.core_v1 import PodLog

_LONGEST_LINE = 4096
"""Bytes of a line that are kept, its time included; a container may write lines of any length."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line of a log; at: seconds since 1970."""

    at: float
    text: str


async def follow_log(
    client: AsyncClient, namespace: str, pod: str, *, tail: int, since: float | None = None, silence: float
) -> AsyncGenerator[Said, None]:
    """The last lines of a Pod's only container, then each new one until the container ends.

    tail: how many lines at first; since: leave out what was said until then, seconds since 1970. Raises
    httpx2.HTTPError, of which lightkube's ApiError is one: also when nothing was said for `silence` seconds, because a
    connection can be lost without a word.
    """
    layer: Any = client._client  # noqa: SLF001 - lightkube's own `log` knows no sinceTime
    params = {"follow": "true", "timestamps": "true", "tailLines": tail, "sinceTime": _rfc3339(since)}
    request = layer.prepare_request("get", PodLog, name=pod, namespace=namespace, params=params)
    request.timeout = httpx2.Timeout(30, read=silence)
    response = await layer.send(layer.build_adapter_request(request), stream=True)
    try:
        if response.is_error:
            await response.aread()
        layer.raise_for_status(response)
        cutter = LineCutter()
        async for chunk in response.aiter_bytes():
            for line in cutter.feed(chunk):
                said = parse_line(line)
                # A kubelet gets sinceTime in whole seconds and repeats the rest of that second.
                if said and (since is None or said.at > since):
                    yield said
    finally:
        await response.aclose()


class LineCutter:
    """Cuts a stream of bytes into lines; what is too long of a line is dropped, also while it arrives."""

    def __init__(self, longest: int = _LONGEST_LINE) -> None:
        self._longest = longest
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that end in this chunk, without their ends."""
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            yield (self._rest + part)[: self._longest]
            self._rest = b""
        self._rest = (self._rest + rest)[: self._longest]


def parse_line(line: bytes) -> Said | None:
    """Read `2026-11-21T09:01:31.123456789Z text`; None for what does not begin with a time."""
    time, _space, text = line.decode(errors="replace").partition(" ")
    try:
        at = datetime.datetime.fromisoformat(time)
    except ValueError:
        return None
    return Said(at.timestamp(), text) if at.tzinfo else None


def _rfc3339(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
