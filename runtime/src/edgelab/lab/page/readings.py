"""What brokers say of their devices, and the last minutes of it. Pure."""

import bisect
import re
from dataclasses import dataclass, field

from edgelab.kube.logs import Said

HISTORY_SECONDS = 300
"""How much of the past the page shows."""

_LINE = re.compile(r"http device (?P<url>\S+) (?:value (?P<value>-?\d{1,15}(?:\.\d{1,9})?)|failed: (?P<failure>.+))")
_LONGEST_FAILURE = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a device: a value, or the reason why there is none; at: seconds since 1970."""

    at: float
    url: str
    value: float | None
    failure: str = ""


def reading(said: Said) -> Reading | None:
    """Read a line of a broker, `http device URL value 42.17` or `http device URL failed: CAUSE`; None for others."""
    found = _LINE.fullmatch(said.text.strip())
    if not found:
        return None
    value, failure = found["value"], found["failure"] or ""
    return Reading(said.at, found["url"], None if value is None else float(value), failure[:_LONGEST_FAILURE])


@dataclass(slots=True)
class History:
    """The readings of one device: the last of all, the last value, and the values of the last minutes.

    Points are (seconds since 1970, value), at most one for each second, oldest first; `broker` is the uid of the Pod
    that said the last.
    """

    last: Reading | None = None
    value: Reading | None = None
    broker: str = ""
    points: list[tuple[float, float]] = field(default_factory=list)

    def add(self, one: Reading, broker: str) -> None:
        """Take a reading; those of several brokers may come in any order."""
        if self.last is None or one.at >= self.last.at:
            self.last, self.broker = one, broker
        if one.value is None:
            return
        if self.value is None or one.at >= self.value.at:
            self.value = one
        self._keep(one.at, one.value)

    def _keep(self, at: float, value: float) -> None:
        place = bisect.bisect(self.points, (at, value))
        if place and int(self.points[place - 1][0]) == int(at):
            self.points[place - 1] = (at, value)
        elif place == len(self.points) or int(self.points[place][0]) != int(at):
            self.points.insert(place, (at, value))
        del self.points[: bisect.bisect_left(self.points, (self.points[-1][0] - HISTORY_SECONDS,))]
