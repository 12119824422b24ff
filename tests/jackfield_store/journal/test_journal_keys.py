"""Idempotency keys: one effect for one key, the recorded Result for everybody else."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest

from clocks import FakeClock, time_passes
from fake_aws import FakeAws
from jackfield import Result
from jackfield_store.database import open_database
from jackfield_store.database.batches import Batches
from jackfield_store.runtime import Jackfield
from nursery import connection, mail


def _stable(result: Result) -> dict[str, Any]:
    body = result.to_json()
    body["meta"].pop("replayed")
    return body


def test_fifty_callers_who_wait_share_one_send(upgraded: str) -> None:
    """50 concurrent invocations with one key, all waiting: one send, 50 equal Results, 49 of them
    replayed.
    """
    with (
        FakeAws(latency=0.05) as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        with ThreadPoolExecutor(50) as pool:
            results = list(
                pool.map(lambda _: jackfield.invoke(mail("order-1"), wait=True), range(50))
            )
        assert len(aws.messages) == 1
    assert {result.status for result in results} == {"succeeded"}
    assert all(_stable(result) == _stable(results[0]) for result in results)
    assert sum(result.meta.replayed for result in results) == 49


def test_those_who_do_not_wait_are_refused(upgraded: str) -> None:
    """Without waiting, all but one are told that the request still runs, and may come again."""
    with (
        FakeAws(latency=3.0) as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        with ThreadPoolExecutor(20) as pool:
            results = list(pool.map(lambda _: jackfield.invoke(mail("order-1")), range(20)))
        assert len(aws.messages) == 1
    refused = [result for result in results if result.error is not None]
    assert len(refused) == 19
    for result in refused:
        assert result.error is not None
        assert (result.error.code, result.error.retryable, result.error.http_status) == (
            "idempotency_conflict",
            True,
            409,
        )


@pytest.mark.above_sql
def test_tasks_share_one_send_too(upgraded: str) -> None:
    """The same holds for tasks of an event loop."""

    async def all_at_once(jackfield: Jackfield) -> list[Result]:
        return list(
            await asyncio.gather(
                *(jackfield.ainvoke(mail("order-1"), wait=True) for _ in range(30))
            )
        )

    with (
        FakeAws(latency=0.05) as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        results = asyncio.run(all_at_once(jackfield))
        assert len(aws.messages) == 1
    assert {result.status for result in results} == {"succeeded"}


def test_two_processes_see_one_journal(upgraded: str) -> None:
    """Another runtime on the same database replays what the first one did, with its original
    meta.
    """
    with FakeAws() as aws:
        with Jackfield(connections=[connection(aws.url)], database_url=upgraded) as first:
            done = first.invoke(mail("order-1"))
        with Jackfield(connections=[connection(aws.url)], database_url=upgraded) as second:
            again = second.invoke(mail("order-1"))
        assert len(aws.messages) == 1
    assert again.meta.replayed
    assert _stable(again) == _stable(done)


@pytest.mark.parametrize(
    "end", ["succeeds", "is refused", "is rejected", "ends in doubt", "only reads"]
)
def test_what_holds_a_key_is_never_put_off(upgraded: str, end: str) -> None:
    """Once the caller has its answer, another process sees who holds the key: a look-up need not
    commit what this one has put off.
    """
    requests = {
        "only reads": {
            "connector": "aws-ses",
            "action": "getAccount",
            "connection": "acme-ses",
            "idempotencyKey": "order-1",
        }
    }
    request: dict[str, Any] = requests.get(end, mail("order-1"))
    if end in {"is refused", "is rejected"}:
        wrong = {"to": ["nobody"]} if end == "is refused" else {"sender": "stranger@example.org"}
        request["inputs"] = {**request["inputs"], **wrong}
    with (
        FakeAws(identities=["noreply@example.com"]) as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        journal = jackfield.journal
        assert journal is not None
        # its end is put off
        jackfield.invoke({**request, "action": "getAccount", "inputs": {}, "idempotencyKey": None})
        aws.script([{"operation": "SendEmail", "do": "reset"}] if end == "ends in doubt" else [])
        jackfield.invoke(request)
        with open_database(upgraded) as other:
            row = other.look_up(
                "SELECT id, status FROM invocations WHERE idempotency_key = 'order-1' AND "
                "key_held = 1",
                {},
            )
        held = journal.held("order-1")
        with journal.database.read():  # commits what was put off
            assert journal.held("order-1") == held
        shown = None if held is None else (held.id, held.status)
        assert shown == (None if row is None else tuple(row))
        assert (shown is None) is (end in {"is refused", "is rejected"})


def test_a_key_is_looked_for_without_a_commit(
    upgraded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeat reads its Result, and leaves what other calls have put off to the next commit."""
    flushed, flush = list[str](), Batches.flush

    def told(batches: Batches) -> None:
        flushed.append(threading.current_thread().name)
        flush(batches)

    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        jackfield.invoke(mail("order-1")).unwrap()
        jackfield.invoke(
            {"connector": "aws-ses", "action": "getAccount", "connection": "acme-ses"}
        ).unwrap()
        monkeypatch.setattr(Batches, "flush", told)
        assert jackfield.invoke(mail("order-1")).meta.replayed
        monkeypatch.undo()
    assert threading.current_thread().name not in flushed


