"""Asking a discovery handler once, without an agent: what would it report?"""

import asyncio
import contextlib

from grpclib.exceptions import GRPCError, StreamTerminatedError

from edgelab.agent.endpoints import Endpoint
from edgelab.agent.stream import Question, discover
from edgelab.core.errors import LabError
from edgelab.core.model import Device


def first_answer(endpoint: Endpoint, details: str, *, timeout: float) -> tuple[Device, ...]:
    """The devices in a handler's first answer to these discovery details; blocking, at most `timeout` seconds.

    Raises LabError when the handler refuses the details or does not answer.
    """
    try:
        return asyncio.run(_first(endpoint, Question(details, {}), timeout))
    except (OSError, GRPCError, StreamTerminatedError, TimeoutError) as error:
        raise LabError(
            attempted=f"Call Discover on the handler at {endpoint.address}",
            seen=str(error) or f"No answer within {timeout:g} s",
        ) from error


async def _first(endpoint: Endpoint, question: Question, timeout: float) -> tuple[Device, ...]:
    async with asyncio.timeout(timeout), contextlib.aclosing(discover(endpoint, question)) as snapshots:
        async for devices in snapshots:
            return devices
    raise TimeoutError("It ended the stream without an answer")
