"""Outcomes that come after their process was taken for lost: they correct the entry, and settle the
doubt.
"""

from __future__ import annotations

from typing import Any, Literal

import pytest
from tests.jackfield_store.journal.leasing import READ, Process

from jackfield.invocation import Meta, Result
from jackfield.kernel.errors import InDoubt
from jackfield_store.journal.doubt_reports import DoubtReports, Report


def test_the_truth_corrects_a_doubt(two: tuple[Process, Process]) -> None:
    """An outcome that arrives after others settled the run as in doubt corrects entry and key, and
    the entry says so.
    """
    lost, alive = two
    won, failed = lost.started("write", "order-1"), lost.started("write", "order-2")
    lost.hangs()
    assert alive.look() == 2
    assert alive.find(won).status == "in_doubt"
    lost.database.record(
        lost.journal.finishing(
            lost.journal.find(won), Result("succeeded", Meta(won), output={"Identities": []}), []
        )
    )
    error = alive.jackfield.invoke({**READ, "action": "nothing"}).error
    lost.database.record(
        lost.journal.finishing(
            lost.journal.find(failed), Result("failed", Meta(failed), error=error), []
        )
    )
    entry = alive.find(won)
    assert (entry.status, entry.key_held) == ("succeeded", True)
    assert "correctedAt" in entry.to_json()
    assert (alive.find(failed).status, alive.find(failed).key_held) == ("failed", False)
    alive.look()
    assert alive.find(won).status == "succeeded"


@pytest.mark.parametrize("fails", [False, True], ids=["together", "apart"])
def test_a_late_answer_that_settles_a_doubt_is_reported_once(
    two: tuple[Process, Process], *, fails: bool
) -> None:
    """After its commit, in the process that has answered, also where the commit is tried again
    without a unit that fails. Not reported: another doubt, the end of a read that was taken for
    failed, and an answer that comes twice. What a person has resolved otherwise before is
    contradicted.
    """
    lost, alive = two
    given = {
        "won": "write",
        "failed": "write",
        "doubt": "write",
        "read": "read",
        "settled": "write",
    }
    ids = {name: lost.started(effect, name) for name, effect in given.items()}
    lost.hangs()
    assert alive.look() == len(ids)
    alive.journal.resolve(ids["settled"], "failed", "ada")
    reports, others = list[Report](), list[Report]()
    DoubtReports.of(lost.database).add(reports.append)
    DoubtReports.of(alive.database).add(others.append)
    errors = {
        "failed": alive.jackfield.invoke({**READ, "action": "nothing"}).error,
        "doubt": InDoubt("who knows"),
    }
    ends: dict[str, Any] = {"failed": "failed", "doubt": "in_doubt"}
    late = [
        lost.journal.finishing(
            lost.journal.find(one),
            Result(ends.get(name, "succeeded"), Meta(one), error=errors.get(name)),
            [],
        )
        for name, one in ids.items()
    ]

    def unit(_transaction: object) -> None:  # while it runs, the others queue up behind it
        for one in [*late, _raises] if fails else late:
            lost.database.defer(one)

    lost.database.record(unit)
    lost.database.record(lambda _transaction: None)
    told = [("", "", True), ("answer", "refused", False), ("answer", "took", False)]
    assert sorted((one.by or "", one.verdict, one.contradicted) for one in reports) == told
    assert all(0.0 <= one.seconds < 600.0 for one in reports)
    lost.database.record(late[0])
    lost.database.record(late[-1])
    assert (len(reports), others) == (3, [])


def _raises(_transaction: object) -> None:
    raise ValueError("a unit of a commit fails")


def _resolved(two: tuple[Process, Process], word: Literal["succeeded", "failed"]) -> str:
    """Lose a run, and let a person decide what it came to; its id."""
    lost, alive = two
    identifier = lost.started("write", "order-1")
    lost.hangs()
    alive.look()
    alive.journal.resolve(identifier, word, "ada")
    return identifier


def _comes_late(lost: Process, identifier: str) -> None:
    lost.database.record(
        lost.journal.finishing(
            lost.journal.find(identifier),
            Result("succeeded", Meta(identifier), output={"n": 1}),
            [],
        )
    )


def test_a_late_truth_is_recorded_against_a_person_s_word(two: tuple[Process, Process]) -> None:
    """A person's "failed" yields to the success that arrives later, and the key that it had freed
    replays that.
    """
    lost, alive = two
    identifier = _resolved(two, "failed")
    assert alive.journal.held("order-1") is None
    _comes_late(lost, identifier)
    shown = alive.find(identifier).to_json()
    assert (shown["status"], shown["resolvedBy"], shown["output"]) == ("succeeded", "ada", {"n": 1})
    assert "correctedAt" in shown
    resolution = shown["meta"]["resolution"]
    assert (resolution["by"], resolution["error"]["code"]) == ("ada", "in_doubt")
    contradiction = resolution["contradictedBy"]
    assert (contradiction["verdict"], contradiction["kind"], contradiction["source"]) == (
        "took",
        "answer",
        "aws-ses/listIdentities",
    )
    held = alive.journal.held("order-1")
    assert held is not None
    assert held.id == identifier


def test_a_late_truth_leaves_the_key_to_who_has_it_now(two: tuple[Process, Process]) -> None:
    """Where another invocation has taken the key that a person had freed, it keeps it."""
    lost, alive = two
    identifier = _resolved(two, "failed")
    other = alive.started("write", "order-1", name="other")
    _comes_late(lost, identifier)
    held = alive.journal.held("order-1")
    assert held is not None
    assert held.id == other
    assert (alive.find(identifier).status, alive.find(identifier).key_held) == ("succeeded", False)


def test_a_late_doubt_changes_nothing_that_a_person_decided(two: tuple[Process, Process]) -> None:
    """A run that does not know what it came to knows no better than a person."""
    lost, alive = two
    identifier = _resolved(two, "failed")
    entry, doubt = (
        lost.journal.find(identifier),
        Result("in_doubt", Meta(identifier), error=InDoubt("who knows")),
    )
    lost.database.record(lost.journal.finishing(entry, doubt, []))
    assert alive.find(identifier).status == "failed"
