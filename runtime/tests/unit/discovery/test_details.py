"""Discovery details: what becomes of YAML, and what is said when it cannot be used."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from edgelab.discovery.details import check_type, read_details
from edgelab.discovery.handler import InvalidDetailsError
from hypothesis import example, given
from hypothesis import strategies as st


@dataclass(frozen=True)
class Filter:
    action: Literal["Include", "Exclude"] = "Include"
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Details:
    url: str
    interval_seconds: float = 1.0
    count: int = 0
    group_recursive: bool = False
    names: Sequence[str] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    filter_by: Filter = Filter()
    note: str | None = "none"

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count is {self.count}, less than nothing")


@dataclass(frozen=True)
class AllOptional:
    first: str = "a"


@dataclass(frozen=True)
class TwoRequired:
    first: str
    second: float | None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("http://discovery:9999/discovery", Details("http://discovery:9999/discovery")),
        ("http://discovery:9999/discovery\n", Details("http://discovery:9999/discovery")),
        ("url: a", Details("a")),
        ('{"url": "a"}', Details("a")),
        ("url: a\nintervalSeconds: 2", Details("a", 2.0)),
        ("url: a\nintervalSeconds: 2.5e-1\ncount: -0", Details("a", 0.25)),
        ("url: a\ngroupRecursive: true\nnames: [x, 'y']", Details("a", group_recursive=True, names=("x", "y"))),
        ("url: a\nlabels: {x: 1}", Details("a", labels={"x": 1})),
        ("url: a\nfilterBy:\n  action: Exclude\n  items: [b]", Details("a", filter_by=Filter("Exclude", ("b",)))),
        ("url: a\nfilterBy:", Details("a")),
        ("url: a\nnote:", Details("a", note=None)),
        ("url: a\nnote: text", Details("a", note="text")),
        ("url: yes", Details("yes")),
        ("url: 2026-11-21", Details("2026-11-21")),
        ("url: '1'", Details("1")),
        (r'"\ud83d\ude00"', Details("\N{GRINNING FACE}")),
    ],
)
def test_yaml_becomes_a_dataclass(text: str, wanted: Details) -> None:
    assert read_details(text, Details) == wanted


@pytest.mark.parametrize("text", ["", "{}", "# nothing", "first: a"])
def test_nothing_is_enough_where_everything_has_a_default(text: str) -> None:
    assert read_details(text, AllOptional) == AllOptional()


@pytest.mark.parametrize("text", ["", "a: [b", "\0"])
def test_bare_text_is_taken_as_it_is_where_that_is_wanted(text: str) -> None:
    assert read_details(text, str) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "discoveryDetails.url is missing; text is wanted"),
        ("- a", "discoveryDetails is a list, not a mapping with the keys url, intervalSeconds, count, "),
        ("url: [a", "discoveryDetails is not YAML: line 1, column 8: expected ',' or ']', but got '<stream end>'"),
        ("url: a\n--- b", "discoveryDetails is not YAML: line 2, column 1: but found another document"),
        ("url: 1", "discoveryDetails.url is the number 1, not text; put it into quotes"),
        ("url: true", "discoveryDetails.url is the truth value true, not text; put it into quotes"),
        ("url:", "discoveryDetails.url is empty, not text"),
        ("url: {}", "discoveryDetails.url is a mapping, not text"),
        ("url: a\nurl: b", "discoveryDetails.url is given twice"),
        ("url: a\nintervalSecond: 1", "discoveryDetails.intervalSecond is not known here; intervalSeconds is meant, "),
        ("url: a\ninterval_seconds: 1", "discoveryDetails.interval_seconds is not known here; intervalSeconds is "),
        ("url: a\ncolour: 1", "discoveryDetails.colour is not known here; known: url, intervalSeconds, "),
        ("url: a\n1: 1", "A key of discoveryDetails is the number 1, not text; put it into quotes"),
        ("url: a\n[]: 1", "A key of discoveryDetails is a list, not text"),
        ("url: a\nintervalSeconds: soon", "discoveryDetails.intervalSeconds is the text 'soon', not a finite number"),
        ("url: a\nintervalSeconds: '1'", "discoveryDetails.intervalSeconds is the text '1', not a finite number"),
        ("url: a\nintervalSeconds: .inf", "discoveryDetails.intervalSeconds is the number .inf, not a finite number"),
        ("url: a\nintervalSeconds: 1e999", "discoveryDetails.intervalSeconds is the number 1e999, not a finite number"),
        ("url: a\ncount: 1.5", "discoveryDetails.count is the number 1.5, not a whole number in decimal"),
        ("url: a\ncount: 010", "discoveryDetails.count is the number 010, not a whole number in decimal"),
        ("url: a\ncount: -1", "discoveryDetails: count is -1, less than nothing"),
        ("url: a\ngroupRecursive: yes", "discoveryDetails.groupRecursive is the text 'yes', not true or false"),
        ("url: a\nnames: x", "discoveryDetails.names is the text 'x', not a list of texts"),
        ("url: a\nnames: [x, 3]", "discoveryDetails.names[1] is the number 3, not text; put it into quotes"),
        ("url: a\nlabels: {x: y}", "discoveryDetails.labels.x is the text 'y', not a whole number in decimal"),
        ("url: a\nlabels: []", "discoveryDetails.labels is a list, not a mapping"),
        (
            "url: a\nfilterBy: {action: Keep}",
            "discoveryDetails.filterBy.action is the text 'Keep', not one of Include, ",
        ),
        ("url: a\nfilterBy: {item: []}", "discoveryDetails.filterBy.item is not known here; items is meant, perhaps"),
        ("url: !!int 5", "discoveryDetails.url has the tag tag:yaml.org,2002:int; give it without a tag"),
        ("url: !!python/object:os.system x", "discoveryDetails.url has the tag tag:yaml.org,2002:python/object:os."),
        (r'url: "\ud83d"', "discoveryDetails.url has half a surrogate pair"),
        (r'url: "\0"', "discoveryDetails.url contains NUL, which no environment variable can hold"),
        (
            "url: " + "a" * 99 + "\nnames: " + "b" * 99,
            f"discoveryDetails.names is the text '{'b' * 57}...', not a list",
        ),
        ("%YAML " + "9" * 5000 + ".1\n--- a", "discoveryDetails is not YAML: Exceeds the limit"),
        ("[" * 5000, "discoveryDetails is not YAML: maximum recursion depth exceeded"),
    ],
)
def test_what_cannot_be_used_is_told(text: str, told: str) -> None:
    with pytest.raises(InvalidDetailsError) as caught:
        read_details(text, Details)
    assert str(caught.value).startswith(told)


def test_what_may_be_nothing_has_to_be_given_all_the_same() -> None:
    with pytest.raises(InvalidDetailsError, match=r"discoveryDetails\.second is missing; a number is wanted"):
        read_details("first: a", TwoRequired)
    assert read_details("first: a\nsecond:", TwoRequired) == TwoRequired("a", None)


def test_bare_text_is_no_mapping_where_two_things_are_wanted() -> None:
    with pytest.raises(InvalidDetailsError, match="is the text 'a', not a mapping with the keys first, second"):
        read_details("a", TwoRequired)


WORDS = """
url intervalSeconds count groupRecursive names labels filterBy note action Include items 1 -1 1e9 .5 0x1 ~ null true
- [ ] { } , ' " &a *a !!int ! | > # ? << \\u \\ud83d --- ...
"""
TOKENS = st.sampled_from([*WORDS.split(), ": ", "\n", "  ", "\t", "\0", "\ud83d", "%YAML 1.1"])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | TOKENS, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(TOKENS, max_size=12).map("".join) | st.text() | JSON.map(json.dumps))
@example("url: &a [*a]")
@example("&a {url: a, labels: *a}")
@example("url: !!timestamp x")
@example("!!bool x")
def test_nothing_but_invalid_details_is_raised(text: str) -> None:
    try:
        details = read_details(text, Details)
    except InvalidDetailsError:
        return
    assert isinstance(details.url, str)
    assert all(isinstance(name, str) for name in details.names)


@given(url=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), count=st.integers(0, 10**17))
def test_json_is_read_as_it_was_written(url: str, count: int) -> None:
    assert read_details(json.dumps({"url": url, "count": count}), Details) == Details(url, count=count)


@dataclass(frozen=True)
class WithSet:
    names: set[str]


@dataclass(frozen=True)
class WithDetails:
    details: tuple[WithSet, ...]


@pytest.mark.parametrize(
    "kind", [Any, set[str], list[str], tuple[str, str], Mapping[int, str], str | int, WithSet, WithDetails]
)
def test_a_type_that_details_cannot_have_is_an_error_of_the_author(kind: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot be a type of discovery details: see edgelab\.discovery\.details"):
        check_type(kind)


@pytest.mark.parametrize("kind", [str, Details, AllOptional, tuple[Filter, ...] | None])
def test_other_types_are_fine(kind: Any) -> None:
    check_type(kind)
