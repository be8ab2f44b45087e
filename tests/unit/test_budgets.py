"""Sizes that keep files readable: functions, files, parameters, task files.

A file or function that really needs more should be split by ideas, not by lines; then this test passes by itself.
"""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES, FILE_LINES, PARAMETERS, TASK_FILE_LINES = 40, 300, 8, 90


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.split() if "/wire/" not in name]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


SOURCES = [path for path in tracked("*.py") if "tests" not in path.relative_to(ROOT).parts]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_source_files_hold_one_idea(path: Path) -> None:
    tree = ast.parse(path.read_text())
    documentation = [
        node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    ]
    data = sum((node.end_lineno or 0) - node.lineno for node in documentation)
    assert len(path.read_text().splitlines()) - data <= FILE_LINES
    assert ast.get_docstring(tree), "a file says first what it is"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_functions_fit_on_a_screen(path: Path) -> None:
    for function in functions(path):
        lines = (function.end_lineno or 0) - function.lineno + 1
        assert lines <= FUNCTION_LINES, f"{function.name} has {lines} lines"
        arguments = function.args
        count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
        assert count <= PARAMETERS + 1, f"{function.name} takes {count} parameters"


@pytest.mark.parametrize("path", tracked("roles/*/tasks/*.yml", "playbooks/*.yml"), ids=name)
def test_task_files_read_like_a_table_of_contents(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= TASK_FILE_LINES
