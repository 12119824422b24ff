"""``jackfield audit``, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import pwd
import re
from pathlib import Path

import pytest

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_store.access import Audit
from jackfield_store.access.ocsf import ocsf_event
from operating import storage
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating"]
pytestmark = pytest.mark.above_sql

SECRET = "s3cret-4711-audited"
VALUES = json.dumps({"token": SECRET, "greeting": "hello"})


def _events(operator: Shell, *words: str) -> list[tuple[str, str]]:
    return [(row["event"], row["object"]) for row in operator.run("audit", "list", *words).json]


def test_what_commands_change_is_recorded(operator: Shell) -> None:
    """Adding, testing, replacing, renaming, exporting and removing a connection, and making a
    token, are recorded for the account that ran the command; no secret is in it.
    """
    ours = pwd.getpwuid(os.getuid()).pw_name
    operator.run(
        "connections", "add", "acme", "--type", "echo/token", "--values", "-", stdin=VALUES
    )
    operator.run("connections", "test", "acme")
    operator.run(
        "connections",
        "replace",
        "acme",
        "--values",
        "-",
        stdin=json.dumps({"token": f"{SECRET}-2", "greeting": "hello"}),
    )
    operator.run("connections", "rename", "acme", "emca")
    operator.run("connections", "export", "emca", "--secrets")
    operator.run("connections", "remove", "emca")
    operator.run("tokens", "create", "--scope", "read")
    listed = operator.run("audit", "list")
    events = [row["event"] for row in reversed(listed.json)]
    assert events == [
        "connection.created",
        "connection.tested",
        "connection.replaced",
        "connection.renamed",
        "connection.exported",
        "connection.removed",
        "token.created",
    ]
    assert {row["actor"]["kind"] + ":" + row["actor"]["id"] for row in listed.json} == {
        f"cli:{ours}"
    }
    replaced = next(row for row in listed.json if row["event"] == "connection.replaced")
    assert replaced["details"] == {"type": "echo/token", "fields": ["token"]}
    assert SECRET not in listed.out
    assert _events(operator, "--object", "connection:emca") == [
        ("connection.removed", "connection:emca")
    ]
    assert len(_events(operator, "--event", "connection.*")) == 6
    assert _events(operator, "--actor", "cli:bob") == []


def test_h9_the_actor_is_the_account(operator: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the caller's do not say who acted; for root the log also names the one that sudo
    came from.
    """
    operator.set(LOGNAME="mallory", USER="mallory", SUDO_USER="ada")
    monkeypatch.setattr(
        pwd,
        "getpwuid",
        lambda number: pwd.struct_passwd((f"account-{number}", "", number, 0, "", "/", "")),
    )
    for number in (4711, 0):
        monkeypatch.setattr(os, "getuid", lambda number=number: number)
        operator.run("tokens", "create", "--scope", "read")
    actors = [row["actor"] for row in operator.run("audit", "list").json]
    assert actors == [
        {"kind": "cli", "id": "account-0", "name": "ada"},
        {"kind": "cli", "id": "account-4711"},
    ]


def test_rotation_is_recorded(operator: Shell) -> None:
    """A rotation of the master key is in the log of `default`."""
    operator.run(
        "connections", "add", "acme", "--type", "echo/token", "--values", "-", stdin=VALUES
    )
    assert operator.run("keys", "rotate").code == 0
    assert ("keys.rotated", "master-key") in _events(operator)


def test_verify_and_export(operator: Shell, tmp_path: Path) -> None:
    """`verify` exits 0 for a whole log and 1 for one that was changed; `export` writes every entry
    to a new private file, or to stdout.
    """
    operator.run("workspaces", "create", "acme")
    operator.run("workspaces", "set", "acme", "--keep-inputs", "yes")
    whole = operator.run("audit", "verify", "--workspace", "acme")
    assert (whole.code, whole.json["whole"], whole.json["entries"]) == (0, True, 2)
    out = tmp_path / "audit.jsonl"
    assert operator.run("audit", "export", "--workspace", "acme", "--out", str(out)).json == {
        "file": str(out),
        "exported": 2,
    }
    assert out.stat().st_mode & 0o777 == 0o600
    assert [json.loads(line)["event"] for line in out.read_text(encoding="utf-8").splitlines()] == [
        "workspace.created",
        "workspace.changed",
    ]
    assert operator.run("audit", "export", "--workspace", "acme").out == out.read_text(
        encoding="utf-8"
    )
    again = operator.run("audit", "export", "--workspace", "acme", "--out", str(out))
    assert (again.code, again.json["error"]["code"]) == (2, "invalid_invocation")
    with storage() as opened, opened.database.write() as transaction:
        transaction.change("DELETE FROM audit_entries WHERE workspace = 'acme' AND sequence = 1")
    broken = operator.run("audit", "verify", "--workspace", "acme")
    assert (broken.code, broken.json["whole"]) == (1, False)
    assert "entry 1 is missing" in broken.json["fault"]


