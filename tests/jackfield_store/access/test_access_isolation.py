"""No store can be used without a workspace: by how stores are made, and by what their statements
say.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import pytest

import jackfield_service.subjects.connect
import jackfield_service.subjects.tenants
import jackfield_service.subjects.triggers
import jackfield_store.access
import jackfield_store.connections
import jackfield_store.database
import jackfield_store.journal
import jackfield_store.keys
from jackfield_service.subjects.triggers.due import DueSubscriptions
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.access.sign_ins import SignIns
from jackfield_store.connections.revocations import DueRevocations
from jackfield_store.database import open_database
from jackfield_store.database.migrations import known_migrations
from jackfield_store.journal import Journal
from jackfield_store.journal.budgets import Budgets
from jackfield_store.journal.doubts import DueDoubts, DueOfFunctions
from jackfield_store.journal.instance import Instance
from jackfield_store.journal.jobs import DueJobs
from jackfield_store.journal.leadership import Leadership
from jackfield_store.journal.queue import Queue
from jackfield_store.journal.recovery import Recovery
from jackfield_store.journal.upkeep import JournalUpkeep

STORES = (
    jackfield_store.access,
    jackfield_store.connections,
    jackfield_store.journal,
    jackfield_service.subjects.connect,
    jackfield_service.subjects.tenants,
    jackfield_service.subjects.triggers,
)
_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\) ", re.DOTALL)
_USED = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+(\w+)")
_CONDITION = re.compile(r"\bWHERE\b.*\bworkspace = :workspace\b", re.DOTALL)
_INSERT = re.compile(r"INSERT INTO \w+ \((?P<columns>[^)]*)\)\s*VALUES \((?P<values>[^)]*)\)")

EXCEPTIONS = {
    r"FROM event_heads LEFT JOIN workspaces": "a server's: is the database one that was earlier than what this process has seen?",
    r"FROM tokens WHERE digest = :digest": "a bearer token says which workspace its caller belongs to",
    r"FROM authorizations WHERE digest = :digest": "the secret state of a provider's answer says which workspace it is for",
    r"SELECT DISTINCT workspace FROM connect_sessions": "a server's: it ends the sessions of every workspace whose time is over",
    r"SELECT DISTINCT workspace FROM connections WHERE session IS NOT NULL": "a server's: connections go with sessions that are over",
    r"FROM subscriptions WHERE path_digest = :digest": "the secret path of a webhook says whose it is",
    r"FROM connect_sessions WHERE (digest = :digest|id = :id)": "the secret of a session's link, or its random ID, says whose it is",
    r"FROM external_ids WHERE digest = :digest": "an External ID that another workspace uses is what must be found",
    r"SELECT 1 AS one FROM external_ids LIMIT 1": "is there any External ID at all?",
    r"UPDATE external_ids SET digest = :digest WHERE digest = :heir": "the heir was found in the same workspace just before",
    r"WITH RECURSIVE used\(id\) AS": "the operator's: does the master key open all workspaces' keys?",
    r"FROM data_keys WHERE workspace >= :first AND workspace <= :last": "the operator's and platforms': keys of a page of workspaces",
    r"FROM data_keys WHERE \(master_key_id < :id OR master_key_id > :id\)": "the operator's: a master key wraps the keys of all",
    r"FROM data_keys WHERE master_key_id = :id": "a rotation's, too: it wraps what was wrapped with the old master key meanwhile",
    r"FROM data_keys ORDER BY workspace, key_id": "the operator's: 'db check' tries the keys of all workspaces",
    r"FROM invocations WHERE status = 'running' AND job IS NOT NULL AND owner IS NULL": "a worker's: when is the next job due?",
    r"SELECT workspace, id, job, delivery, cancel_at FROM invocations": "a worker's: it polls the jobs of every workspace",
    r"WITH RECURSIVE queued\(workspace\) AS": "a worker's: it serves every workspace",
    r"SELECT workspace, id, delivery FROM invocations WHERE status = 'queued' AND owner = :owner": "a worker's: what its process holds",
    r"UPDATE invocations SET owner = NULL WHERE status = 'queued' AND owner = :owner": "a worker's: its end gives back what it holds",
    (
        r"SELECT invocations.workspace, .* (owner = :owner|not_after <= :now ORDER BY not_after) "
        r"LIMIT :limit( OFFSET :left)?"
    ): ("recovery takes over for every workspace"),
    r"SELECT workspace, id, mark FROM quota_places": "recovery gives back what lost processes had counted, for every workspace",
    r"SELECT DISTINCT owner FROM \(SELECT name FROM workspaces": "recovery looks for owners that are gone",
    r"SELECT workspace, id FROM invocations WHERE owner = :owner AND cancel_at": "a worker's: what its own process is to cancel",
    r"SELECT COUNT\(\*\) AS released FROM invocations": "the dispatcher's: how many messages the broker holds",
    r"SET released_at = NULL WHERE status = 'queued' AND \(released_at < ": "the dispatcher's: what the broker lost",
    (
        r"SELECT connection, COUNT\(\*\) AS busy FROM invocations WHERE $|SELECT connection, "
        r"COUNT\(\*\) AS busy FROM invocations WHERE \{"
    ): ("completed by conditions that name the workspace"),
    r"SELECT counts.workspace, SUM\(counts.invocations \+ 0.0\) - ": "the operator's: how many wait in each workspace",
    r"SELECT counts.workspace, SUM\(counts.invocations \+ 0.0\) AS invocations": "the operator's: how many are in doubt in each workspace",
    r"SELECT workspace, COUNT\(\*\) AS (running|released) FROM invocations": "the operator's: what workers and the broker hold",
    r"SELECT workspace, COUNT\(\*\) AS running FROM \(SELECT name FROM workspaces": "the operator's: how many run in each workspace",
    r"SELECT workspace, COUNT\(\*\) AS dead FROM invocations": "the operator's: how many dead letters each workspace has",
    r"INSERT INTO invocations \(\) VALUES": "its columns, among them the workspace, are put in at run time",
    r"FROM invocations other WHERE other.workspace = invocations.workspace": "compares with the workspace of the row around it",
    r"FROM data_keys WHERE retired_at IS NULL AND workspace > :after": "the operator's: new data keys for all workspaces",
    r"^workspace NOT IN \(SELECT workspace FROM workspace_wrappers\)$": "a rotation's: workspaces without a key of their own",
    r"SELECT DISTINCT workspace FROM data_keys WHERE workspace > :after": "the operator's: all processes drop the unwrapped keys of all",
    r"FROM blocked_workspaces WHERE until >= :now ORDER BY workspace": "the operator's: which workspaces no loop serves at present",
    r"SELECT workspace, master_key_id FROM data_keys WHERE workspace IN \(": "names the workspaces that a loop is about to serve",
    r"^\s*SELECT workspace, 'connections' AS kind, COUNT": "the operator's: how many things of each workspace need a person",
    r"FROM data_keys GROUP BY master_key_id": "the operator's: how many data keys each wrapper has wrapped",
    r"SELECT workspace, wrappers, seal FROM workspace_wrappers ORDER BY workspace": "the operator's: which workspaces have their own key",
    r"SELECT workspace, name FROM connections WHERE public_values LIKE :text": (
        "completed by the workspace, or for the operator: which connections name a client of the "
        "server"
    ),
    (
        r"UPDATE connections SET status = 'expired' WHERE status <> 'expired' AND public_values "
        r"LIKE :text"
    ): (
        "completed by the workspace, or for the operator: which connections name a client of the "
        "server that is removed"
    ),
    (
        r"^AND NOT EXISTS \( SELECT 1 FROM oauth_clients hiding WHERE hiding.workspace = "
        r"connections.workspace"
    ): ("compares with the workspace of the row around it"),
    r"SELECT workspace, name FROM connections WHERE type LIKE :type": (
        "completed by the workspace, or for the operator: which connections are for a server "
        "that all workspaces share"
    ),
    r"SELECT workspace FROM mcp_servers WHERE name = :name ORDER BY workspace": "the operator's: whether a shared name is free",
    r"FROM workspace_wrappers WHERE workspace > :after AND workspace <= :last": "a rotation's: that of those which get new data keys",
}
"""Statements that may name no workspace, and why. None of them is in reach of a tenant."""

OF_ALL = {
    Leadership: "a process, which does something for every workspace",
    Workspaces: "the operator's list of them",
    PlatformTokens: "the operator's: each manages several workspaces",
    SignIns: "the operator's: people who sign in have roles in several workspaces",
    Queue: "what workers take from, for every workspace",
    JournalUpkeep: "what merges the counts of every workspace",
    Recovery: "what takes over from lost processes",
    Instance: "this process",
    DueJobs: "what workers poll, for every workspace",
    Budgets: "what workers ask, for every workspace",
    DueDoubts: "what processes look for, for every workspace",
    DueOfFunctions: "those of the functions that a process declares, for each workspace that it serves",
    DueRevocations: "what processes tell providers, for every workspace",
    DueSubscriptions: "what processes share, for every workspace",
}
"""Classes that stand above workspaces, and what they are."""


def _tables() -> dict[str, str]:
    """Every table that the migrations make, and its columns as text."""
    found: dict[str, str] = {}
    for migration in known_migrations():
        found |= dict(_TABLE.findall(migration.text))
    return found


TENANT_TABLES = {
    name
    for name, columns in _tables().items()
    if re.search(r"^\s+workspace ", columns, re.MULTILINE)
}


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    yield package
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


@dataclass(frozen=True)
class Statement:
    """One SQL text of a module; what is put in at run time is left out."""

    module: str
    line: int
    text: str

    @property
    def tables(self) -> set[str]:
        """The tenants' tables that it uses."""
        return set(_USED.findall(self.text)) & TENANT_TABLES

    @property
    def exceptions(self) -> set[str]:
        """The exceptions that it is one of."""
        return {
            pattern for pattern in EXCEPTIONS if re.search(pattern, " ".join(self.text.split()))
        }

    @property
    def kept_to_one(self) -> bool:
        """Whether it compares the workspace, or inserts it."""
        insert = _INSERT.search(self.text)
        if insert is None:
            return _CONDITION.search(self.text) is not None
        columns, values = (
            [part.strip() for part in insert[name].split(",")] for name in ("columns", "values")
        )
        return ("workspace", ":workspace") in zip(columns, values, strict=False)


