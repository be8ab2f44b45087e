"""YAML without guesses, as nodes: each read as the kind of value that is wanted, or refused with what was given.

YAML is read as version 1.2 has it, and as Akri's handlers do: `yes` and `on` are text, and nothing is guessed about
dates. JSON is YAML. Text is never made of a number, nor a number of text; a key that is given twice is an error, and so
is a tag. Nothing but InvalidDetailsError is raised for what a Configuration says; `where` is a node's path in it.
"""

import math
import re
import typing
from collections.abc import Collection, Sequence
from typing import Any

import yaml

from edgelab.discovery.handler import InvalidDetailsError

Node = yaml.Node | None

ROOT = "discoveryDetails"

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?([0-9]{1,300}(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,4})?")
_NUMBER = re.compile(rf"{_FLOAT.pattern}|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}


def compose(text: str) -> Node:
    """The node of a text; None where there is none."""
    try:
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidDetailsError(f"{ROOT} is not YAML: {place}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidDetailsError(f"{ROOT} is not YAML: {error}") from error


def check_tag(node: Node, where: str) -> None:
    """Refuse a node with a tag, which would make something else of it."""
    if node is not None and node.tag not in _TAGS:
        raise InvalidDetailsError(f"{where} has the tag {node.tag}; give it without a tag")


def items_of(node: Node, where: str, known: Collection[str] = ()) -> dict[str, Node]:
    """The values of a mapping by their keys; where certain keys are known, nothing is a mapping without any."""
    wanted = f"a mapping with the keys {', '.join(known)}" if known else "a mapping"
    if is_null(node) and known:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise wrong(node, where, wanted)
    items: dict[str, Node] = {}
    for key, value in node.value:
        name = text_of(key, f"A key of {where}")
        if name in items:
            raise InvalidDetailsError(f"{where}.{name} is given twice")
        items[name] = value
    return items


def text_of(node: Node, where: str) -> str:
    """A text, which is not empty by mistake and no number."""
    if not isinstance(node, yaml.ScalarNode) or is_null(node):
        raise wrong(node, where, "text")
    if _is_plain(node, _BOOL) or _is_plain(node, _NUMBER):
        raise InvalidDetailsError(f"{where} is {_describe(node)}, not text; put it into quotes")
    return whole_text(node.value, where)


def whole_number(node: Node, where: str) -> int:
    """A whole number, of at most 18 digits."""
    if not _is_plain(node, _INT):
        raise wrong(node, where, "a whole number in decimal")
    return int(typing.cast("yaml.ScalarNode", node).value)


def number(node: Node, where: str) -> float:
    """A finite number."""
    if not _is_plain(node, _FLOAT) or not math.isfinite(value := float(typing.cast("yaml.ScalarNode", node).value)):
        raise wrong(node, where, "a finite number")
    return value


def truth(node: Node, where: str) -> bool:
    """A truth value."""
    if not _is_plain(node, _BOOL):
        raise wrong(node, where, "true or false")
    return bool(typing.cast("yaml.ScalarNode", node).value.lower() == "true")


def choice(node: Node, words: Sequence[str], where: str) -> str:
    """One of certain words."""
    if not isinstance(node, yaml.ScalarNode) or node.value not in words:
        raise wrong(node, where, f"one of {', '.join(words)}")
    return str(node.value)


def plain(node: Node, where: str) -> Any:
    """A node as JSON has it."""
    check_tag(node, where)
    if isinstance(node, yaml.MappingNode):
        return {key: plain(value, f"{where}.{key}") for key, value in items_of(node, where).items()}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(node.value)]
    if is_null(node):
        return None
    readers = {_BOOL: truth, _INT: whole_number, _NUMBER: number}
    return next((read for form, read in readers.items() if _is_plain(node, form)), text_of)(node, where)


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


def _is_plain(node: Node, pattern: re.Pattern[str]) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and bool(pattern.fullmatch(node.value))


def is_null(node: Node) -> bool:
    """Whether nothing was given."""
    return node is None or _is_plain(node, _NULL)


def wrong(node: Node, where: str, wanted: str) -> InvalidDetailsError:
    """The error that says what was given and what is wanted."""
    return InvalidDetailsError(f"{where} is {_describe(node)}, not {wanted}")


def _describe(node: Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if not isinstance(node, yaml.ScalarNode) or is_null(node):
        return "empty"
    shown = node.value if len(node.value) <= 60 else f"{node.value[:57]}..."
    if _is_plain(node, _NUMBER):
        return f"the number {shown}"
    return f"the truth value {shown}" if _is_plain(node, _BOOL) else f"the text {shown!r}"
