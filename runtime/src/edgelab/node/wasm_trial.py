"""Trying a Wasm module on this machine, without cluster, node or agent: it runs as a container of the node would.

A discovery handler can be asked as the proxy asks it, by the files in its directory. In the end nothing is left but
what the module wrote into directories that it was given.
"""

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgelab.core.errors import LabError
from edgelab.core.model import Device
from edgelab.discovery.exchange import Exchange
from edgelab.discovery.file_protocol import read_output
from edgelab.node.containers.alone import SPEC
from edgelab.node.containers.records import ContainerSpec, Exit, RunDirectory, now
from edgelab.node.images.errors import ImageError
from edgelab.node.images.store import compile_file

MakeSpec = Callable[[str, str], ContainerSpec]
"""Says how to run a module, given the directory of the run and the compiled module."""


class Trial:
    """A compiled module that can be run; `prepare` makes one. `end` is how it ended by itself, if it did."""

    def __init__(self, directory: Path) -> None:
        self.end: Exit | None = None
        self._run = RunDirectory(directory)
        self._argv = [sys.executable, "-m", "edgelab.node.containers.alone", str(directory), str(os.getpid())]

    def run(self) -> None:
        """Run the module to its end, with this process's output; blocking. Ctrl-C ends it and is raised."""
        with subprocess.Popen(self._argv) as process:
            try:
                self.end = self._ended(process.wait())
            except KeyboardInterrupt:
                process.terminate()
                process.wait()
                raise

    async def answers(
        self, handler: Path, question: bytes, say: Callable[[str], None]
    ) -> AsyncGenerator[Sequence[Device], None]:
        """Run the module and ask it as the proxy does, by files in the directory `handler`, until it ends.

        `say` takes the lines that it writes. Raises LabError when the directory cannot be used, InvalidDetailsError
        when the handler refuses the question.
        """
        exchange = Exchange(handler, functools.partial(read_output, quoted=False))
        async with contextlib.AsyncExitStack() as needed:
            process, output = await needed.enter_async_context(_running(self._argv))
            telling = await needed.enter_async_context(_while_needed(_pass_on(output, say)))
            watching = await needed.enter_async_context(_while_needed(exchange.run()))
            answers = await needed.enter_async_context(contextlib.aclosing(exchange.answers(question)))
            while (devices := await _next(answers, telling, watching)) is not None:
                yield devices
            self.end = self._ended(await process.wait())

    def _ended(self, status: int) -> Exit:
        """The module's own record, or what the system says of a process that left none."""
        by_signal = f"Ended by {signal.Signals(-status).name}" if status < 0 else ""
        code = 128 - status if status < 0 else status
        return self._run.exit() or Exit(code, "Error", now(), by_signal)


@contextlib.contextmanager
def prepare(module: Path, make_spec: MakeSpec) -> Iterator[Trial]:
    """Compile a module, and keep what it takes to run it while the block runs.

    Raises LabError when it is no module that can run here.
    """
    if not module.is_file():
        raise LabError(attempted=f"Run {module}", seen="There is no such file")
    with TemporaryDirectory(prefix="edgelab-wasm-") as directory:
        compiled = Path(directory) / "module.cwasm"
        try:
            compile_file(str(module), module, compiled)
        except ImageError as error:
            raise LabError(attempted=f"Run {module}", seen=error.seen) from error
        (Path(directory) / SPEC).write_text(make_spec(directory, str(compiled)).to_json())
        yield Trial(Path(directory))


@contextlib.asynccontextmanager
async def _running(argv: Sequence[str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamReader]]:
    process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def _while_needed(work: Coroutine[Any, Any, None]) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _next(
    answers: AsyncGenerator[Sequence[Device], None], *others: "asyncio.Task[None]"
) -> Sequence[Device] | None:
    """The next answer; None when another task ended before. Raises what that failed with."""
    answer = asyncio.ensure_future(anext(answers))
    try:
        await asyncio.wait([answer, *others], return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        for each in others:
            if each.done():
                each.result()
        return None
    finally:
        answer.cancel()
        await asyncio.wait([answer])


async def _pass_on(output: asyncio.StreamReader, say: Callable[[str], None]) -> None:
    while line := await _line(output):
        say(line.decode(errors="replace").removesuffix("\n"))


async def _line(output: asyncio.StreamReader) -> bytes:
    """The next line, or the beginning of one that is too long; empty at the end."""
    try:
        return await output.readuntil()
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await output.read(error.consumed)
