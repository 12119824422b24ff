"""``select``: a part of the output, by a JMESPath expression of the caller."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jmespath
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield.invocation.selection import LONGEST, SelectionError, check_selection, selection
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


@pytest.mark.parametrize(
    "expression",
    [
        "length(none)",
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
