"""Workspaces and what is set for them, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clocks import FakeClock
from growth import calls
from jackfield.callers import Rules
from jackfield.connections.host_access import HostAccess
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.access import Audit, Settings, UnknownWorkspace, WorkspaceExists, Workspaces
from jackfield_store.access.settings import changed_settings
from jackfield_store.database import Database, Transaction, WrongMasterKey
from jackfield_store.keys import MasterKey, Vault
from jackfield_store.keys.settings_seals import settings_seal

pytest_plugins = ["postgres"]


def test_default_is_always_there(workspaces: Workspaces) -> None:
    """The workspace ``default`` is found and listed in an empty database, with the settings that
    every workspace begins with.
    """
    assert workspaces.find("default").settings == Settings()
    assert [workspace.name for workspace in workspaces.list()] == ["default"]
    assert workspaces.find("default").to_json() == {
        "name": "default",
        "createdAt": None,
        "rules": {"allow": [], "block": []},
        "keepInputs": False,
        "keepDoubts": True,
        "retentionDays": 30,
        "allowReferences": False,
        "allowAmbient": False,
        "allowOwnExternalId": False,
        "settleAbsent": False,
        "quotas": [],
        "queueRate": 0,
        "queueConcurrency": 0,
        "connectionBudgets": {},
        "guards": {},
        "suspended": False,
        "limits": {},
        "theme": {},
    }


def test_create(workspaces: Workspaces, clock: FakeClock) -> None:
    """A new workspace is found under its name, with what was set for it."""
    made = workspaces.create("acme", {"keepInputs": True, "rules": {"allow": ["aws-ses/*"]}})
    assert workspaces.find("acme") == made
    assert made.settings == Settings(Rules(("aws-ses/*",)), keep_inputs=True)
    assert made.created_at == pytest.approx(clock.time(), abs=60)
    assert made.to_json()["createdAt"].endswith("Z")


def test_workspaces_that_are_created_at_once(
    database: Database, vault: Vault, clock: FakeClock
) -> None:
    """Those that share a commit are as if each had been created alone: with its key, its settings
    and its log. A name is given once, and whoever asks for one that is taken keeps no other from
    being created.
    """
    workspaces = Workspaces(database, vault, clock)
    workspaces.create("taken")
    names = [
        name for number in range(12) for name in (f"n{number}", f"n{number}", "taken", f"m{number}")
    ]

    def create(name: str) -> bool:
        try:
            workspaces.create(name, {"retentionDays": len(name)})
        except WorkspaceExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        made = [name for name, new in zip(names, pool.map(create, names), strict=True) if new]
    assert sorted(made) == sorted({*names} - {"taken"})
    again = Vault(database, vault.ring, clock)  # without keys in memory
    for name in made:
        assert Workspaces(database, again, clock).find(name).settings.retention_days == len(name)
        assert (
            again.open(name, ("a place",), vault.seal(name, ("a place",), b"secret")) == b"secret"
        )
        state = Audit(database, lambda: vault, name, clock).verify()
        assert (state.entries, state.fault) == (1, None)


def test_a_workspace_whose_name_has_left_a_log(
    database: Database, vault: Vault, clock: FakeClock
) -> None:
    """One that is created where a log is goes on with that, though it is created together with
    others.
    """
    Audit(database, lambda: vault, "n3", clock).record("something", "before")
    workspaces = Workspaces(database, vault, clock)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(workspaces.create, [f"n{number}" for number in range(8)]))
    assert [
        Audit(database, lambda: vault, f"n{number}", clock).verify().entries for number in range(8)
    ] == [1, 1, 1, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("name", ["acme", "default"])
def test_create_twice(workspaces: Workspaces, name: str) -> None:
    """A name is given once; ``default`` is taken."""
    workspaces.create("acme")
    with pytest.raises(WorkspaceExists) as caught:
        workspaces.create(name)
    assert (caught.value.code, caught.value.http_status) == ("invalid_invocation", 409)


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "ü", "x" * 101, "a\n", ".", "..", "...", "_", "-", "--"]
)
def test_names_that_are_not_valid(workspaces: Workspaces, name: str) -> None:
    """A name is 1 to 100 letters, digits, dots, underscores or hyphens, with a letter or a digit
    among them.
    """
    with pytest.raises(InvalidInvocation) as caught:
        workspaces.create(name)
    assert caught.value.details[0].path == "/name"


def test_create_makes_the_data_key(
    workspaces: Workspaces, database: Database, clock: FakeClock
) -> None:
    """A wrong master key is told when a workspace is made, and no workspace is made then."""
    workspaces.create("acme")
    others = Workspaces(database, Vault(database, MasterKey.generate(), clock), clock)
    with pytest.raises(WrongMasterKey):
        others.create("globex")
    assert [workspace.name for workspace in workspaces.list()] == ["acme", "default"]


def test_unknown(workspaces: Workspaces) -> None:
    """A workspace that is not there is refused with the nearest name."""
    workspaces.create("acme")
    for call in (
        lambda: workspaces.settings("acm"),
        lambda: workspaces.find("acm"),
        lambda: workspaces.set("acm", {"keepInputs": True}),
    ):
        with pytest.raises(
            UnknownWorkspace, match="no workspace is named 'acm'; did you mean 'acme'"
        ) as caught:
            call()
        assert caught.value.http_status == 404


def test_a_workspace_that_comes_to_be_is_seen(
    workspaces: Workspaces, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """That a workspace is not there is believed until it is made, whoever makes it."""
    elsewhere = Workspaces(database, vault, clock)
    for _ in range(2):
        with pytest.raises(UnknownWorkspace):
            elsewhere.settings("acme")
        with pytest.raises(UnknownWorkspace):
            workspaces.settings("acme")
    workspaces.create("acme")
    assert workspaces.settings("acme") == Settings()
    assert elsewhere.settings("acme") == Settings()


def test_list_in_pages(workspaces: Workspaces) -> None:
    """Workspaces come by name, ``default`` in its place, page by page."""
    for name in ("zeta", "acme", "Beta", "echo"):
        workspaces.create(name)
    names, after = [], ""
    while page := workspaces.list(after=after, limit=2):
        names += [workspace.name for workspace in page]
        after = names[-1]
    assert names == ["Beta", "acme", "default", "echo", "zeta"]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What transactions run, from here on."""
    found = list[str]()

    def noted(run: Callable[..., Any]) -> Callable[..., Any]:
        def step(transaction: Transaction, sql: str, *values: Any) -> Any:
            found.append(" ".join(sql.split()))
            return run(transaction, sql, *values)

        return step

    for name in ("execute", "change"):
        monkeypatch.setattr(Transaction, name, noted(getattr(Transaction, name)))
    return found


