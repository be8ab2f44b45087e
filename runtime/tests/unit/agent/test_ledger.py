"""The ledger: slots are neither lost nor given twice, whatever the API server answers.

The API server is a hand-made one that keeps an Instance and knows who owns each key, as server-side apply does; the
real one is asked in the integration tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import httpx2
import pytest
from edgelab.agent.ledger import Ledger, SlotTakenError
from edgelab.agent.slots import Holder
from edgelab.agent.writer import Writer
from edgelab.core.errors import LabError
from edgelab.core.model import Instance
from edgelab.kube.follow import Key
from hypothesis import given
from hypothesis import strategies as st
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import Status

NODE, OTHER = "here", "there"
KEY: Key = ("default", "echo-aae70c")
MINE = Holder(NODE)


def conflict() -> ApiError:
    request = httpx2.Request("PATCH", "https://lab")
    return ApiError(request=request, status=Status(code=409, reason="Conflict", message="conflict"))


def instance(usage: Mapping[str, str] | None = None) -> Instance:
    spec = {"capacity": 3, "nodes": [NODE], "deviceUsage": dict(usage or {})}
    return Instance.from_dict({"metadata": {"name": KEY[1], "namespace": KEY[0], "uid": "i-1"}, "spec": spec})


@dataclass
class Server:
    """An API server with one Instance; `owners`: which manager owns each key of `deviceUsage`."""

    mirror: dict[Key, Instance] = field(default_factory=dict)
    usage: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    fails: bool = False
    forced: int = 0

    def sync(self) -> None:
        self.mirror[KEY] = instance(self.usage)

    def write(self, manager: str, usage: Mapping[str, str], *, force: bool = False) -> None:
        if self.fails:
            raise httpx2.ConnectError("away")
        foreign = [key for key in usage if self.owners.get(key, manager) != manager and self.usage[key] != usage[key]]
        if foreign and not force:
            raise conflict()
        for key in [key for key, owner in self.owners.items() if owner == manager and key not in usage]:
            del self.owners[key], self.usage[key]
        self.usage |= usage
        self.owners |= dict.fromkeys(usage, manager)

    async def apply_usage(self, _instance: Instance, usage: Mapping[str, str]) -> None:
        self.write("dp-here", usage)

    async def seize_usage(self, _instance: Instance, usage: Mapping[str, str], version: str) -> None:
        self.forced += 1
        self.write("dp-here", usage, force=True)

    async def fresh_usage(self, _instance: Instance) -> tuple[dict[str, str], str]:
        return dict(self.usage), "1"


@pytest.fixture
def server() -> Server:
    server = Server()
    server.sync()
    return server


def ledger_of(server: Server) -> Ledger:
    return Ledger(cast(Writer, server), NODE, server.mirror)


@pytest.fixture
def ledger(server: Server) -> Ledger:
    return ledger_of(server)


async def test_a_claimed_slot_is_written_and_known_at_once(server: Server, ledger: Ledger) -> None:
    await ledger.claim(KEY, {"s-0": MINE})
    assert server.usage == {"s-0": NODE}
    assert ledger.usage(KEY) == {"s-0": MINE}


async def test_claiming_again_is_fine(ledger: Ledger) -> None:
    await ledger.claim(KEY, {"s-0": MINE})
    await ledger.claim(KEY, {"s-0": MINE})
    assert list(ledger.held()) == [(KEY, "s-0", MINE)]


async def test_a_slot_of_another_node_cannot_be_claimed(server: Server, ledger: Ledger) -> None:
    server.write("dp-there", {"s-0": OTHER})
    server.sync()
    with pytest.raises(SlotTakenError, match="held by there"):
        await ledger.claim(KEY, {"s-1": MINE, "s-0": MINE})
    assert list(ledger.held()) == []


async def test_another_node_that_was_faster_wins(server: Server, ledger: Ledger) -> None:
    server.write("dp-there", {"s-0": OTHER})  # the mirror has not seen it
    with pytest.raises(SlotTakenError):
        await ledger.claim(KEY, {"s-0": MINE})
    assert server.usage == {"s-0": OTHER}
    assert list(ledger.held()) == []


async def test_a_free_key_that_akris_controller_owns_is_taken_over(server: Server, ledger: Ledger) -> None:
    server.write("unknown", {"s-0": ""})
    server.sync()
    await ledger.claim(KEY, {"s-0": MINE})
    assert (server.usage, server.owners, server.forced) == ({"s-0": NODE}, {"s-0": "dp-here"}, 1)


async def test_a_claim_that_could_not_be_written_holds_nothing(server: Server, ledger: Ledger) -> None:
    server.fails = True
    with pytest.raises(httpx2.ConnectError):
        await ledger.claim(KEY, {"s-0": MINE})
    assert list(ledger.held()) == []


async def test_a_release_that_could_not_be_written_keeps_the_slot(server: Server, ledger: Ledger) -> None:
    await ledger.claim(KEY, {"s-0": MINE})
    server.fails = True
    with pytest.raises(httpx2.ConnectError):
        await ledger.release(KEY, ["s-0"])
    assert list(ledger.held()) == [(KEY, "s-0", MINE)]


async def test_a_restarted_agent_holds_what_it_held(server: Server, ledger: Ledger) -> None:
    await ledger.claim(KEY, {"s-0": MINE, "s-1": Holder(NODE, "echo-0")})
    server.sync()
    after = ledger_of(server)
    after.adopt(server.mirror[KEY])
    assert list(after.held()) == list(ledger.held())


async def test_slots_outlive_an_instance_that_was_deleted_by_hand(server: Server, ledger: Ledger) -> None:
    await ledger.claim(KEY, {"s-0": MINE})
    del server.mirror[KEY]
    ledger.let_go(KEY)
    server.usage, server.owners = {}, {}
    server.sync()
    ledger.adopt(server.mirror[KEY])
    await ledger.reassert(KEY)
    assert server.usage == {"s-0": NODE}


async def test_a_slot_cleaned_away_and_given_to_another_node_is_let_go(server: Server, ledger: Ledger) -> None:
    await ledger.claim(KEY, {"s-0": MINE, "s-1": MINE})
    server.write("unknown", {"s-0": ""}, force=True)
    server.write("dp-there", {"s-0": OTHER}, force=True)
    server.sync()
    await ledger.reassert(KEY)
    assert list(ledger.held()) == [(KEY, "s-1", MINE)]


@pytest.mark.parametrize("going", [True, False])
async def test_nothing_can_be_claimed_of_an_instance_that_goes(server: Server, ledger: Ledger, going: bool) -> None:
    server.mirror = {KEY: replace(instance(), deleting=True)} if going else {}
    ledger = ledger_of(server)
    with pytest.raises(LabError, match="gone or going"):
        await ledger.claim(KEY, {"s-0": MINE})


actions = st.lists(st.tuples(st.sampled_from(["claim", "release", "there", "sync", "fail"]), st.integers(0, 2)))


@given(actions)
async def test_two_nodes_never_hold_one_slot(steps: list[tuple[str, int]]) -> None:
    server = Server()
    server.sync()
    ledger = ledger_of(server)
    for action, index in steps:
        slot = f"s-{index}"
        try:
            match action:
                case "claim":
                    await ledger.claim(KEY, {slot: MINE})
                case "release":
                    await ledger.release(KEY, [slot])
                case "there" if not server.fails:
                    theirs = {key: value for key, value in server.usage.items() if value == OTHER}
                    server.write("dp-there", theirs | {slot: OTHER})
                case "sync":
                    server.sync()
                case "fail":
                    server.fails = not server.fails
        except (SlotTakenError, httpx2.HTTPError):
            pass
        assert {slot for _key, slot, _holder in ledger.held()} == {
            key for key, value in server.usage.items() if value == NODE
        }
