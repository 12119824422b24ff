"""An output that no policy has decided on is withheld until one does: sealed in the journal, and
read by nobody before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.journal.judging import AGENT, MANAGER, NUMBER, call, hides, judging

from jackfield import Result
from jackfield.callers import Caller
from jackfield.callers.rules import Rules
from jackfield_service.subjects.callbacks.outputs import output_of
from jackfield_store.journal import Queue
from jackfield_store.journal.exchanges import exchanges_of
from jackfield_store.runtime import Jackfield
from policy_stub import Policy, policy_service

UNTIL = [{"path": "", "message": "the output is withheld until a policy decides"}]
HIDDEN = [{"path": "/number", "message": "withheld by a policy"}]


def away(question: dict[str, Any]) -> Any:
    """A policy that allows calls, and has no answer about outputs."""
    return {"allow": True} if question["hook"] == "call" else "nothing"


@pytest.fixture(name="policy")
def _policy() -> Iterator[Policy]:
    with policy_service() as found:
        found.decide = away
        yield found


@pytest.fixture(name="jackfield")
def _jackfield(tmp_path: Path, database_url: str, policy: Policy) -> Iterator[Jackfield]:
    with judging(tmp_path / "plugs", database_url, policy) as found:
        yield found


def everything(jackfield: Jackfield, identifier: str) -> str:
    """All that surfaces can read of an invocation, as text."""
    journal = jackfield.journal_of(AGENT)
    seen: list[Any] = [entry.to_json() for entry in journal.entries()[0]]
    seen += [journal.find(identifier).to_json(), jackfield.journal_of().find(identifier).to_json()]
    assert jackfield.journal is not None
    seen.append(exchanges_of(jackfield.journal, identifier))
    seen += [event.to_json() for event in jackfield.events()]
    seen += [
        output_of(jackfield.storage.database, jackfield.storage.vault, "default", event)
        for event in jackfield.events()
        if event.subject
    ]
    seen.append(jackfield.wait(identifier).to_json())
    return json.dumps(seen, default=str)


def queued(jackfield: Jackfield, given: dict[str, Any]) -> Result:
    """What a worker makes of a call."""
    jackfield.enqueue(given, caller=MANAGER)
    (claimed,) = Queue(jackfield.storage.database).claim(1)
    return jackfield.run(claimed)


@pytest.mark.parametrize("way", ["invoke", "queue"])
def test_it_is_withheld_until_the_service_answers(
    jackfield: Jackfield, policy: Policy, way: str
) -> None:
    """The caller, the journal, events and exchanges have nothing of it; once there is a decision,
    all have what it leaves, for good.
    """
    given = call("save", idempotencyKey="one", trace=True, context={"notify": True})
    found = jackfield.invoke(given, caller=MANAGER) if way == "invoke" else queued(jackfield, given)
    identifier = found.meta.invocation_id
    assert (found.status, found.output, [*found.meta.warnings]) == ("succeeded", None, UNTIL)
    assert NUMBER not in everything(jackfield, identifier)
    again = jackfield.invoke(given, caller=MANAGER)
    assert (again.meta.replayed, again.output) == (True, None)
    policy.decide = hides
    entry = jackfield.journal_of(AGENT).find(identifier).to_json()
    assert (entry["output"], entry["meta"]["warnings"]) == ({"name": "ada"}, HIDDEN)
    policy.decide, policy.asked[:] = away, []
    assert jackfield.journal_of(AGENT).find(identifier).to_json()["output"] == {"name": "ada"}
    assert policy.asked == []  # it is recorded
    assert NUMBER not in everything(jackfield, identifier)
    policy.decide = hides
    replayed = jackfield.invoke(given, caller=MANAGER)
    assert (replayed.output, [*replayed.meta.warnings]) == ({"name": "ada"}, HIDDEN)


def test_a_replay_asks_for_it(jackfield: Jackfield, policy: Policy) -> None:
    """As the caller's question was, and then about the replay."""
    given = call("save", idempotencyKey="one")
    first = jackfield.invoke(given, caller=AGENT)
    policy.decide, policy.asked[:] = hides, []
    found = jackfield.invoke(given, caller=AGENT)
    assert (found.output, [*found.meta.warnings], found.meta.replayed) == (
        {"name": "ada"},
        HIDDEN,
        True,
    )
    assert policy.hooks() == ["call", "output", "output"]
    late, own = policy.asked[1:]
    assert (late["invocationId"], late["caller"]["name"]) == (first.meta.invocation_id, "agent")
    assert (late["output"]["number"], own["output"]) == (NUMBER, {"name": "ada"})