def test_a_page_reads_the_keys_of_all_its_workspaces_at_once(
    workspaces: Workspaces,
    database: Database,
    vault: Vault,
    clock: FakeClock,
    statements: list[str],
) -> None:
    """A process that has just begun lists twenty workspaces by as many statements as two; one whose
    key is damaged hides no other.
    """
    for number in range(20):
        workspaces.create(f"acme-{number:02}", {"retentionDays": number + 1})
    with database.write() as transaction:
        transaction.change(
            "UPDATE data_keys SET wrapped = :other WHERE workspace = 'acme-07'",
            {"other": b"x" * 60},
        )
    counts = []
    for limit in (2, 20):
        fresh = Workspaces(database, Vault(database, vault.ring, clock), clock)
        statements.clear()
        found = fresh.list(after="acme", limit=limit)
        counts.append(len([one for one in statements if "data_keys" in one]))
    assert counts[0] == 1
    assert counts[1] == 2  # the row of the damaged key is read again, to say so
    assert [one.name for one in found if one.damage is not None] == ["acme-07"]
    assert [one.settings.retention_days for one in found if one.damage is None] == [
        n for n in range(1, 21) if n != 8
    ]


def test_a_creation_costs_the_same_however_many_there_are(
    workspaces: Workspaces, database: Database, statements: list[str]
) -> None:
    """A workspace, its data key and its entry in the audit log are nine statements, none of which
    reads the keys of all others.
    """
    # the key of the logs' seals is made with the first, and read with the second
    for name in ("acme-0", "acme-1"):
        workspaces.create(name)
    statements.clear()
    workspaces.create("acme-2")
    assert len(statements) <= 9, statements
    if database.dialect.name == "sqlite":
        (used,) = [one for one in statements if "master_key_id) FROM data_keys" in one]
        with database.read() as transaction:
            plan = [row.detail for row in transaction.execute(f"EXPLAIN QUERY PLAN {used}")]
        assert [
            step for step in plan if "data_keys" in step and not step.startswith("SEARCH")
        ] == []


