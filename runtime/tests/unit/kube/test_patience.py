"""Which failures of the API server pass by themselves, and waiting until they have."""

from typing import Any

import httpx2
import pytest
from edgelab.core.backoff import Backoff
from edgelab.kube.client import is_passing, is_unauthorized, until_answered
from lightkube.core.exceptions import ApiError


def refusal(code: int) -> ApiError:
    request = httpx2.Request("GET", "https://127.0.0.1:6443/")
    return ApiError(request, httpx2.Response(code, json={"code": code, "message": "said"}, request=request))


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (httpx2.ConnectError("refused"), True),
        (httpx2.ReadTimeout("slow"), True),
        (refusal(429), True),
        (refusal(500), True),
        (refusal(503), True),
        (refusal(401), False),
        (refusal(403), False),
        (refusal(404), False),
        (refusal(409), False),
    ],
)
def test_failures_that_pass(error: Any, passing: bool) -> None:
    assert is_passing(error) is passing


def test_only_401_means_that_the_identity_is_not_known() -> None:
    assert is_unauthorized(refusal(401))
    assert not is_unauthorized(refusal(403))


async def test_a_request_is_repeated_with_the_back_off_until_it_is_answered() -> None:
    outcomes: list[Any] = [httpx2.ConnectError("refused"), refusal(503), "answer"]
    slept: list[float] = []

    async def call() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return str(outcome)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    assert await until_answered(call, backoff=Backoff(1.0, 8.0), sleep=sleep) == "answer"
    assert slept == [1.0, 2.0]


async def test_a_lasting_no_is_raised_at_once() -> None:
    calls = []

    async def call() -> None:
        calls.append(1)
        raise refusal(403)

    with pytest.raises(ApiError):
        await until_answered(call)
    assert len(calls) == 1
