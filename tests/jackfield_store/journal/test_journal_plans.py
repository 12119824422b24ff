"""PostgreSQL's plans for the statements that run for each queued invocation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.dataclass import replace
from jackfield_celery.outbox import Outbox
from jackfield_store.database import Transaction, open_database
from jackfield_store.journal import Journal, Queue
from jackfield_store.runtime import Jackfield


def drafted() -> Draft:
    """Describe an invocation that waits."""
    now = time.time()
    return Draft(
        new_invocation_id(),
        "echo",
        "1.0.0",
        "say",
        "read",
        None,
        None,
        now,
        now + 60,
        inputs=b"sealed",
    )


def once(journal: Journal, draft: Draft) -> None:
    """Queue, release, claim, begin and finish an invocation."""
    journal.database.record(journal.queueing(draft))
    Outbox(journal.database, SystemClock()).mark([("default", draft.id)])
    claimed = Queue(journal.database).claim_one("default", draft.id)
    assert claimed is not None
    draft.delivery = claimed.delivery
    assert journal.database.record(journal.beginning(draft))
    result = Result("succeeded", Meta(draft.id), output={})
    assert journal.database.record(journal.finishing(draft, result, [], delivery=draft.delivery))


def test_an_entry_is_found_by_its_primary_key(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statistics that were taken while the queue was empty do not lead PostgreSQL to read the whole
    queue for each claim.
    """
    open_database(postgres_url, migrate=True).close()
    with Jackfield(connections=[], database_url=postgres_url) as jackfield:
        journal = jackfield.journal
        assert journal is not None
        journal.queue_many([drafted() for _ in range(600)])
        with journal.database.write() as transaction:
            transaction.change(
                "UPDATE invocations SET status = 'succeeded', settled_at = created_at"
            )
            transaction.change("ANALYZE invocations")
        plans, session = list[str](), Transaction.execute

        def change(
            transaction: Transaction, statement: str, values: Mapping[str, Any] | None = None
        ) -> int:
            return len(explained(transaction, statement.rstrip() + " RETURNING id", values))

        def explained(
            transaction: Transaction, statement: str, values: Mapping[str, Any] | None = None
        ) -> Any:
            if "UPDATE invocations" in statement:
                plans.append(
                    "\n".join(
                        row.as_dict()["QUERY PLAN"]
                        for row in session(transaction, f"EXPLAIN {statement}", values or {})
                    )
                )
            return session(transaction, statement, values or {})

        with monkeypatch.context() as patched:
            patched.setattr(Transaction, "execute", explained)
            patched.setattr(
                Transaction,
                "change",
                lambda *given: (
                    change(*given) if "UPDATE invocations" in given[1] else _CHANGE(*given)
                ),
            )
            once(journal, drafted())
        assert len(plans) == 4
        assert [plan for plan in plans if "invocations_pkey" not in plan] == []


_CHANGE = Transaction.change


def test_a_label_is_filtered_by_entry_before_there_are_statistics(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries of a label are looked up one by one: joined without statistics, a page of 20 read all
    500,000 entries of a journal.
    """
    open_database(postgres_url, migrate=True).close()
    with Jackfield(connections=[], database_url=postgres_url) as jackfield:
        journal = jackfield.journal
        assert journal is not None
        journal.queue_many(
            [replace(drafted(), context={"labels": {"team": "red"}}) for _ in range(600)]
        )
        plans, session = list[str](), Transaction.execute

        def explained(
            transaction: Transaction, statement: str, values: Mapping[str, Any] | None = None
        ) -> Any:
            if "invocation_terms" in statement:
                plans.append(
                    "\n".join(
                        row.as_dict()["QUERY PLAN"]
                        for row in session(transaction, f"EXPLAIN {statement}", values or {})
                    )
                )
            return session(transaction, statement, values or {})

        with monkeypatch.context() as patched:
            patched.setattr(Transaction, "execute", explained)
            assert len(journal.entries(limit=20, label="team=red")[0]) == 20
        (plan,) = plans
        assert "Nested Loop" in plan
        # by the primary key, or by another index that has the ID
        assert "id = invocation_terms.id" in plan


def test_the_counts_are_not_planned_for_each_entry(postgres_url: str) -> None:
    """The trigger that counts keeps its plans: making them took two thirds of its time."""
    with open_database(postgres_url, migrate=True) as database:
        found = database.look_up(
            "SELECT array_to_string(proconfig, ' ') AS settings FROM pg_proc WHERE proname = "
            "'invocations_counted'",
            {},
        )
    assert found is not None
    assert found.settings == "plan_cache_mode=force_generic_plan"