def _filled(node: ast.expr, names: dict[str, Any]) -> str:
    """The text of a string expression, as far as it is known without running it."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_filled(part, names) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        try:
            return str(eval(compile(ast.Expression(node.value), "statement", "eval"), names))
        except NameError:
            # a variable of the function around: values and further conditions, never less
            return ""
    return ""


@cache
def _statements(package: ModuleType) -> tuple[Statement, ...]:
    return tuple(statement for module in _modules(package) for statement in _statements_of(module))


def _statements_of(module: ModuleType) -> Iterator[Statement]:
    nodes = [*ast.walk(ast.parse(inspect.getsource(module)))]
    inner = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    others = inner | {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in others:
            found = Statement(module.__name__, node.lineno, _filled(node, vars(module)))
            if found.tables:
                yield found


def test_tables_of_tenants() -> None:
    """Every table but a few has the workspace as the first column of its key, so that what is
    looked at is the whole.
    """
    tables = _tables()
    assert tables.keys() - TENANT_TABLES == {
        "workspaces",
        "kept_rules",
        "instances",
        "dispatchers",
        "duration_limits",
        "journal_upkeep",
        "clock",
        "epoch",
        "installation",
        "platform_tokens",
        "record_paces",  # of a provider's account, whose log all workspaces with it read in turn
        "settings",
        "sign_ins",
    }
    keyed = {name for name, columns in tables.items() if "PRIMARY KEY (workspace, " in columns}
    assert TENANT_TABLES - keyed == {
        "blocked_workspaces",
        "external_ids",
        "audit_heads",
        "workspace_wrappers",
        "invocation_kinds",
        "invocation_counts",
        "file_usage",
        "queue_budgets",
        "outbox",
        "event_heads",
        "callback_positions",  # of a platform's callback, in each of its workspaces
    }


@pytest.mark.parametrize(
    "package",
    [*STORES, jackfield_store.database, jackfield_store.keys],
    ids=lambda package: package.__name__,
)
def test_every_statement_names_the_workspace(package: ModuleType) -> None:
    """Each statement on a table of tenants is kept to one workspace, but for the exceptions that
    are listed with their reason.
    """
    assert [one for one in _statements(package) if not one.exceptions and not one.kept_to_one] == []


def test_statements_are_seen() -> None:
    """The statements of the stores are seen by this test, and each exception still stands for
    one.
    """
    found = [
        statement
        for package in (*STORES, jackfield_store.database, jackfield_store.keys)
        for statement in _statements(package)
    ]
    assert {"tokens", "invocations", "data_keys"} <= {
        table for statement in found for table in statement.tables
    }
    assert {pattern for statement in found for pattern in statement.exceptions} == set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("SELECT * FROM tokens WHERE id = :id", False),
        ("SELECT workspace FROM tokens WHERE name = :workspace", False),
        ("DELETE FROM invocations", False),
        ("INSERT INTO tokens (id, workspace) VALUES (:id, 'default')", False),
        ("INSERT INTO tokens (id, workspace) VALUES (:workspace, :id)", False),
        ("UPDATE tokens SET workspace = :workspace WHERE id = :id", False),
        ("SELECT * FROM tokens WHERE workspace = :workspace AND id = :id", True),
        ("SELECT * FROM connections AS c WHERE c.workspace = :workspace", True),
        (
            "INSERT INTO tokens (id, workspace) VALUES (:id, :workspace) ON CONFLICT DO NOTHING",
            True,
        ),
    ],
)
def test_what_counts_as_naming_the_workspace(text: str, kept: bool) -> None:
    """A statement is kept to one workspace where it compares or inserts it, and not where it only
    mentions it.
    """
    statement = Statement("x", 1, text)
    assert statement.tables
    assert statement.kept_to_one is kept


def _stores() -> Iterator[type]:
    """Every class of the stores' packages that is given a database."""
    for package in STORES:
        for module in _modules(package):
            for _, kind in inspect.getmembers(module, inspect.isclass):
                if kind.__module__ == module.__name__ and "database" in _made_from(kind):
                    yield kind


