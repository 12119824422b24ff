"""What a policy withholds stands nowhere else: not in page tokens, warnings, errors, doubts, exchanges or answers of jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.journal.judging import AGENT, MANAGER, NUMBER, call, hides, judging

from jackfield_store.runtime import Jackfield
from policy_stub import Policy, policy_service


@pytest.fixture(name="policy")
def _policy() -> Iterator[Policy]:
    with policy_service() as found:
        found.decide = hides
        yield found


@pytest.fixture(name="jackfield")
def _jackfield(tmp_path: Path, policy: Policy) -> Iterator[Jackfield]:
    with judging(tmp_path / "plugs", f"sqlite:///{tmp_path}/jackfield.db", policy) as found:
        yield found


CALLS = {
    "output": call("find"), "token": call("page"), "warning": call("savePart"), "part": call("savePart", partial="fail"),
    "error": call("refused"), "doubt": call("halfway"), "job": call("order"), "failed job": call("order", inputs={"name": "nobody"}),
    "selected": call("find", select="number"), "cut": call("find", maxBytes=20), "traced": call("find", trace=True),
}  # fmt: skip


@pytest.mark.parametrize("given", CALLS.values(), ids=CALLS)
def test_it_stands_nowhere_else(jackfield: Jackfield, policy: Policy, given: dict[str, Any]) -> None:
    """The Result, the journal and events do not have it; the status is the provider's."""
    found = jackfield.invoke(given, caller=MANAGER)
    seen = [found.to_json(), jackfield.journal_of().find(found.meta.invocation_id).to_json(), [one.to_json() for one in jackfield.events()]]
    assert NUMBER not in json.dumps(seen, default=str)
    policy.decide = lambda _question: {"allow": True}
    open_to = jackfield.invoke(given, caller=MANAGER)
    assert open_to.status == found.status
    if given["action"] != "halfway" and "maxBytes" not in given:  # a doubt quotes no output where a policy judges
        assert NUMBER in json.dumps(open_to.to_json())


def test_the_question_about_a_failure_says_so(jackfield: Jackfield, policy: Policy) -> None:
    """What the provider told is asked about as an output is; what is left of it is shown."""
    found = jackfield.invoke(call("refused"), caller=AGENT)
    (question,) = [one for one in policy.asked if one["hook"] == "output"]
    assert (question["status"], question["output"]) == ("failed", {"number": NUMBER, "kind": "hidden"})
    assert found.error is not None
    assert found.error.provider is not None
    assert (found.error.provider.details, found.error.provider.message) == ({"kind": "hidden"}, "ada has the number ***")


def test_without_a_decision_a_failure_tells_nothing(jackfield: Jackfield, policy: Policy) -> None:
    """Its code and status stay."""
    policy.decide = lambda question: {"allow": True} if question["hook"] == "call" else None
    found = jackfield.invoke(call("refused"), caller=AGENT)
    assert found.error is not None
    assert (found.error.code, NUMBER in json.dumps(found.to_json()), found.error.provider.details if found.error.provider else 0) == (
        "rejected", False, None,
    )  # fmt: skip


@pytest.mark.parametrize("place", ["/records/-1/number", "/records/00/number", "/records/+0/number", "/records/0_0/number"])
def test_an_index_has_digits_alone(jackfield: Jackfield, policy: Policy, place: str) -> None:
    """A place that is none withholds nothing, and no other item's member."""
    policy.decide = lambda question: {"allow": True, **({"withhold": [place]} if question["hook"] == "output" else {})}
    found = jackfield.invoke(call("page"), caller=AGENT)
    assert found.output is not None
    assert (found.output["records"], found.meta.warnings) == ([{"name": "ada", "number": NUMBER}], ())
