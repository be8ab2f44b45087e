"""Lines of a Pod's log: cut from the stream whatever its chunks, bounded, and read with their times."""

import pytest
from edgelab.kube.logs import LineCutter, Said, parse_line
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.binary(max_size=9)), st.integers(1, 5))
def test_chunks_do_not_matter(chunks: list[bytes], longest: int) -> None:
    cutter = LineCutter(longest)
    lines = [line for chunk in chunks for line in cutter.feed(chunk)]
    assert lines == [line[:longest] for line in b"".join(chunks).split(b"\n")[:-1]]


def test_a_line_without_end_takes_no_memory() -> None:
    cutter = LineCutter(10)
    assert not [line for _turn in range(1000) for line in cutter.feed(b"x" * 1000)]
    assert len(cutter._rest) == 10


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"1970-01-01T00:00:01Z hello world", Said(1, "hello world")),
        (b"1970-01-01T00:00:01.123456789Z x", Said(1.123456, "x")),
        (b"1970-01-01T01:00:01.5+01:00 x", Said(1.5, "x")),
        (b"1970-01-01T00:00:01Z ", Said(1, "")),
        (b"1970-01-01T00:00:01Z \xff", Said(1, "\ufffd")),
        (b"1970-01-01T00:00:01 no zone", None),
        (b"unable to retrieve container logs", None),
        (b"", None),
    ],
)
def test_a_line_begins_with_its_time(line: bytes, said: Said | None) -> None:
    assert parse_line(line) == said
