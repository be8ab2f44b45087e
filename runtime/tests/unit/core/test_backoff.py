"""Delays double up to the ceiling and never overflow."""

from edgelab.core.backoff import Backoff
from hypothesis import given
from hypothesis import strategies as st


def test_doubles_up_to_the_ceiling() -> None:
    assert [Backoff(1, 10).delay(n) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@given(st.integers(min_value=-5, max_value=10**9))
def test_any_number_of_failures_has_a_delay_within_bounds(failures: int) -> None:
    assert 0.5 <= Backoff(0.5, 30).delay(failures) <= 30
