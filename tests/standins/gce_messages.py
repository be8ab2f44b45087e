"""How the stand-in for Compute Engine reads requests: by the message types of Google's own client, strictly.

What the real service would not understand is refused with 400: unknown fields, values of the wrong type, and words
that are no name of the enum that belongs to a field. (Compute's messages carry enums as strings; the names stand in an
enum beside the field, `Scheduling.InstanceTerminationAction` for `instance_termination_action`.)
"""

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import proto
from google.protobuf.json_format import ParseError

Message = TypeVar("Message", bound=proto.Message)


class ApiError(Exception):
    """An answer other than 200: HTTP status, the reason as Google words it, and a message."""

    def __init__(self, status: int, reason: str, message: str, *, domain: str = "global", info: str = "") -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.domain, self.info = status, reason, message, domain, info

    def as_json(self) -> dict[str, Any]:
        """The body that the service answers with."""
        error = {
            "code": self.status,
            "message": self.message,
            "errors": [{"message": self.message, "domain": self.domain, "reason": self.reason}],
        }
        if self.info:
            details = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": self.info}
            error["details"] = [{**details, "domain": "googleapis.com"}]
        return {"error": error}


def parse(kind: type[Message], body: str) -> Message:
    """A request's body as a message. Raises ApiError 400 for what does not belong there."""
    try:
        message: Message = kind.from_json(body, ignore_unknown_fields=False)
    except ParseError as error:
        raise ApiError(400, "invalid", f"Invalid JSON payload received. {error}") from error
    for path, value, names in enums(message):
        if value not in names:
            raise ApiError(400, "invalid", f"Invalid value for field '{path}': '{value}'. Known: {', '.join(names)}")
    return message


def to_json(message: proto.Message) -> str:
    """A message as the service words it: field names in camel case, enums by name, nothing that is not set."""
    text: str = type(message).to_json(
        message, use_integers_for_enums=False, always_print_fields_with_no_presence=False, indent=None
    )
    return text


def enums(message: proto.Message, path: str = "resource") -> Iterator[tuple[str, str, list[str]]]:
    """Each string in a message that an enum belongs to: its path, its value, and the names that there are."""
    for name in type(message).meta.fields:
        value = getattr(message, name)
        for index, each in enumerate(value if isinstance(value, list) or is_repeated(value) else [value]):
            where = f"{path}.{camel(name, first='')}" + (f"[{index}]" if each is not value else "")
            if isinstance(each, proto.Message):
                yield from enums(each, where)
            elif isinstance(each, str) and each and (kind := enum_of(message, name)):
                yield where, each, [known for known in kind.__members__ if not known.startswith("UNDEFINED_")]


def is_repeated(value: object) -> bool:
    """Whether a field's value is a list; maps hold labels alone, which are no enums."""
    return type(value).__name__.startswith("Repeated")


def enum_of(message: proto.Message, field: str) -> Any:
    """The enum that belongs to a field of a message, if there is one."""
    kind = getattr(type(message), camel(field, first=None), None)
    return kind if isinstance(kind, type) and issubclass(kind, proto.Enum) else None


def camel(field: str, *, first: str | None) -> str:
    """A field's name in camel case; `first` is None to begin with a capital, as enums do."""
    words = [word for word in field.split("_") if word]
    rest = "".join(word[:1].upper() + word[1:] for word in words[1:])
    return (words[0].capitalize() if first is None else words[0]) + rest


def matches(expression: str, name: str, labels: dict[str, str]) -> bool:
    """Whether a resource is what a list's filter asks for: `name=X` and `labels.K=V`, joined by AND.

    Any other filter is refused, so that a test cannot pass by one that the stand-in would not apply.
    """
    terms = [
        re.fullmatch(r"(name|labels\.([-a-z0-9_]+))\s*=\s*\"?([-a-z0-9_]+)\"?", term)
        for term in filter(None, re.split(r"\s+AND\s+", expression.strip()))
    ]
    if None in terms:
        raise ApiError(400, "invalid", f"Invalid value for field 'filter': '{expression}'.")
    return all(
        term[3] == (name if term[1] == "name" else labels.get(term[2], "")) for term in terms if term is not None
    )
