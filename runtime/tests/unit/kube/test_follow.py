"""Following a kind: whatever breaks in between, folding the events gives the API server's state."""

from types import SimpleNamespace
from typing import Any

from edgelab.kube.follow import differences, key_of
from hypothesis import given
from hypothesis import strategies as st

Body = SimpleNamespace


def body(name: str, uid: str = "1", version: str = "1") -> Body:
    return Body(metadata=Body(namespace="ns", name=name, uid=uid, resourceVersion=version))


def events(known: dict[str, Body], listed: list[Body]) -> list[tuple[str, str]]:
    keyed = {key_of(one): one for one in known.values()}
    return [(event.type, event.object.metadata.name) for event in differences(keyed, listed)]


def test_nothing_is_told_twice() -> None:
    assert events({"a": body("a")}, [body("a")]) == []


def test_changes_in_the_gap_are_told() -> None:
    known = {"a": body("a"), "b": body("b"), "c": body("c")}
    assert events(known, [body("b", version="2"), body("c"), body("d")]) == [
        ("deleted", "a"),
        ("modified", "b"),
        ("added", "d"),
    ]


def test_an_object_replaced_by_another_of_its_name_is_deleted_then_added() -> None:
    assert events({"a": body("a", uid="1")}, [body("a", uid="2")]) == [("deleted", "a"), ("added", "a")]


names = st.sampled_from("abcde")
states = st.dictionaries(names, st.tuples(st.sampled_from("12"), st.sampled_from("123")))


@given(states, states)
def test_folding_the_events_gives_the_listing(before: dict[str, Any], after: dict[str, Any]) -> None:
    known = {key_of(one): one for one in (body(name, *parts) for name, parts in before.items())}
    listed = [body(name, *parts) for name, parts in after.items()]
    folded = dict(known)
    for event in differences(known, listed):
        if event.type == "deleted":
            del folded[key_of(event.object)]
        else:
            folded[key_of(event.object)] = event.object
    assert folded == {key_of(one): one for one in listed}
