"""An HTTP device as its broker sees it: which one the broker was given, and what it says when asked.

Whatever a device does ends in a `Reading` within ANSWER_SECONDS and a few kilobytes of memory: nothing is raised.
"""

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from edgelab.brokers.environment import given_property
from edgelab.core.errors import LabError

ENDPOINT = "AKRI_HTTP_DEVICE_ENDPOINT"
"""Property of a device, and so the variable of its broker: where it is read."""

ANSWER_SECONDS = 5.0
"""How long a device may take, from the name's resolution to the last byte."""

LARGEST_ANSWER = 127
"""Bytes of an answer: a value and the white space around it. The Wasm broker has the same bound."""

_VALUE = re.compile(rb"\s*([!-~]+)\s*")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a device said, or why it said nothing; `str()` is the line by which brokers tell it."""

    url: str
    value: str = ""
    failure: str = ""

    def __str__(self) -> str:
        return f"http device {self.url} {f'failed: {self.failure}' if self.failure else f'value {self.value}'}"


def given_device(environment: Mapping[str, str]) -> str:
    """The URL of the device that this Pod was given. Raises LabError when there is none, or when it is no URL."""
    _property, variable, url = given_property(environment, ENDPOINT)
    if not _is_url(url):
        raise LabError(
            attempted=f"Read the device in {variable}",
            seen=f"{url!r} is no URL of http or https",
            cause="The discovery handler is not the one for HTTP devices",
        )
    return url


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        addressed = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return addressed and text.isprintable() and " " not in text


def read_value(answer: bytes) -> str | None:
    """The one word that an answer is, or None: what else it might hold could not be told on one line."""
    match = _VALUE.fullmatch(answer)
    return match[1].decode() if match and len(answer) <= LARGEST_ANSWER else None


def client() -> aiohttp.ClientSession:
    """What devices are asked with: no proxies, no cookies, a few connections at once."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=4),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        # What was compressed could be of any size.
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    )


async def read_device(session: aiohttp.ClientSession, url: str) -> Reading:
    """Ask a device once. Redirects are not followed: the device is where its Instance says."""
    try:
        async with session.get(url, allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                return Reading(url, failure=f"status {response.status}")
            value = read_value(await _beginning(response.content))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Reading(url, failure=cause_of(error))
    return Reading(url, value) if value else Reading(url, failure="the answer is no value")


async def _beginning(body: aiohttp.StreamReader) -> bytes:
    """As much of a body as tells a value from something else."""
    try:
        return await body.readexactly(LARGEST_ANSWER + 1)
    except asyncio.IncompleteReadError as end:
        return end.partial


def cause_of(error: Exception) -> str:
    """What kept a device or a broker from answering, on one line."""
    if isinstance(error, TimeoutError):
        return f"no answer within {ANSWER_SECONDS:g} s"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return " ".join(str(error).split())[:200] or type(error).__name__
