"""Versions of the tables: applied once, in order, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jackfield_store.database import ConstraintViolation, Database, DatabaseUnfit, StatementInvalid, open_database
from jackfield_store.database.backup import check
from jackfield_store.database.migrations import Migration, Migrations, declared, known_migrations
from ready_database import migrated_for_real

__all__ = ["migrated_for_real"]


TABLES = {
    "blocked_workspaces",
    "invocation_exchanges",
    "invocation_references",
    "outcomes",
    "settings",
    "subscription_items",
    "event_keys",
    "subscriptions",
    "schedule_slots",
    "schedules",
    "schema_migrations",
    "clock",
    "callback_positions",
    "callbacks",
    "deliveries",
    "epoch",
    "event_heads",
    "events",
    "outbox",
    "workspaces",
    "kept_rules",
    "data_keys",
    "connections",
    "connection_secrets",
    "external_ids",
    "file_connection_tests",
    "file_holds",
    "file_usage",
    "files",
    "grants",
    "oauth_clients",
    "mcp_servers",
    "client_registrations",
    "authorizations",
    "connect_sessions",
    "event_counts",
    "revocations",
    "tokens",
    "platform_tokens",
    "console_sessions",
    "sign_ins",
    "audit_entries",
    "audit_heads",
    "approvals",
    "doubts",
    "doubt_markers",
    "marked_events",
    "record_reads",
    "record_paces",
    "invocations",
    "invocation_kinds",
    "invocation_terms",
    "invocation_counts",
    "duration_limits",
    "journal_upkeep",
    "paces",
    "queue_budgets",
    "leases",
    "instances",
    "installation",
    "dispatchers",
    "workspace_wrappers",
}
LAST = known_migrations()[-1].version
SECOND = Migration(
    LAST + 1, "second", "CREATE TABLE second (a {bigint_identity}, b {boolean} NOT NULL) {table}; CREATE INDEX second_b ON second (b);"
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database that nothing was done to."""
    with open_database(database_url, migrate=None) as opened:
        yield opened


def with_more(database: Database, *more: Migration) -> Migrations:
    """The migrations of a jackfield that has some more than this one."""
    process = database._process
    return Migrations(process.dialect, process.begin, lambda: (*known_migrations(), *more))


def tables(database: Database) -> set[str]:
    """The names of all tables."""
    with database.read() as transaction:
        return {row.name for row in transaction.execute(database.dialect.tables)}


def test_an_empty_database_is_brought_up_to_date(database: Database) -> None:
    """All tables are made by the first migrate, the second has nothing to do, and both say which versions they applied."""
    known = [migration.version for migration in known_migrations()]
    assert (database.version(), database.pending(), tables(database)) == (0, known, set())
    assert database.migrate() == known
    assert database.migrate() == []
    assert (database.version(), database.pending()) == (known[-1], [])
    assert tables(database) == TABLES


def test_what_is_pending_is_refused_unless_told(database_url: str) -> None:
    """A server that must not change tables says what to run, and starts once it has been run."""
    with pytest.raises(DatabaseUnfit, match=f"{LAST} migrations are pending") as caught:
        open_database(database_url, migrate=False)
    assert "jackfield db upgrade" in str(caught.value)
    assert not caught.value.retryable
    open_database(database_url).close()
    open_database(database_url, migrate=False).close()


def test_a_later_migration_keeps_the_data(database: Database) -> None:
    """An upgrade adds its tables and leaves the rows that are there."""
    database.migrate()
    with database.write() as transaction:
        transaction.change("INSERT INTO workspaces (name, created_at) VALUES ('a', 1)")
    newer = with_more(database, SECOND)
    assert [migration.version for migration in newer.pending()] == [LAST + 1]
    assert newer.apply() == [LAST + 1]
    with database.write() as transaction:
        transaction.change("INSERT INTO second (b) VALUES (1)")
        transaction.change("INSERT INTO second (b) VALUES (0)")
        assert transaction.execute("SELECT a, b FROM second ORDER BY a") == [(1, 1), (2, 0)]
        assert [row.name for row in transaction.execute("SELECT name FROM workspaces")] == ["a"]


UPGRADES = [
    # from version 1 on, all migrations run: that later versions keep their rows, too, is shown by some of them
    pytest.param(kind, version, marks=() if version == 1 or (LAST - version) % every == 1 else pytest.mark.campaign)
    for kind, every in (("sqlite", 5), ("postgresql", 15))
    for version in range(1, LAST)
]