def test_a_head_is_kept_in_a_file_outside(operator: Shell, tmp_path: Path) -> None:
    """``head --to FILE`` appends a line to a private file; ``verify --head @FILE`` compares with
    the newest line of the workspace, and so finds a database that was put back whole.
    """
    operator.run("workspaces", "create", "acme")
    anchors = tmp_path / "anchors.jsonl"
    for keep in ("yes", "no"):
        operator.run("workspaces", "set", "acme", "--keep-inputs", keep)
        kept = operator.run("audit", "head", "--workspace", "acme", "--to", str(anchors))
        assert (kept.code, kept.json["file"]) == (0, str(anchors))
    operator.run("audit", "head", "--to", str(anchors))
    assert anchors.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in anchors.read_text(encoding="utf-8").splitlines()]
    assert [(line["workspace"], line["head"].partition(":")[0]) for line in lines] == [
        ("acme", "2"),
        ("acme", "3"),
        ("default", "0"),
    ]
    assert operator.run("audit", "head", "--workspace", "acme").json["head"] == lines[1]["head"]
    assert operator.run("audit", "verify", "--workspace", "acme", "--head", f"@{anchors}").code == 0
    with storage() as opened, opened.database.write() as transaction:
        transaction.change("DELETE FROM audit_entries WHERE workspace = 'acme' AND sequence = 3")
        transaction.change(
            "UPDATE audit_heads SET sequence = 2, digest = (SELECT digest FROM audit_entries "
            "WHERE workspace = 'acme' AND sequence = 2) "
            "WHERE workspace = 'acme'"
        )
    cut = operator.run("audit", "verify", "--workspace", "acme", "--head", f"@{anchors}")
    assert (cut.code, cut.json["fault"]) == (1, "entry 3 is missing: the log ends with entry 2")
    assert "is not sealed" in operator.run("audit", "verify", "--workspace", "acme").json["fault"]
    refused = operator.run("audit", "head", "--workspace", "acme", "--to", str(anchors))
    assert (refused.code, "cannot be vouched for" in refused.json["error"]["message"]) == (1, True)
    assert len(anchors.read_text(encoding="utf-8").splitlines()) == 3


def test_a_check_of_the_database_misses_a_log(operator: Shell) -> None:
    """``db check`` names a workspace whose log was taken away whole, and one whose head has no
    seal.
    """
    for name in ("acme", "beta"):
        operator.run("workspaces", "create", name)
    assert operator.run("db", "check").json["problems"] == []
    with storage() as opened, opened.database.write() as transaction:
        for table in ("audit_entries", "audit_heads"):
            transaction.change(f"DELETE FROM {table} WHERE workspace = 'acme'")
        transaction.change("UPDATE audit_heads SET seal = NULL WHERE workspace = 'beta'")
    first, second = operator.run("db", "check").json["problems"]
    assert "of the workspace 'acme': the log has no head" in first
    assert "of the workspace 'beta': its head, entry 1, is not sealed" in second


def test_a_head_goes_to_callbacks(operator: Shell) -> None:
    """``head --to callback`` is an entry with the head before it, which callbacks of ``audit.*``
    get as an event; without one it is refused.
    """
    refused = operator.run("audit", "head", "--to", "callback")
    assert (refused.code, "--types 'audit.*'" in refused.json["error"]["hint"]) == (2, True)
    operator.run("callbacks", "add", "https://siem.example/all")  # takes no audit.* by default
    assert operator.run("audit", "head", "--to", "callback").code == 2
    operator.run("callbacks", "add", "https://siem.example/audit", "--types", "audit.*")
    sent = operator.run("audit", "head", "--to", "callback")
    assert (sent.code, sent.json["callbacks"]) == (0, 1)
    event = operator.run("events", "list", "--types", "audit.head.anchored").json[-1]
    assert event["data"]["details"] == {"head": sent.json["head"]}
    assert operator.run("audit", "verify", "--head", sent.json["head"]).code == 0


