"""Following a kind: whatever breaks in between, folding the events gives the API server's state."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx2
from edgelab.kube.follow import Mirror, differences, key_of
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


class Moody:
    """A client whose listings fail or answer as told, and whose watches last."""

    resourceVersion = "1"  # noqa: N815 - as lightkube calls it

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def list(self, _resource: Any, **_selectors: Any) -> "Moody":
        return self

    async def __aiter__(self) -> AsyncIterator[Body]:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for one in answer:
            yield one

    async def watch(self, _resource: Any, **_selectors: Any) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


async def test_a_mirror_tells_that_the_api_server_is_away_and_that_its_copy_is_complete() -> None:
    told: list[str] = []
    client: Any = Moody(httpx2.ConnectError("refused"), [body("a")])
    mirror: Mirror[Any] = Mirror(client, Body, parse=lambda one: one, on_change=lambda _: None, on_state=told.append)
    running = asyncio.create_task(mirror.run())
    await mirror.listed.wait()
    running.cancel()
    assert told == ["ConnectError: refused", ""]
    assert list(mirror.objects) == [("ns", "a")]
