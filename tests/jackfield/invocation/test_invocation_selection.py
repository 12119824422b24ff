"""``select``: a part of the output, by a JMESPath expression of the caller."""

from __future__ import annotations

import copy
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jmespath
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.functions import Functions
from jmespath.parser import Parser
from jmespath.visitor import TreeInterpreter

from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield.invocation.selection import (
    LONGEST,
    PRICES,
    SelectionError,
    check_selection,
    selection,
)
from jackfield.kernel.errors import InvalidInvocation
from nursery import connection, mail

_SCHEMAS = Path(__file__).parents[3] / "schemas"
_OUTPUT = {
    "items": [{"id": number, "name": f"n{number}", "tags": ["a", "b"]} for number in range(500)],
    "s": "x" * 1000,
    "none": None,
}


@pytest.fixture(name="aws")
def _aws() -> Iterator[FakeAws]:
    with FakeAws() as fake:
        yield fake


@pytest.fixture(name="jackfield")
def _jackfield(aws: FakeAws, tmp_path: Path) -> Iterator[Jackfield]:
    with Jackfield(
        connections=[connection(aws.url)], database_url=f"sqlite:///{tmp_path}/x.db"
    ) as jackfield:
        yield jackfield


@pytest.mark.parametrize(
    "expression",
    [
        "items[?id > `490`].name",
        "items[*].{id: id, tag: tags[0]} | [0:2]",
        "length(items)",
        "sort_by(items, &name)[0].id",
        "nothing.here",
        "@",
        "none",
    ],
)
def test_it_selects_what_the_library_selects(expression: str) -> None:
    """Within the limits, an expression means what it means everywhere."""
    check_selection(expression)
    assert selection(expression, _OUTPUT) == jmespath.search(expression, _OUTPUT)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "a" * (LONGEST + 1),
        "foo(",
        "!!",
        "foo(@)",
        "length(@, @)",
        "not_null()",
        "items[",
        "(" * 490,
        "'",
        "`{`",
        "items[*].",
        "\x00",
        "ä",
    ],
)
def test_what_is_no_expression_is_refused_before_anything_is_sent(
    aws: FakeAws, jackfield: Jackfield, expression: str
) -> None:
    """Also unknown functions, and too few or too many arguments: no output could be selected
    from.
    """
    error = jackfield.invoke({**mail("k"), "select": expression}).error
    assert error is not None
    assert (error.code, [detail.path for detail in error.details], aws.calls()) == (
        "invalid_invocation",
        ["/select"],
        [],
    )


@pytest.mark.parametrize("value", [7, None, ["a"], {}, True])
def test_it_is_a_text(jackfield: Jackfield, value: Any) -> None:
    """Anything else is refused at its place."""
    error = jackfield.invoke({**mail("k"), "select": value}).error
    assert error is not None
    assert [detail.path for detail in error.details] == ["/select"]


@pytest.mark.parametrize(
    "expression",
    [
        "|".join(["[@,@]"] * 160),
        "|".join(["{a:@,b:@}"] * 90),
        "|".join(["[@,@][]"] * 120),
        "[s]|" + "|".join(["[join('',@),join('',@)]"] * 40),
        "[@,@]|" * 15 + "to_string(@)",
        "[" + ",".join(["items"] * 160) + "]",
        "items|" + "map(&[@,@], @)|" * 20 + "@",
        "items|" + "[*].[@,@,@,@][]|" * 20 + "@",
        "items[*].tags[::-1][]|[*].[@,@][]|[*].[@,@][]|[*].[@,@][]|[*].[@,@][]|[*].[@,@][]|[*].[@,@][]|[*].[@,@][]|[*].[@,@][]|[*].[@,@]",
    ],
)
def test_a_short_expression_cannot_cost_without_bound(expression: str) -> None:
    """What doubles a value again and again ends after a bounded number of steps."""
    check_selection(expression)
    with pytest.raises(SelectionError, match="takes more than 500,000 steps"):
        selection(expression, _OUTPUT)


