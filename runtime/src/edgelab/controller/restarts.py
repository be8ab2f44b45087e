"""When a broker that ended may be replaced.

Akri's controller replaces such a broker at once; one that the node refuses each time (UnexpectedAdmissionError) then
makes a storm of Pods. Here the wait doubles with each broker in a row that ended early.
"""

from dataclasses import dataclass

from edgelab.controller.model import Broker
from edgelab.core.backoff import Backoff

LONG_RUN = 600.0
"""Seconds after which a broker that ended counts as having worked: the next failure is a first one again."""


@dataclass(slots=True)
class _Ended:
    uid: str
    at: float
    failures: int


class Restarts:
    """Remembers, for each Instance and node, how many brokers in a row ended early."""

    def __init__(self, backoff: Backoff = Backoff(1.0, 300.0)) -> None:
        self._backoff = backoff
        self._ended: dict[tuple[str, str], _Ended] = {}

    def wait(self, broker: Broker, now: float) -> float:
        """Seconds until this broker, which has ended, may be replaced; 0 or less when that time has come."""
        key = broker.owner_uid, broker.node
        last = self._ended.get(key)
        if last is None or last.uid != broker.uid:
            worked = broker.started > 0 and now - broker.started >= LONG_RUN
            before = last.failures if last and not worked else 0
            last = self._ended[key] = _Ended(broker.uid, now, before + 1)
        return last.at + self._backoff.delay(last.failures) - now

    def forget(self, owner_uid: str) -> None:
        """Drop what is known about an Instance that is gone."""
        for key in [key for key in self._ended if key[0] == owner_uid]:
            del self._ended[key]
