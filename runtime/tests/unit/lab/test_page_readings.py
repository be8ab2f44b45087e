"""Lines of brokers and the history that they make."""

import pytest
from edgelab.kube.logs import Said
from edgelab.lab.page.readings import HISTORY_SECONDS, History, Reading, reading
from hypothesis import given
from hypothesis import strategies as st

URL = "http://127.0.0.1:4003/"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"http device {URL} value 42.17", Reading(5, URL, 42.17)),
        (f"http device {URL} value -3\r", Reading(5, URL, -3)),
        (f"http device {URL} failed: Connection refused", Reading(5, URL, None, "Connection refused")),
        (f"http device {URL} failed: {'x' * 999}", Reading(5, URL, None, "x" * 200)),
        (f"http device {URL} value nan", None),
        (f"http device {URL} value 1e400", None),
        (f"http device {URL} value 9{'0' * 400}", None),
        (f"http device {URL} value", None),
        (f"http device {URL} failed: ", None),
        ("http device  value 1.00", None),
        (f"a http device {URL} value 42.17", None),
        ("Reading the device every 10 s", None),
        ("", None),
    ],
)
def test_a_line_is_a_value_a_failure_or_none_of_the_pages_business(text: str, expected: Reading | None) -> None:
    assert reading(Said(5, text)) == expected


def test_a_failure_does_not_take_the_last_value_away() -> None:
    history = History()
    history.add(Reading(1, URL, 7.0), "pod")
    history.add(Reading(2, URL, None, "refused"), "pod")
    assert (history.value, history.last) == (Reading(1, URL, 7.0), Reading(2, URL, None, "refused"))


def test_of_two_brokers_the_later_reading_counts_whichever_is_heard_first() -> None:
    history = History()
    history.add(Reading(12, URL, 2.0), "second")
    history.add(Reading(11, URL, 1.0), "first")
    assert (history.value, history.broker) == (Reading(12, URL, 2.0), "second")
    assert history.points == [(11, 1.0), (12, 2.0)]


@given(st.lists(st.tuples(st.floats(1.7e9, 1.7e9 + 900), st.floats(-9, 9)), min_size=1))
def test_points_are_ordered_one_a_second_and_of_the_last_minutes_whatever_comes(
    said: list[tuple[float, float]],
) -> None:
    history = History()
    for at, value in said:
        history.add(Reading(at, URL, value), "pod")
    seconds = [int(at) for at, _value in history.points]
    assert seconds == sorted(set(seconds))
    assert history.points[-1][0] - history.points[0][0] <= HISTORY_SECONDS
    assert set(history.points) <= set(said)
    assert int(max(said)[0]) == seconds[-1]


def test_a_talkative_broker_takes_no_more_memory() -> None:
    history = History()
    for tick in range(100_000):
        history.add(Reading(1.7e9 + tick / 100, URL, tick), "pod")
    assert len(history.points) == HISTORY_SECONDS + 1
    assert history.points[-1] == (1.7e9 + 999.99, 99_999)
