"""Waiting for something to change in a directory, by inotify instead of polling."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inotify_simple import INotify, flags

_CHANGES = flags.CREATE | flags.CLOSE_WRITE | flags.MOVED_TO | flags.MOVED_FROM | flags.DELETE
_END = flags.IGNORED | flags.UNMOUNT


class DirectoryWatch:
    """The names in one directory that appeared, vanished or were written to their end; see `watch_directory`."""

    def __init__(self, directory: Path, inotify: INotify) -> None:
        self._directory = directory
        self._inotify = inotify
        self._names: set[str] = set()
        self._ended = False
        self._news = asyncio.Event()

    async def changed(self) -> frozenset[str]:
        """Wait until something has changed since the last call; returns the names, each as it may be read now.

        When the kernel could not keep up, every name that is there counts as changed. Raises FileNotFoundError when
        the directory itself is gone.
        """
        await self._news.wait()
        if self._ended:
            raise FileNotFoundError(f"The directory {self._directory} is gone")
        self._news.clear()
        names, self._names = frozenset(self._names), set()
        return names

    def collect(self) -> None:
        """Take what the kernel has to tell; called when there is something."""
        for event in self._inotify.read(timeout=0):
            self._ended |= bool(event.mask & _END)
            if event.mask & flags.Q_OVERFLOW:
                self._names.update(path.name for path in self._directory.iterdir())
            else:
                self._names.add(event.name)
        self._news.set()


@contextmanager
def watch_directory(directory: Path, *, growing: bool = False) -> Iterator[DirectoryWatch]:
    """Watch an existing directory from now until the block ends; nothing that happens in between is missed.

    A name counts when it was created (sockets), written and closed, renamed or removed; with `growing` also at each
    write. Needs a running event loop.
    """
    loop = asyncio.get_running_loop()
    with INotify(nonblocking=True) as inotify:
        inotify.add_watch(directory, _CHANGES | flags.ONLYDIR | (flags.MODIFY if growing else 0))
        watch = DirectoryWatch(directory, inotify)
        loop.add_reader(inotify.fileno(), watch.collect)
        try:
            yield watch
        finally:
            loop.remove_reader(inotify.fileno())
