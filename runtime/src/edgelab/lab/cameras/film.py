"""What one camera sees: its moving pattern, its name and the time for people, and the time for machines."""

import io
from collections.abc import Callable
from datetime import UTC, datetime

from PIL import ImageDraw, ImageFont

from edgelab.lab.cameras.pattern import Size, pattern
from edgelab.lab.cameras.stamp import SIZE, stamp

_QUALITY = 80
_FONT_PIXELS = 20
_CAPTION = SIZE[1] + _FONT_PIXELS + 12
"""Height of what covers the pattern: the stamp, and the line under it."""


def film(number: int, size: Size) -> Callable[[float], bytes]:
    """A function from the time, in seconds since 1970, to the JPEG that the camera of that number shows."""
    name, picture = pattern(number, size)
    font = ImageFont.load_default(_FONT_PIXELS)

    def frame(seconds: float) -> bytes:
        image = picture(seconds)
        image.paste("black", (0, 0, size[0], _CAPTION))
        image.paste(stamp(seconds), (0, 0))
        told = datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S.%f")[:-3]
        line = f"camera {number}  {name}  {told}"
        ImageDraw.Draw(image).text((4, SIZE[1] + 3), line, font=font, fill="white")
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=_QUALITY)
        return encoded.getvalue()

    return frame
