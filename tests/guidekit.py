"""Runs a guide of docs/guides as its reader would, and compares what it shows with what is seen.

What of a guide is carried out, in order, in one shell; docs/guides/README.md tells writers the same:

```console      after `$ ` a command, continued after `> `; the lines below it are what it prints
```LANG file=P  the content that is written to the file P, as seen from the shell's directory
<!-- do: X -->  what hands do outside of the shell; the caller of `carry_out` gives a function for each X

A guide may be carried out section by section, by its headings `## ...`, with other looks between them.

`...` in a shown line stands for anything, as a whole line for any lines. A command ends with status 0, and what it
prints with a newline. Commands that only look (`kubectl get`, ...) are repeated until they show what the guide shows,
as a reader would; what a command in the background prints is shown under the command at which it comes. A fenced block
of another kind is refused, but for ```text: nobody would notice that it has gone wrong.
"""

import os
import re
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

_FENCE = re.compile(r"```(?P<kind>\w*)(?: file=(?P<file>\S+))?$")
_HEADING = re.compile(r"## (?P<name>.+)$")
_DEED = re.compile(r"<!-- do: (?P<deed>.+) -->$")
_ENDED = re.compile(r"\x1e(\d+)\x1f")
"""What the shell prints after each command: its status between two characters that no program prints."""


_LONGEST = 1200
"""Seconds that a command may take: the longest builds a lab and, where nobody has done so, its control plane."""


_LOOKS = ("kubectl get ", "kubectl logs ", "kubectl describe ")
"""How commands begin that change nothing."""


class GuideError(AssertionError):
    """A guide that cannot be read, or does not tell the truth; says where."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command and the lines that it is to print."""

    line: int
    text: str
    expected: str


@dataclass(frozen=True, slots=True)
class Content:
    """A file that the reader writes."""

    line: int
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that the reader does outside of the shell."""

    line: int
    name: str


Step = Command | Content | Deed


@dataclass(frozen=True, slots=True)
class Heading:
    """The beginning of a section."""

    name: str


def read_sections(guide: Path) -> dict[str, list[Step]]:
    """What a guide tells its reader to do, by its sections; what comes before the first has the name "".

    Raises GuideError as `read_guide` does.
    """
    sections: dict[str, list[Step]] = {"": []}
    for step in _steps(guide, list(enumerate(guide.read_text().splitlines(), start=1))):
        if isinstance(step, Heading):
            sections[step.name] = []
        else:
            list(sections.values())[-1].append(step)
    return sections


def read_guide(guide: Path) -> list[Step]:
    """What a guide tells its reader to do. Raises GuideError for blocks that would not be carried out."""
    return [step for steps in read_sections(guide).values() for step in steps]


def _steps(guide: Path, lines: list[tuple[int, str]]) -> Iterator[Step | Heading]:
    rest = iter(lines)
    for number, line in rest:
        if heading := _HEADING.match(line):
            yield Heading(heading["name"])
        elif deed := _DEED.match(line):
            yield Deed(number, deed["deed"])
        elif line.startswith("```"):
            block = list(_block(guide, number, rest))
            yield from _of_block(guide, number, line, block)


def _block(guide: Path, start: int, rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for number, line in rest:
        if line == "```":
            return
        yield number, line
    raise GuideError(f"{guide}:{start}: the block has no end")


def _of_block(guide: Path, start: int, fence: str, block: list[tuple[int, str]]) -> Iterator[Step]:
    kind = _FENCE.match(fence)
    if kind and kind["file"]:
        yield Content(start, kind["file"], "".join(f"{line}\n" for _, line in block))
    elif kind and kind["kind"] == "console":
        yield from _commands(guide, start, block)
    elif fence != "```text":
        raise GuideError(f"{guide}:{start}: {fence!r} is neither carried out nor ```text")


def _commands(guide: Path, start: int, block: list[tuple[int, str]]) -> Iterator[Command]:
    if not block or not block[0][1].startswith("$ "):
        raise GuideError(f"{guide}:{start}: a console block begins with a command, after `$ `")
    begins = [index for index, (_, line) in enumerate(block) if line.startswith("$ ")]
    for begin, end in zip(begins, [*begins[1:], len(block)], strict=True):
        said = [line for _, line in block[begin:end]]
        words = 1 + next((n for n, line in enumerate(said[1:]) if not line.startswith("> ")), len(said) - 1)
        yield Command(block[begin][0], "\n".join(line[2:] for line in said[:words]), "\n".join(said[words:]))


def agrees(expected: str, seen: str) -> bool:
    """Whether output is what a guide shows, `...` being anything and blanks at the ends of lines nothing.

    A last line without its end is not a line yet: the rest may be on its way.
    """
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else f"{'.*'.join(map(re.escape, line.rstrip().split('...')))}\n"
        for line in expected.splitlines()
    )
    return re.fullmatch(pattern, re.sub(r"[^\S\n]+\n", "\n", seen)) is not None


class Shell:
    """One bash, which keeps its directory, variables and background commands from one command to the next."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, command: str, expected: str, *, within: float, late: float) -> tuple[int | None, str]:
        """Status and output of a command that is to print this; None when it has not ended `within` seconds.

        When it has ended and printed something else, what a command in the background has to add is waited for, `late`
        seconds.
        """
        assert self._process.stdin
        self._process.stdin.write(f"{{ eval {shlex.quote(command)}; }} </dev/null; printf '\\036%s\\037' $?\n".encode())
        self._process.stdin.flush()
        status: int | None = None
        seen, deadline = b"", time.monotonic() + within
        while more := self._read(deadline):
            seen += more
            text = seen.decode(errors="replace")
            if ended := _ENDED.search(text):
                deadline = min(deadline, time.monotonic() + late) if status is None else deadline
                status = int(ended[1])
                if status or agrees(expected, _ENDED.sub("", text)):
                    break
        return status, _ENDED.sub("", seen.decode(errors="replace"))

    def _read(self, deadline: float) -> bytes:
        """What it prints next; nothing when that does not come in time, or never."""
        assert self._process.stdout
        output = self._process.stdout.fileno()
        ready, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
        return os.read(output, 65536) if ready else b""


