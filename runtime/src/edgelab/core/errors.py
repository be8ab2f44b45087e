"""Errors that people read: what was attempted, what was seen, the likely cause, the next step."""

from dataclasses import dataclass


@dataclass(slots=True)
class LabError(Exception):
    """An error with the parts that a reader needs; `str()` joins those that are known into one message."""

    attempted: str
    seen: str
    cause: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        sentences = (self.attempted, self.seen, self.cause, self.remedy)
        return " ".join(_sentence(text) for text in sentences if text)


def _sentence(text: str) -> str:
    stripped = text.strip()
    return stripped if stripped.endswith((".", "!", "?", ":")) else stripped + "."