_LONG = "g" * 1_000_000
_ITEMS = [str(number) for number in range(100_000)]
_NUMBERS = [*range(100_000)]
_MEMBERS = dict.fromkeys(_ITEMS, 1)
_NAMED = TreeInterpreter().visit(Parser().parse("&@").parsed, None)
"""An expression that is its item, as functions get it."""
_LARGE: dict[str, tuple[tuple[Any, ...], int]] = {
    "abs": ((-1,), 1),
    "avg": ((_NUMBERS,), 100_000),
    "ceil": ((1.5,), 1),
    "contains": ((_LONG, "gx"), 1_000),
    "ends_with": ((_LONG, _LONG), 1_000),
    "floor": ((1.5,), 1),
    "join": ((_LONG, [""] * 11), 100_000),
    "keys": ((_MEMBERS,), 100_000),
    "length": ((_LONG,), 1),
    "map": ((_NAMED, _ITEMS), 100_000),
    "max": ((_ITEMS,), 100_000),
    "max_by": ((_ITEMS, _NAMED), 100_000),
    "merge": ((_MEMBERS, _MEMBERS), 200_000),
    "min": ((_ITEMS,), 100_000),
    "min_by": ((_ITEMS, _NAMED), 100_000),
    "not_null": ((None, _LONG), 1),
    "reverse": ((_LONG,), 10_000),
    "sort": ((_ITEMS,), 100_000),
    "sort_by": ((_ITEMS, _NAMED), 100_000),
    "starts_with": ((_LONG, _LONG), 1_000),
    "sum": ((_NUMBERS,), 100_000),
    "to_array": ((_LONG,), 1),
    "to_number": (("1" * 1_000_000,), 1_000),
    "to_string": (([_LONG, "\U0001f600" * 1_000],), 10_000),
    "type": ((_LONG,), 1),
    "values": ((_MEMBERS,), 100_000),
}
"""Large arguments of each function, and the least that its price may be: 100 characters that are
made, 1,000 characters that are read, or one entry, for each step.
"""


def _made(value: Any) -> int:
    """Return the steps of what a function made."""
    return len(value) // 100 if isinstance(value, str) else len(value)


@pytest.mark.parametrize("name", sorted(Functions.FUNCTION_TABLE))
def test_each_function_asks_its_price_before_it_runs(name: str) -> None:
    """A function of a further version of the library needs a price and large arguments here. The
    price is at least what is read, and what is made where a new value is.
    """
    arguments, least = _LARGE[name]
    price = PRICES[name](*arguments)
    assert price >= least
    found = Functions().call_function(name, [*arguments])
    if isinstance(found, str | list | dict) and not any(found is given for given in arguments):
        assert price >= _made(found)


