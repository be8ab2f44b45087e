"""Moving test pictures, in the manner of GStreamer's videotestsrc. Pure: a picture is a function of the time."""

import colorsys
import math
from collections.abc import Callable

from PIL import Image, ImageDraw

Size = tuple[int, int]
Colour = tuple[int, int, int]
Pattern = Callable[[float], Image.Image]
"""The picture at a time in seconds; each call makes one that may be drawn upon."""

_GOLDEN = 0.618034


def pattern(number: int, size: Size) -> tuple[str, Pattern]:
    """The name and the pattern of a camera, numbered from 1; cameras differ in pattern, in colour or in both."""
    make = _PATTERNS[(number - 1) % len(_PATTERNS)]
    return make.__name__, make(size, number * _GOLDEN % 1)


def ball(size: Size, hue: float) -> Pattern:
    """A ball that flies on a closed curve."""
    background = Image.new("RGB", size, _colour(hue, 0.2))
    width, height = size
    radius = height // 8

    def picture(seconds: float) -> Image.Image:
        image = background.copy()
        x = width / 2 + (width / 2 - radius) * math.sin(math.tau * seconds / 4)
        y = height / 2 + (height / 2 - radius) * math.sin(math.tau * seconds / 2.7)
        ImageDraw.Draw(image).circle((x, y), radius, fill=_colour(hue + 0.5, 1))
        return image

    return picture


def smpte(size: Size, hue: float) -> Pattern:
    """Colour bars, and a white one that crosses them."""
    width, height = size
    background = Image.new("RGB", size, _colour(hue, 0.6))
    draw = ImageDraw.Draw(background)
    bars = ((192, 192, 192), (192, 192, 0), (0, 192, 192), (0, 192, 0), (192, 0, 192), (192, 0, 0), (0, 0, 192))
    for number, colour in enumerate(bars):
        left, right = (width * edge // len(bars) for edge in (number, number + 1))
        draw.rectangle((left, 0, right - 1, height * 3 // 4), fill=colour)

    def picture(seconds: float) -> Image.Image:
        image = background.copy()
        left = seconds / 4 % 1 * width
        ImageDraw.Draw(image).rectangle((left, 0, left + width // 32, height), fill="white")
        return image

    return picture


def radar(size: Size, hue: float) -> Pattern:
    """A beam that turns."""
    width, height = size
    radius = height * 2 // 5
    box = (width // 2 - radius, height // 2 - radius, width // 2 + radius, height // 2 + radius)
    background = Image.new("RGB", size, "black")
    ImageDraw.Draw(background).ellipse(box, outline=_colour(hue, 1), fill=_colour(hue, 0.3), width=4)

    def picture(seconds: float) -> Image.Image:
        image = background.copy()
        angle = seconds / 4 % 1 * 360
        ImageDraw.Draw(image).pieslice(box, angle, angle + 30, fill=_colour(hue, 1))
        return image

    return picture


def checkers(size: Size, hue: float) -> Pattern:
    """A chessboard that drifts."""
    width, height = size
    side = height // 6
    board = Image.new("RGB", (width + 2 * side, height + 2 * side), _colour(hue, 0.9))
    draw = ImageDraw.Draw(board)
    for row in range(board.height // side + 1):
        for left in range(row % 2 * side, board.width, 2 * side):
            draw.rectangle((left, row * side, left + side - 1, (row + 1) * side - 1), fill=_colour(hue, 0.2))

    def picture(seconds: float) -> Image.Image:
        offset = int(seconds / 4 % 1 * 2 * side)
        return board.crop((offset, offset, offset + width, offset + height))

    return picture


_PATTERNS: tuple[Callable[[Size, float], Pattern], ...] = (ball, smpte, radar, checkers)


def _colour(hue: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, 0.8, value)
    return round(red * 255), round(green * 255), round(blue * 255)
