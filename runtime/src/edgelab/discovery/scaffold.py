"""Beginning a discovery handler: a project that works, made of the templates beside this file.

The project has the handler, a device, tests, an image, a Configuration and the details to try it with. Nothing that
exists is changed: a directory that is there already is refused.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from edgelab.core.errors import LabError

_NAME = re.compile(r"[a-z][a-z0-9]*([A-Z][a-z0-9]*|-[a-z0-9]+)*")

_LONGEST_NAME = 40

_FILES = {
    "handler.py": "{module}.py",
    "test_handler.py": "tests/test_{module}.py",
    "pyproject.toml": "pyproject.toml",
    "details.yaml": "details.yaml",
    "device": "devices/one",
    "configuration.yaml": "configuration.yaml",
    "Containerfile": "Containerfile",
    "README.md": "README.md",
}
"""Each template, without its ending, and the file that is made of it."""


@dataclass(frozen=True, slots=True)
class Project:
    """Where a project is, its handler's file and the details to try it with."""

    directory: Path
    handler: Path
    details: Path


def make_project(name: str, directory: Path) -> Project:
    """Write a project for a handler of that name into a directory that is not there yet. Raises LabError."""
    contents = render(name)
    try:
        directory.mkdir(parents=True)
        for file, content in contents.items():
            (directory / file).parent.mkdir(exist_ok=True)
            (directory / file).write_text(content)
    except FileExistsError as error:
        raise LabError(
            attempted=f"Make the project of the handler {name}",
            seen=f"{directory} is there already",
            remedy="Give another place by --directory DIR, or remove it",
        ) from error
    except OSError as error:
        raise LabError(attempted=f"Make the project of the handler {name} in {directory}", seen=str(error)) from error
    return Project(directory, directory / next(iter(contents)), directory / "details.yaml")


def render(name: str) -> dict[str, str]:
    """The files of a project by their paths in it, the handler's first. Raises LabError for a name that is none."""
    words = _words(name)
    values = {
        "NAME": name,
        "MODULE": f"{'_'.join(words)}_handler",
        "VARIABLE": "_".join(words).upper(),
        "DASHED": "-".join(words),
    }
    templates = files(__package__) / "templates"
    return {
        file.format(module=values["MODULE"]): _fill((templates / f"{template}.template").read_text(), values)
        for template, file in _FILES.items()
    }


def _words(name: str) -> list[str]:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise LabError(
            attempted=f"Name a handler {name!r}",
            seen="The name goes into names of files, of Kubernetes objects and of environment variables",
            remedy=f"Give at most {_LONGEST_NAME} letters and digits, a small letter first, such as greenhouse, "
            "greenHouse or green-house",
        )
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]", name)]


def _fill(template: str, values: dict[str, str]) -> str:
    return re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], template)
