"""What the page of HTTP devices shows beside its rows, and the numbers for Prometheus."""

from collections import Counter
from dataclasses import dataclass
from typing import get_args

from edgelab.lab.page.live import View, metric
from edgelab.lab.page.rows import Row, State


@dataclass(frozen=True, slots=True)
class Head:
    """What concerns all rows; api, control and limit say in words what is amiss with them, and are empty otherwise.

    interval: seconds between two readings of a broker; api: the API server; control: what plugs devices.
    """

    configuration: str
    namespace: str
    interval: float
    api: str = ""
    control: str = ""
    limit: str = ""


def metrics(view: View[Head, Row], readers: int) -> str:
    """The view in numbers, in Prometheus' text format."""
    states = Counter(row.state for row in view.rows)
    return "".join(
        (
            metric(
                "devices", "Devices on the page by state.", {f'state="{one}"': states[one] for one in get_args(State)}
            ),
            metric("stale", "Devices whose value is old: the broker is silent or gone.", {"": states["stale"]}),
            metric("readers", "Open pages.", {"": readers}),
            metric("api_server_up", "Whether the API server can be followed.", {"": int(not view.head.api)}),
        )
    )
