"""What can be set of a mock device, how it is kept, and the curves that devices follow."""

import itertools
import json
import math

import pytest
from edgelab.lab.devices.model import Kept, Setting, changed, from_text, to_text
from edgelab.lab.devices.waveform import measured


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"plugged": False}, Setting(plugged=False)),
        ({"delay_seconds": 1.5, "failing": True}, Setting(delay_seconds=1.5, failing=True)),
        ({"value": 42.17}, Setting(value=42.17)),
        ({"value": -3}, Setting(value=-3)),
        ({"value": None, "plugged": True}, Setting()),
    ],
)
def test_some_of_a_setting_is_replaced(changes: object, setting: Setting) -> None:
    assert changed(Setting(), changes) == setting


def test_what_is_not_named_stays() -> None:
    assert changed(Setting(value=42.17, failing=True), {"failing": False}) == Setting(value=42.17)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "Give a JSON object with some of plugged, delay_seconds, failing, value"),
        ([], "Give a JSON object"),
        (None, "Give a JSON object"),
        ({"pluged": False}, "pluged: not one of plugged, delay_seconds, failing, value"),
        ({"port": 80}, "port: not one of"),
        ({"plugged": 1}, "plugged: 1 is not true or false"),
        ({"failing": "no"}, "failing: 'no' is not true or false"),
        ({"plugged": False, "delay_seconds": -1}, "delay_seconds: -1 is not a number from 0 to 3600"),
        ({"delay_seconds": math.inf}, "delay_seconds: inf is not"),
        ({"delay_seconds": True}, "delay_seconds: True is not"),
        ({"value": math.nan}, "value: nan is neither null nor a number"),
        ({"value": 10**400}, "value: 1000"),
        ({"value": "42"}, "value: '42' is neither"),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_reason(changes: object, reason: str) -> None:
    with pytest.raises(ValueError, match="^" + reason):
        changed(Setting(), changes)


def test_what_is_kept_comes_back() -> None:
    kept = {"1": Kept(4001, Setting()), "2": Kept(4002, Setting(False, 0.5, True, 42.17))}
    assert from_text(to_text(kept)) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2, "devices": {}}',
        '{"format": 1, "devices": []}',
        '{"format": 1, "devices": {"1": {}}}',
        '{"format": 1, "devices": {"1": 5}}',
        '{"format": 1, "devices": {"1": {"port": 0, "plugged": true}}}',
        '{"format": 1, "devices": {"1": {"port": true, "plugged": true}}}',
        '{"format": 1, "devices": {"1": {"port": 80, "plugged": 1}}}',
        to_text({"1": Kept(4001, Setting())})[:-20],
    ],
)
def test_a_damaged_file_is_told_from_a_whole_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_text(text)


def test_curves_are_slow_have_two_decimals_and_change_between_readings() -> None:
    for number in range(1, 21):
        values = [measured(number, 1.8e9 + second) for second in range(0, 600, 10)]
        assert all(round(value, 2) == value for value in values)
        steps = [abs(after - before) for before, after in itertools.pairwise(values)]
        assert max(steps) < 10, number
        assert steps.count(0) < 3, number


def test_each_device_has_a_curve_and_a_level_of_its_own() -> None:
    moments = [1.8e9 + second for second in range(0, 600, 10)]
    curves = [[measured(number, moment) for moment in moments] for number in range(1, 21)]
    shapes = {json.dumps([round(value - min(curve), 1) for value in curve]) for curve in curves}
    assert len(shapes) == len(curves)
    levels = [round(sum(curve) / len(curve) / 10) for curve in curves]
    assert levels == list(range(2, 22))
