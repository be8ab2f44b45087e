"""What `kubectl logs` asks for, and which text of the log files answers it. Pure, but for reading lines of a file."""

import datetime
import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Stream = Literal["All", "Stdout", "Stderr"]


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The options of a Pod's log, core/v1 PodLogOptions; `since` in the form of the log files' times, empty for all."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    limit: int | None = None
    since: str = ""
    stream: Stream = "All"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log file, `2026-11-21T09:01:31.123456789Z stdout F text`; not `full`: the next one continues it."""

    time: str
    stream: str
    full: bool
    text: bytes


def options(query: Mapping[str, str], now: datetime.datetime) -> LogOptions:
    """Read the query of a request; raises ValueError with the reason for one that the API does not allow."""
    if "sinceSeconds" in query and "sinceTime" in query:
        raise ValueError("at most one of sinceTime or sinceSeconds may be specified")
    stream = query.get("stream", "All")
    if stream not in ("All", "Stdout", "Stderr"):
        raise ValueError(f"stream is {stream!r}, not All, Stdout or Stderr")
    return LogOptions(
        follow=_truth(query, "follow"),
        previous=_truth(query, "previous"),
        timestamps=_truth(query, "timestamps"),
        tail=_number(query, "tailLines", 0),
        limit=_number(query, "limitBytes", 1),
        since=_since(query, now),
        stream=stream,  # type: ignore[arg-type]
    )


def _truth(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false").lower()
    if value not in ("true", "1", "false", "0", ""):
        raise ValueError(f"{name} is {value!r}, not true or false")
    return value in ("true", "1")


def _number(query: Mapping[str, str], name: str, least: int) -> int | None:
    if name not in query:
        return None
    value = query[name]
    if not value.isdecimal() or int(value) < least:
        raise ValueError(f"{name} is {value!r}, not a whole number of at least {least}")
    return int(value)


def _since(query: Mapping[str, str], now: datetime.datetime) -> str:
    seconds = _number(query, "sinceSeconds", 1)
    if seconds is not None:
        return _log_time(now - datetime.timedelta(seconds=seconds))
    if "sinceTime" not in query:
        return ""
    try:
        return _log_time(datetime.datetime.fromisoformat(query["sinceTime"]))
    except ValueError as error:
        raise ValueError(f"sinceTime is {query['sinceTime']!r}, not a time like 2026-11-21T09:01:31Z") from error


def _log_time(when: datetime.datetime) -> str:
    # Without the Z: a prefix of the nanoseconds sorts before them.
    return when.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def parse(line: bytes) -> Entry | None:
    """One line of a log file; None for one that is malformed, such as the last one of a machine that lost power."""
    parts = line.removesuffix(b"\n").split(b" ", 3)
    if len(parts) < 4 or parts[1] not in (b"stdout", b"stderr"):
        return None
    return Entry(parts[0].decode("ascii", "replace"), parts[1].decode(), parts[2].startswith(b"F"), parts[3])


def selected(lines: Iterable[bytes], wanted: LogOptions) -> Iterator[Entry]:
    """The entries of the wanted stream and time."""
    for line in lines:
        entry = parse(line)
        if entry and entry.time >= wanted.since and wanted.stream.lower() in ("all", entry.stream):
            yield entry


def last(entries: Iterable[Entry], count: int) -> Iterable[Entry]:
    """The entries that make up the last lines."""
    kept: deque[Entry] = deque()
    lines = 0
    for entry in entries:
        kept.append(entry)
        lines += entry.full
        unfinished = not entry.full
        while lines + unfinished > count and kept:
            lines -= kept.popleft().full
    return kept


class Renderer:
    """Turns entries into the text that a client gets, up to the limit."""

    def __init__(self, wanted: LogOptions) -> None:
        self._timestamps, self._left = wanted.timestamps, wanted.limit
        self._continues = False

    @property
    def exhausted(self) -> bool:
        """The limit is reached."""
        return self._left == 0

    def text(self, entries: Iterable[Entry]) -> bytes:
        """Text of some more entries."""
        text = b"".join(self._one(entry) for entry in entries)
        if self._left is not None:
            text = text[: self._left]
            self._left -= len(text)
        return text

    def _one(self, entry: Entry) -> bytes:
        prefix = entry.time.encode() + b" " if self._timestamps and not self._continues else b""
        self._continues = not entry.full
        return prefix + entry.text + (b"\n" if entry.full else b"")


class Tail:
    """Reads a growing log file: `lines()` gives the complete lines that are new, through rotations of the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        self._rest = b""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def lines(self) -> Iterator[bytes]:
        """Complete lines since the last call; a line that is still being written is kept for the next one."""
        yield from self._read()
        if self._is_rotated():
            yield from self._read()
            self._file.close()
            self._file, self._rest = self._path.open("rb"), b""
            yield from self._read()

    def _read(self) -> Iterator[bytes]:
        for line in self._file:
            self._rest += line
            if self._rest.endswith(b"\n"):
                whole, self._rest = self._rest, b""
                yield whole

    def _is_rotated(self) -> bool:
        try:
            return not os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False


def rotated(path: Path) -> list[Path]:
    """The rotated part of a log file, where there is one; see seams.PodLogs."""
    before = path.with_name(path.name + ".1")
    return [before] if before.exists() else []


def read(paths: Iterable[Path]) -> Iterator[bytes]:
    """The lines of some files, one after the other."""
    return itertools.chain.from_iterable(_lines(path) for path in paths)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file
