# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Waiting for what takes its time: looked at again and again with back-off, until it is so or time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

with suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.backoff import Backoff

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, and between which delays to look again; the clock can be a test's."""

    seconds: float
    first: float = 1
    ceiling: float = 10
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait(self, look: Callable[[], T], until: Callable[[T], bool]) -> T:
        """The first value that `until` takes, or, when time is over, the one that was seen last."""
        backoff = Backoff(self.first, self.ceiling)
        deadline = self.monotonic() + self.seconds
        tries = 0
        while not until(seen := look()) and self.monotonic() < deadline:
            tries += 1
            self.sleep(backoff.delay(tries))
        return seen
