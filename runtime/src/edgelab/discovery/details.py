"""Typed discovery details: from the YAML of a Configuration to a frozen dataclass, or to an error that says what to do.

A handler's details are a dataclass or `str`. Its fields may be str, int, float, bool, Literal[...] of texts, other such
dataclasses, `tuple[T, ...]` or `Sequence[T]`, `Mapping[str, T]` and `T | None`. Keys are camelCase in YAML and
snake_case in the dataclass. Bare text instead of a mapping is the first field, where that is text and the only one that
has no default. A ValueError of `__post_init__` is told as it is: there a dataclass checks what types cannot say.

YAML is read as version 1.2 has it, and as Akri's handlers do: `yes` and `on` are text, and nothing is guessed about
dates. JSON is YAML. Text is never made of a number, nor a number of text; a key that is not known or given twice is an
error. Nothing but InvalidDetailsError is raised for what a Configuration says.
"""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import yaml

from edgelab.discovery.handler import InvalidDetailsError

D = TypeVar("D")

Node = yaml.Node | None

ROOT = "discoveryDetails"

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?([0-9]{1,300}(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,4})?")
_NUMBER = re.compile(rf"{_FLOAT.pattern}|[-+]?[0-9][0-9]*|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}


def read_details(text: str, kind: type[D]) -> D:
    """The details of a Configuration as a value of that type; `str` takes the text as it is.

    Raises InvalidDetailsError, which names the key, what was given and what is wanted.
    """
    if kind is str:
        return typing.cast("D", text)
    return typing.cast("D", _value(_compose(text), kind, ROOT))


def check_type(kind: Any) -> None:
    """Raise TypeError for a type that details cannot have: an error of the handler's author, told at once."""
    if dataclasses.is_dataclass(kind):
        for wanted in typing.get_type_hints(kind).values():
            check_type(wanted)
        return
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in _SCALARS or (origin is typing.Literal and all(isinstance(word, str) for word in arguments)):
        return
    inner = _inner(kind)
    if inner is None:
        raise TypeError(f"{kind} cannot be a type of discovery details: see edgelab.discovery.details")
    check_type(inner)


def whole_text(value: str, where: str) -> str:
    """Text that a message and an environment variable can hold. Raises InvalidDetailsError for NUL and half characters.

    Details written as JSON spell characters beyond the basic plane as two escapes; YAML leaves these two halves.
    """
    try:
        text = value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise InvalidDetailsError(f"{where} has half a surrogate pair") from error
    if "\0" in text:
        raise InvalidDetailsError(f"{where} contains NUL, which no environment variable can hold")
    return text


def _compose(text: str) -> Node:
    try:
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidDetailsError(f"{ROOT} is not YAML: {place}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidDetailsError(f"{ROOT} is not YAML: {error}") from error


def _value(node: Node, kind: Any, where: str) -> Any:
    if node is not None and node.tag not in _TAGS:
        raise InvalidDetailsError(f"{where} has the tag {node.tag}; give it without a tag")
    if kind in _SCALARS:
        return _SCALARS[kind](node, where)
    if dataclasses.is_dataclass(kind):
        return _dataclass(node, typing.cast("type", kind), where)
    if typing.get_origin(kind) is typing.Literal:
        return _choice(node, typing.get_args(kind), where)
    return _collection(node, kind, where)


def _collection(node: Node, kind: Any, where: str) -> Any:
    inner = _inner(kind)
    if _is_optional(kind):
        return None if _is_null(node) else _value(node, inner, where)
    if typing.get_origin(kind) in (Mapping, dict):
        return {key: _value(value, inner, f"{where}.{key}") for key, value in _items(node, where).items()}
    if not isinstance(node, yaml.SequenceNode):
        raise _wrong(node, where, f"a list of {_plural(inner)}")
    return tuple(_value(item, inner, f"{where}[{index}]") for index, item in enumerate(node.value))


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind: Any
    required: bool


def _dataclass(node: Node, kind: type, where: str) -> Any:
    fields = _fields(kind)
    given = {bare: node} if (bare := _bare(node, fields)) else _items(node, where, fields)
    for key in given:
        if key not in fields:
            raise InvalidDetailsError(f"{where}.{key} is not known here{_suggest(key, fields)}")
    for key, field in fields.items():
        if field.required and key not in given:
            raise InvalidDetailsError(f"{where}.{key} is missing; {_name(field.kind)} is wanted")
    values = {fields[key].name: _value(value, fields[key].kind, f"{where}.{key}") for key, value in given.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise InvalidDetailsError(f"{where}: {error}") from error


def _fields(kind: Any) -> dict[str, _Field]:
    """The fields of a dataclass by their keys in YAML."""
    kinds, missing = typing.get_type_hints(kind), dataclasses.MISSING
    return {
        _camel(field.name): _Field(
            field.name, kinds[field.name], field.default is missing and field.default_factory is missing
        )
        for field in dataclasses.fields(kind)
    }


def _bare(node: Node, fields: Mapping[str, _Field]) -> str:
    """The key that bare text stands for, or nothing."""
    required = [key for key, field in fields.items() if field.required]
    if not isinstance(node, yaml.ScalarNode) or _is_null(node) or required != list(fields)[:1]:
        return ""
    return required[0] if required and fields[required[0]].kind is str else ""


def _items(node: Node, where: str, known: Sequence[str] | Mapping[str, Any] = ()) -> dict[str, Node]:
    wanted = f"a mapping with the keys {', '.join(known)}" if known else "a mapping"
    if _is_null(node) and known:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(node, where, wanted)
    items: dict[str, Node] = {}
    for key, value in node.value:
        name = _text(key, f"A key of {where}")
        if name in items:
            raise InvalidDetailsError(f"{where}.{name} is given twice")
        items[name] = value
    return items


def _text(node: Node, where: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or _is_null(node):
        raise _wrong(node, where, "text")
    if _is_plain(node, _BOOL) or _is_plain(node, _NUMBER):
        raise InvalidDetailsError(f"{where} is {_describe(node)}, not text; put it into quotes")
    return whole_text(node.value, where)


def _whole_number(node: Node, where: str) -> int:
    if not _is_plain(node, _INT):
        raise _wrong(node, where, "a whole number")
    return int(typing.cast("yaml.ScalarNode", node).value)


def _number(node: Node, where: str) -> float:
    if not _is_plain(node, _FLOAT) or not math.isfinite(value := float(typing.cast("yaml.ScalarNode", node).value)):
        raise _wrong(node, where, "a finite number")
    return value


def _truth(node: Node, where: str) -> bool:
    if not _is_plain(node, _BOOL):
        raise _wrong(node, where, "true or false")
    return bool(typing.cast("yaml.ScalarNode", node).value.lower() == "true")


def _choice(node: Node, words: Sequence[str], where: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.value not in words:
        raise _wrong(node, where, f"one of {', '.join(words)}")
    return str(node.value)


_SCALARS: dict[Any, Callable[[Node, str], Any]] = {str: _text, int: _whole_number, float: _number, bool: _truth}
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _name(kind: Any) -> str:
    if kind in _NAMES:
        return _NAMES[kind]
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(typing.get_args(kind))}"
    if dataclasses.is_dataclass(kind) or typing.get_origin(kind) in (Mapping, dict):
        return "a mapping"
    return f"a list of {_plural(_inner(kind))}"


def _plural(kind: Any) -> str:
    return {str: "texts", int: "whole numbers", float: "numbers", bool: "truth values"}.get(kind, "mappings")


def _inner(kind: Any) -> Any:
    """The type of what a collection or an optional value holds; None for any other type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if _is_optional(kind):
        return next(argument for argument in arguments if argument is not types.NoneType)
    if origin in (Mapping, dict):
        return arguments[1] if arguments[0] is str else None
    if origin is Sequence or (origin is tuple and len(arguments) == 2 and arguments[1] is ...):
        return arguments[0]
    return None


def _is_optional(kind: Any) -> bool:
    arguments = typing.get_args(kind)
    united = typing.get_origin(kind) in (types.UnionType, typing.Union)
    return united and len(arguments) == 2 and types.NoneType in arguments


def _is_plain(node: Node, pattern: re.Pattern[str]) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and bool(pattern.fullmatch(node.value))


def _is_null(node: Node) -> bool:
    return node is None or _is_plain(node, _NULL)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _suggest(key: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(key, known, 1)
    return f"; {close[0]} is meant, perhaps" if close else f"; known: {', '.join(known) or 'nothing'}"


def _wrong(node: Node, where: str, wanted: str) -> InvalidDetailsError:
    return InvalidDetailsError(f"{where} is {_describe(node)}, not {wanted}")


def _describe(node: Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if not isinstance(node, yaml.ScalarNode) or _is_null(node):
        return "empty"
    shown = node.value if len(node.value) <= 60 else f"{node.value[:57]}..."
    if _is_plain(node, _NUMBER):
        return f"the number {shown}"
    return f"the truth value {shown}" if _is_plain(node, _BOOL) else f"the text {shown!r}"
