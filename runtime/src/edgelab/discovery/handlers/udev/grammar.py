"""Rules of udev that say which devices are wanted: `KERNEL=="video[0-9]*", ATTR{name}!="Dummy.*"`. Pure.

A rule is a list of filters, separated by commas, that all must hold; each is a field, `==` or `!=`, and a quoted value.
Everything else is refused with the column where it begins, so that a Configuration can be corrected: Akri 0.13.26 ends
the stream instead and tries again for ever. Where this grammar is wider than Akri's: white space may stand between any
two parts, and a value may have any character but the quotation mark. Where it is narrower: a rule without filters,
which means every device of the machine to Akri, is refused, and so are filters that no comma separates, of which Akri
takes the first alone.
"""

import re
import warnings
from dataclasses import dataclass
from enum import StrEnum


class Field(StrEnum):
    """What a filter compares; a plural looks at the device and all devices that it is part of."""

    ATTR = "ATTR"
    ATTRS = "ATTRS"
    DEVPATH = "DEVPATH"
    DRIVER = "DRIVER"
    DRIVERS = "DRIVERS"
    ENV = "ENV"
    KERNEL = "KERNEL"
    KERNELS = "KERNELS"
    SUBSYSTEM = "SUBSYSTEM"
    SUBSYSTEMS = "SUBSYSTEMS"
    TAG = "TAG"
    TAGS = "TAGS"


KEYED = frozenset({Field.ATTR, Field.ATTRS, Field.ENV})
"""Fields that stand for many things and name one of them in braces."""

_EQUAL_BY_GLOB = frozenset({Field.ATTR, Field.DEVPATH, Field.ENV, Field.KERNEL, Field.SUBSYSTEM, Field.TAG})
_UNEQUAL_BY_GLOB = frozenset({Field.ATTR, Field.SUBSYSTEM})

_NOT_ABOUT_DEVICES = re.compile(
    "ACTION|CONST|GOTO|GROUP|IMPORT|LABEL|MODE|NAME|OPTIONS|OWNER|PROGRAM|RESULT|RUN|SECLABEL|SYMLINK|SYSCTL|TEST|WAIT_FOR"
)
"""Fields that udev's own rules have for doing something, or for the event that is being handled."""

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_]+")
_KEY = re.compile(r"\{([^{}\"]+)\}")
_OPERATOR = re.compile(r"==|!=|[-+:]?=")
_VALUE = re.compile(r'"([^"]*)"')
_COMMA = re.compile(",")


class RuleError(ValueError):
    """A rule cannot be used; `column` counts from 1."""

    def __init__(self, at: int, text: str) -> None:
        super().__init__(text)
        self.column = at + 1


@dataclass(frozen=True, slots=True)
class Filter:
    """One comparison; `key` is empty for a field without one."""

    field: Field
    key: str
    negated: bool
    value: str

    @property
    def by_glob(self) -> bool:
        """The value is a pattern of the shell; otherwise a regular expression for the whole text.

        Akri leaves to libudev, which knows globs, what libudev can decide, and decides the rest by regular expressions.
        """
        return self.field in (_UNEQUAL_BY_GLOB if self.negated else _EQUAL_BY_GLOB)


Rule = tuple[Filter, ...]


def parse(text: str) -> Rule:
    """The filters of a rule, at least one. Raises RuleError."""
    scanner = _Scanner(text)
    filters = [_filter(scanner)]
    while not scanner.at_end():
        scanner.take(_COMMA, "a comma or the end of the rule")
        filters.append(_filter(scanner))
    return tuple(filters)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self.at = _end(_SPACE, text, 0)

    def at_end(self) -> bool:
        return self.at == len(self._text)

    def take(self, pattern: re.Pattern[str], wanted: str) -> re.Match[str]:
        match = pattern.match(self._text, self.at)
        if match is None:
            seen = repr(self._text[self.at]) if not self.at_end() else "the end"
            raise RuleError(self.at, f"expected {wanted}, found {seen}")
        self.at = _end(_SPACE, self._text, match.end())
        return match

    def has(self, start: str) -> bool:
        return self._text.startswith(start, self.at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _filter(scanner: _Scanner) -> Filter:
    field = _field(scanner.take(_NAME, f"a field ({', '.join(Field)})"))
    key = _key(scanner, field)
    operator = scanner.take(_OPERATOR, "== or !=")
    if operator[0] not in ("==", "!="):
        raise RuleError(operator.start(), f"{operator[0]} assigns something; discovery only compares, by == or !=")
    value = scanner.take(_VALUE, 'a value in quotation marks, such as "video0"')
    found = Filter(field, key, operator[0] == "!=", value[1])
    if not found.by_glob:
        _check_expression(value[1], value.start(1))
    return found


def _field(name: re.Match[str]) -> Field:
    if _NOT_ABOUT_DEVICES.fullmatch(name[0]):
        raise RuleError(name.start(), f"{name[0]} says nothing about a device and cannot be used for discovery")
    try:
        return Field(name[0])
    except ValueError:
        raise RuleError(name.start(), f"there is no field {name[0]}; there are {', '.join(Field)}") from None


def _key(scanner: _Scanner, field: Field) -> str:
    if field in KEYED:
        return scanner.take(_KEY, f"a name in braces, as in {field}{{name}}")[1]
    if scanner.has("{"):
        raise RuleError(scanner.at, f"{field} has no name in braces; {', '.join(sorted(KEYED))} have")
    return ""


def _check_expression(value: str, at: int) -> None:
    try:
        with warnings.catch_warnings(action="error"):
            re.compile(value)
    except re.error as error:
        raise RuleError(at + (error.pos or 0), f"the regular expression {value!r} is wrong: {error.msg}") from error
    except Warning as warning:
        raise RuleError(at, f"the regular expression {value!r} is ambiguous: {warning}") from warning
