"""Versions of the tables: applied once, in order, all or nothing. The texts of the subjects, and
which refer to those of others.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
from tests.jackfield_store.database.carried import carried

from jackfield_store.database import (
    ConstraintViolation,
    Database,
    DatabaseUnfit,
    StatementInvalid,
    migrations,
    open_database,
)
from jackfield_store.database.migrations import (
    BASELINE,
    Migration,
    Migrations,
    declared,
    known_migrations,
)
from jackfield_store.database.table_shapes import shape_of
from ready_database import migrated_for_real

__all__ = ["migrated_for_real"]


TABLES = {
    "applied",
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
    "quota_counts",
    "quota_places",
    "leases",
    "instances",
    "installation",
    "dispatchers",
    "workspace_wrappers",
}
LAST = known_migrations()[-1].version
SCHEMA = Path(migrations.__file__).with_name("schema")
SUBJECTS = {
    table: path.stem
    for path in SCHEMA.glob("*.sql")
    for table in re.findall(r"CREATE TABLE (\w+)", path.read_text(encoding="utf-8"))
}
_NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|REFERENCES)\s+(\w+)")
SECOND = Migration(
    LAST + 1,
    "second",
    "CREATE TABLE second (a {bigint_identity}, b {boolean} NOT NULL) {table}; CREATE INDEX "
    "second_b ON second (b);",
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
    """All tables are made by the first migrate, the second has nothing to do, and both say which
    versions they applied.
    """
    known = [migration.version for migration in known_migrations()]
    assert (database.version(), database.pending(), tables(database)) == (0, known, set())
    assert database.migrate() == known
    assert database.migrate() == []
    assert (database.version(), database.pending()) == (known[-1], [])
    assert tables(database) == TABLES


def test_what_is_pending_is_refused_unless_told(database_url: str) -> None:
    """A server that must not change tables says what to run, and starts once it has been run."""
    with pytest.raises(
        DatabaseUnfit, match=f"{LAST - BASELINE + 1} migrations are pending"
    ) as caught:
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


def test_a_newer_database_is_refused(database_url: str) -> None:
    """An older jackfield does not touch a database that a newer one has upgraded."""
    with open_database(database_url) as database:
        with_more(database, SECOND).apply()
        for call in (database.pending, database.migrate):
            with pytest.raises(
                DatabaseUnfit,
                match=f"newer jackfield: it has version {LAST + 1}; this jackfield supports {LAST}",
            ):
                call()
    for migrate in (True, False):
        with pytest.raises(DatabaseUnfit, match="newer jackfield"):
            open_database(database_url, migrate=migrate)


@pytest.mark.parametrize("before", [0, BASELINE - 1])
def test_a_failing_migration_changes_nothing(
    database: Database, database_url: str, before: int
) -> None:
    """Where one statement of an upgrade fails, none of it is done: not its tables, not those of the
    versions before it.
    """
    if before:
        carried(database_url)
    present = tables(database)
    broken = Migration(
        LAST + 2,
        "broken",
        "CREATE TABLE third (a {integer}); INSERT INTO third VALUES (1); SELECT nothing FROM "
        "nowhere;",
    )
    with pytest.raises(StatementInvalid):
        with_more(database, SECOND, broken).apply()
    assert (tables(database), database.version()) == (present, before)
    assert database.migrate() == [one.version for one in known_migrations()]


def test_an_altered_migration_is_known(database: Database) -> None:
    """A version whose statements were others when it was applied is named; comments may change."""
    database.migrate()
    process, (first, *others) = database._process, known_migrations()

    def altered(text: str) -> list[int]:
        known = (Migration(first.version, first.name, text), *others)
        return Migrations(process.dialect, process.begin, lambda: known).altered()

    assert (altered(first.text), altered(f"-- Another comment.\n{first.text}\n\n")) == ([], [])
    assert altered(first.text.replace("status {text} NOT NULL", "status {text}", 1)) == [BASELINE]


def test_changes_follow_the_baseline_without_gaps(tmp_path: Path) -> None:
    """The numbers of the changes that are shipped follow that of the baseline; other files than SQL
    are none.
    """
    assert [one.version for one in known_migrations()] == list(range(BASELINE, LAST + 1))
    for name in ("b.sql", "engine.sql", "0067_b_more.sql", "a.sql", "0068_a_note.sql", "README.md"):
        (tmp_path / name).write_text(f"SELECT '{name}';", encoding="utf-8")
    first, *changes = known_migrations(str(tmp_path))
    assert first.text.split("'")[1::2] == ["engine.sql", "a.sql", "b.sql"]
    assert [(one.version, one.name) for one in changes] == [(67, "b_more"), (68, "a_note")]


def test_what_stands_on_a_table_stands_in_its_file() -> None:
    """Indexes, triggers and settings of a table are in the file of its subject, so that the order
    of the files does not matter.
    """
    for path in SCHEMA.glob("*.sql"):
        text = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
        own = {
            table
            for table, subject in SUBJECTS.items()
            if re.match(rf"(\d{{4}}_)?{subject}(_|\Z)", path.stem)
        }
        assert own, path
        named = re.findall(
            r"ALTER TABLE (\w+)|CREATE (?:UNIQUE )?INDEX \w+\s+ON (\w+)|\bON (\w+)(?: "
            r"REFERENCING| FOR| DEFER|\n|;)",
            text,
        )
        assert {name for names in named for name in names if name} <= own, path


def _listed(header: str) -> list[list[str]]:
    """The cells of a table of the README."""
    lines = (SCHEMA / "README.md").read_text(encoding="utf-8").partition(header)[2].splitlines()[2:]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in takewhile(lambda line: line.startswith("|"), lines)
    ]


def test_references_of_the_tables_are_listed() -> None:
    """Triggers, functions and foreign keys use the tables of those subjects that the README lists
    for theirs; its columns exist.
    """
    used: dict[str, set[str]] = {}
    for path in SCHEMA.glob("[!0-9]*.sql"):
        text = path.read_text(encoding="utf-8").replace("epoch_raised()", "UPDATE epoch")
        others = {SUBJECTS[table] for table in _NAMED.findall(text) if table in SUBJECTS} - {
            path.stem
        }
        used |= {path.stem: others} if others else {}
    listed: dict[str, set[str]] = {}
    for subjects, other, _ in _listed("| subject | uses | for |"):
        for subject in subjects.split(", "):
            listed.setdefault(subject, set()).add(other)
    assert used == listed
    columns = re.findall(r"`(\w+)\.(\w+)`", str(_listed("| column | is |")))
    assert len(columns) > 20
    with open_database("sqlite://") as database, database.read() as transaction:
        for table, column in columns:
            assert column in shape_of(transaction, database.dialect, table).columns, (table, column)


class _Statements:
    """The SQL of the code, with the texts that f-strings take from constants."""

    def __init__(self, folder: Path) -> None:
        self._trees = {
            path: ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")
        }
        self._constants = {
            (path if name.id.startswith("_") else None, name.id): node.value
            for path, tree in self._trees.items()
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(name := node.targets[0], ast.Name)
        }

    def __iter__(self) -> Iterator[str]:
        for path, tree in self._trees.items():
            inner = {
                id(part)
                for node in ast.walk(tree)
                if isinstance(node, ast.JoinedStr)
                for part in node.values
            }
            # docstrings
            inner |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in inner:
                    yield self._text(path, node)

    def _text(self, path: Path, node: ast.expr | None) -> str:
        if isinstance(node, ast.JoinedStr):
            return "".join(self._text(path, part) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return self._text(path, node.value)
        if isinstance(node, ast.Name):
            return self._text(
                path, self._constants.get((path if node.id.startswith("_") else None, node.id))
            )
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else " "


@pytest.mark.tree_only
def test_statements_over_several_subjects_are_listed() -> None:
    """The README lists each set of subjects whose tables one statement of the code names."""
    found = {
        frozenset(SUBJECTS[table] for table in _NAMED.findall(text) if table in SUBJECTS)
        for text in _Statements(SCHEMA.parents[2])
    }
    assert {one for one in found if len(one) > 1} == {
        frozenset(row[0].split(", ")) for row in _listed("| subjects | for |")
    }


_KEYED = (
    "INSERT INTO invocations (workspace, id, connector, action, status, created_at, "
    "idempotency_key, key_held) VALUES ('w', :id, :connector, 'charge', 'succeeded', 1, :key, 1)"
)


def test_keys_that_jackfield_made_get_their_space(database: Database) -> None:
    """Those of a program's functions and of a schedule's slots, not those that callers gave in the
    same form.
    """
    before = [one for one in known_migrations() if one.version < 71]
    process = database._process
    Migrations(process.dialect, process.begin, lambda: tuple(before)).apply()
    rows = [
        ("function", "host", "host/charge/4711"),
        ("mine", "shop", "host/charge/4712"),
        ("slot", "shop", "schedule:s:1"),
        ("imitated", "shop", "schedule:s:2"),
    ]
    with database.write() as transaction:
        transaction.change("INSERT INTO workspaces (name, created_at) VALUES ('w', 1)")
        for name, connector, key in rows:
            transaction.change(_KEYED, {"id": name, "connector": connector, "key": key})
        transaction.change(
            "INSERT INTO schedule_slots (workspace, schedule_id, slot, last, slots, outcome, "
            "invocation_id) VALUES ('w', 's', 1, 1, 1, 'queued', 'slot')"
        )
    database.migrate()
    with database.read() as transaction:
        found = {
            row.id: row.key_space
            for row in transaction.execute("SELECT id, key_space FROM invocations")
        }
    assert found == {"function": "host", "mine": "", "slot": "schedule", "imitated": ""}


def test_what_migrations_leave_behind() -> None:
    """Tables and indexes that were made and not dropped are known, in the order in which they were
    made.
    """
    dropping = Migration(
        2,
        "dropping",
        "DROP INDEX first_a; CREATE UNIQUE INDEX first_b ON first (b); CREATE TABLE other (a "
        "TEXT);",
    )
    first = Migration(
        1, "first", "CREATE TABLE first (a TEXT, b TEXT); CREATE INDEX first_a ON first (a);"
    )
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
