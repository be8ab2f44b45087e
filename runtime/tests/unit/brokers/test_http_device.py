"""Which device a broker was given, what counts as a value, and the lines by which both are told."""

import errno

import pytest
from edgelab.brokers.http_device import LARGEST_ANSWER, Reading, cause_of, given_device, read_value
from edgelab.core.errors import LabError
from hypothesis import given
from hypothesis import strategies as st

NAME = "AKRI_HTTP_DEVICE_ENDPOINT"
URL = "http://192.0.2.1:8081/"


@pytest.mark.parametrize(
    "environment",
    [
        {NAME: URL},
        {f"{NAME}_AAE70C": URL},
        {NAME: URL, f"{NAME}_AAE70C": "http://192.0.2.9/"},
        {f"{NAME}S": "http://192.0.2.9/", f"{NAME}_AAE70C": URL},
    ],
    ids=["an old agent", "one of Akri 0.13", "one that gives both", "beside another variable"],
)
def test_the_device_is_found_whatever_the_agent_calls_it(environment: dict[str, str]) -> None:
    assert given_device({"PATH": "/bin", **environment}) == URL


@pytest.mark.parametrize("environment", [{}, {f"{NAME}S": URL}, {"HTTP": URL}])
def test_a_broker_without_a_device_says_what_to_ask_for(environment: dict[str, str]) -> None:
    with pytest.raises(LabError, match=r"has no AKRI_HTTP_DEVICE_ENDPOINT.*PLACEHOLDER"):
        given_device(environment)


@pytest.mark.parametrize(
    "url", ["", "foo0", "/dev/video0", "ftp://192.0.2.1/", "http://", "http://[::1/", "http://a b/", "http://a/\nx"]
)
def test_what_is_no_url_is_refused_with_what_was_seen(url: str) -> None:
    with pytest.raises(LabError, match="is no URL of http") as refused:
        given_device({NAME: url})
    assert repr(url) in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (b"42.17\n", "42.17"),
        (b"  on\r\n", "on"),
        (b"9" * LARGEST_ANSWER, "9" * LARGEST_ANSWER),
        (b"", None),
        (b" \n", None),
        (b"4 2", None),
        (b"42\n43\n", None),
        (b"42\x00", None),
        ("42 °C".encode(), None),
        (b"9" * (LARGEST_ANSWER + 1), None),
        (b"42" + b" " * LARGEST_ANSWER, None),
    ],
)
def test_a_value_is_one_word(answer: bytes, value: str | None) -> None:
    assert read_value(answer) == value


@given(st.binary(max_size=2 * LARGEST_ANSWER))
def test_no_answer_makes_more_than_one_line(answer: bytes) -> None:
    value = read_value(answer)
    assert value is None or str(Reading(URL, value)).split() == ["http", "device", URL, "value", value]


def test_a_failure_is_told_in_the_words_of_the_contract() -> None:
    assert str(Reading(URL, failure="status 503")) == f"http device {URL} failed: status 503"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TimeoutError(), "no answer within 5 s"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('192.0.2.1', 80)"), "connection refused"),
        (ValueError("two\nlines"), "two lines"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 1000), "x" * 200),
    ],
)
def test_causes_are_short_and_on_one_line(error: Exception, cause: str) -> None:
    assert cause_of(error) == cause
