"""What the broker's environment says of how its camera is to be read. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgelab.core.errors import LabError

_MOST_PIXELS = 8192
_MOST_FRAMES = 240


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for, None where nothing was; code: the four letters of V4L2 for a pixel format."""

    frames_per_second: int | None = None
    size: tuple[int, int] | None = None
    code: str | None = None


def read_options(environment: Mapping[str, str]) -> Options:
    """The options of Akri's sample broker; raises LabError for one that cannot be.

    As in the sample, the width or the height alone mean nothing. An empty value is none.
    """
    rate = _number(environment, "FRAMES_PER_SECOND", _MOST_FRAMES)
    width = _number(environment, "RESOLUTION_WIDTH", _MOST_PIXELS)
    height = _number(environment, "RESOLUTION_HEIGHT", _MOST_PIXELS)
    code = environment.get("FORMAT") or None
    if code and not (len(code) == 4 and code.isascii() and code.isprintable()):
        raise _refused("FORMAT", code, "the four letters of a pixel format, such as MJPG or YUYV")
    return Options(rate, (width, height) if width and height else None, code)


def _number(environment: Mapping[str, str], name: str, most: int) -> int | None:
    text = environment.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= most):
        raise _refused(name, text, f"a number from 1 to {most}")
    return int(text)


def _refused(name: str, text: str, wanted: str) -> LabError:
    return LabError(f"Read {name} from the environment", f"{text!r} is not {wanted}")
