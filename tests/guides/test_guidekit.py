"""What carries out the guides notices every way in which a guide can be wrong, and says where."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from guidekit import Command, Content, Deed, GuideError, agrees, carry_out, open_shell, read_guide, read_sections
from labkit import eventually

GUIDE = """\
# A guide

```console
$ cd /tmp
$ printf 'one\\ntwo\\n' |
>   tac
two
one
```

```text
a picture
```

```python file=a/b.py
print(1)
```

<!-- do: press the switch -->
"""


def follow(directory: Path, text: str, late: float = 0.2, **deeds: Callable[[], None]) -> None:
    """Carry out a guide of that text; late: seconds that what it shows may take to come."""
    guide = directory / "guide.md"
    guide.write_text(text)
    with open_shell(directory, os.environ) as shell:
        carry_out(guide, shell, deeds, late=late)


def console(*lines: str) -> str:
    return "\n".join(["Text.", "```console", *lines, "```"])


def test_what_is_to_be_done_is_read_with_its_lines(tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text(GUIDE)
    assert read_guide(tmp_path / "guide.md") == [
        Command(4, "cd /tmp", ""),
        Command(5, "printf 'one\\ntwo\\n' |\n  tac", "two\none"),
        Content(15, "a/b.py", "print(1)\n"),
        Deed(19, "press the switch"),
    ]


def test_sections_are_told_apart_by_headings_outside_of_blocks(tmp_path: Path) -> None:
    guide = tmp_path / "guide.md"
    guide.write_text(console("$ one") + "\n## First\n\n### Part\n\n## Last\n" + console("$ two", "## no heading"))
    first, second = Command(3, "one", ""), Command(12, "two", "## no heading")
    assert read_sections(guide) == {"": [first], "First": [], "Last": [second]}
    assert read_guide(guide) == [first, second]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```console\n$ true", ":1: the block has no end"),
        ("\n```sh\nmake demo\n```", ":2: '```sh' is neither carried out nor ```text"),
        ("```\nmake demo\n```", ":1: '```' is neither"),
        ("```yaml\nkind: Pod\n```", ":1: '```yaml' is neither"),
        ("```console\nmake demo\n```", ":1: a console block begins with a command"),
        ("```console\n```", ":1: a console block begins with a command"),
    ],
)
def test_blocks_that_would_not_be_carried_out_are_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "guide.md").write_text(text)
    with pytest.raises(GuideError, match=f"guide.md{told}"):
        read_guide(tmp_path / "guide.md")


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ("", ""),
        ("one", "one\n"),
        ("one  ", "one   \n"),
        ("a ... c", "a b b c\n"),
        ("...", ""),
        ("...", "one\ntwo\n"),
        ("one\n...\nfour", "one\ntwo\nthree\nfour\n"),
        ("one\n...\nfour", "one\nfour\n"),
        ("a.c", "a.c\n"),
    ],
)
def test_output_that_agrees(expected: str, seen: str) -> None:
    assert agrees(expected, seen)


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ("", "one\n"),
        ("one", ""),
        ("one", "one"),
        ("one\n...", "one\ntwo"),
        ("one", "one\ntwo\n"),
        ("one", " one\n"),
        ("one\ntwo", "two\none\n"),
        ("a ... c", "a\nc\n"),
        ("a.c", "abc\n"),
        ("one\n...", "two\n"),
        ("...\nfour", "four\nfive\n"),
    ],
)
def test_output_that_does_not(expected: str, seen: str) -> None:
    assert not agrees(expected, seen)


def test_one_shell_keeps_directory_variables_and_background(tmp_path: Path) -> None:
    text = console("$ mkdir here && cd here && kept=1", "$ echo $kept; basename $PWD", "1", "here")
    text += "\n```text file=news\nold\n```\n"
    text += console(
        "$ tail --follow news &", "old", "$ echo new >> news", "new", "$ kill %1", "$ wait; cat news", "old", "new"
    )
    follow(tmp_path, text)


def test_hands_do_what_no_command_does(tmp_path: Path) -> None:
    def press() -> None:
        (tmp_path / "pressed").touch()

    follow(tmp_path, "<!-- do: press -->\n" + console("$ ls pressed", "pressed"), press=press)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["$ echo one", "two"], r"guide.md:3: \$ echo one\nended with 0\nshown:\n    two\nseen:\n    one\n"),
        (["$ true", "$ false"], r"guide.md:4: \$ false\nended with 1"),
        (["$ echo one; exit 3", "one"], r"guide.md:3: .*\nhas not ended"),
        (["$ no-such-program", "..."], r"guide.md:3: \$ no-such-program\nended with 127\n(.*\n)*.*not found"),
        (["$ cat", "$ echo more", ""], r"guide.md:4: "),
    ],
)
def test_what_turns_out_otherwise_is_told(tmp_path: Path, lines: list[str], told: str) -> None:
    with pytest.raises(GuideError, match=told):
        follow(tmp_path, console(*lines))


def test_hands_that_fail_and_that_nobody_has_are_told(tmp_path: Path) -> None:
    def press() -> None:
        raise AssertionError("no such switch")

    with pytest.raises(GuideError, match=r"guide.md:1: press: no such switch"):
        follow(tmp_path, "<!-- do: press -->", press=press)
    with pytest.raises(GuideError, match=r"guide.md:1: nobody knows how to do 'pull'; known: press"):
        follow(tmp_path, "<!-- do: pull -->", press=press)


def test_commands_that_look_are_repeated_until_it_is_there(tmp_path: Path) -> None:
    kubectl = "kubectl() { echo $1 >> looks; test $(wc -l < looks) -ge 3 && echo running; }"
    follow(tmp_path, console(f"$ {kubectl}", "$ kubectl get pods", "running", "$ wc -l < looks", "3"), late=60)
    with pytest.raises(GuideError, match=r"guide.md:4: \$ kubectl delete pod\nended with 1"):
        follow(tmp_path, console(f"$ rm looks; {kubectl}", "$ kubectl delete pod", "running"))


def test_what_runs_on_ends_with_the_guide(tmp_path: Path) -> None:
    follow(tmp_path, console("$ sleep 1000 & echo $! > pid"))
    command = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cmdline")
    eventually(lambda: not command.exists() or not command.read_bytes(), what="the end of sleep")
