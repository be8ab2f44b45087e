"""The pictures of virtual cameras: the time in them is read back, they move, and no two are alike."""

import io
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from edgelab.lab.cameras.film import film
from edgelab.lab.cameras.stamp import SIZE, read_stamp, stamp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageFilter, ImageStat

NOW = datetime(2026, 11, 21, 20, 30, tzinfo=UTC).timestamp()
VGA = (640, 480)


def picture(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg)).convert("L")


def difference(one: bytes, other: bytes) -> float:
    """The mean difference of the pixels under the caption, of 255."""
    below = (0, 48, *VGA)
    return ImageStat.Stat(ImageChops.difference(picture(one).crop(below), picture(other).crop(below))).mean[0]


def jpeg(image: Image.Image, quality: int) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=quality)
    return encoded.getvalue()


@given(st.integers(0, 2**48 - 1), st.integers(5, 95))
def test_a_time_survives_jpeg_at_any_quality(milliseconds: int, quality: int) -> None:
    image = Image.new("RGB", VGA, (200, 30, 30))
    image.paste(stamp(milliseconds / 1000), (0, 0))
    seen = read_stamp(jpeg(image, quality))
    assert seen is not None
    assert round(seen * 1000) == milliseconds


def test_a_time_survives_being_encoded_again_and_blurred() -> None:
    image = Image.open(io.BytesIO(film(1, VGA)(NOW)))
    for _turn in range(3):
        image = Image.open(io.BytesIO(jpeg(image.filter(ImageFilter.GaussianBlur(0.5)), 40)))
    assert read_stamp(jpeg(image, 40)) == NOW


def test_pictures_without_a_time_or_with_a_damaged_one_have_none() -> None:
    image = Image.new("RGB", VGA, "white")
    assert read_stamp(jpeg(image, 80)) is None
    image.paste(stamp(NOW), (0, 0))
    image.paste("white", (0, 0, SIZE[0] // 2, SIZE[1]))
    assert read_stamp(jpeg(image, 80)) is None


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(OSError, match="cannot identify"):
        read_stamp(b"\xff\xd8 cut off")


@pytest.mark.parametrize("size", [(320, 240), VGA, (1920, 1080)])
def test_a_picture_has_its_size_and_its_time(size: tuple[int, int]) -> None:
    seen = film(3, size)(NOW + 0.123)
    assert Image.open(io.BytesIO(seen)).size == size
    assert read_stamp(seen) == NOW + 0.123


@pytest.mark.parametrize("number", range(1, 5))
def test_pictures_move_all_the_time(number: int) -> None:
    show = film(number, VGA)
    frames = [show(NOW + tick / 10) for tick in range(60)]
    assert all(difference(one, other) > 0.1 for one, other in pairwise(frames))


def test_sixteen_cameras_are_told_apart() -> None:
    frames = [film(number, VGA)(NOW) for number in range(1, 17)]
    assert all(
        ImageStat.Stat(ImageChops.difference(*(Image.open(io.BytesIO(jpeg)) for jpeg in (one, other)))).sum[0] > 100_000
        for place, one in enumerate(frames)
        for other in frames[:place]
    )
