"""The time in a picture, for machines: two rows of black and white cells in its upper left corner.

64 cells, most significant bit first, white for 1: 48 bits of milliseconds since 1970 and 16 bits that check them. A
cell is a block of JPEG by itself, so that neither compression nor what is drawn beside it blurs it; and to read the
cells it takes no more of the picture than each block's mean.
"""

import binascii
import io

from PIL import Image

CELL = 8
"""Pixels of a cell's side, and of a block of JPEG."""

_COLUMNS, _ROWS = 32, 2
SIZE = (_COLUMNS * CELL, _ROWS * CELL)
"""Width and height of the stamp."""


def stamp(seconds: float) -> Image.Image:
    """The picture of a time, in seconds since 1970; to be pasted at (0, 0)."""
    content = round(seconds * 1000).to_bytes(6)
    checked = content + binascii.crc_hqx(content, 0).to_bytes(2)
    return Image.frombytes("1", (_COLUMNS, _ROWS), checked).resize(SIZE, Image.Resampling.NEAREST)


def read_stamp(jpeg: bytes) -> float | None:
    """The time in a picture, in seconds since 1970, or None where it has none that can be read.

    Raises OSError when the bytes are no picture at all.
    """
    with Image.open(io.BytesIO(jpeg)) as image:
        full = image.width
        image.draft("L", (image.width // CELL, image.height // CELL))
        scale = full // image.width
        cells = image.convert("L").crop((0, 0, SIZE[0] // scale, SIZE[1] // scale)).reduce(CELL // scale)
    checked = cells.convert("1", dither=Image.Dither.NONE).tobytes()
    content, check = checked[:6], checked[6:]
    return int.from_bytes(content) / 1000 if check == binascii.crc_hqx(content, 0).to_bytes(2) else None