def test_clients_that_create_the_same_at_once_make_one(
    workspaces: Workspaces, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """Of clients that create the same workspaces at once, one makes each; the others are refused,
    and its audit log has one entry.
    """
    names = [f"acme-{number}" for number in range(8)] * 4

    def made(name: str) -> bool:
        try:
            workspaces.create(name)
        except WorkspaceExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(made, names)) == 8
    for name in names[:8]:
        audit = Audit(database, lambda: vault, name, clock)
        assert [entry.about["event"] for entry in audit.all()] == ["workspace.created"]
        assert audit.verify().fault is None


def test_set_changes_what_is_named(workspaces: Workspaces) -> None:
    """What is named changes, what is not named stays: also between the two lists of rules."""
    workspaces.create(
        "acme", {"retentionDays": 90, "rules": {"allow": ["aws-ses/*"], "block": ["effect:write"]}}
    )
    changed = workspaces.set("acme", {"allowAmbient": True, "rules": {"block": []}})
    assert changed.settings == Settings(
        Rules(("aws-ses/*",)), retention_days=90, allow_ambient=True
    )
    assert changed.settings.retention == 90 * 86_400
    assert workspaces.find("acme") == changed


def test_very_many_unknown_settings_are_told_in_part() -> None:
    """Each would be compared with the known names: no more faults are made than are told."""
    many = {f"m{number}": 1 for number in range(20_000)}
    for changes in (many, {"limits": many}, {"quotas": [many]}):

        def judge(given: dict[str, Any] = changes) -> None:
            with pytest.raises(InvalidInvocation) as caught:
                changed_settings(Settings(), given)
            assert len(caught.value.details) == 101

        assert calls(judge) < 100_000


def test_set_default(workspaces: Workspaces) -> None:
    """The default workspace can be set like any other, and stays one."""
    assert workspaces.set("default", {"keepInputs": True}).settings.keep_inputs
    assert [
        (workspace.name, workspace.settings.keep_inputs) for workspace in workspaces.list()
    ] == [("default", True)]


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({"keepInput": True}, ["/keepInput"]),
        ({"keepInputs": "yes", "retentionDays": 0}, ["/keepInputs", "/retentionDays"]),
        ({"retentionDays": 1.5}, ["/retentionDays"]),
        ({"retentionDays": True}, ["/retentionDays"]),
        ({"retentionDays": 4000}, ["/retentionDays"]),
        ({"rules": []}, ["/rules"]),
        ({"rules": {"allow": "aws-ses/*"}}, ["/rules/allow"]),
        ({"rules": {"deny": []}}, ["/rules/deny"]),
        ({"rules": {"allow": ["aws-ses"]}}, ["/rules/allow/0"]),
    ],
)
def test_settings_that_are_not_valid(
    workspaces: Workspaces, changes: dict[str, Any], paths: list[str]
) -> None:
    """Every faulty setting is told with its place, and nothing is changed."""
    workspaces.create("acme")
    with pytest.raises(InvalidInvocation) as caught:
        workspaces.set("acme", changes)
    assert [detail.path for detail in caught.value.details] == paths
    assert workspaces.find("acme").settings == Settings()


