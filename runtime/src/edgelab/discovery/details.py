"""Typed discovery details: from the YAML of a Configuration to a frozen dataclass, or to an error that says what to do.

A handler's details are a dataclass or `str`. Its fields may be str, int, float, bool, Literal[...] of texts, other such
dataclasses, `tuple[T, ...]` or `Sequence[T]`, `Mapping[str, T]` and `T | None`. Keys are camelCase in YAML and
snake_case in the dataclass. Bare text instead of a mapping is the first field, where that is text and the only one that
has no default. A ValueError of `__post_init__` is told as it is: there a dataclass checks what types cannot say.

A key that is not known is an error, as is all that `edgelab.discovery.nodes` refuses. Nothing but InvalidDetailsError
is raised for what a Configuration says.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import yaml

from edgelab.discovery.handler import InvalidDetailsError
from edgelab.discovery.nodes import (
    ROOT,
    Node,
    check_tag,
    choice,
    compose,
    is_null,
    items_of,
    number,
    plain,
    text_of,
    truth,
    whole_number,
    wrong,
)

D = TypeVar("D")


def read_details(text: str, kind: type[D]) -> D:
    """The details of a Configuration as a value of that type; `str` takes the text as it is.

    Raises InvalidDetailsError, which names the key, what was given and what is wanted.
    """
    if kind is str:
        return typing.cast("D", text)
    return typing.cast("D", _value(compose(text), kind, ROOT))


def read_any(text: str) -> Any:
    """The details of a Configuration as JSON has them, for a handler that checks them itself; None for no details.

    Raises InvalidDetailsError for what is not YAML or has no form in JSON, and for aliases, which can grow to any size.
    """
    node = compose(text)
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        if isinstance(event, yaml.AliasEvent):
            raise InvalidDetailsError(f"{ROOT} uses the alias *{event.anchor}; write out what it stands for")
    return plain(node, ROOT)


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


def _value(node: Node, kind: Any, where: str) -> Any:
    check_tag(node, where)
    if kind in _SCALARS:
        return _SCALARS[kind](node, where)
    if dataclasses.is_dataclass(kind):
        return _dataclass(node, typing.cast("type", kind), where)
    if typing.get_origin(kind) is typing.Literal:
        return choice(node, typing.get_args(kind), where)
    return _collection(node, kind, where)


def _collection(node: Node, kind: Any, where: str) -> Any:
    inner = _inner(kind)
    if _is_optional(kind):
        return None if is_null(node) else _value(node, inner, where)
    if typing.get_origin(kind) in (Mapping, dict):
        return {key: _value(value, inner, f"{where}.{key}") for key, value in items_of(node, where).items()}
    if not isinstance(node, yaml.SequenceNode):
        raise wrong(node, where, f"a list of {_plural(inner)}")
    return tuple(_value(item, inner, f"{where}[{index}]") for index, item in enumerate(node.value))


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kind: Any
    required: bool


def _dataclass(node: Node, kind: type, where: str) -> Any:
    fields = _fields(kind)
    given = {bare: node} if (bare := _bare(node, fields)) else items_of(node, where, fields)
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
        if field.init
    }


def _bare(node: Node, fields: Mapping[str, _Field]) -> str:
    """The key that bare text stands for, or nothing."""
    required = [key for key, field in fields.items() if field.required]
    if not isinstance(node, yaml.ScalarNode) or is_null(node) or required != list(fields)[:1]:
        return ""
    return required[0] if required and fields[required[0]].kind is str else ""


_SCALARS: dict[Any, Callable[[Node, str], Any]] = {str: text_of, int: whole_number, float: number, bool: truth}
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _name(kind: Any) -> str:
    if kind in _NAMES:
        return _NAMES[kind]
    if _is_optional(kind):
        return _name(_inner(kind))
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


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _suggest(key: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(key, known, 1)
    return f"; {close[0]} is meant, perhaps" if close else f"; known: {', '.join(known) or 'nothing'}"
