"""The file protocol: what may be asked, what an answer means."""

import json
from typing import Any

import pytest
from edgelab.core import names
from edgelab.core.model import Device, DeviceSpec, Mount
from edgelab.discovery.file_protocol import MalformedOutputError, read_output, render_input
from edgelab.discovery.handler import InvalidDetailsError
from hypothesis import given
from hypothesis import strategies as st

ORIGINAL = b'{"devices":[{"id":"foo0","properties":{"DEBUG_ECHO_DESCRIPTION":"foo0"},"mounts":[],"device_specs":[]}]}'


@pytest.mark.parametrize(
    ("details", "content"),
    [
        # As akri-on-krustlet's proxy writes it.
        ('descriptions:\n- "foo0"\n- foo1\n', '{"descriptions":["foo0","foo1"]}'),
        (json.dumps({"descriptions": ["é 😀", 'a"']}), '{"descriptions":["é 😀","a\\""]}'),
        ("{descriptions: []}", '{"descriptions":[]}'),
        # For other handlers.
        ("{descriptions: [], comment: nothing}", '{"comment":"nothing","descriptions":[]}'),
        (
            "{b: {d: 1, c: [1.5, true, ~, yes]}, a: 2026-11-21}",
            '{"a":"2026-11-21","b":{"c":[1.5,true,null,"yes"],"d":1}}',
        ),
        ("- foo0", '["foo0"]'),
        ("http://127.0.0.1:9999/", '"http://127.0.0.1:9999/"'),
        ("", "{}"),
        ("{}", "{}"),
    ],
)
def test_the_question_for_some_details(details: str, content: str) -> None:
    assert render_input(details).decode() == content


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ("descriptions: foo0", "discoveryDetails.descriptions is a string, not a list of strings"),
        ("descriptions:", "discoveryDetails.descriptions is missing, not a list of strings"),
        ("descriptions: [foo0, 1]", "discoveryDetails.descriptions[1] is a number"),
        ("descriptions: [foo0, true]", "discoveryDetails.descriptions[1] is a truth value"),
        ('descriptions: ["a\\0"]', "discoveryDetails.descriptions[0] contains NUL"),
        ('a: ["\\ud800"]', "discoveryDetails.a[0] has half a surrogate pair"),
        ("a: [foo0", "discoveryDetails is not YAML"),
        ("a: " + "[" * 5000, "discoveryDetails is not YAML"),
        ("{1: a}", "A key of discoveryDetails is the number 1"),
        ("a: .inf", "discoveryDetails.a is the number .inf"),
        ("a: !!binary aGE=", "discoveryDetails.a has the tag"),
        ("&a [*a]", "discoveryDetails uses the alias *a"),
        ("{a: &a [x], b: *a}", "discoveryDetails uses the alias *a"),
    ],
)
def test_bad_details_are_named(details: str, told: str) -> None:
    with pytest.raises(InvalidDetailsError) as caught:
        render_input(details)
    assert told in str(caught.value)


@given(st.text() | st.text(alphabet="ab01[]{}:,&*!-#'\" \n", max_size=30))
def test_any_details_are_json_or_refused(details: str) -> None:
    try:
        content = render_input(details)
    except InvalidDetailsError:
        return
    json.loads(content)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet="abc", min_size=1), inner),
)


@given(json_values)
def test_details_written_as_json_arrive_as_they_are(value: Any) -> None:
    expected = {} if value is None else value
    assert json.loads(render_input(json.dumps(value))) == expected


def test_an_answer_of_the_original_handler() -> None:
    assert read_output(ORIGINAL, quoted=False) == (Device("foo0", {"DEBUG_ECHO_DESCRIPTION": "foo0"}),)


def test_quoted_ids_give_the_documented_instance_name() -> None:
    (device,) = read_output(ORIGINAL, quoted=True)
    assert device == Device('"foo0"', {"DEBUG_ECHO_DESCRIPTION": '"foo0"'})
    assert names.instance("akri-debug-echo", names.digest(device.id, shared=True)) == "akri-debug-echo-aae70c"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (1, "1"), ({"b": 1, "a": [True]}, '{"a":[true],"b":1}'), ('a"\n\x01é', '"a\\"\\n\\u0001é"')],
)
def test_quoted_values_are_json_text(value: Any, text: str) -> None:
    (device,) = read_output(
        json.dumps({"devices": [{"id": value, "properties": {"KEY": value}}]}).encode(), quoted=True
    )
    assert device == Device(text, {"KEY": text})


def test_mounts_and_device_specs_are_passed_on() -> None:
    mount = {"container_path": "/c", "host_path": "/h", "read_only": True}
    spec = {"container_path": "/dev/c", "host_path": "/dev/h", "permissions": "rw"}
    content = json.dumps({"devices": [{"id": "a", "mounts": [mount], "device_specs": [spec]}]}).encode()
    (device,) = read_output(content, quoted=False)
    assert device == Device("a", {}, (Mount("/c", "/h", True),), (DeviceSpec("/dev/c", "/dev/h", "rw"),))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not JSON"),
        (ORIGINAL[:40], "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "it is a list, not an object"),
        (b"{}", "devices is missing, not a list"),
        (b'{"devices":[1]}', "devices[0] is a number, not an object"),
        (b'{"devices":[{"id":1}]}', "devices[0].id is a number, not a string"),
        (b'{"devices":[{"properties":{}}]}', "devices[0].id is missing, not a string"),
        (b'{"devices":[{"id":"a","properties":{"K":1}}]}', "devices[0].properties.K is a number"),
        (b'{"devices":[{"id":"a","properties":[1]}]}', "devices[0].properties is a list"),
        (b'{"devices":[{"id":"a","mounts":[{"host_path":"/h"}]}]}', "devices[0].mounts[0].container_path is missing"),
        (b'{"devices":[{"id":"a","mounts":["/h"]}]}', "devices[0].mounts[0] is a string"),
        (b'{"devices":[{"id":"\\ud800"}]}', "devices[0].id has half a surrogate pair"),
    ],
)
def test_malformed_answers_are_named(content: bytes, told: str) -> None:
    with pytest.raises(MalformedOutputError) as caught:
        read_output(content, quoted=False)
    assert told in str(caught.value)


def test_an_answer_may_be_an_objection() -> None:
    with pytest.raises(InvalidDetailsError, match="discoveryDetails: no such unit"):
        read_output(b'{"error":"no such unit"}', quoted=False)
    with pytest.raises(MalformedOutputError, match="error is a number, not a string"):
        read_output(b'{"error":1}', quoted=True)


@given(st.integers(min_value=0, max_value=len(ORIGINAL) - 1))
def test_half_an_answer_is_never_taken_for_a_whole_one(length: int) -> None:
    with pytest.raises(MalformedOutputError):
        read_output(ORIGINAL[:length], quoted=True)


@given(st.binary())
def test_any_bytes_are_an_answer_or_malformed(content: bytes) -> None:
    try:
        devices = read_output(content, quoted=False)
    except (MalformedOutputError, InvalidDetailsError):
        return
    assert isinstance(devices, tuple)
