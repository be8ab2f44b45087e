"""When a held slot is freed."""

from dataclasses import dataclass, field

import pytest
from edgelab.agent import reclaim
from edgelab.agent.reclaim import PodState, Sighting, Slot, Ticket, Verdict
from edgelab.agent.slots import Holder
from edgelab.kube.follow import Key
from hypothesis import given
from hypothesis import strategies as st

SLOT: Slot = (("default", "echo-aae70c"), "echo-aae70c-1")
CARD: Ticket = ("akri.sh/echo-aae70c", "echo-aae70c-1")
POD: Key = ("default", "broker")
RUNNING, ENDED = PodState("p-1", ended=False), PodState("p-1", ended=True)


@dataclass
class Rounds:
    """A reclaimer's memory over several rounds with one held slot."""

    now: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    def look(self, *, listed: bool, pod: PodState | None, after: float = 0.0) -> bool:
        self.now += after
        self.verdict = reclaim.judge(
            {SLOT: CARD},
            {CARD: POD} if listed else {},
            {POD: pod} if pod else {},
            self.verdict.sightings,
            now=self.now,
            patience=20.0,
        )
        return SLOT in self.verdict.free


@pytest.mark.parametrize(
    ("holder", "expected"),
    [
        (Holder("here"), ("akri.sh/echo-aae70c", "echo-aae70c-1")),
        (Holder("here", "echo-4"), ("akri.sh/echo", "echo-4")),
    ],
)
def test_what_the_kubelet_calls_a_slot(holder: Holder, expected: Ticket) -> None:
    assert reclaim.ticket(SLOT, holder, "echo") == expected


def test_a_slot_in_use_is_kept_however_long() -> None:
    rounds = Rounds()
    assert not any(rounds.look(listed=True, pod=RUNNING, after=1000.0) for _round in range(3))


@pytest.mark.parametrize("end", [None, ENDED, PodState("another Pod of that name", ended=False)])
def test_the_slot_of_a_pod_that_ended_is_freed_at_once(end: PodState | None) -> None:
    rounds = Rounds()
    rounds.look(listed=True, pod=RUNNING)
    assert not rounds.look(listed=True, pod=end)
    assert rounds.verdict.pending
    assert rounds.look(listed=False, pod=end)


def test_a_slot_that_passed_to_a_pod_of_the_same_name_is_that_pods() -> None:
    rounds, successor = Rounds(), PodState("p-2", ended=False)
    rounds.look(listed=True, pod=RUNNING)
    rounds.look(listed=True, pod=successor, after=19.9)
    assert rounds.verdict.pending
    rounds.look(listed=True, pod=successor, after=0.1)
    assert not rounds.verdict.pending
    assert not rounds.look(listed=False, pod=successor, after=19.9)


@pytest.mark.parametrize("end", [None, ENDED])
def test_a_kubelet_that_lists_an_ended_pod_for_long_is_asked_less_often(end: PodState | None) -> None:
    rounds = Rounds()
    rounds.look(listed=True, pod=RUNNING)
    rounds.look(listed=True, pod=end, after=20.0)
    assert not rounds.verdict.pending
    assert rounds.look(listed=False, pod=end, after=10.0)


def test_a_kubelet_that_lists_nothing_for_a_moment_frees_nothing() -> None:
    rounds = Rounds()
    rounds.look(listed=True, pod=RUNNING)
    assert not rounds.look(listed=False, pod=RUNNING, after=19.0)
    assert not rounds.look(listed=True, pod=RUNNING, after=10.0)
    assert not rounds.look(listed=False, pod=RUNNING, after=19.0)
    assert rounds.look(listed=False, pod=RUNNING, after=1.0)


def test_a_slot_never_seen_in_use_is_freed_after_patience() -> None:
    rounds = Rounds()
    assert not rounds.look(listed=False, pod=None)
    assert not rounds.look(listed=False, pod=None, after=19.9)
    assert rounds.look(listed=False, pod=None, after=0.1)


@given(
    st.dictionaries(st.integers(0, 5), st.booleans()),
    st.dictionaries(st.integers(0, 5), st.floats(0, 100)),
    st.floats(0, 200),
)
def test_a_listed_slot_is_never_freed(listed: dict[int, bool], seen: dict[int, float], now: float) -> None:
    held = {(SLOT[0], str(index)): ("akri.sh/echo-aae70c", str(index)) for index in range(6)}
    in_use = {("akri.sh/echo-aae70c", str(index)): POD for index, yes in listed.items() if yes}
    before = {(SLOT[0], str(index)): Sighting(at, POD, "gone") for index, at in seen.items()}
    verdict = reclaim.judge(held, in_use, {}, before, now=now, patience=20.0)
    assert not {card for slot, card in held.items() if slot in verdict.free} & set(in_use)
    assert set(verdict.sightings) | verdict.free == set(held)
    assert not set(verdict.sightings) & verdict.free
