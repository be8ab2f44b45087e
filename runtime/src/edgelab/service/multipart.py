"""MJPEG over HTTP: JPEG pictures as the parts of one endless multipart body, written and read.

The reading end is given whatever a camera sends, in any pieces, and keeps one picture of at most LARGEST_FRAME bytes.
"""

import re
from collections.abc import Mapping

STREAM_TYPE = "multipart/x-mixed-replace; boundary=frame"
OPENING = b"--frame\r\n"
"""How a body of STREAM_TYPE begins."""
LARGEST_FRAME = 4_000_000
"""Bytes of a picture; gRPC clients take messages of 4 MiB unless they say otherwise."""

_BOUNDARY = re.compile(r"""multipart/[^;]*;.*\bboundary=(?:"(?P<quoted>[^"]+)"|(?P<plain>[^;\s"]+))""", re.I)
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,10})[ \t]*\r?$", re.I | re.M)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LARGEST_HEADERS = 16 * 1024
_LONGEST_TOLD = 100
_START, _END = b"\xff\xd8", b"\xff\xd9"
"""How a JPEG begins and ends."""


class NotMjpegError(ValueError):
    """What came is no MJPEG; says what it is instead."""


def part(jpeg: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A picture as a part of the body of STREAM_TYPE; headers: those of the part besides its type and length.

    The next boundary comes with it: browsers show a picture when they have seen that.
    """
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()).encode()
    return b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n%b\r\n%b\r\n%b" % (len(jpeg), more, jpeg, OPENING)


class MjpegReader:
    """Cuts the body of a response into its pictures; content_type: that of the response.

    Raises NotMjpegError, when it is made and by `feed`, for what is no MJPEG or has larger pictures than allowed. It
    takes what cameras really send: boundaries that their Content-Type tells with the dashes, parts without a length.
    """

    def __init__(self, content_type: str, *, largest: int = LARGEST_FRAME) -> None:
        boundary = _BOUNDARY.match(content_type)
        if not boundary:
            raise NotMjpegError(f"the answer is {content_type[:_LONGEST_TOLD]!r}, not multipart/x-mixed-replace")
        self._delimiter = b"--" + (boundary["quoted"] or boundary["plain"]).removeprefix("--").encode(errors="replace")
        self._largest = largest
        self._buffer = bytearray()
        self._searched = 0
        self._length = 0
        self._pictures: list[bytes] = []
        self._step = self._find_part

    def feed(self, data: bytes) -> list[bytes]:
        """The pictures that are complete with this piece of the body."""
        self._buffer += data
        while self._step():
            pass
        pictures, self._pictures = self._pictures, []
        return pictures

    # Each step returns whether it is done; if not, it needs more of the body.

    def _find_part(self) -> bool:
        if self._before_delimiter(_LARGEST_HEADERS, "boundary") is None:
            return False
        self._step = self._read_headers
        return True

    def _read_headers(self) -> bool:
        if self._buffer.startswith(b"--"):
            self._step = self._ignore
            return True
        end = _BLANK_LINE.search(self._buffer, 0, _LARGEST_HEADERS)
        if not end:
            self._limit(len(self._buffer), _LARGEST_HEADERS, "end of a part's headers")
            return False
        length = _LENGTH.search(bytes(self._buffer[: end.end()]))
        del self._buffer[: end.end()]
        self._step = self._read_length if length else self._read_to_delimiter
        self._length = int(length[1]) if length else 0
        if self._length > self._largest:
            raise NotMjpegError(f"a picture has {self._length} bytes, more than {self._largest}")
        return True

    def _read_length(self) -> bool:
        if len(self._buffer) < self._length:
            return False
        self._add(bytes(self._buffer[: self._length]))
        del self._buffer[: self._length]
        self._step = self._find_part
        return True

    def _read_to_delimiter(self) -> bool:
        body = self._before_delimiter(self._largest, "end of a picture")
        if body is None:
            return False
        picture, end, _padding = body.rpartition(_END)
        self._add(picture + end)
        self._step = self._read_headers
        return True

    def _ignore(self) -> bool:
        self._buffer.clear()
        return False

    def _before_delimiter(self, most: int, what: str) -> bytes | None:
        found = self._buffer.find(self._delimiter, self._searched)
        if found < 0:
            self._searched = max(0, len(self._buffer) - len(self._delimiter))
            self._limit(len(self._buffer) - len(self._delimiter), most, what)
            return None
        self._limit(found, most, what)
        self._searched = 0
        before = bytes(self._buffer[:found])
        del self._buffer[: found + len(self._delimiter)]
        return before

    def _limit(self, size: int, most: int, what: str) -> None:
        if size > most:
            raise NotMjpegError(f"there is no {what} within {most} bytes")

    def _add(self, picture: bytes) -> None:
        if not picture.startswith(_START):
            raise NotMjpegError(f"a part is no whole JPEG: {picture[:8]!r}...")
        self._pictures.append(picture)
