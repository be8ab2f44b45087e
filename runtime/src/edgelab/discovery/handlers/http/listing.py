"""What a discovery service answers: one URL on a line. Pure."""

from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST_URL = 2048
"""Characters; no server takes more."""

_SHOWN = 60


class NotAListError(ValueError):
    """An answer is no list of URLs; the text says what it is instead."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The endpoints in their order, each once, and the beginnings of the lines that are none."""

    endpoints: tuple[str, ...]
    refused: tuple[str, ...]


def read_listing(body: bytes) -> Listing:
    """The endpoints in an answer; nothing at all is an empty list.

    Raises NotAListError when there are lines and none is a URL, as on a page for people or in a binary file: taken for
    an empty list, those would unplug every device.
    """
    lines = list(dict.fromkeys(stripped for line in _text(body).split("\n") if (stripped := line.strip())))
    if lines and lines[0].startswith("<"):
        raise NotAListError(f"it answers with HTML or XML, not with a list of URLs: {_shown(lines[0])!r}")
    endpoints = tuple(line for line in lines if is_endpoint(line))
    if lines and not endpoints:
        raise NotAListError(
            f"none of its {len(lines)} lines is an http or https URL, the first is {_shown(lines[0])!r}"
        )
    return Listing(endpoints, tuple(_shown(line) for line in lines if not is_endpoint(line)))


def is_endpoint(line: str) -> bool:
    """Whether a line is an absolute URL that a broker can ask by HTTP."""
    if len(line) > LONGEST_URL or not line.isprintable() or any(character.isspace() for character in line):
        return False
    try:
        url = urlsplit(line)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False


def _text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotAListError(f"it answers with {len(body)} bytes that are no text") from error
    if "\0" in text:
        raise NotAListError(f"it answers with {len(body)} bytes of binary data, not with a list of URLs")
    return text.removeprefix("\ufeff")


def _shown(line: str) -> str:
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."