@contextmanager
def open_shell(directory: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """A shell for the block; what still runs in it then is ended."""
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        cwd=directory,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Shell(process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def carry_out(guide: Path, shell: Shell, deeds: Mapping[str, Callable[[], None]], *, late: float = 60) -> None:
    """Do what a guide tells, step by step. Raises GuideError at the first that does not turn out as it is shown."""
    __tracebackhide__ = True
    carry_out_steps(guide, read_guide(guide), shell, deeds, late=late)


def carry_out_steps(
    guide: Path, steps: Iterable[Step], shell: Shell, deeds: Mapping[str, Callable[[], None]], *, late: float = 60
) -> None:
    """The same for some steps of it."""
    __tracebackhide__ = True
    for step in steps:
        match step:
            case Command(line, text, expected):
                _run(shell, f"{guide}:{line}", text, expected, late)
            case Content(line, file, text):
                _run(shell, f"{guide}:{line}", f"printf %s {shlex.quote(text)} > {shlex.quote(file)}", "", late)
            case Deed(line, name):
                _do(deeds, f"{guide}:{line}", name)


def _run(shell: Shell, place: str, command: str, expected: str, late: float) -> None:
    __tracebackhide__ = True
    deadline = time.monotonic() + late
    looks = command.startswith(_LOOKS)
    while True:
        status, seen = shell.run(command, expected, within=_LONGEST, late=0 if looks else late)
        if status == 0 and agrees(expected, seen):
            return
        if not looks or status is None or time.monotonic() > deadline:
            raise GuideError(_difference(place, command, expected, status, seen))
        time.sleep(0.1)


def _difference(place: str, command: str, expected: str, status: int | None, seen: str) -> str:
    ended = f"has not ended after {_LONGEST} s" if status is None else f"ended with {status}"
    told = "".join(f"\n{title}:\n{indent(text, '    ')}" for title, text in (("shown", expected), ("seen", seen)))
    return f"{place}: $ {command}\n{ended}{told}"


def _do(deeds: Mapping[str, Callable[[], None]], place: str, name: str) -> None:
    __tracebackhide__ = True
    if name not in deeds:
        raise GuideError(f"{place}: nobody knows how to do {name!r}; known: {', '.join(deeds) or 'nothing'}")
    try:
        deeds[name]()
    except AssertionError as error:
        raise GuideError(f"{place}: {name}: {error}") from error