@pytest.mark.parametrize("member", ["inputs", "connection", "action"])
def test_another_request_under_the_key_is_a_conflict(upgraded: str, member: str) -> None:
    """A key belongs to its request: another text, account or action under it is refused for
    good.
    """
    request = mail("order-1")
    others = {
        "inputs": {**request["inputs"], "text": "another text"},
        "connection": "globex-ses",
        "action": "getAccount",
    }
    with FakeAws() as aws:
        connections = connection(aws.url) | {"globex-ses": connection(aws.url)["acme-ses"]}
        with Jackfield(connections=[connections], database_url=upgraded) as jackfield:
            jackfield.invoke(request).unwrap()
            result = jackfield.invoke({**request, member: others[member]})
    assert result.error is not None
    assert (result.error.code, result.error.retryable, result.error.http_status) == (
        "idempotency_conflict",
        False,
        422,
    )


def test_a_replay_leaves_no_entry_of_its_own(upgraded: str) -> None:
    """The journal shows one invocation, however often its key replays it: a replay ran nothing."""
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        first = jackfield.invoke(mail("order-1"))
        assert [jackfield.invoke(mail("order-1")).meta.replayed for _ in range(3)] == [True] * 3
        assert jackfield.journal is not None
        assert [entry.id for entry in jackfield.journal.entries()[0]] == [first.meta.invocation_id]


def test_a_failure_frees_its_key(upgraded: str) -> None:
    """A refused input and a refused mail leave the key free for the corrected request."""
    with FakeAws(identities=["noreply@example.com"]) as aws:
        with Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield:
            wrong = mail("order-1")
            wrong["inputs"] = {**wrong["inputs"], "to": ["nobody"]}
            assert jackfield.invoke(wrong).error.code == "invalid_input"  # type: ignore[union-attr]  # it failed
            wrong["inputs"] = {**mail("order-1")["inputs"], "sender": "stranger@example.org"}
            assert jackfield.invoke(wrong).error.code == "rejected"  # type: ignore[union-attr]  # it failed
            assert jackfield.invoke(mail("order-1")).status == "succeeded"
        assert len(aws.messages) == 1


def test_a_doubt_stays_until_a_person_resolves_it(upgraded: str) -> None:
    """In doubt is replayed as in doubt; resolved as failed it frees the key, resolved as succeeded
    it is replayed as that.
    """
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        journal = jackfield.journal
        assert journal is not None
        for key, outcome in (("order-1", "failed"), ("order-2", "succeeded")):
            aws.script([{"operation": "SendEmail", "do": "reset"}])
            doubt = jackfield.invoke(mail(key))
            assert (doubt.status, doubt.exit_code) == ("in_doubt", 3)
            again = jackfield.invoke(mail(key))
            assert (again.status, again.meta.replayed) == ("in_doubt", True)
            journal.resolve(doubt.meta.invocation_id, outcome, "ada")  # type: ignore[arg-type]  # one of the two
        sent = len(aws.messages)
        assert jackfield.invoke(mail("order-1")).meta.replayed is False
        assert jackfield.invoke(mail("order-2")).status == "succeeded"
        assert len(aws.messages) == sent + 1