def _made_from(kind: type) -> dict[str, inspect.Parameter]:
    makers = [
        vars(base)["__init__"]
        for base in kind.__mro__
        if "__init__" in vars(base) and base.__module__.startswith("jackfield")
    ]
    return (
        {**inspect.signature(makers[0]).parameters}
        if makers and inspect.isfunction(makers[0])
        else {}
    )


def test_no_store_is_made_without_a_workspace() -> None:
    """Each class that is given a database must be given a workspace too, but those that stand above
    workspaces.
    """
    stores = set(_stores())
    assert {Tokens, Journal, *OF_ALL} <= stores
    for kind in stores - OF_ALL.keys():
        workspace = _made_from(kind).get("workspace")
        assert workspace is not None, kind
        assert workspace.default is inspect.Parameter.empty, kind


def test_no_method_of_a_store_takes_another_workspace() -> None:
    """A store's methods take no workspace: nobody can ask the store of one tenant for another one's
    things.
    """
    stores = [kind for kind in _stores() if kind not in OF_ALL]
    methods = [
        method
        for kind in stores
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if name != "__init__"
    ]
    assert methods
    assert [
        method.__qualname__
        for method in methods
        if "workspace" in inspect.signature(method).parameters
    ] == []


def test_a_store_without_a_workspace_is_a_mistake() -> None:
    """To leave the workspace out is a TypeError, whatever else is there."""
    with open_database("sqlite://") as database:
        for kind in set(_stores()) - OF_ALL.keys():
            given: dict[str, Any] = {
                name: None
                for name in _made_from(kind)
                if name not in ("self", "workspace", "database")
            }
            with pytest.raises(TypeError, match="'workspace'"):
                kind(database=database, **given)
