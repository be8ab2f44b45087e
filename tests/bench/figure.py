"""One measured thing."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """The samples of one measured thing and their unit, what we aim at and what the original chain did."""

    name: str
    unit: str
    samples: list[float]
    aim: float | None = None
    original: float | None = None

    @property
    def median(self) -> float:
        """Median of the samples."""
        return statistics.median(self.samples)

    def row(self) -> str:
        """One line of the table."""
        aim = f"aim {self.aim:g}" if self.aim is not None else ""
        original = f"original {self.original:g}" if self.original is not None else ""
        several = len(self.samples) > 1
        spread = f"({min(self.samples):.2f}-{max(self.samples):.2f}, n={len(self.samples)})" if several else ""
        return (
            f"{self.name + ' [' + self.unit + ']':<66} {self.median:>8.2f}  {spread:<22} {aim:<9} {original}".rstrip()
        )


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    start = time.monotonic()
    action()
    return time.monotonic() - start