def test_time_does_not_resolve_a_doubt(upgraded: str) -> None:
    """A key in doubt is not free after a day, as that of a success is: only a person's word ends a
    doubt.
    """
    clock = FakeClock()
    with (
        FakeAws() as aws,
        Jackfield(
            connections=[connection(aws.url)], database_url=upgraded, clock=clock
        ) as jackfield,
    ):
        assert jackfield.invoke(mail("order-1")).status == "succeeded"
        aws.script([{"operation": "SendEmail", "do": "reset"}])
        assert jackfield.invoke(mail("order-2")).status == "in_doubt"
        sent = len(aws.messages)
        time_passes(25 * 3600, clock, jackfield.storage.database)
        again = jackfield.invoke(mail("order-2"))
        assert (again.status, again.meta.replayed, len(aws.messages)) == ("in_doubt", True, sent)
        assert jackfield.invoke(mail("order-1")).meta.replayed is False


@pytest.mark.parametrize("hours", [0, 23, 25, 30 * 24])
def test_a_resolved_doubt_holds_its_key_for_a_day_from_then_on(upgraded: str, hours: int) -> None:
    """However late a person resolves a doubt as succeeded, its key replays that for a day more, and
    is free afterwards.
    """
    clock = FakeClock()
    with (
        FakeAws() as aws,
        Jackfield(
            connections=[connection(aws.url)], database_url=upgraded, clock=clock
        ) as jackfield,
    ):
        aws.script([{"operation": "SendEmail", "do": "reset"}])
        doubt = jackfield.invoke(mail("order-1"))
        sent, journal = len(aws.messages), jackfield.journal
        assert journal is not None
        time_passes(hours * 3600, clock, jackfield.storage.database)
        journal.resolve(doubt.meta.invocation_id, "succeeded", "ada")
        for later in (1, 23 * 3600 - 1):
            time_passes(later, clock, jackfield.storage.database)
            again = jackfield.invoke(mail("order-1"))
            assert (again.status, again.meta.replayed, len(aws.messages)) == (
                "succeeded",
                True,
                sent,
            )
            journal.purge()
        time_passes(2 * 3600, clock, jackfield.storage.database)
        assert jackfield.invoke(mail("order-1")).meta.replayed is False


