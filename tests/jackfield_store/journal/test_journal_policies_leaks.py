"""What a policy withholds stands nowhere else: not in page tokens, warnings, errors, doubts,
exchanges or answers of jobs.
"""

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
    "output": call("find"),
    "token": call("page"),
    "warning": call("savePart"),
    "part": call("savePart", partial="fail"),
    "error": call("refused"),
    "doubt": call("halfway"),
    "job": call("order"),
    "failed job": call("order", inputs={"name": "nobody"}),
    "sentence": call("says"),
    "own sentence": call("says", inputs={"limit": 1}),
    "sentence of a job": call("order", inputs={"name": "ended"}),
    "selected": call("find", select="number"),
    "cut": call("find", maxBytes=20),
    "traced": call("find", trace=True),
}


@pytest.mark.parametrize("given", CALLS.values(), ids=CALLS)
def test_it_stands_nowhere_else(
    jackfield: Jackfield, policy: Policy, given: dict[str, Any]
) -> None:
    """The Result, the journal and events do not have it; the status is the provider's."""
    found = jackfield.invoke(given, caller=MANAGER)
    seen = [
        found.to_json(),
        jackfield.journal_of().find(found.meta.invocation_id).to_json(),
        [one.to_json() for one in jackfield.events()],
    ]
    assert NUMBER not in json.dumps(seen, default=str)
    policy.decide = lambda _question: {"allow": True}
    open_to = jackfield.invoke(given, caller=MANAGER)
    assert open_to.status == found.status
    # a doubt quotes no output where a policy judges
    if given["action"] != "halfway" and "maxBytes" not in given:
        assert NUMBER in json.dumps(open_to.to_json())


def test_the_question_about_a_failure_says_so(jackfield: Jackfield, policy: Policy) -> None:
    """What the provider told is asked about as an output is; what is left of it is shown, and none
    of its sentences.
    """
    found = jackfield.invoke(call("refused"), caller=AGENT)
    (question,) = [one for one in policy.asked if one["hook"] == "output"]
    assert (question["status"], question["output"]) == (
        "failed",
        {"number": NUMBER, "kind": "hidden"},
    )
    assert found.error is not None
    assert found.error.provider is not None
    assert (found.error.provider.details, found.error.provider.message) == (
        {"kind": "hidden"},
        None,
    )
    assert (
        found.error.message
        == "the call ended as 'rejected'; the provider's answer is withheld by a policy"
    )
    assert question["error"]["provider"] == {
        "code": "Hidden",
        "message": f"ada has the number {NUMBER}",
    }


def test_without_a_decision_a_failure_tells_nothing(jackfield: Jackfield, policy: Policy) -> None:
    """Its code and status stay."""
    policy.decide = lambda question: {"allow": True} if question["hook"] == "call" else None
    found = jackfield.invoke(call("refused"), caller=AGENT)
    assert found.error is not None
    assert (
        found.error.code,
        NUMBER in json.dumps(found.to_json()),
        found.error.provider.details if found.error.provider else 0,
    ) == (
        "rejected",
        False,
        None,
    )


NOTHING = [
    {"allow": False},
    {"allow": True, "withhold": ["/number"]},
    {"allow": True, "keep": ["/name"]},
    {},
    None,
    {"allow": True, "deny": True},
]
"""Decisions about outputs that show no number, in whatever form it comes."""


@pytest.mark.parametrize("verdict", NOTHING, ids=str)
@pytest.mark.parametrize("given", CALLS.values(), ids=CALLS)
def test_no_form_of_an_answer_passes_a_decision(
    jackfield: Jackfield, policy: Policy, given: dict[str, Any], verdict: Any
) -> None:
    """A failure neither: where its sentences have no members to look at, they are withheld. A
    policy names the members of each output.
    """
    if verdict == NOTHING[1] and given["action"] == "page":
        verdict = {"allow": True, "withhold": ["/records/*/number", "/cursor"]}
    if verdict == NOTHING[2] and given["action"] == "refused":
        verdict = {"allow": True, "keep": ["/kind"]}
    policy.decide = lambda question: verdict if question["hook"] == "output" else {"allow": True}
    found = jackfield.invoke(given, caller=MANAGER)
    identifier = found.meta.invocation_id
    seen = [
        found.to_json(),
        jackfield.journal_of().find(identifier).to_json(),
        [one.to_json() for one in jackfield.events()],
    ]
    seen.append([one.to_json() for one in jackfield.journal_of(AGENT).entries()[0]])
    assert NUMBER not in json.dumps(seen, default=str)


