"""JPEG pictures as V4L2 drivers give them, with more behind them than is theirs. Pure."""

_START = b"\xff\xd8"
_SCAN = b"\xda"
_END = b"\xff\xd9"


def trimmed(picture: bytes) -> bytes:
    """The picture alone; nothing where it was cut short. Raises ValueError for what is no JPEG.

    Drivers give whole buffers at times, with zeros or the rest of older pictures at the end: some webcams always,
    v4l2loopback when it was just opened.
    """
    if not picture.startswith(_START):
        raise ValueError(f"it begins with {picture[:8]!r}")
    # Segments say how long they are, and may have small pictures in them; in the scan behind them, an end is the end.
    at = len(_START)
    while picture[at + 1 : at + 2] not in (_SCAN, b""):
        at += 2 + int.from_bytes(picture[at + 2 : at + 4])
    end = picture.find(_END, at)
    return picture[: end + len(_END)] if end >= 0 else b""
