"""How long to wait before the next try: doubling from a first delay up to a ceiling."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """A capped exponential back-off; all values in seconds."""

    first: float
    ceiling: float

    def delay(self, failures: int) -> float:
        """Wait after the given number of failures in a row (1 or more)."""
        exponent = min(max(failures - 1, 0), 62)
        return min(self.first * float(2**exponent), self.ceiling)