def test_each_item_of_a_list_loses_a_member(jackfield: Jackfield, policy: Policy) -> None:
    """``*`` stands for each of them."""
    policy.decide = lambda question: {
        "allow": True,
        **({"withhold": ["/records/*/number", "/cursor"]} if question["hook"] == "output" else {}),
    }
    found = jackfield.invoke(call("page"), caller=AGENT)
    assert (found.output, found.meta.next) == ({"records": [{"name": "ada"}]}, None)
    assert [one["path"] for one in found.meta.warnings] == ["/records/0/number", "/cursor"]


def test_a_policy_names_what_is_left(jackfield: Jackfield, policy: Policy) -> None:
    """``keep``: all others go, whatever their place is."""
    policy.decide = lambda question: {
        "allow": True,
        **({"keep": ["/records/*/name"]} if question["hook"] == "output" else {}),
    }
    assert jackfield.invoke(call("page"), caller=AGENT).output == {"records": [{"name": "ada"}]}
    assert jackfield.invoke(call("find"), caller=AGENT).output == {}


def test_a_pointer_at_nothing_is_logged(
    jackfield: Jackfield, policy: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    """The output may have another form than the policy's author believes."""
    policy.decide = lambda question: {
        "allow": True,
        **({"withhold": ["/Number"]} if question["hook"] == "output" else {}),
    }
    jackfield.invoke(call("find"), caller=AGENT)
    assert "the policy withholds '/Number', which the invocation" in caplog.text


def test_what_a_job_says_on_its_way_is_kept_from_all(jackfield: Jackfield) -> None:
    """No policy is asked about it; how far it is may be known."""
    found = jackfield.invoke(call("order", inputs={"name": "slow"}, timeoutSeconds=2), caller=AGENT)
    assert (found.status, found.to_json()["progress"]) == ("running", {"fraction": 0.5, "text": ""})
    assert NUMBER not in json.dumps(
        jackfield.journal_of().find(found.meta.invocation_id).to_json(), default=str
    )


@pytest.mark.parametrize(
    "place",
    ["/records/-1/number", "/records/00/number", "/records/+0/number", "/records/0_0/number"],
)
def test_an_index_has_digits_alone(jackfield: Jackfield, policy: Policy, place: str) -> None:
    """A place that is none withholds nothing, and no other item's member."""
    policy.decide = lambda question: {
        "allow": True,
        **({"withhold": [place]} if question["hook"] == "output" else {}),
    }
    found = jackfield.invoke(call("page"), caller=AGENT)
    assert found.output is not None
    assert (found.output["records"], found.meta.warnings) == (
        [{"name": "ada", "number": NUMBER}],
        (),
    )


@pytest.mark.parametrize("decision", ["withheld", "none", "shown"])
def test_a_file_that_is_withheld_is_deleted(
    jackfield: Jackfield, policy: Policy, decision: str
) -> None:
    """Lists of files would offer it; without a decision, too. What the caller may have stays."""
    if decision != "withheld":
        policy.decide = lambda question: (
            {"allow": True} if question["hook"] == "call" or decision == "shown" else None
        )
    jackfield.invoke(call("scan"), caller=AGENT)
    files = jackfield.files.list("default", None)[0]
    assert len(files) == (1 if decision == "shown" else 0)


def test_a_file_that_a_replay_may_not_have_stays(jackfield: Jackfield, policy: Policy) -> None:
    """It is another caller's, who may."""
    policy.decide = lambda _question: {"allow": True}
    given = call("scan", idempotencyKey="one")
    jackfield.invoke(given, caller=AGENT)
    policy.decide = hides
    again = jackfield.invoke(given, caller=MANAGER)
    assert (again.meta.replayed, again.output) == (True, {"name": "ada"})
    assert len(jackfield.files.list("default", None)[0]) == 1
