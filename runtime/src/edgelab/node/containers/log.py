"""The log of a container, in the format of the Container Runtime Interface: time, stream, F or P, text.

A line that is longer than 16 KiB is written in parts (P) and ends with a full one (F). At 10 MiB the file is renamed
to `NAME.1`, replacing an earlier one, and a new file begins. When the disk is full, lines are lost and the container
goes on.
"""

import time
from pathlib import Path

LONGEST_LINE = 16 * 1024
"""Bytes of text per log line, as containerd splits them."""

ROTATE_AT = 10 * 1024 * 1024
"""Bytes after which a new file begins, as kubelets do (containerLogMaxSize)."""


class ContainerLog:
    """Writes what a container says; streams are named `stdout` and `stderr`."""

    def __init__(self, path: Path, *, rotate_at: int = ROTATE_AT) -> None:
        self._path, self._rotate_at = path, rotate_at
        self._pending: dict[str, bytes] = {}
        self._open()

    def write(self, stream: str, text: bytes) -> None:
        """Write every line that is complete with this text; the rest waits for its end."""
        *lines, rest = (self._pending.get(stream, b"") + text).split(b"\n")
        written = [entry for line in lines for entry in self._entries(stream, line)]
        while len(rest) > LONGEST_LINE:
            written.append(_entry(stream, b"P", rest[:LONGEST_LINE]))
            rest = rest[LONGEST_LINE:]
        self._pending[stream] = rest
        self._append(b"".join(written))

    def close(self) -> None:
        """Write what had no line end, as a part; nothing can be written afterwards."""
        self._append(b"".join(_entry(stream, b"P", rest) for stream, rest in self._pending.items() if rest))
        self._file.close()

    def _entries(self, stream: str, line: bytes) -> list[bytes]:
        pieces = [line[at : at + LONGEST_LINE] for at in range(0, len(line), LONGEST_LINE)] or [b""]
        return [*(_entry(stream, b"P", piece) for piece in pieces[:-1]), _entry(stream, b"F", pieces[-1])]

    def _append(self, entries: bytes) -> None:
        if not entries:
            return
        try:
            if self._size + len(entries) > self._rotate_at and self._size:
                self._rotate()
            self._size += self._file.write(entries) or 0
        except OSError:
            return

    def _rotate(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._open()

    def _open(self) -> None:
        self._file = self._path.open("ab", buffering=0)
        self._path.chmod(0o600)
        self._size = self._path.stat().st_size


def _entry(stream: str, tag: bytes, text: bytes) -> bytes:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return b"%s.%09dZ %s %s %s\n" % (moment.encode(), nanoseconds, stream.encode(), tag, text)
