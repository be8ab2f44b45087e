"""What is known of a camera's frames: the newest, how many came of late, and what is wrong. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from edgelab.lab.page.video.told import Told

RATE_SECONDS = 5.0
"""Over how much of the past a frame rate is told."""

_MOST_ARRIVALS = 1000
_AHEAD_SECONDS = 1.0

Clock = Literal["broker", "arrival"]
"""Whose time a frame's is: that of the broker which had it, or that of its arrival here."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture; number: how many came before it and itself; at, arrived: seconds since 1970."""

    jpeg: bytes
    number: int
    at: float
    clock: Clock
    arrived: float


@dataclass(slots=True)
class Record:
    """The newest frame of a camera, and its last problem, empty once a frame came after it.

    since: when reading its broker began, in seconds since 1970; None while nobody reads it.
    """

    frame: Frame | None = None
    problem: str = ""
    since: float | None = None
    _last: tuple[int, float | None] | None = None
    _arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_ARRIVALS))

    def begin(self, now: float) -> None:
        """Its broker is being read from now on."""
        self.since, self.problem = now, ""
        self._arrivals.clear()

    def end(self) -> None:
        """It is not read any more."""
        self.since, self.problem = None, ""

    def take(self, told: Told, now: float) -> bool:
        """Take what the broker told; returns whether there is a new picture."""
        if told.problem:
            self.problem = told.problem
            return False
        if told.sequence and self._last == (told.sequence, told.stamp):
            # Brokers begin each stream with the frame that they have.
            return False
        self._last = (told.sequence, told.stamp)
        self.problem = ""
        at, clock = _time(told, now)
        self.frame = Frame(told.jpeg, self.frames + 1, at, clock, now)
        self._arrivals.append(now)
        return True

    @property
    def frames(self) -> int:
        """How many came in all."""
        return self.frame.number if self.frame else 0

    def rate(self, now: float) -> float | None:
        """Frames a second of late, rounded to a tenth; None where there were too few to tell."""
        while self._arrivals and self._arrivals[0] < now - RATE_SECONDS:
            self._arrivals.popleft()
        if len(self._arrivals) < 2 or self._arrivals[-1] <= self._arrivals[0]:
            return None
        return round((len(self._arrivals) - 1) / (self._arrivals[-1] - self._arrivals[0]), 1)


def _time(told: Told, now: float) -> tuple[float, Clock]:
    # A frame that comes from the future tells that the broker's clock is wrong.
    if told.stamp is None or told.stamp > now + _AHEAD_SECONDS:
        return now, "arrival"
    return told.stamp, "broker"