def test_a_function_without_a_price_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before anything is sent, and in an expression that nobody checked."""
    monkeypatch.delitem(PRICES, "length")
    for refused in (check_selection, lambda one: selection(one, _OUTPUT)):
        with pytest.raises(SelectionError, match="has no function 'length'"):
            refused("length(items)")


@pytest.mark.parametrize(
    "expression",
    [
        "join(s, `[" + ",".join(['""'] * 640) + "]`)",
        "[" + ",".join(["s"] * 4) + "] | join('', @) | [" + ",".join(["@"] * 10) + "]",
        "to_string([wide])",
        "[" + ",".join(["contains(s, 'gx')"] * 100) + "]",
        "[" + ",".join(["max(items)"] * 100) + "]",
        "[" + ",".join(["items == more"] * 100) + "]",
        "[" + ",".join(["contains(lists, `[[]]`)"] * 80) + "]",
        "rows[?contains(@, '" + "a" * 49 + "b" + "a" * 49 + "')]",
        "rows[?" + "&&".join(["ends_with(@, @)"] * 100) + "]",
    ],
)
def test_what_would_cost_too_much_is_not_made(expression: str) -> None:
    """The memory at its peak stays below what the steps allow, and an answer with equal parts is
    compared as often as the steps allow.
    """
    output = {
        "s": "g" * 8_000_000,
        "wide": "\u20ac" * 8_000_000,
        "items": [*range(100_000)],
        "more": [*range(100_000)],
        "lists": [[[index]] for index in range(10_000)],
        "rows": ["a" * 29_000] * 200,
    }
    check_selection(expression)
    tracemalloc.start()
    try:
        with pytest.raises(SelectionError, match="takes more than 500,000 steps"):
            selection(expression, output)
        assert tracemalloc.get_traced_memory()[1] < 64_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "expression",
    [
        "length(none)",
        "to_string(&s)",
        "to_string([&s])",
        "items[::0]",
        "sum(items)",
        "max_by(items, &tags)",
        "`NaN`",
        "`1e999`",
        "sort(items)",
        "&s",
        "[&s]",
        "{a: &s}",
    ],
)
def test_what_cannot_be_applied_leaves_the_output_whole(expression: str) -> None:
    """The message quotes nothing of the output."""
    check_selection(expression)
    with pytest.raises(SelectionError) as fault:
        selection(expression, _OUTPUT)
    assert "n1" not in str(fault.value)


@given(expression=st.text(alphabet="items[]*.@|&(){},:?=<>!`'\"0123456789abc-_ ", max_size=60))
def test_no_expression_raises_anything_else(expression: str) -> None:
    """Whatever it is, it is refused, cannot be applied, or selects what JSON can hold."""
    try:
        check_selection(expression)
        json.dumps(selection(expression, _OUTPUT), allow_nan=False)
    except SelectionError:
        pass


def test_the_caller_gets_a_part_and_the_journal_keeps_all(
    aws: FakeAws, jackfield: Jackfield
) -> None:
    """A repetition with the key may select another part, or nothing: the key is the same
    request's.
    """
    schema = json.loads((_SCHEMAS / "result.schema.json").read_text(encoding="utf-8"))
    first = jackfield.invoke({**mail("k"), "select": "MessageId"})
    others = [
        jackfield.invoke({**mail("k"), **more})
        for more in ({"select": "{id: MessageId}"}, {"select": "length(Nothing)"}, {})
    ]
    whole = others[-1].output
    assert whole is not None
    assert first.output == {"selected": whole["MessageId"]}
    assert others[0].output == {"selected": {"id": whole["MessageId"]}}
    assert [one.meta.selected for one in (first, *others)] == [True, True, False, False]
    assert [warning["path"] for warning in others[1].meta.warnings] == [""]
    assert others[1].output == whole
    assert aws.calls().count("sesv2:SendEmail") == 1
    for one in (first, *others):
        jsonschema.validate(one.to_json(), schema)
    journal = jackfield.journal
    assert journal is not None
    assert (journal.find(first.meta.invocation_id).result or {})["output"] == whole


def test_a_failure_has_nothing_to_select_from(aws: FakeAws, jackfield: Jackfield) -> None:
    """A doubt and a refusal are what they are."""
    aws.script([{"operation": "SendEmail", "do": "reset"}])
    doubt = jackfield.invoke({**mail("k"), "select": "MessageId"})
    assert (doubt.status, doubt.output, doubt.meta.selected) == ("in_doubt", None, False)


def test_what_is_queued_has_none(jackfield: Jackfield) -> None:
    """Nobody waits for its output."""
    with pytest.raises(InvalidInvocation) as fault:
        jackfield.enqueue({**mail("k"), "select": "MessageId"})
    assert [detail.path for detail in fault.value.details] == ["/select"]


def test_the_output_is_not_changed() -> None:
    """What is selected may be part of the output, and is not copied: nothing is written to it."""
    before = copy.deepcopy(_OUTPUT)
    selection("items[*].{a: tags, b: @}", _OUTPUT)
    assert before == _OUTPUT
