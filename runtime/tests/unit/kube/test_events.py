"""One Event object per object, reason and message."""

from edgelab.core.model import ObjectReference
from edgelab.kube.events import event_name
from hypothesis import given
from hypothesis import strategies as st

words = st.sampled_from(["a", "b", "ab", ""])


@given(st.tuples(words, words, words), st.tuples(words, words, words))
def test_names_differ_as_what_is_told_differs(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    names = [event_name(ObjectReference("Instance", "i", uid), reason, text) for uid, reason, text in (one, other)]
    assert (names[0] == names[1]) == (one == other)


def test_a_name_fits_whatever_the_objects_name() -> None:
    name = event_name(ObjectReference("Configuration", "c" * 253, "uid"), "Reason", "message")
    assert len(name) <= 253