def test_without_the_service_it_stays_withheld(
    jackfield: Jackfield, policy: Policy, database_url: str
) -> None:
    """A process that has no policy shows no output, rather than all of it, and begins and replays
    no call.
    """
    identifier = jackfield.invoke(
        call("save", idempotencyKey="one"), caller=AGENT
    ).meta.invocation_id
    with Jackfield(
        database_url=database_url, environment={}, connections=(), catalog=jackfield.catalog
    ) as other:
        assert NUMBER not in everything(other, identifier)
        found = other.invoke(call("save", idempotencyKey="one"), caller=AGENT)
        assert (found.output, found.error and found.error.code) == (None, "unavailable")
    policy.decide = lambda _question: {"allow": True, "withhold": []}
    assert jackfield.journal_of(AGENT).find(identifier).to_json()["output"] == {
        "name": "ada",
        "number": NUMBER,
    }


def test_a_page_comes_back_with_its_token(jackfield: Jackfield, policy: Policy) -> None:
    """And without what a policy withholds of it: the token repeats that."""
    whole = jackfield.invoke(call("page"), caller=AGENT)
    assert (whole.meta.next, whole.meta.complete) == (None, False)
    policy.decide = lambda _question: {"allow": True}
    entry = jackfield.journal_of(AGENT).find(whole.meta.invocation_id).to_json()
    assert entry["meta"]["next"] == {"cursor": NUMBER}
    assert "warnings" not in entry["meta"]


def test_a_refusal_of_all_of_it_is_a_decision(jackfield: Jackfield, policy: Policy) -> None:
    """Nothing of it is kept any more."""
    identifier = jackfield.invoke(call("save"), caller=AGENT).meta.invocation_id
    policy.decide = lambda question: {"allow": question["hook"] == "call"}
    entry = jackfield.journal_of(AGENT).find(identifier).to_json()
    assert ("output" in entry, entry["meta"]["warnings"][0]["message"]) == (
        False,
        "the output is withheld by a policy",
    )
    policy.decide = lambda _question: {"allow": True}
    assert "output" not in jackfield.journal_of(AGENT).find(identifier).to_json()


def test_a_job_is_asked_about_as_its_caller(jackfield: Jackfield, policy: Policy) -> None:
    """Its polls run with the runtime's own rights: whoever started it is asked about, and asks
    later.
    """
    identifier = jackfield.invoke(call("order"), caller=AGENT).meta.invocation_id
    question = next(one for one in policy.asked if one["hook"] == "output")
    assert (
        question["caller"]["name"],
        question["caller"]["remote"],
        question["caller"]["scope"],
    ) == ("agent", True, "invoke")
    assert NUMBER not in everything(jackfield, identifier)
    policy.decide = hides
    assert jackfield.journal_of(AGENT).find(identifier).to_json()["output"] == {"name": "ada"}


def test_what_a_dry_run_shows_is_kept_nowhere(jackfield: Jackfield, policy: Policy) -> None:
    """Neither it nor a question about it."""
    found = jackfield.invoke(call("save", dryRun=True), caller=AGENT)
    policy.decide = hides
    assert (
        found.output,
        "output" in jackfield.journal_of(AGENT).find(found.meta.invocation_id).to_json(),
    ) == (None, False)


def test_another_callers_output_is_not_shown(jackfield: Jackfield, policy: Policy) -> None:
    """A decision changes nothing of who may read an output."""
    identifier = jackfield.invoke(call("save"), caller=AGENT).meta.invocation_id
    policy.decide = lambda _question: {"allow": True}
    other = Caller("other", "read", Rules(("people/*",)), remote=True)
    assert "output" not in jackfield.journal_of(other).find(identifier).to_json()
