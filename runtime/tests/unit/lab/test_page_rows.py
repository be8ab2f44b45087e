"""What Instances, brokers, their words and plugs come to on the page."""

from dataclasses import replace

import pytest
from edgelab.controller.model import Broker
from edgelab.core.model import Instance
from edgelab.lab.page.readings import HISTORY_SECONDS, History, Reading
from edgelab.lab.page.rows import BrokerView, Plug, Row, Slots, World, rows, slots

URL = "http://127.0.0.1:4003/"
NOW = 1000.0


def instance(url: str = URL, name: str = "akri-http-1", **fields: object) -> Instance:
    spec = {
        "capacity": 2,
        "configurationName": "akri-http",
        "brokerProperties": {"AKRI_HTTP_DEVICE_ENDPOINT": url} if url else {},
        **fields,
    }
    return Instance.from_dict({"metadata": {"name": name, "namespace": "default", "uid": name}, "spec": spec})


def broker(uid: str = "pod", phase: str = "Running", of: str = "akri-http-1", **meta: object) -> Broker:
    labels = {"akri.sh/instance": of, "akri.sh/configuration": "akri-http", "akri.sh/target-node": "wasi"}
    return Broker.read(
        {
            "metadata": {"name": f"broker-{uid}", "namespace": "default", "uid": uid, "labels": labels, **meta},
            "status": {"phase": phase},
        }
    )


def heard(at: float = NOW - 3, *, broker: str = "pod", failure: str = "") -> History:
    """A value, and if it failed since then why."""
    history = History()
    history.add(Reading(at, URL, 42.17), broker)
    if failure:
        history.add(Reading(at + 1, URL, None, failure), broker)
    return history


WORLD = World([instance()], [broker()], {"akri-http-1": heard()}, [Plug("3", URL, True)], NOW, 10)


def only(world: World) -> Row:
    (row,) = rows(world)
    return row


def test_a_row_tells_all_there_is_to_know_of_a_device() -> None:
    assert only(WORLD) == Row(
        id=URL,
        device="3",
        url=URL,
        plugged=True,
        state="live",
        said="Live",
        instance="akri-http-1",
        slots=Slots({}, 2),
        brokers=(BrokerView("broker-pod", "wasi", "Running"),),
        value=42.17,
        at=NOW - 3,
        history=((NOW - 3, 42.17),),
    )


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        ({"histories": {"akri-http-1": heard(NOW - 20)}}, "live", "Live"),
        (
            {"histories": {"akri-http-1": heard(NOW - 20.1)}},
            "stale",
            "Stale: its broker has said nothing for over 20 s",
        ),
        (
            {"histories": {"akri-http-1": heard(NOW - 3)}, "interval": 1},
            "stale",
            "Stale: its broker has said nothing for over 2 s",
        ),
        ({"histories": {"akri-http-1": heard(failure="refused")}}, "failing", "Failing: refused"),
        ({"histories": {"akri-http-1": heard(NOW - 30, failure="refused")}}, "stale", "Stale: its broker has said"),
        ({"brokers": []}, "stale", "Stale: its broker is gone"),
        ({"brokers": [broker(deletionTimestamp="2026-11-21T09:01:31Z")]}, "stale", "Stale: its broker is gone"),
        ({"brokers": [broker(phase="Failed")]}, "stale", "Stale: its broker is gone"),
        ({"brokers": [broker("new", "Pending")]}, "stale", "Stale: its broker is gone, a new one is Pending"),
        ({"brokers": [broker("new"), broker()]}, "live", "Live"),
        ({"brokers": [broker(of="akri-http-2")]}, "stale", "Stale: its broker is gone"),
    ],
)
def test_the_last_value_stays_whatever_becomes_of_its_broker(change: dict[str, object], state: str, said: str) -> None:
    row = only(replace(WORLD, **change))  # type: ignore[arg-type]
    assert (row.state, row.said[: len(said)]) == (state, said)
    assert row.value == 42.17


@pytest.mark.parametrize(
    ("brokers", "said"),
    [
        ([], "Waiting for a broker"),
        ([broker(phase="Pending")], "Waiting for the first value, broker Pending"),
        ([broker()], "Waiting for the first value, broker Running"),
    ],
)
def test_without_a_word_from_its_broker_a_device_waits(brokers: list[Broker], said: str) -> None:
    row = only(replace(WORLD, brokers=brokers, histories={}))
    assert (row.state, row.said, row.value, row.at, row.history) == ("waiting", said, None, None, ())


@pytest.mark.parametrize(
    ("plugged", "state", "said"),
    [(False, "unplugged", "Unplugged"), (True, "waiting", "Plugged in, not discovered yet")],
)
def test_a_mock_device_without_an_instance_is_shown_without_a_value(plugged: bool, state: str, said: str) -> None:
    row = only(replace(WORLD, instances=[], plugs=[Plug("3", URL, plugged)]))
    assert row == Row(URL, "3", URL, plugged, state, said)  # type: ignore[arg-type]


def test_a_device_of_others_has_no_switch() -> None:
    row = only(replace(WORLD, plugs=[]))
    assert (row.device, row.plugged, row.state) == ("", None, "live")


def test_mock_devices_come_in_their_order_and_others_after_them() -> None:
    plugs = [Plug("1", "http://z/", True), Plug("2", "http://a/", False), Plug("3", "http://m/", True)]
    found = [instance("http://b/", "i-b"), instance("http://m/", "i-m"), instance("http://z/", "i-z")]
    shown = rows(World(found, [], {}, plugs, NOW, 10))
    assert [row.id for row in shown] == ["http://z/", "http://a/", "http://m/", "http://b/"]
    assert [row.device for row in shown] == ["1", "2", "3", ""]


def test_rows_of_one_url_or_of_none_are_told_apart() -> None:
    found = [instance(URL, "i-1"), instance(URL, "i-2"), instance("", "i-3")]
    shown = rows(World(found, [], {}, [], NOW, 10))
    assert [row.id for row in shown] == ["i-3", URL, f"{URL} i-2"]


def test_the_past_ends_after_some_minutes_while_the_last_value_stays() -> None:
    row = only(replace(WORLD, now=NOW + HISTORY_SECONDS))
    assert (row.history, row.value) == ((), 42.17)


@pytest.mark.parametrize(
    ("capacity", "usage", "expected"),
    [
        (2, {}, Slots({}, 2)),
        (2, {"i-1": "wasi"}, Slots({"wasi": 1}, 1)),
        (2, {"i-0": "", "i-1": "wasi"}, Slots({"wasi": 1}, 1)),
        (3, {"i-0": "b", "i-1": "a", "i-2": "C:akri-http-0:b"}, Slots({"a": 1, "b": 2}, 0)),
        (1, {"i-0": "a", "i-1": "b"}, Slots({"a": 1, "b": 1}, 0)),
    ],
)
def test_slots_are_used_by_nodes_or_free(capacity: int, usage: dict[str, str], expected: Slots) -> None:
    assert slots(instance(capacity=capacity, deviceUsage=usage)) == expected
