"""What a provider answers to looks, or no longer has, frees no key wrongly, shows no secret, and
repeats no look for ever.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield.redaction.spellings import ENCODERS
from tests.jackfield_store.doubts.doubt_stage import DoubtStage, doubt_stage

from forking import alone

_AWKWARD = "wJal/X+t&F%E M=\"I'9<é>\\~"
_SECRET = "a-secret-of-the-desk"
_MARKED = "sk-made-by-the-provider"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[DoubtStage]:
    """Processes on SQLite, where evidence settles doubts, absence included."""
    with doubt_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}") as opened:
        opened.runtime.access.workspaces.set("default", {"settleAbsent": True})
        yield opened


def _look_late(stage: DoubtStage, identifier: str) -> str:
    """Look twice as a person, after the time from which on "not found" proves something; return the
    status.
    """
    stage.move(4_000.0)
    stage.look_now(identifier)
    stage.move(61.0)
    stage.look_now(identifier)
    return stage.entry(identifier).status


def _throttled_and_dying(folder: str) -> dict[str, Any]:
    with doubt_stage(Path(folder), f"sqlite:///{folder}/jackfield.db") as stage:
        stage.runtime.access.workspaces.set("default", {"settleAbsent": True})
        stage.script(*["throttled"] * 6, "dies")
        stage.dies(action="putTicket", idempotencyKey="k", timeoutSeconds=60)
        left = stage.journal.held("k")
        assert left is not None
        status = _look_late(stage, left.id)
        stage.invoke("putTicket", idempotencyKey="k")
        return {"status": status, "requests": len(stage.noted("requests"))}


def test_nothing_is_absent_of_a_process_that_died(tmp_path: Path) -> None:
    """Its seventh attempt took effect; markers are looked for of five only. Their absence proves
    nothing, and the key stays held.
    """
    assert alone(_throttled_and_dying, str(tmp_path)) == {"status": "in_doubt", "requests": 1}


def test_what_was_found_once_is_not_absent_later(stage: DoubtStage) -> None:
    """A look has shown the ticket; it is deleted before anything settles. It had taken effect all
    the same.
    """
    stage.runtime.access.workspaces.set("default", {"settleAbsent": True, "settle": "show"})
    stage.script("cut")
    identifier = stage.invoke("putTicket", idempotencyKey="k").meta.invocation_id
    stage.look(7.0)
    stage.hidden(hidden=True)
    stage.runtime.access.workspaces.set("default", {"settleAbsent": True, "settle": "on"})
    assert _look_late(stage, identifier) == "in_doubt"
    stage.invoke("putTicket", idempotencyKey="k")
    assert len(stage.noted("requests")) == 1


def test_sources_that_contradict_settle_nothing(stage: DoubtStage) -> None:
    """One read finds two things with the marker, another one of them, and later none: a person
    decides.
    """
    stage.script("twice")
    identifier = stage.invoke("bothTicket").meta.invocation_id
    stage.look(7.0)
    assert [one["result"] for one in stage.entry(identifier).to_json()["looks"]] == [
        "ambiguous",
        "matched",
    ]
    stage.hidden(hidden=True)
    assert _look_late(stage, identifier) == "in_doubt"


@pytest.mark.parametrize(
    "found",
    [
        {"thing": {"external_id": None}, "next": 5},
        {"error": "no"},
        {"thing": {"external_id": None}, "next": "1"},
    ],
)
def test_an_answer_that_nobody_can_use_counts_as_a_look(
    stage: DoubtStage, found: dict[str, Any]
) -> None:
    """A page token of another type, a refusal, pages without an end: four looks, then nobody looks
    by himself any more.
    """
    stage.answers(**found)
    stage.script("cut")
    identifier = stage.invoke("oddTicket").meta.invocation_id
    for _ in range(12):
        stage.look(3_600.0)
    assert len(stage.entry(identifier).to_json()["looks"]) == 4
    assert len(stage.noted("looks")) <= 40


def test_a_member_named_as_one_of_ours_is_the_providers(stage: DoubtStage) -> None:
    """A thing with the member ``shown`` is found as any other."""
    stage.answers(thing={"shown": "x"})
    stage.script("cut")
    identifier = stage.invoke("oddTicket").meta.invocation_id
    stage.look(7.0)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], json.loads(entry["looks"][0]["text"])["shown"]) == ("succeeded", "x")


@pytest.mark.parametrize(
    "found",
    [{"error": f"bad token {_SECRET}"}, {"thing": {"api_key": _MARKED, "shown": f"by {_SECRET}"}}],
)
def test_no_look_shows_a_secret(stage: DoubtStage, found: dict[str, Any]) -> None:
    """Neither the connection's, which a provider quotes, nor what the read's output has as secret
    in each thing of a list.
    """
    stage.answers(**found)
    stage.script("cut")
    identifier = stage.invoke("oddTicket").meta.invocation_id
    stage.look(7.0)
    entry = stage.entry(identifier).to_json()
    (look,) = entry["looks"]
    assert "***" in look["text"]
    text = json.dumps(entry)
    assert (_SECRET in text, _MARKED in text) == (False, False)


def _link(stage: DoubtStage, action: str, **thing: Any) -> str | None:
    """Look for a ticket of which the provider answers a thing; return the link of the look."""
    stage.answers(thing=thing)
    stage.script("cut")
    identifier = stage.invoke(action, connection="vault").meta.invocation_id
    stage.look_now(identifier)
    (look,) = stage.entry(identifier).to_json()["looks"]
    assert look["result"] == "matched", look
    (stage.folder / "tickets").unlink()
    return str(look["link"]) if "link" in look else None


def test_no_link_holds_a_secret_in_whatever_spelling(stage: DoubtStage) -> None:
    """Neither the connection's nor what the read's output has as secret: an address has no room for
    a mask, so there is none.
    """
    stage.runtime.connections.add("vault", "bureau/desk", {"token": _AWKWARD})
    spelt = {
        **{name: encoder(_AWKWARD) for name, encoder in ENCODERS.items()},
        "base64": base64.b64encode(_AWKWARD.encode()).decode(),
    }
    leaks = [
        (name, action, link)
        for name, text in spelt.items()
        for action, before in (("linkTicket", ""), ("addressTicket", "https://bureau.example/?of="))
        if (link := _link(stage, action, shown=f"{before}{text}")) is not None
    ]
    assert leaks == []
    assert _link(stage, "keyTicket", api_key=_MARKED) is None
    assert _link(stage, "linkTicket", shown="a/b") == "https://bureau.example/o-1?a=a%2Fb"
    assert (
        _link(stage, "addressTicket", shown="https://bureau.example/t-1")
        == "https://bureau.example/t-1"
    )
