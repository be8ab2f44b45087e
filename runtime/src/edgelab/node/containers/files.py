"""JSON objects in files: written whole, readable for the owner alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgelab.service.files import write_whole


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Put an object in place of a file. Raises OSError when that does not work, and leaves the old file alone."""
    write_whole(path, json.dumps(value).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file, or None when there is no such file or it holds none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
