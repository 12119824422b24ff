"""Looks under rules: nobody reads by evidence of his own what he may not read, and no look is made
that waits for a person's approval.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.doubts.doubt_stage import DoubtStage, doubt_stage

from forking import alone
from jackfield.callers import Caller, Rules
from jackfield_store.access.tokens import Tokens

_WISH = {
    "externalId": "{marker}",
    "evidence": {"since": "2026", "each": "/tickets", "pointer": "/external_id"},
}
_BLOCKED, _ALLOWED = Rules(block=("bureau/listTickets",)), Rules(allow=("bureau/*Ticket*",))
_ASKED = Rules(approve=("bureau/listTickets",))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[DoubtStage]:
    """Processes on SQLite, where evidence settles doubts."""
    with doubt_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}") as opened:
        yield opened


def _tokens(stage: DoubtStage) -> Tokens:
    return Tokens(stage.database, stage.pool.storage.vault, "default", stage.clock)


def _token(stage: DoubtStage, rules: Rules) -> Caller:
    token = _tokens(stage).create("invoke", "calls", rules).token
    return Caller(token.id, token.scope, token.rules, remote=True, token=token.id)


def _lost(
    stage: DoubtStage,
    caller: Caller | None,
    action: str = "wishTicket",
    inputs: dict[str, Any] | None = None,
) -> str:
    """Make a call whose answer is lost; return its ID."""
    stage.script("cut")
    given = {
        "connector": "bureau",
        "action": action,
        "connection": "desk",
        "inputs": _WISH if inputs is None else inputs,
    }
    lost = (
        stage.runtime.invoke(given)
        if caller is None
        else stage.runtime.invoke(given, caller=caller)
    )
    assert lost.status == "in_doubt", lost.error
    return lost.meta.invocation_id


def _looked(stage: DoubtStage, identifier: str) -> tuple[str, list[tuple[str, str]], int]:
    """Look when it is due and as a person; return the status, what the looks say, and how often the
    provider was read.
    """
    stage.look(7.0)
    stage.look_now(identifier)
    entry = stage.entry(identifier).to_json()
    return (
        entry["status"],
        sorted({(one["result"], one.get("text", "")) for one in entry["looks"]}),
        len(stage.noted("looks")),
    )


def test_evidence_of_the_callers_own_is_looked_for_within_his_rules(stage: DoubtStage) -> None:
    """Who may read may let look."""
    identifier = _lost(stage, _token(stage, _ALLOWED))
    stage.look(7.0)
    assert (stage.entry(identifier).status, len(stage.noted("looks"))) == ("succeeded", 1)


@pytest.mark.parametrize("stored", [True, False], ids=["token", "jwt"])
@pytest.mark.parametrize(
    ("rules", "text"),
    [(_BLOCKED, "not looked: the rules forbid it"), (_ASKED, "not looked: needs approval")],
    ids=["blocked", "asked"],
)
def test_who_may_not_read_lets_nobody_look(
    stage: DoubtStage, rules: Rules, text: str, *, stored: bool
) -> None:
    """The rules that his token had count, also of a token that nobody can read again; a person's
    look reads no more than the loop's.
    """
    caller = _token(stage, rules) if stored else Caller("ada", "invoke", rules, remote=True)
    assert _looked(stage, _lost(stage, caller)) == ("in_doubt", [("failed", text)], 0)


def test_a_token_that_was_revoked_lets_nobody_look(stage: DoubtStage) -> None:
    """The present rights count, too: as for what waits in the queue."""
    caller = _token(stage, _ALLOWED)
    identifier = _lost(stage, caller)
    _tokens(stage).revoke(caller.token or "")
    status, looks, reads = _looked(stage, identifier)
    assert (status, [result for result, _ in looks], reads) == ("in_doubt", ["failed"], 0)
    assert "revoked" in looks[0][1]


def test_rules_that_forbid_the_read_now_let_nobody_look(stage: DoubtStage) -> None:
    """The workspace has blocked the read since the call."""
    identifier = _lost(stage, _token(stage, _ALLOWED))
    stage.runtime.access.workspaces.set("default", {"rules": _BLOCKED.to_json()})
    status, looks, reads = _looked(stage, identifier)
    assert (status, [result for result, _ in looks], reads) == ("in_doubt", ["failed"], 0)


@pytest.mark.parametrize("action", ["createTicket", "wishTicket"])
@pytest.mark.parametrize("late", [False, True], ids=["before", "since"])
def test_a_look_that_needs_an_approval_is_not_made(
    stage: DoubtStage, action: str, *, late: bool
) -> None:
    """Whoever has declared it, and whether the rule was there when the call was made: its entry
    says so.
    """
    rules = {"rules": _ASKED.to_json()}
    if not late:
        stage.runtime.access.workspaces.set("default", rules)
    identifier = _lost(stage, None, action, {} if action == "createTicket" else None)
    if late:
        stage.runtime.access.workspaces.set("default", rules)
    assert _looked(stage, identifier) == ("in_doubt", [("failed", "not looked: needs approval")], 0)


def _slow(folder: str) -> dict[str, Any]:
    with doubt_stage(Path(folder), f"sqlite:///{folder}/jackfield.db") as stage:
        stage.script("dies")
        stage.dies(action="putTicket", idempotencyKey="k")
        left = stage.journal.held("k")
        assert left is not None
        stage.hidden(hidden=True)
        stage.invoke("plainTicket")  # imports the connector
        stage.meanwhile(lambda: stage.clock.advance(8.0))
        stage.look_now(left.id)
        entry = stage.entry(left.id).to_json()
        return {
            "status": entry["status"],
            "looks": [one["result"] for one in entry["looks"]],
            "reads": len(stage.noted("looks")),
        }


def test_a_look_has_one_deadline_for_all_that_it_reads(tmp_path: Path) -> None:
    """Of a lost process five markers are looked for; each read takes eight seconds, so the third
    one is not made.
    """
    assert alone(_slow, str(tmp_path)) == {"status": "in_doubt", "looks": ["failed"], "reads": 2}


def test_a_look_lends_its_terms_to_no_call(stage: DoubtStage) -> None:
    """A read that is no call is not recorded; a call of the same action afterwards keeps the
    workspace's own terms, as its inputs.
    """
    stage.runtime.access.workspaces.set("default", {"keepInputs": True})
    identifier = _lost(stage, None, "createTicket", {"subject": "leak"})
    stage.look(7.0)
    assert stage.entry(identifier).status == "succeeded"
    read = {
        "connector": "bureau",
        "action": "listTickets",
        "connection": "desk",
        "inputs": {"since": "2026-01-01T00:00:00Z"},
    }
    found = stage.runtime.invoke(read)
    assert "inputs" in stage.entry(found.meta.invocation_id).to_json(), found.error