def test_changes_at_the_same_time_are_not_lost(workspaces: Workspaces) -> None:
    """Threads that set different things at once all get their way."""
    workspaces.create("acme")
    changes = [
        {"keepInputs": True},
        {"retentionDays": 7},
        {"allowReferences": True},
        {"allowAmbient": True},
        {"allowOwnExternalId": True},
    ]
    with ThreadPoolExecutor(len(changes)) as threads:
        list(threads.map(lambda change: workspaces.set("acme", change), changes))
    everything = Settings(
        keep_inputs=True,
        retention_days=7,
        allow_references=True,
        allow_ambient=True,
        allow_own_external_id=True,
    )
    assert workspaces.find("acme").settings == everything


def test_what_a_newer_version_set_stays(
    workspaces: Workspaces, database: Database, vault: Vault
) -> None:
    """A setting that this version does not know is neither used nor lost when another one is
    changed.
    """
    workspaces.create("acme")
    with database.write() as transaction:
        values = {
            "settings": '{"colour": "blue"}',
            "seal": settings_seal(vault, "acme", '{"colour": "blue"}'),
        }
        transaction.change(
            "UPDATE workspaces SET settings = :settings, seal = :seal WHERE name = 'acme'", values
        )
    assert workspaces.set("acme", {"keepInputs": True}).settings == Settings(keep_inputs=True)
    with database.read() as transaction:
        row = transaction.find("SELECT settings FROM workspaces WHERE name = 'acme'")
    assert row is not None
    assert '"colour": "blue"' in row.settings


def test_what_connections_may_use_is_what_was_set(workspaces: Workspaces) -> None:
    """The store of connections reads the settings under the names that they are kept under."""
    names = ("allowReferences", "allowAmbient", "allowOwnExternalId")
    allowed = [
        HostAccess.from_settings(
            json.dumps(workspaces.set("default", {name: True}).settings.to_json())
        )
        for name in names
    ]
    assert allowed == [
        HostAccess(references=True),
        HostAccess(references=True, ambient=True),
        HostAccess(True, True, True),
    ]


def test_settings_are_seen_at_once(
    workspaces: Workspaces, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """A change is seen where it was made and elsewhere."""
    workspaces.create("acme")
    elsewhere = Workspaces(database, vault, clock)
    assert not elsewhere.settings("acme").keep_inputs
    workspaces.set("acme", {"keepInputs": True})
    assert workspaces.settings("acme").keep_inputs
    assert elsewhere.settings("acme").keep_inputs


def test_guards_are_dated_and_checked(workspaces: Workspaces) -> None:
    """Whoever sets a guard says nothing of when it counts from; of what it may have, a wrong type
    or share is refused.
    """
    made = workspaces.create(
        "acme", {"guards": {"ses": {"since": "soon"}, "*": {"bounceRate": 0.05}}}
    )
    assert all(guard["since"].startswith("20") for guard in made.settings.guards.values())
    assert (
        made.settings.guard_of("other") == made.settings.guard_of(None) == made.settings.guards["*"]
    )
    assert workspaces.set("acme", {"guards": {"*": None}}).settings.guard_of("other") is None
    wrong: list[Any] = [
        {"refuse": 1},
        {"bounceRate": 0},
        {"complaintRate": True},
        {"messages": 99},
        {"messages": True},
        {"other": 1},
        [],
        1,
    ]
    for guard in wrong:
        with pytest.raises(InvalidInvocation) as caught:
            workspaces.set("acme", {"guards": {"ses": guard}})
        assert [detail.path for detail in caught.value.details] == ["/guards/ses"], guard
