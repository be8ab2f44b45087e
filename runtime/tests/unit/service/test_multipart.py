"""MJPEG bodies: whatever the pieces they come in, the same pictures; what is none is named and never grows."""

from itertools import pairwise

import pytest
from edgelab.service.multipart import OPENING, STREAM_TYPE, MjpegReader, NotMjpegError, part
from hypothesis import example, given
from hypothesis import strategies as st

BOUNDARY = b"--frame"
# What JPEG data may hold at worst: line ends, and something that begins like a boundary.
SCRAPS = st.lists(st.sampled_from([b"\r\n", b"\n\n", b"--", b"--fram", b"\xff", b"\x00abc", b"Content-Length: 3"]))
PICTURES = SCRAPS.map(lambda scraps: b"\xff\xd8" + b"".join(scraps) + b"\xff\xd9")
TOKENS = st.binary(max_size=3) | st.sampled_from(
    [b"--frame", b"\r\n", b"\n\n", b"Content-Length: 4", b"\xff\xd8", b"\xff\xd9", b"--", b"x" * 150]
)


def pieces(body: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


def read(body: list[bytes], content_type: str = STREAM_TYPE, **limits: int) -> list[bytes]:
    reader = MjpegReader(content_type, **limits)
    return [picture for piece in body for picture in reader.feed(piece)]


@given(st.lists(PICTURES), st.lists(st.integers(min_value=0)))
def test_what_is_written_is_read_in_any_pieces(pictures: list[bytes], cuts: list[int]) -> None:
    assert read(pieces(OPENING + b"".join(map(part, pictures)), cuts)) == pictures


@given(st.lists(PICTURES, min_size=1))
def test_a_picture_is_whole_without_the_next_even_where_lengths_are_not_read(pictures: list[bytes]) -> None:
    body = OPENING
    for count, picture in enumerate(pictures, 1):
        body += part(picture, {"X-Timestamp": "1.5"}).replace(b"Content-Length", b"X-Length", 1)
        assert read([body]) == pictures[:count]


@given(
    st.lists(PICTURES, min_size=1),
    st.lists(st.integers(min_value=0)),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from([b"", b"Content-Type: image/jpeg", b"X-Timestamp: 1.5"]),
    st.binary(max_size=40).filter(lambda padding: BOUNDARY not in padding and b"\xd9" not in padding),
)
@example([b"\xff\xd8\xff\xd9"], [7, 8, 9], b"\r\n", b"", b"")
def test_parts_without_a_length_end_at_the_next_boundary(
    pictures: list[bytes], cuts: list[int], end: bytes, header: bytes, padding: bytes
) -> None:
    head = BOUNDARY + end + (header + end if header else b"") + end
    body = b"".join(head + picture + padding + end for picture in pictures) + BOUNDARY + b"--"
    assert read(pieces(body, cuts)) == pictures


@given(st.lists(TOKENS).map(b"".join), st.lists(st.integers(min_value=0)))
@example(b"--frame\n\n\xff\xd8\xff\xd9--frame\nContent-Length: 99999\n\n", [3])
def test_garbage_is_read_the_same_in_any_pieces(body: bytes, cuts: list[int]) -> None:
    def outcome(cut: list[bytes]) -> list[bytes] | str:
        try:
            return read(cut, largest=200)
        except NotMjpegError as error:
            return str(error)

    assert outcome([body]) == outcome(pieces(body, cuts))


@pytest.mark.parametrize(
    ("content_type", "delimiter"),
    [
        ("multipart/x-mixed-replace; boundary=frame", "--frame"),
        ('Multipart/X-Mixed-Replace;boundary="a b"; charset=x', "--a b"),
        ("multipart/x-mixed-replace; a=b; boundary=--frame", "--frame"),
    ],
)
def test_boundaries_as_cameras_tell_them(content_type: str, delimiter: str) -> None:
    body = f"{delimiter}\r\nContent-Type: image/jpeg\r\ncontent-length: 4\r\n\r\n".encode() + b"\xff\xd8\xff\xd9\r\n"
    assert read([body], content_type) == [b"\xff\xd8\xff\xd9"]


@pytest.mark.parametrize("content_type", ["", "text/html", "multipart/x-mixed-replace", "image/jpeg; boundary=frame"])
def test_what_is_no_stream_of_parts_is_refused(content_type: str) -> None:
    with pytest.raises(NotMjpegError, match="not multipart"):
        MjpegReader(content_type)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"x" * 17000, "no boundary within"),
        (b"--frame\r\n" + b"X: y\r\n" * 3000, "no end of a part's headers within"),
        (b"--frame\r\nContent-Length: 1001\r\n\r\n", "a picture has 1001 bytes, more than 1000"),
        (b"--frame\r\nContent-Length: 9999999999\r\n\r\n", "more than 1000"),
        (b"--frame\r\n\r\n\xff\xd8" + b"x" * 2000, "no end of a picture within 1000"),
        (b"--frame\r\nContent-Length: 5\r\n\r\nhello", "no whole JPEG: b'hello'"),
        (b"--frame\r\n\r\n\xff\xd8 cut off\r\n--frame", "no whole JPEG"),
    ],
)
def test_what_is_no_mjpeg_or_too_large_is_named(body: bytes, reason: str) -> None:
    with pytest.raises(NotMjpegError, match=reason):
        read(pieces(body, list(range(0, len(body), 100))), largest=1000)


def test_nothing_is_read_behind_the_end() -> None:
    body = OPENING + part(b"\xff\xd8\xff\xd9").removesuffix(b"\r\n") + b"--" + part(b"\xff\xd8\xff\xd9")
    assert read([body]) == [b"\xff\xd8\xff\xd9"]
    reader = MjpegReader(STREAM_TYPE)
    reader.feed(body)
    assert [reader.feed(b"x" * 20000) for _turn in range(3)] == [[], [], []]
