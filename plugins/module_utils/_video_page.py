# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""See whether cameras show moving pictures, by what a page of cameras gives: two different pictures of each.

Changes nothing. Raises LabError when a camera has not moved at the end of the time; it says what each of them gave.
"""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from ansible_collections.edgelab.akri.plugins.module_utils._frames import jpeg

with contextlib.suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError

_ANSWER_SECONDS = 10
_LARGEST = 1 << 24
_LONGEST_TEXT = 200
_PAUSE = 0.2


class NoPictureError(Exception):
    """Text: what came instead of a picture."""


def fetch(page: str, camera: str) -> bytes:
    """The newest picture of a camera, by the page's URL. Raises NoPictureError."""
    parts = urlsplit(page)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/cameras/{quote(camera)}/frame.jpg")
        response = connection.getresponse()
        body = response.read(_LARGEST)
    except (OSError, http.client.HTTPException) as error:
        raise NoPictureError(f"the page does not answer: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if response.status != HTTPStatus.OK:
        said = body[:_LONGEST_TEXT].decode(errors="replace").strip()
        raise NoPictureError(f"the page answers {response.status}: {said}")
    if not jpeg(body):
        raise NoPictureError(f"{len(body)} bytes came that are no JPEG picture")
    return body


def see_moving(
    page: str,
    cameras: Sequence[str],
    *,
    seconds: float,
    look: Callable[[str, str], bytes] = fetch,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, bytes]:
    """A picture of each camera that differs from one before it; asks until there are such, or raises LabError."""
    deadline = clock() + seconds
    first: dict[str, bytes] = {}
    second: dict[str, bytes] = {}
    while True:
        seen: dict[str, str] = {}
        for camera in (one for one in cameras if one not in second):
            try:
                picture = look(page, camera)
            except NoPictureError as error:
                seen[camera] = str(error)
                continue
            if first.setdefault(camera, picture) == picture:
                seen[camera] = "all pictures that came were the same"
            else:
                second[camera] = picture
        if not seen:
            return second
        if clock() >= deadline:
            raise _still(page, seen, seconds)
        sleep(_PAUSE)


def _still(page: str, seen: dict[str, str], seconds: float) -> LabError:
    return LabError(
        attempted=f"See moving pictures of each camera on {page} within {seconds:g} s",
        seen="; ".join(f"{camera}: {what}" for camera, what in seen.items()),
        remedy=f"Open {page}, which says what it knows of each camera, or look at the logs of brokers and page",
    )
