# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""See whether a video device delivers frames, by reading two of them as any program would."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_LARGEST = 1 << 24
_BEGIN, _END = b"\xff\xd8", b"\xff\xd9"
_PAUSE = 0.2


def jpeg(data: bytes) -> bytes:
    """The one JPEG picture that a frame begins with; empty when it does not begin with a whole one.

    What follows it is what the driver's buffer held before. Within a picture its end marker cannot stand.
    """
    end = data.find(_END)
    return data[: end + len(_END)] if data.startswith(_BEGIN) and end > 0 else b""


def read_frame(device: Path) -> bytes:
    """The newest frame. Raises OSError while there is none, for nobody streams.

    v4l2loopback gives frames to plain reads, but does not say in a poll that there are any; so this does not wait.
    """
    descriptor = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(descriptor, _LARGEST)
    finally:
        os.close(descriptor)


def see(
    device: Path,
    *,
    seconds: float,
    moving: bool,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    frame: Callable[[Path], bytes] = read_frame,
) -> str:
    """Read until two pictures were seen, different ones where the picture moves; returns what was seen instead."""
    deadline = clock() + seconds
    pictures: list[bytes] = []
    seen = "none came"
    while clock() < deadline:
        try:
            data = frame(device)
        except OSError as error:  # the stream has not begun, or begins anew
            seen = os.strerror(error.errno or 0)
        else:
            picture = jpeg(data)
            if picture and not (moving and picture in pictures):
                pictures.append(picture)
            seen = _told(data, picture, moving=moving)
        if len(pictures) == 2:
            return ""
        sleep(_PAUSE)
    return seen


def _told(data: bytes, picture: bytes, *, moving: bool) -> str:
    if not picture:
        return f"{len(data)} bytes came that are no JPEG picture"
    return "all pictures that came were the same" if moving else "one picture came"