@pytest.mark.parametrize(("database_url", "version"), UPGRADES, indirect=["database_url"])
def test_each_version_is_upgraded_with_its_data(database: Database, version: int) -> None:
    """Invocations of every status that an older jackfield has recorded are there as they were, and in the lists that are asked for."""
    process = database._process
    Migrations(process.dialect, process.begin, lambda: known_migrations()[:version]).apply()
    rows = [
        {"id": f"i{place}", "status": status, "created": place, "owner": "host/1/2" if status == "running" else None}
        for place, status in enumerate(("queued", "running", "succeeded", "failed", "in_doubt"))
    ]
    with database.write() as transaction:
        transaction.change("INSERT INTO workspaces (name, created_at) VALUES ('a', 1)")
        for row in rows:
            transaction.change(
                "INSERT INTO invocations (workspace, id, status, connector, action, created_at, owner, purge_after) "
                "VALUES ('a', :id, :status, 'echo', 'post', :created, :owner, 9)",
                row,
            )
    assert database.migrate() == list(range(version + 1, LAST + 1))
    assert check(database).problems == ()
    with database.read() as transaction:
        found = transaction.execute("SELECT id, status, created_at, owner FROM invocations ORDER BY id")
        waiting = transaction.execute("SELECT id FROM invocations WHERE status = 'queued' AND owner IS NULL ORDER BY created_at, id")
    assert [tuple(row) for row in found] == [tuple(row.values()) for row in rows]
    assert [row.id for row in waiting] == ["i0"]


def test_a_newer_database_is_refused(database_url: str) -> None:
    """An older jackfield does not touch a database that a newer one has upgraded."""
    with open_database(database_url) as database:
        with_more(database, SECOND).apply()
        for call in (database.pending, database.migrate):
            with pytest.raises(DatabaseUnfit, match=f"newer jackfield: it has version {LAST + 1}; this jackfield supports {LAST}"):
                call()
    for migrate in (True, False):
        with pytest.raises(DatabaseUnfit, match="newer jackfield"):
            open_database(database_url, migrate=migrate)


def test_a_failing_migration_changes_nothing(database: Database) -> None:
    """Where one statement of an upgrade fails, none of it is done: not its tables, not those of the versions before it."""
    broken = Migration(LAST + 2, "broken", "CREATE TABLE third (a {integer}); INSERT INTO third VALUES (1); SELECT nothing FROM nowhere;")
    with pytest.raises(StatementInvalid):
        with_more(database, SECOND, broken).apply()
    assert tables(database) == set()
    assert database.version() == 0
    assert database.migrate() == list(range(1, LAST + 1))


def test_an_altered_migration_is_known(database: Database) -> None:
    """A migration whose text was another when it was applied is named."""
    database.migrate()
    assert database.migrations.altered() == []
    with database.write() as transaction:
        transaction.change("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1")
    assert database.migrations.altered() == [1]


def test_files_are_numbered_without_gaps() -> None:
    """The migrations that are shipped are 1, 2, 3, … and their names say what they are."""
    known = known_migrations()
    assert [migration.version for migration in known] == list(range(1, len(known) + 1))
    assert known[0].name == "first"
    assert len(known[0].checksum) == 64


def test_other_files_in_the_folder_are_no_migrations(tmp_path: Path) -> None:
    """Only files that are numbered count."""
    (tmp_path / "0001_first.sql").write_text("SELECT 1;", encoding="utf-8")
    (tmp_path / "notes.sql").write_text("SELECT 2;", encoding="utf-8")
    assert [migration.name for migration in known_migrations(str(tmp_path))] == ["first"]


def test_what_migrations_leave_behind() -> None:
    """Tables and indexes that were made and not dropped are known, in the order in which they were made."""
    dropping = Migration(2, "dropping", "DROP INDEX first_a; CREATE UNIQUE INDEX first_b ON first (b); CREATE TABLE other (a TEXT);")
    first = Migration(1, "first", "CREATE TABLE first (a TEXT, b TEXT); CREATE INDEX first_a ON first (a);")
    assert declared("TABLE", [first, dropping]) == ["first", "other"]
    assert declared("INDEX", [first, dropping]) == ["first_b"]


def test_every_table_is_keyed_by_workspace(database: Database) -> None:
    """But for those that are not a tenant's, each table has a workspace that cannot be left out."""
    database.migrate()
    shared = {
        "schema_migrations",
        "sign_ins",
        "settings",
        "workspaces",
        "kept_rules",
        "instances",
        "dispatchers",
        "external_ids",
        "duration_limits",
        "journal_upkeep",
        "clock",
        "callback_positions",
        "callbacks",
        "deliveries",
        "epoch",
        "installation",
        "platform_tokens",
        "record_paces",
    }
    for table in sorted(TABLES - shared):
        with pytest.raises(ConstraintViolation) as caught, database.write() as transaction:
            transaction.change(f"INSERT INTO {table} DEFAULT VALUES")
        assert "workspace" in caught.value.name
    with pytest.raises(ConstraintViolation) as caught, database.write() as transaction:
        transaction.change("INSERT INTO external_ids (digest, connection_id) VALUES ('d', 'c')")
    assert "workspace" in caught.value.name
