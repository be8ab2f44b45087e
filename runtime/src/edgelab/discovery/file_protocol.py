"""What goes through the directory that a proxy shares with a Wasm discovery handler, as values. Pure.

The handler has no sockets, so the two talk by files. The proxy writes `in.in`, `{"descriptions":["foo0"]}`, and the
handler answers with `out.out`, `{"devices":[{"id":...,"properties":{...},"mounts":[...],"device_specs":[...]}]}`: the
protocol of project-akri/akri-on-krustlet. There the question is always a list of descriptions; here it is whatever a
Configuration's discoveryDetails are, as JSON, and a handler may answer `{"error":"..."}` to details it cannot use.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from edgelab.core.model import Device, DeviceSpec, Mount
from edgelab.discovery.details import read_any
from edgelab.discovery.handler import InvalidDetailsError

INPUT = "in.in"
OUTPUT = "out.out"

T = TypeVar("T")

_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "missing"}


class MalformedOutputError(ValueError):
    """`out.out` is not what the protocol says; the text tells where."""


def render_input(details: str) -> bytes:
    """The content of `in.in` for discovery details (YAML): the same bytes for all that mean the same.

    No details are an empty object. The key `descriptions`, which the protocol knows, is a list of strings. Raises
    InvalidDetailsError.
    """
    content = read_any(details)
    if isinstance(content, dict) and "descriptions" in content:
        _check_descriptions(content["descriptions"])
    return _compact({} if content is None else content).encode()


def _check_descriptions(value: Any) -> None:
    where = "discoveryDetails.descriptions"
    if not isinstance(value, list):
        raise InvalidDetailsError(f"{where} is {_kind(value)}, not a list of strings")
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise InvalidDetailsError(f"{where}[{index}] is {_kind(item)}, not a string")


def read_output(content: bytes, *, quoted: bool) -> tuple[Device, ...]:
    """The devices in an `out.out`. Raises MalformedOutputError, or InvalidDetailsError when it is an objection.

    With `quoted`, ids and property values become their JSON text, `"foo0"` with the quotes, a missing id `null`, as
    akri-on-krustlet's proxy passes them on; the names of its documented Instances depend on that. Without, they are
    what the handler wrote, and anything but a string is malformed.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise MalformedOutputError(f"it is not JSON: {error}") from error
    answer = _typed(dict, document, "it")
    if "error" in answer:
        raise InvalidDetailsError(f"discoveryDetails: {_typed(str, answer['error'], 'error')}")
    devices = _typed(list, answer.get("devices"), "devices")
    return tuple(_device(device, f"devices[{index}]", quoted) for index, device in enumerate(devices))


def _device(value: Any, where: str, quoted: bool) -> Device:
    device = _typed(dict, value, where)
    properties = _typed(dict, device.get("properties") or {}, f"{where}.properties")
    return Device(
        id=_text(device.get("id"), f"{where}.id", quoted),
        properties={
            _typed(str, name, f"{where}.properties"): _text(text, f"{where}.properties.{name}", quoted)
            for name, text in properties.items()
        },
        mounts=tuple(_mount(*item) for item in _objects(device, "mounts", where)),
        device_specs=tuple(_device_spec(*item) for item in _objects(device, "device_specs", where)),
    )


def _mount(mount: Mapping[str, Any], where: str) -> Mount:
    return Mount(
        container_path=_typed(str, mount.get("container_path"), f"{where}.container_path"),
        host_path=_typed(str, mount.get("host_path"), f"{where}.host_path"),
        read_only=_typed(bool, mount.get("read_only", False), f"{where}.read_only"),
    )


def _device_spec(spec: Mapping[str, Any], where: str) -> DeviceSpec:
    return DeviceSpec(
        container_path=_typed(str, spec.get("container_path"), f"{where}.container_path"),
        host_path=_typed(str, spec.get("host_path"), f"{where}.host_path"),
        permissions=_typed(str, spec.get("permissions", ""), f"{where}.permissions"),
    )


def _objects(device: Mapping[str, Any], key: str, where: str) -> list[tuple[Mapping[str, Any], str]]:
    items = enumerate(_typed(list, device.get(key) or [], f"{where}.{key}"))
    return [(_typed(dict, item, f"{where}.{key}[{index}]"), f"{where}.{key}[{index}]") for index, item in items]


def _text(value: Any, where: str, quoted: bool) -> str:
    return _typed(str, _compact(value) if quoted else value, where)


def _typed(kind: type[T], value: Any, where: str) -> T:
    if not isinstance(value, kind):
        raise MalformedOutputError(f"{where} is {_kind(value)}, not {_KINDS[kind]}")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise MalformedOutputError(f"{where} has half a surrogate pair")
    return value


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")


def _compact(value: Any) -> str:
    # Sorted, as serde_json's maps are.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
