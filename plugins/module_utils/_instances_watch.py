# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Follows several kinds of objects at once: one thread per kind, one stream of what is there now.

The threads are daemons: they end with the module that started them. An error of any of them is raised to the reader.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from ansible_collections.edgelab.akri.plugins.module_utils._kube import Object

Source = Callable[[], Iterable[list[Object]]]
"""Called in a thread of its own; yields all objects of its kind at first and again after each change."""


def together(sources: Mapping[str, Source], *, seconds: float) -> Iterator[dict[str, list[Object]]]:
    """The objects of every source, first when each has told what it has, then after each change, until time is over.

    Yields at least once, unless a source raises.
    """
    news: queue.Queue[tuple[str, list[Object] | Exception]] = queue.Queue()
    for name, source in sources.items():
        threading.Thread(target=_read, args=(name, source, news), daemon=True).start()
    seen: dict[str, list[Object]] = {}
    deadline = time.monotonic() + seconds
    while len(seen) < len(sources) or time.monotonic() < deadline:
        _take(seen, news, None if len(seen) < len(sources) else deadline - time.monotonic())
        if len(seen) == len(sources):
            yield dict(seen)


def _read(name: str, source: Source, news: queue.Queue[tuple[str, list[Object] | Exception]]) -> None:
    try:
        for objects in source():
            news.put((name, objects))
    except Exception as error:  # whatever it is, the reader must hear of it instead of waiting for ever
        news.put((name, error))


def _take(
    seen: dict[str, list[Object]],
    news: queue.Queue[tuple[str, list[Object] | Exception]],
    timeout: float | None,
) -> None:
    try:
        name, objects = news.get(timeout=timeout)
    except queue.Empty:
        return
    if isinstance(objects, Exception):
        raise objects
    seen[name] = objects