@pytest.mark.parametrize("days", [1.1, 40])
def test_a_late_correction_holds_its_key_for_a_day_from_then_on(upgraded: str, days: float) -> None:
    """An outcome that comes days after its run was given up as in doubt holds the key from then on,
    and no purge takes it before.
    """
    clock = FakeClock()
    with (
        FakeAws() as aws,
        Jackfield(
            connections=[connection(aws.url)], database_url=upgraded, clock=clock
        ) as jackfield,
    ):
        first, journal = jackfield.invoke(mail("order-1")), jackfield.journal
        assert journal is not None
        # as if its process had been lost, and another one had recovered the entry
        with jackfield.storage.database.write() as transaction:
            transaction.change(
                "UPDATE invocations SET status = 'in_doubt', recovered_at = settled_at"
            )
        time_passes(days * 86_400, clock, jackfield.storage.database)
        jackfield.storage.database.record(
            journal.finishing(journal.find(first.meta.invocation_id), first, [])
        )
        for later in (1, 23 * 3600):
            time_passes(later, clock, jackfield.storage.database)
            journal.purge()
            assert jackfield.invoke(mail("order-1")).meta.replayed
        time_passes(2 * 3600, clock, jackfield.storage.database)
        assert not jackfield.invoke(mail("order-1")).meta.replayed


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_resolved_doubt_is_a_result(
    upgraded: str, outcome: Literal["succeeded", "failed"]
) -> None:
    """What a person said reads like any other Result: it fits the schema, and its code fits its
    status.
    """
    schema = json.loads(
        (Path(__file__).parents[3] / "schemas" / "result.schema.json").read_text(encoding="utf-8")
    )
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        aws.script([{"operation": "SendEmail", "do": "reset"}])
        doubt = jackfield.invoke(mail("order-1"))
        assert jackfield.journal is not None
        entry = jackfield.journal.resolve(doubt.meta.invocation_id, outcome, "ada")
        jsonschema.validate(entry.result, schema)
        assert (entry.status, entry.error_code) == (
            outcome,
            None if outcome == "succeeded" else "unavailable",
        )
        if outcome == "succeeded":
            jsonschema.validate(jackfield.invoke(mail("order-1")).to_json(), schema)


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_m6_a_resolved_doubt_keeps_its_error_and_says_who_decided(
    upgraded: str, outcome: Literal["succeeded", "failed"]
) -> None:
    """The entry and a replayed Result keep the error and the request id, and name the person. Only
    the Result's next step was to look.
    """
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        aws.script([{"operation": "SendEmail", "do": "status", "status": 500}])
        doubt = jackfield.invoke(mail("order-1"))
        assert (doubt.status, jackfield.journal is not None, doubt.error is not None) == (
            "in_doubt",
            True,
            True,
        )
        entry = jackfield.journal.resolve(doubt.meta.invocation_id, outcome, "ada")  # type: ignore[union-attr]  # it is there
        shown, before = entry.to_json(), doubt.to_json()
        assert "the looks of the invocation" in before["error"]["hint"]
        before["error"]["hint"] = shown["meta"]["resolution"]["error"]["hint"]
        assert before["error"]["hint"].startswith("Check with the provider")
        assert (shown["resolvedBy"], shown["meta"]["resolution"]["by"]) == ("ada", "ada")
        assert "output" not in shown  # N5: it is unknown
        assert shown["resolvedAt"] == shown["meta"]["resolution"]["at"] >= shown["settledAt"]
        assert shown["meta"]["resolution"]["error"] == before["error"]
        assert shown["meta"].get("requestId") == before["meta"].get("requestId")
        assert shown["error"]["provider"] == before["error"]["provider"]
        if outcome == "succeeded":
            assert shown["error"] == before["error"]
            again = jackfield.invoke(mail("order-1"))
            assert (again.error, again.meta.replayed) == (None, True)
            assert again.to_json()["meta"]["resolution"]["error"] == before["error"]


def test_keys_belong_to_a_workspace(upgraded: str) -> None:
    """Two workspaces may use the same key for different requests."""
    with FakeAws() as aws:
        for workspace in ("acme", "globex"):
            with Jackfield(
                workspace, connections=[connection(aws.url)], database_url=upgraded
            ) as jackfield:
                jackfield.access.workspaces.create(workspace)
                assert jackfield.invoke(mail("order-1")).meta.replayed is False
        assert len(aws.messages) == 2


def test_a_dry_run_ignores_the_key(upgraded: str) -> None:
    """A dry run neither takes a key nor replays one."""
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        assert jackfield.invoke({**mail("order-1"), "dryRun": True}).meta.dry_run
        assert jackfield.invoke(mail("order-1")).meta.replayed is False
        assert jackfield.invoke({**mail("order-1"), "dryRun": True}).meta.replayed is False
        assert len(aws.messages) == 1


def test_without_a_database_a_key_is_refused() -> None:
    """A runtime that cannot keep a promise does not make it."""
    with Jackfield(connections=[], database_url="none") as jackfield:
        error = jackfield.invoke(mail("order-1")).error
    assert error is not None
    assert [detail.path for detail in error.details] == ["/idempotencyKey"]


def test_files_hold_no_secret(upgraded: str, tmp_path: Path) -> None:
    """Neither the connection's secret nor the message is in the database's files."""
    with (
        FakeAws() as aws,
        Jackfield(connections=[connection(aws.url)], database_url=upgraded) as jackfield,
    ):
        refusal = {
            "operation": "SendEmail",
            "do": "status",
            "status": 400,
            "code": "MessageRejected",
            "message": "secret-of-the-nursery",
        }
        aws.script([refusal])
        refused = jackfield.invoke(mail("order-1"))
        jackfield.invoke(mail("order-2")).unwrap()
    assert "secret-of-the-nursery" not in str(refused.to_json())
    for file in tmp_path.glob("jackfield.db*"):
        content = file.read_bytes()
        assert b"secret-of-the-nursery" not in content
        assert b"Hello Ada" not in content
