"""What a workspace has its journal keep, and for how long."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock, time_passes
from fake_aws import FakeAws
from jackfield_store.access import Workspaces
from jackfield_store.database import open_database, sqlite
from jackfield_store.database.check import check
from jackfield_store.runtime import Jackfield
from nursery import connection, mail

DAY = 86_400.0


@pytest.fixture
def jackfield(database_url: str, aws: FakeAws, clock: FakeClock) -> Iterator[Jackfield]:
    """A runtime on a database of each kind."""
    open_database(database_url, migrate=True).close()
    with Jackfield(
        connections=[connection(aws.url)], database_url=database_url, clock=clock
    ) as opened:
        yield opened


def setting(jackfield: Jackfield, **changes: Any) -> None:
    """Change what the workspace wants."""
    workspaces: Workspaces = jackfield.access.workspaces
    workspaces.set("default", changes)


def shown(jackfield: Jackfield, identifier: str) -> dict[str, Any]:
    """The entry as the CLI and HTTP show it."""
    assert jackfield.journal is not None
    return jackfield.journal.find(identifier).to_json()


def test_inputs_are_kept_where_the_workspace_asks(jackfield: Jackfield) -> None:
    """Without the setting only a fingerprint is kept, if there is a key; with it the inputs, also
    of what was refused.
    """
    plain = jackfield.invoke(mail("order-1"))
    entry = shown(jackfield, plain.meta.invocation_id)
    assert ("inputs" in entry, "fingerprint" in entry) == (False, True)
    keyless = jackfield.invoke(
        {name: value for name, value in mail("").items() if name != "idempotencyKey"}
    )
    assert not {"inputs", "fingerprint"} & set(shown(jackfield, keyless.meta.invocation_id))
    setting(jackfield, keepInputs=True)
    kept = jackfield.invoke(mail("order-2"))
    assert shown(jackfield, kept.meta.invocation_id)["inputs"] == mail("order-2")["inputs"]
    wrong = mail("order-3")
    wrong["inputs"] = {**wrong["inputs"], "to": ["nobody"]}
    refused = jackfield.invoke(wrong)
    assert shown(jackfield, refused.meta.invocation_id)["inputs"]["to"] == ["nobody"]


def kept_text(jackfield: Jackfield, text: str) -> str:
    """Send a mail with a text; return what the journal keeps of it."""
    setting(jackfield, keepInputs=True)
    told = mail("order-1")
    sent = jackfield.invoke({**told, "inputs": {**told["inputs"], "text": text}})
    assert sent.status == "succeeded"
    return str(shown(jackfield, sent.meta.invocation_id)["inputs"]["text"])


def test_kept_inputs_hold_no_secret(jackfield: Jackfield) -> None:
    """A secret of the connection that stands in a text is masked, and so is what may be a misspelt
    secret.
    """
    assert kept_text(jackfield, "the key is secret-of-the-nursery") == "the key is ***"
    unknown = mail("order-2")
    unknown["inputs"] = {**unknown["inputs"], "secretKey": "hunter2"}
    refused = jackfield.invoke(unknown)
    assert shown(jackfield, refused.meta.invocation_id)["inputs"]["secretKey"] == "***"


def test_kept_inputs_hold_no_secret_that_is_read_by_reference(
    database_url: str, aws: FakeAws, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that only opening the connection reads is masked in the inputs that the journal
    keeps, too.
    """
    open_database(database_url, migrate=True).close()
    monkeypatch.setenv("NURSERY_SECRET", "secret-of-the-nursery")
    given = connection(aws.url)
    given["acme-ses"]["values"]["secretAccessKey"] = {"$env": "NURSERY_SECRET"}
    with Jackfield(connections=[given], database_url=database_url, clock=clock) as jackfield:
        assert kept_text(jackfield, "the key is secret-of-the-nursery") == "the key is ***"


def test_large_inputs_are_not_kept(jackfield: Jackfield) -> None:
    """Attachments do not belong into the journal."""
    setting(jackfield, keepInputs=True)
    large = mail("order-1")
    large["inputs"] = {**large["inputs"], "text": "x" * 300_000}
    assert "inputs" not in shown(jackfield, jackfield.invoke(large).meta.invocation_id)


def test_queued_inputs_are_forgotten_or_kept_as_the_workspace_says(jackfield: Jackfield) -> None:
    """What waits in the queue is kept whole, and encrypted, until it is begun; then only what the
    workspace wants, redacted.
    """
    import asyncio

    from jackfield_store.journal import Queue

    for keeps in (False, True):
        setting(jackfield, keepInputs=keeps)
        identifier = jackfield.enqueue(mail(f"queued-{keeps}"))
        assert isinstance(identifier, str)
        assert "inputs" not in shown(jackfield, identifier)
        (claimed,) = Queue(jackfield.storage.database).claim(1)
        assert asyncio.run(jackfield.arun(claimed)).status == "succeeded"
        assert ("inputs" in shown(jackfield, identifier)) is keeps


