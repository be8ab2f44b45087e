"""Rules of udev: what is one, and where the error is in what is none."""

import pytest
from edgelab.discovery.handlers.udev.grammar import KEYED, Field, Filter, RuleError, parse
from hypothesis import given
from hypothesis import strategies as st


def test_a_rule_of_akris_documentation() -> None:
    assert parse('KERNEL=="video[0-9]*",SUBSYSTEM=="video4linux", ATTR{idVendor}!="05a9"') == (
        Filter(Field.KERNEL, "", False, "video[0-9]*"),
        Filter(Field.SUBSYSTEM, "", False, "video4linux"),
        Filter(Field.ATTR, "idVendor", True, "05a9"),
    )


def test_white_space_may_stand_between_parts_and_in_values() -> None:
    assert parse(' ATTR{a b} == "x y" ,\n\tTAG!=""\n') == (
        Filter(Field.ATTR, "a b", False, "x y"),
        Filter(Field.TAG, "", True, ""),
    )


@pytest.mark.parametrize("field", Field)
@pytest.mark.parametrize("operator", ["==", "!="])
def test_every_field_with_both_operators(field: Field, operator: str) -> None:
    key = "key" if field in KEYED else ""
    braces = f"{{{key}}}" if key else ""
    assert parse(f'{field}{braces}{operator}"a"') == (Filter(field, key, operator == "!=", "a"),)


@pytest.mark.parametrize(
    ("rule", "column", "told"),
    [
        ("", 1, "expected a field"),
        ("  ", 3, "expected a field"),
        ('"video0"', 1, "expected a field"),
        ('KERNELL=="a"', 1, "there is no field KERNELL"),
        ('kernel=="a"', 1, "there is no field kernel"),
        ('KERNEL=="a", ACTION=="add"', 14, "ACTION says nothing about a device"),
        ('RUN{program}+="/bin/true"', 1, "RUN says nothing about a device"),
        ('ATTR=="a"', 5, "expected a name in braces, as in ATTR{name}, found '='"),
        ('ENV{}=="a"', 4, "expected a name in braces"),
        ('KERNEL{a}=="b"', 7, "KERNEL has no name in braces"),
        ('KERNEL "a"', 8, "expected == or !="),
        ('KERNEL="a"', 7, "= assigns something"),
        ('ENV{A}+="a"', 7, "+= assigns something"),
        ('ENV{A}-="a"', 7, "-= assigns something"),
        ('ENV{A}:="a"', 7, ":= assigns something"),
        ("KERNEL==video0", 9, "expected a value in quotation marks"),
        ('KERNEL=="video0', 9, "expected a value in quotation marks"),
        ('KERNEL=="a" SUBSYSTEM=="b"', 13, "expected a comma or the end of the rule, found 'S'"),
        ('KERNEL=="a",', 13, "expected a field (ATTR, ATTRS, DEVPATH"),
        ('KERNEL=="a";', 12, "expected a comma or the end of the rule, found ';'"),
        ('DRIVER=="a[b"', 11, "the regular expression 'a[b' is wrong: unterminated character set"),
        ('KERNEL!="*"', 10, "the regular expression '*' is wrong: nothing to repeat"),
        ('DRIVER=="[[a]"', 10, "the regular expression '[[a]' is ambiguous"),
    ],
)
def test_what_is_no_rule_is_told_with_its_column(rule: str, column: int, told: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(rule)
    assert caught.value.column == column
    assert told in str(caught.value)


@given(st.text() | st.text(alphabet='KERNELATS{}=!"+,[*a ', max_size=40))
def test_any_text_is_a_rule_or_an_error_within_it(text: str) -> None:
    try:
        columns = [1 for _filter in parse(text)]
    except RuleError as error:
        columns = [error.column]
    assert columns
    assert all(1 <= column <= len(text) + 1 for column in columns)


@given(
    st.lists(
        st.builds(
            Filter,
            st.sampled_from([Field.KERNEL, Field.SUBSYSTEM, Field.DEVPATH, Field.TAG]),
            st.just(""),
            st.just(False),
            st.text().filter(lambda text: '"' not in text),
        ),
        min_size=1,
    )
)
def test_what_is_written_is_read(filters: list[Filter]) -> None:
    assert parse(",".join(f'{each.field}=="{each.value}"' for each in filters)) == tuple(filters)
