"""What `kubectl logs` may ask for and what it gets."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import pytest
from edgelab.node.logs import Entry, LogOptions, Renderer, Tail, last, options, parse, read, rotated, selected

NOW = datetime.datetime(2026, 11, 21, 9, 1, 32, tzinfo=datetime.UTC)
LINES = (
    b"2026-11-21T09:01:30.000000001Z stdout F one\n",
    b"2026-11-21T09:01:31.500000000Z stderr F two\n",
    b"2026-11-21T09:01:32.000000000Z stdout P thr\n",
    b"2026-11-21T09:01:32.000000001Z stdout F ee\n",
)


def text(query: dict[str, str], lines: Sequence[bytes] = LINES) -> bytes:
    wanted = options(query, NOW)
    entries = selected(lines, wanted)
    return Renderer(wanted).text(entries if wanted.tail is None else last(entries, wanted.tail))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, b"one\ntwo\nthree\n"),
        ({"tailLines": "1"}, b"three\n"),
        ({"tailLines": "2"}, b"two\nthree\n"),
        ({"tailLines": "0"}, b""),
        ({"tailLines": "99"}, b"one\ntwo\nthree\n"),
        ({"sinceSeconds": "1"}, b"two\nthree\n"),
        ({"sinceTime": "2026-11-21T09:01:31.5Z"}, b"two\nthree\n"),
        ({"sinceTime": "2026-11-21T10:01:32+01:00"}, b"three\n"),
        ({"stream": "Stderr"}, b"two\n"),
        ({"limitBytes": "5"}, b"one\nt"),
        ({"timestamps": "true", "tailLines": "1"}, b"2026-11-21T09:01:32.000000000Z three\n"),
        ({"timestamps": "true", "stream": "Stderr"}, b"2026-11-21T09:01:31.500000000Z two\n"),
    ],
)
def test_text(query: dict[str, str], expected: bytes) -> None:
    assert text(query) == expected


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"tailLines": "-1"}, "tailLines"),
        ({"tailLines": "x"}, "tailLines"),
        ({"limitBytes": "0"}, "limitBytes"),
        ({"sinceSeconds": "0"}, "sinceSeconds"),
        ({"sinceTime": "yesterday"}, "sinceTime"),
        ({"sinceTime": "2026-11-21T09:01:31Z", "sinceSeconds": "1"}, "at most one"),
        ({"follow": "perhaps"}, "follow"),
        ({"stream": "Stdin"}, "stream"),
    ],
)
def test_bad_options_are_refused_by_name(query: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        options(query, NOW)


def test_options_of_a_follow() -> None:
    assert options({"follow": "true", "previous": "1", "tailLines": "3"}, NOW) == LogOptions(
        follow=True, previous=True, tail=3
    )


@pytest.mark.parametrize("line", [b"", b"\n", b"\x00\x00\x00\n", b"2026-11-21T09:01:30Z stdout\n", b"a b c d\n"])
def test_a_malformed_line_is_left_out(line: bytes) -> None:
    assert parse(line) is None
    assert text({}, [line, *LINES[:1]]) == b"one\n"


def test_text_may_be_empty_and_hold_anything() -> None:
    assert parse(b"2026-11-21T09:01:30Z stdout F \n") == Entry("2026-11-21T09:01:30Z", "stdout", True, b"")
    assert text({}, [b"2026-11-21T09:01:30Z stdout F a  \xff b\n"]) == b"a  \xff b\n"


def test_an_unfinished_line_counts_as_one() -> None:
    assert text({"tailLines": "1"}, LINES[:3]) == b"thr"


def test_the_limit_holds_over_several_texts() -> None:
    wanted = LogOptions(limit=6)
    renderer = Renderer(wanted)
    assert renderer.text(selected(LINES[:1], wanted)) == b"one\n"
    assert not renderer.exhausted
    assert renderer.text(selected(LINES[1:], wanted)) == b"tw"
    assert renderer.exhausted


def test_a_tail_gives_complete_lines_only_and_goes_on_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"one\nhal")
    tail = Tail(path)
    assert list(tail.lines()) == [b"one\n"]
    with path.open("ab") as file:
        file.write(b"f\nlast of the old\n")
    path.rename(tmp_path / "0.log.1")
    path.write_bytes(b"first of the new\n")
    assert list(tail.lines()) == [b"half\n", b"last of the old\n", b"first of the new\n"]
    assert list(tail.lines()) == []
    tail.close()
    assert rotated(path) == [tmp_path / "0.log.1"]
    assert next(iter(read(rotated(path)))) == b"one\n"


def test_a_tail_waits_while_the_new_file_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"one\n")
    tail = Tail(path)
    path.rename(tmp_path / "0.log.1")
    assert list(tail.lines()) == [b"one\n"]
    path.write_bytes(b"two\n")
    assert list(tail.lines()) == [b"two\n"]
    tail.close()