def test_entries_are_deleted_when_their_time_is_over(
    jackfield: Jackfield, clock: FakeClock, aws: FakeAws
) -> None:
    """The runtime deletes what is older than the workspace's ``retentionDays`` by itself; a doubt
    stays.
    """
    setting(jackfield, retentionDays=7)
    old = jackfield.invoke(mail("old"))
    aws.script([{"operation": "SendEmail", "do": "reset"}])
    doubt = jackfield.invoke(mail("doubt"))
    time_passes(6 * DAY, clock, jackfield.storage.database)
    young = jackfield.invoke(mail("young"))
    time_passes(1.5 * DAY, clock, jackfield.storage.database)
    jackfield.invoke(mail("new"))
    assert jackfield.journal is not None
    found = {entry.id for entry in jackfield.journal.entries()[0]}
    assert old.meta.invocation_id not in found
    assert {young.meta.invocation_id, doubt.meta.invocation_id} < found


def test_a_purge_deletes_in_slices(jackfield: Jackfield, clock: FakeClock) -> None:
    """A large purge is many short commits: each call deletes at most 250 entries, fewer on a slow
    machine; the command ends with all.
    """
    jackfield.invoke(mail("old"))
    database = jackfield.storage.database
    with database.read() as transaction:
        (row,) = transaction.execute("SELECT * FROM invocations")
    names = [name for name in row.as_dict() if name not in ("id", "idempotency_key")]
    copies = f"""
        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 850)
        INSERT INTO invocations (id, {", ".join(names)}) SELECT 'copy-' || n, {", ".join(names)} FROM numbers CROSS JOIN invocations
    """
    database.record(lambda transaction: transaction.change(copies, {}))
    time_passes(31 * DAY, clock, database)
    left = [851]
    for number in range(3):
        jackfield.invoke(mail(f"new-{number}"))
        clock.advance(1)
        with database.read() as transaction:
            old = transaction.execute(
                "SELECT COUNT(*) AS old FROM invocations WHERE created_at = :at",
                {"at": row.created_at},
            )
        left.append(old[0].old)
    assert all(1 <= before - after <= 250 for before, after in pairwise(left))
    assert jackfield.journal is not None
    assert jackfield.journal.purge() == left[-1]


def test_a_purge_gives_space_back(
    aws: FakeAws, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of SQLite shrinks after a purge, in steps of a few pages, and is still sound; a part
    of it stays for new entries.
    """
    monkeypatch.setattr(sqlite, "_RESERVE", 20)
    monkeypatch.setattr(sqlite, "_GIVEN_BACK", 40)
    file = tmp_path / "a.db"
    with Jackfield(
        connections=[connection(aws.url)], database_url=f"sqlite:///{file}", clock=clock
    ) as jackfield:
        jackfield.invoke(mail("old")).unwrap()
        with jackfield.storage.database.write() as transaction:
            (row,) = transaction.execute("SELECT * FROM invocations")
            names = ", ".join(
                name for name in row.as_dict() if name not in ("id", "idempotency_key", "result")
            )
            transaction.change(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE "
                "n < 600) "
                f"INSERT INTO invocations (id, result, {names}) "
                f"SELECT 'copy-' || n, zeroblob(4000), {names} FROM numbers CROSS JOIN invocations"
            )
        clock.advance(31 * DAY)
        young = jackfield.invoke(mail("young"))
        sizes = [_pages(jackfield)]
        assert jackfield.journal is not None
        steps, give_back = list[bool](), sqlite.SqliteDialect.give_back_space

        def counted(dialect: sqlite.SqliteDialect) -> bool:
            steps.append(give_back(dialect))
            return steps[-1]

        monkeypatch.setattr(sqlite.SqliteDialect, "give_back_space", counted)
        jackfield.journal.purge()
        sizes.append(_pages(jackfield))
        assert len(steps) <= (sizes[0] - sizes[1]) / 40 + 2
        assert sizes[1] < sizes[0] / 3
        assert shown(jackfield, young.meta.invocation_id)["status"] == "succeeded"
        assert check(jackfield.storage.database).problems == ()


def _pages(jackfield: Jackfield) -> int:
    with jackfield.storage.database.read() as transaction:
        return int(transaction.execute("PRAGMA page_count")[0][0])


def test_a_file_of_the_database_holds_no_kept_input(aws: FakeAws, tmp_path: Path) -> None:
    """Kept inputs are encrypted like everything else that may be confidential."""
    with Jackfield(
        connections=[connection(aws.url)], database_url=f"sqlite:///{tmp_path / 'a.db'}"
    ) as jackfield:
        setting(jackfield, keepInputs=True)
        jackfield.invoke(mail("order-1")).unwrap()
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection_:
        connection_.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert all(b"ada@example.com" not in file.read_bytes() for file in tmp_path.glob("a.db*"))
