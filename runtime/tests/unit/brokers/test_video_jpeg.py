"""Where a JPEG picture ends in what a driver gave."""

import io

import pytest
from edgelab.brokers.video.jpeg import trimmed
from PIL import Image


def picture(darkness: int = 1, **how: bool) -> bytes:
    encoded = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").point(lambda level: level // darkness).save(encoded, "JPEG", **how)
    return encoded.getvalue()


SMALL = picture(5)
COMMENT = b"\xff\xfe" + (2 + len(SMALL)).to_bytes(2) + SMALL


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"optimize": True}])
@pytest.mark.parametrize("behind", [b"", b"\0" * 4096, SMALL[100:]], ids=["nothing", "zeros", "an older one"])
def test_what_is_behind_a_picture_is_cut_off(how: dict[str, bool], behind: bytes) -> None:
    whole = picture(**how)
    assert trimmed(whole + behind) == whole


def test_a_picture_in_a_picture_does_not_end_it() -> None:
    outer = SMALL[:2] + COMMENT + SMALL[2:]
    assert trimmed(outer + bytes(9)) == outer


@pytest.mark.parametrize("length", range(2, len(SMALL) - 1, 37))
def test_one_that_is_cut_short_is_nothing(length: int) -> None:
    assert trimmed(SMALL[:length]) == b""


def test_what_is_no_jpeg_is_told() -> None:
    with pytest.raises(ValueError, match="it begins with b'GIF89a'"):
        trimmed(b"GIF89a")
