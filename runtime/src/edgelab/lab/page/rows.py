"""The rows of the page: what Instances, brokers, their words and the mock devices' plugs come to. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edgelab.agent.slots import holder
from edgelab.controller.model import Broker
from edgelab.core.model import Instance
from edgelab.lab.page.readings import HISTORY_SECONDS, History

ENDPOINT = "AKRI_HTTP_DEVICE_ENDPOINT"
"""Property of an Instance: the URL of its device."""

State = Literal["live", "failing", "stale", "waiting", "unplugged"]


@dataclass(frozen=True, slots=True)
class Plug:
    """A mock device, as its control tells of it; its value is not looked at: that is the brokers' to tell."""

    name: str
    url: str
    plugged: bool


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of an Instance: how many each node uses, and how many are free."""

    used: Mapping[str, int]
    free: int


@dataclass(frozen=True, slots=True)
class BrokerView:
    """A broker as the page shows it."""

    name: str
    node: str
    phase: str


@dataclass(frozen=True, slots=True)
class Row:
    """One device. `id` stays the same while a device comes and goes; `plugged` is None where nobody can unplug it.

    said: the state in words; value: the last one, said by a broker `at` seconds since 1970; history: (at, value).
    """

    id: str
    device: str
    url: str
    plugged: bool | None
    state: State
    said: str
    instance: str = ""
    slots: Slots | None = None
    brokers: tuple[BrokerView, ...] = ()
    value: float | None = None
    at: float | None = None
    history: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """All that is known at a moment; histories by the Instance's name, interval: seconds between readings."""

    instances: Sequence[Instance]
    brokers: Sequence[Broker]
    histories: Mapping[str, History]
    plugs: Sequence[Plug]
    now: float
    interval: float


def endpoint(instance: Instance) -> str:
    """The URL of an Instance's device; empty when it has none."""
    return instance.broker_properties.get(ENDPOINT, "")


def rows(world: World) -> tuple[Row, ...]:
    """Every device: those of mock devices in their order, then the others by URL."""
    plugs = {plug.url: plug for plug in world.plugs}
    order = {url: number for number, url in enumerate(plugs)}
    found = sorted(world.instances, key=lambda one: (order.get(endpoint(one), len(order)), endpoint(one), one.name))
    shown: dict[str, Row] = {}
    for instance in found:
        url = endpoint(instance)
        identity = instance.name if not url else url if url not in shown else f"{url} {instance.name}"
        shown[identity] = _of_instance(identity, instance, plugs.get(url), world)
    for url, plug in plugs.items():
        if url not in shown:
            shown[url] = _without_instance(plug)
    return tuple(sorted(shown.values(), key=lambda row: order.get(row.url, len(order))))


def _without_instance(plug: Plug) -> Row:
    state: State = "waiting" if plug.plugged else "unplugged"
    said = "Plugged in, not discovered yet" if plug.plugged else "Unplugged"
    return Row(plug.url, plug.name, plug.url, plug.plugged, state, said)


def _of_instance(identity: str, instance: Instance, plug: Plug | None, world: World) -> Row:
    active = [one for one in world.brokers if one.instance == instance.name and one.active]
    history = world.histories.get(instance.name, History())
    state, said = _state(active, history, world)
    return Row(
        id=identity,
        device=plug.name if plug else "",
        url=endpoint(instance),
        plugged=plug.plugged if plug else None,
        state=state,
        said=said,
        instance=instance.name,
        slots=slots(instance),
        brokers=tuple(sorted((BrokerView(one.name, one.node, one.phase) for one in active), key=lambda one: one.name)),
        value=history.value.value if history.value else None,
        at=history.value.at if history.value else None,
        history=tuple(point for point in history.points if point[0] >= world.now - HISTORY_SECONDS),
    )


def _state(active: Sequence[Broker], history: History, world: World) -> tuple[State, str]:
    last, phase = history.last, active[0].phase if active else ""
    if last is None:
        return "waiting", f"Waiting for the first value, broker {phase}" if active else "Waiting for a broker"
    if history.broker not in {one.uid for one in active}:
        return "stale", "Stale: its broker is gone" + (f", a new one is {phase}" if active else "")
    if world.now - last.at > 2 * world.interval:
        return "stale", f"Stale: its broker has said nothing for over {2 * world.interval:g} s"
    return ("failing", f"Failing: {last.failure}") if last.failure else ("live", "Live")


def slots(instance: Instance) -> Slots:
    """Who uses the slots of an Instance; Akri 0.13 leaves free ones out of deviceUsage, others have them empty."""
    nodes = [found.node for value in instance.device_usage.values() if (found := holder(value))]
    return Slots({node: nodes.count(node) for node in sorted(set(nodes))}, max(0, instance.capacity - len(nodes)))
