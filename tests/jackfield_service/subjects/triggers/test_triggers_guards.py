"""A subscription may set the guard of the connection that it watches, for who may set guards; both
say whether there is one.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage

from jackfield.callers import Caller, Rules
from jackfield.callers.actor import Actor
from jackfield.connector import Outcome
from jackfield.invocation.provider_ids import reference_of
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import JackfieldError
from jackfield_store.journal.outcomes import note, sealed_outcome
from jackfield_store.management.suppressions import audited_suppressions


def _guards(stage: TriggerStage) -> dict[str, Any]:
    guards = stage.runtime.access.settings.guards
    return {
        name: {key: value for key, value in guard.items() if key != "since"}
        for name, guard in guards.items()
    }


_GUARDS = [
    (True, {}),
    ({"bounceRate": 0.04}, {"bounceRate": 0.04}),
    ({"refuse": False}, {"refuse": False}),
]


@pytest.mark.parametrize(("wanted", "expected"), _GUARDS)
def test_one_option_sets_the_guard(
    stage: TriggerStage, wanted: Any, expected: dict[str, Any]
) -> None:
    """The connection that is watched gets it, and the subscription shows it; the audit log has who
    set it.
    """
    shown = stage.add("notes", guard=wanted)
    assert _guards(stage) == {"hall": expected}
    assert (
        shown["guard"]
        == stage.all().show("one")["guard"]
        == dict(stage.runtime.access.settings.guards["hall"])
    )


@pytest.mark.parametrize("wanted", [None, False])
def test_without_the_option_nothing_is_guarded(stage: TriggerStage, wanted: Any) -> None:
    """The subscription says so; a guard of all connections counts for this one, too."""
    assert stage.add("notes", guard=wanted)["guard"] is None
    assert _guards(stage) == {}
    stage.runtime.access.workspaces.set("default", {"guards": {"*": {}}})
    assert "since" in stage.all().show("one")["guard"]


def test_a_guard_that_has_paused_its_connection_is_left_alone(stage: TriggerStage) -> None:
    """A second subscription must not resume what too many bounces had paused."""
    paused = {"at": iso(stage.now()), "bounces": 7, "complaints": 0, "messages": 100}
    stage.runtime.access.workspaces.set(
        "default", {"guards": {"hall": {"bounceRate": 0.05, "paused": paused}}}
    )
    assert stage.add("notes", guard=True)["guard"]["paused"] == paused


_WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"guard": {"bounceRate": 2}}, "invalid_invocation", "bounceRate"),
    ({"guard": {"nonsense": True}}, "invalid_invocation", "refuse"),
    ({"guard": 5}, "invalid_invocation", "refuse"),
    (
        {"guard": True, "trigger": "echo/posted", "connection": None},
        "invalid_invocation",
        "connection",
    ),
]


@pytest.mark.parametrize(
    ("members", "code", "word"), _WRONG, ids=[str(members["guard"]) for members, _, _ in _WRONG]
)
def test_a_wrong_guard_switches_nothing_on(
    stage: TriggerStage, members: dict[str, Any], code: str, word: str
) -> None:
    """The fault is told before anything is stored."""
    given = {"name": "one", "trigger": "echo/notes", "connection": "hall", **members}
    with pytest.raises(JackfieldError) as raised:
        stage.all().add(given)
    assert (raised.value.code, word in str(raised.value.to_json())) == (code, True)
    assert (_guards(stage), stage.all().page(None, 10)[0]) == ({}, [])


def test_a_tenant_is_told_who_sets_guards(stage: TriggerStage) -> None:
    """A tenant's token is refused with the two ways, and nothing is switched on: the account is the
    platform's.
    """
    stage.runtime.access.workspaces.set("default", {})
    given = {"name": "one", "trigger": "echo/notes", "connection": "hall"}
    tenant = Caller("tok_1", "manage", Rules(), remote=True)
    with pytest.raises(JackfieldError) as raised:
        stage.all(tenant).add({**given, "guard": True})
    shown = raised.value.to_json()
    assert shown["code"] == "not_allowed"
    assert "PATCH /v1/workspaces" in shown["hint"]
    assert "jackfield workspaces set default --guard hall={}" in shown["hint"]
    assert (_guards(stage), stage.all().page(None, 10)[0]) == ({}, [])
    assert stage.all(tenant).add(given)["guard"] is None


def test_a_token_with_rules_sees_no_guard(stage: TriggerStage) -> None:
    """Settings of the workspace are none of its matters."""
    stage.add("notes", guard=True)
    bound = Caller("tok_1", "manage", Rules(block=("connection:cellar",)), remote=True)
    assert "guard" not in stage.all(bound).show("one")


def test_the_list_of_suppressions_says_who_refuses(stage: TriggerStage) -> None:
    """Each row names the connections whose guard refuses the recipient; none without a guard, or
    with one that only counts.
    """
    storage, settings = stage.runtime.storage, stage.runtime.access.settings
    bounce = Outcome("failed", severity=50, part="ada@example.com", suppresses="bounce")
    made = sealed_outcome(
        storage.vault, "default", reference_of("echo", "m-1"), stage.now(), bounce
    )
    storage.database.record(lambda transaction: note(transaction, "default", made))

    def rows() -> list[dict[str, Any]]:
        settings = stage.runtime.access.settings
        return audited_suppressions(
            storage, "default", stage.clock, Actor("library"), settings
        ).page(None, 10)[0]

    assert [row["refusedBy"] for row in rows()] == [[]]
    assert settings.refusing == ()
    stage.add("notes", guard=True)
    stage.runtime.access.workspaces.set(
        "default", {"guards": {"cellar": {"refuse": False, "bounceRate": 0.04}, "*": {}}}
    )
    assert [row["refusedBy"] for row in rows()] == [["*", "hall"]]
