"""The frame of a long-running process: logging, a graceful end on SIGTERM and SIGINT, errors told in one line."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable

from edgelab.core.errors import LabError

log = logging.getLogger(__name__)


def run_service(main: Callable[[], Awaitable[None]], *, verbose: bool = False) -> int:
    """Run main until it returns or a signal asks it to end (it is cancelled then); returns the exit status.

    A LabError ends the process with status 1 and its text as the last line of the log.
    """
    _set_up_logging(verbose)
    try:
        asyncio.run(_until_told(main))
    except LabError as error:
        log.error("%s", error)
        return 1
    return 0


async def _until_told(main: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(main())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("stopped")
    except BaseExceptionGroup as group:
        raise _first_lab_error(group) from group


def _first_lab_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    told = group.subgroup(LabError)
    while told is not None:
        first = told.exceptions[0]
        if not isinstance(first, BaseExceptionGroup):
            return first
        told = first
    return group


def _set_up_logging(verbose: bool) -> None:
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    # These tell each request; the processes say themselves what they did.
    for chatty in ("httpx2", "httpcore2", "httpx", "httpcore", "hpack", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
