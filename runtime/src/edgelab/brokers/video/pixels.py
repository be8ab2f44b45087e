"""Raw pictures of V4L2 devices made JPEG. Pure.

Their formats are known by the four letters that V4L2 gives them; pictures of MJPG and JPEG are JPEG already.
"""

import io
from collections.abc import Callable, Mapping

from PIL import Image

Size = tuple[int, int]

_QUALITY = 80


def encoder(code: str, size: Size) -> Callable[[bytes], bytes] | None:
    """What makes a JPEG of a raw picture, or None for a format that is unknown here.

    It raises ValueError for a picture that has not as many bytes as the format takes.
    """
    read = _RAW.get(code)
    if read is None:
        return None

    def encode(data: bytes) -> bytes:
        encoded = io.BytesIO()
        read(data, size).save(encoded, "JPEG", quality=_QUALITY)
        return encoded.getvalue()

    return encode


def _packed(luma: int, blue: int, red: int) -> Callable[[bytes, Size], Image.Image]:
    """4:2:2 with two pixels in four bytes; where the first of each is."""

    def read(data: bytes, size: Size) -> Image.Image:
        half = (size[0] // 2, size[1])
        return _merged(size, (data[luma::2], size), (data[blue::4], half), (data[red::4], half))

    return read


def _planar(data: bytes, size: Size) -> Image.Image:
    """4:2:0 in three planes."""
    pixels, half = size[0] * size[1], (size[0] // 2, size[1] // 2)
    quarter = half[0] * half[1]
    blue, red = data[pixels : pixels + quarter], data[pixels + quarter : pixels + 2 * quarter]
    return _merged(size, (data[:pixels], size), (blue, half), (red, half))


def _half_planar(data: bytes, size: Size) -> Image.Image:
    """4:2:0 with a plane of brightness, and one of both colours by turns."""
    pixels, half = size[0] * size[1], (size[0] // 2, size[1] // 2)
    colours = data[pixels : pixels + 2 * half[0] * half[1]]
    return _merged(size, (data[:pixels], size), (colours[0::2], half), (colours[1::2], half))


def _merged(size: Size, *planes: tuple[bytes, Size]) -> Image.Image:
    bands = [Image.frombytes("L", of, content) for content, of in planes]
    return Image.merge("YCbCr", [band.resize(size, Image.Resampling.NEAREST) for band in bands])


def _plain(mode: str, raw: str) -> Callable[[bytes, Size], Image.Image]:
    return lambda data, size: Image.frombytes(mode, size, data, "raw", raw)


_RAW: Mapping[str, Callable[[bytes, Size], Image.Image]] = {
    "YUYV": _packed(0, 1, 3),
    "UYVY": _packed(1, 0, 2),
    "YU12": _planar,
    "NV12": _half_planar,
    "RGB3": _plain("RGB", "RGB"),
    "BGR3": _plain("RGB", "BGR"),
    "GREY": _plain("L", "L"),
}