@pytest.mark.parametrize("text", [None, "no JSON", "[]", '{"workspace": "other", "head": "0:0"}'])
def test_a_file_without_a_head_is_refused(
    operator: Shell, tmp_path: Path, text: str | None
) -> None:
    """A file of heads that is missing, is none, or has none of the workspace exits 2 with a
    reason.
    """
    file = tmp_path / "anchors.jsonl"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    answer = operator.run("audit", "verify", "--head", f"@{file}")
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation")
    assert str(file) in answer.json["error"]["message"]


def test_the_log_is_exported_for_a_siem(operator: Shell) -> None:
    """Each entry as an event of OCSF 1.3: who did what to what, when; a sign-in is Authentication.
    No secret is in it.
    """
    operator.run(
        "connections", "add", "acme", "--type", "echo/token", "--values", "-", stdin=VALUES
    )
    operator.run("connections", "test", "acme")
    operator.run("connections", "remove", "acme")
    with storage() as found:
        Audit(
            found.database,
            lambda: found.vault,
            "default",
            SystemClock(),
            Actor("user", "u1", "Ada"),
        ).record("session.started", "session:s1")
    out = operator.run("audit", "export", "--format", "ocsf").out
    events = [json.loads(line) for line in out.splitlines()]
    assert [(one["class_uid"], one["activity_id"], one["message"]) for one in events] == [
        (6003, 1, "connection.created"),
        (6003, 2, "connection.tested"),
        (6003, 4, "connection.removed"),
        (3002, 1, "session.started"),
    ]
    assert all(one["type_uid"] == one["class_uid"] * 100 + one["activity_id"] for one in events)
    assert events[0]["resources"] == [{"type": "connection", "name": "acme"}]
    assert events[0]["actor"]["user"]["uid"] == pwd.getpwuid(os.getuid()).pw_name
    assert events[3]["user"] == {"uid": "u1", "name": "Ada", "type_id": 1}
    assert [one["unmapped"]["digest"] for one in events] == [
        row["digest"] for row in reversed(operator.run("audit", "list").json)
    ]
    assert [one["metadata"]["sequence"] for one in events] == [1, 2, 3, 4]
    assert SECRET not in out


def test_an_export_begins_where_the_last_one_ended(operator: Shell) -> None:
    """``--since`` takes a time or a duration back; a damaged entry is always shown, since its time
    is not known.
    """
    operator.run("tokens", "create", "--scope", "read")
    at = operator.run("audit", "list").json[0]["at"]
    assert len(operator.run("audit", "export", "--since", at).out.splitlines()) == 1
    assert len(operator.run("audit", "export", "--since", "1h").out.splitlines()) == 1
    assert operator.run("audit", "export", "--since", "2999-01-01").out == ""
    assert operator.run("audit", "export", "--since", "soon").code == 2
    with storage() as found, found.database.write() as transaction:
        transaction.change("UPDATE audit_entries SET entry = '{'")
    (damaged,) = map(
        json.loads,
        operator.run(
            "audit", "export", "--since", "2999-01-01", "--format", "ocsf"
        ).out.splitlines(),
    )
    assert (damaged["severity_id"], damaged["time"], "damage" in damaged["unmapped"]) == (
        4,
        0,
        True,
    )


def test_each_act_that_is_recorded_has_an_activity() -> None:
    """No event in the reference's table of the audit log is Other to a SIEM."""
    text = (Path(__file__).parents[3] / "docs" / "reference" / "audit-log.md").read_text(
        encoding="utf-8"
    )
    rows = [
        line.split("|")[1]
        for line in text.partition("## Audit log")[2].partition("\n## ")[0].splitlines()
        if line.startswith("| `")
    ]
    names = [name for row in rows for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", row)]
    assert len(names) > 30
    assert [
        name
        for name in names
        if ocsf_event({"event": name, "sequence": 1}, "default", "1.0.0")["activity_id"] == 99
    ] == []
