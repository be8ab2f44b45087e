"""The directory that the proxy shares with one Wasm discovery handler: asking by `in.in`, answers from `out.out`.

The protocol has one `in.in`, so one question is asked at a time; any number of streams may listen to its answers. The
first listener asks anew, which makes the handler answer even if nothing changed: nothing that an earlier proxy left
behind is trusted, and a restarted proxy, handler or agent converges by itself. `out.out` is taken by renaming it, so
that a newer one written meanwhile is not lost, and removed when an agent has it. One that cannot be understood,
perhaps because it is half-written, is left where it is until it changes.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from pathlib import Path

from edgelab.core.errors import LabError
from edgelab.core.model import Device
from edgelab.discovery.file_protocol import INPUT, OUTPUT, MalformedOutputError
from edgelab.discovery.handler import InvalidDetailsError
from edgelab.service.files import write_whole
from edgelab.service.watching import watch_directory

log = logging.getLogger(__name__)

TAKEN = ".out.out.taken"

_LONGEST_SHOWN = 200

Devices = tuple[Device, ...]


class Exchange:
    """The proxy's side of one handler directory.

    `read` understands an `out.out`, raises MalformedOutputError, or InvalidDetailsError for what the handler refuses.
    A stream that asks another question than the present one's waits `patience` seconds for it to end (an agent
    that follows a changed Configuration closes one and opens the other in any order), then it is refused.
    """

    def __init__(self, directory: Path, read: Callable[[bytes], Devices], *, patience: float = 1.0) -> None:
        self._directory = directory
        self._read = read
        self._patience = patience
        self._asked = b""
        self._listeners = 0
        self._latest: Devices | InvalidDetailsError | None = None
        self._complaint = ""
        self._news = asyncio.Event()

    @property
    def listeners(self) -> int:
        """How many streams listen now."""
        return self._listeners

    @property
    def latest(self) -> Devices | None:
        """The handler's last answer to the present listeners; None while it has not answered."""
        return None if isinstance(self._latest, InvalidDetailsError) else self._latest

    async def run(self) -> None:
        """Take answers until cancelled. Raises LabError when the directory cannot be watched or is gone."""
        try:
            with watch_directory(self._directory) as watch:
                while True:
                    if OUTPUT in await watch.changed() and self._listeners:
                        self._take()
        except OSError as error:
            raise LabError(
                attempted=f"Watch the handler's directory {self._directory}",
                seen=str(error),
                remedy="Make the directory again and restart the Wasm handler: it still has the old one mounted",
            ) from error

    async def answers(self, question: bytes) -> AsyncGenerator[Sequence[Device], None]:
        """Ask a question, which is the content of `in.in`, and yield each answer.

        Raises LabError when it cannot ask, InvalidDetailsError when the handler says that it cannot answer that.
        """
        await self._wait_for_turn(question)
        with self._listening(question):
            seen: Devices | None = None
            while True:
                news, latest = self._news, self._latest
                if isinstance(latest, InvalidDetailsError):
                    raise latest
                if latest is not None and latest is not seen:
                    seen = latest
                    yield seen
                    (self._directory / TAKEN).unlink(missing_ok=True)
                else:
                    await news.wait()

    async def _wait_for_turn(self, question: bytes) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while self._listeners and self._asked != question:
                    await self._news.wait()
        if self._listeners and self._asked != question:
            raise LabError(
                attempted=f"Ask the handler in {self._directory} for {_shown(question)}",
                seen=f"Another Configuration asks it for {_shown(self._asked)}",
                cause="A handler that is reached by files is asked one thing at a time",
                remedy="Give both Configurations the same discoveryDetails, or one of them a handler of its own",
            )

    @contextlib.contextmanager
    def _listening(self, question: bytes) -> Iterator[None]:
        if not self._listeners:
            self._ask(question)
        self._listeners += 1
        try:
            yield
        finally:
            self._listeners -= 1
            self._tell_all()

    def _ask(self, question: bytes) -> None:
        self._asked, self._latest = question, None
        try:
            for leftover in (OUTPUT, TAKEN):
                (self._directory / leftover).unlink(missing_ok=True)
            # Not for the owner alone: in a container this is root, while the handler may be of an ordinary user.
            write_whole(self._directory / INPUT, question, mode=0o644)
        except OSError as error:
            raise LabError(attempted=f"Write {self._directory / INPUT}", seen=str(error)) from error
        log.info("asked the handler in %s for %s", self._directory, _shown(question))

    def _take(self) -> None:
        output, taken = self._directory / OUTPUT, self._directory / TAKEN
        try:
            content = output.read_bytes()
            if not content:
                return  # just created: its content is about to come
            self._understand(content)
            output.rename(taken)
            self._latest = self._understand(taken.read_bytes())
        except FileNotFoundError:
            return
        except (MalformedOutputError, OSError) as error:
            self._complain(f"{output} cannot be used until it is written again: {error}")
            return
        self._complaint = ""
        self._tell_all()

    def _understand(self, content: bytes) -> Devices | InvalidDetailsError:
        try:
            return self._read(content)
        except InvalidDetailsError as refusal:
            return refusal

    def _tell_all(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _complain(self, text: str) -> None:
        """Say a thing once, not each time the same file is written."""
        if text != self._complaint:
            log.warning("%s", text)
        self._complaint = text


def _shown(question: bytes) -> str:
    """The beginning of a question, for people."""
    text = question.decode()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
