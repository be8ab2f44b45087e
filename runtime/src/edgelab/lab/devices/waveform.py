"""What mock devices measure: a slow curve of its own for each. Pure: a function of the number and of the time."""

import math
from collections.abc import Callable, Sequence

_SHAPES: Sequence[Callable[[float], float]] = (
    math.sin,
    lambda x: math.asin(math.sin(x)) * 2 / math.pi,  # a triangle
    lambda x: math.tanh(2 * math.sin(x)),  # rounded steps
    lambda x: (x / math.pi) % 2 - 1,  # a saw
    lambda x: math.sin(x) * math.cos(3 * x),  # a beat
    lambda x: (math.sin(x) + math.sin(math.e * x)) / 2,  # never the same twice
    lambda x: 1 - 2 * abs(math.sin(x)),  # a bouncing ball
)


def measured(number: int, seconds: float) -> float:
    """The value of a device at a time, rounded to two decimals; number: 1 or more, seconds: since 1970.

    Devices differ in level (10 apart), in the width of the curve, in its period (2 to 5 minutes) and in its shape.
    """
    shape = _SHAPES[(number - 1) % len(_SHAPES)]
    period = 120 + (number * 37) % 180
    width = 2 + number % 3
    return round(10 * (number + 1) + width * shape(2 * math.pi * seconds / period), 2)
