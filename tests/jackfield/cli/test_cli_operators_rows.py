"""Rows that somebody has changed in the database, on SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from operating import journalled, storage
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating"]
pytestmark = pytest.mark.above_sql


def test_a_result_beside_other_columns_is_named(operator: Shell) -> None:
    """An entry that somebody gave another caller is named by ``check``, until its caller is put
    back.
    """
    first, _ = journalled("succeeded", "succeeded")
    for caller, problems in (
        ("clerk", [f"damaged: the result of the invocation {first} of the workspace 'default'"]),
        ("test", []),
    ):
        with storage() as opened, opened.database.write() as transaction:
            transaction.change(
                "UPDATE invocations SET caller = :caller WHERE id = :id",
                {"caller": caller, "id": first},
            )
        assert operator.run("db", "check").json["problems"] == problems


def test_damaged_rows(operator: Shell, tmp_path: Path) -> None:
    """A row that somebody has changed is named by ``check`` and marked in lists, which show the
    others; it can be removed. Without the master key ``check`` says what it could not look at.
    """
    values = '{"token": "secret-4711"}'
    for name in ("garbage", "good", "moved"):
        operator.run(
            "connections",
            "add",
            name,
            "--type",
            "echo/token",
            "--values",
            "-",
            "--no-test",
            stdin=values,
        )
    first, second, third = journalled("succeeded", "succeeded", "succeeded")
    assert operator.run("db", "check").json["problems"] == []
    with storage() as opened, opened.database.write() as transaction:
        transaction.change(
            "UPDATE connections SET public_values = 'garbage' WHERE name = 'garbage'"
        )
        transaction.change(
            "UPDATE connection_secrets SET version = 7 WHERE connection_id = (SELECT id FROM "
            "connections WHERE name = 'moved')"
        )
        transaction.change(
            "UPDATE invocations SET result = (SELECT result FROM invocations WHERE id = :first) "
            "WHERE id = :second",
            {"first": first, "second": second},
        )
        transaction.change(
            "UPDATE invocations SET attempt_log = '[' WHERE id = :third", {"third": third}
        )
    answer = operator.run("db", "check")
    assert answer.code == 1
    assert sorted(answer.json["problems"]) == sorted(
        [
            "damaged: the values of the connection 'garbage' of the workspace 'default'",
            "damaged: the secret '/token' of the connection 'moved' of the workspace 'default'",
            f"damaged: the result of the invocation {second} of the workspace 'default'",
            f"damaged: the invocation {third} of the workspace 'default'",
        ]
    )
    listed = operator.run("connections", "list")
    assert (listed.code, [(row["name"], "problem" in row) for row in listed.json]) == (
        1,
        [("garbage", True), ("good", False), ("hall", False), ("moved", False)],
    )
    assert "'garbage' cannot be used" in listed.err
    assert (
        operator.run("connections", "test", "garbage").json["error"]["code"] == "invalid_connection"
    )
    assert operator.run("connections", "show", "garbage").json["problem"]
    assert operator.run("connections", "remove", "garbage").code == 0
    journal = operator.run("invocations", "list")
    assert [(row["invocationId"], "problem" in row) for row in journal.json] == [
        (third, True),
        (second, True),
        (first, False),
    ]
    assert operator.run("invocations", "show", second).json["error"]["code"] == "internal"
    (tmp_path / "home" / "master.key").unlink()
    unsealed = operator.run("db", "check").json
    assert unsealed["problems"] == [f"damaged: the invocation {third} of the workspace 'default'"]
    assert "master.key' is missing" in unsealed["notChecked"][0]


def test_h2_check_follows_the_audit_log(operator: Shell) -> None:
    """An entry of the audit log that somebody has changed is named by ``check``, with its
    workspace.
    """
    for name in ("acme", "umbrella"):
        operator.run("workspaces", "create", name)
        operator.run("tokens", "create", "--scope", "read", "--workspace", name)
    assert operator.run("db", "check").json["problems"] == []
    with storage() as opened, opened.database.write() as transaction:
        text = (
            "UPDATE audit_entries SET entry = REPLACE(entry, 'token.created', "
            "'token.revoked') WHERE workspace = 'acme'"
        )
        assert transaction.change(text)
    answer = operator.run("db", "check")
    assert answer.code == 1
    (problem,) = answer.json["problems"]
    assert problem.startswith("damaged: the audit log of the workspace 'acme': entry ")
    assert "was changed" in problem


def test_check_names_rows_of_workspaces_that_do_not_exist(operator: Shell) -> None:
    """A workspace of that name would inherit them; creating and purging it deletes them."""
    operator.run("workspaces", "create", "acme")
    with storage() as opened, opened.database.write() as transaction:
        transaction.change("DELETE FROM workspaces WHERE name = 'acme'", {})
    answer = operator.run("db", "check")
    assert answer.code == 1
    told = {
        text.partition(" has rows of the workspace 'acme', which does not exist")[0]
        for text in answer.json["problems"]
    }
    assert told >= {"'data_keys'", "'audit_entries'", "'audit_heads'"}
    for words in (("create", "acme"), ("delete", "acme"), ("delete", "acme", "--purge")):
        assert operator.run("workspaces", *words).code == 0
    assert operator.run("db", "check").json["problems"] == []


def test_h2_exchanged_data_keys_are_told(operator: Shell) -> None:
    """Data keys that somebody has exchanged between workspaces: calls and rotation say so in a
    stable code, ``check`` names each.
    """
    values = '{"token": "secret-4711"}'
    operator.run("workspaces", "create", "acme")
    for workspace in ("acme", "default"):
        operator.set(JACKFIELD_WORKSPACE=workspace)
        assert (
            operator.run(
                "connections",
                "add",
                "lock",
                "--type",
                "echo/token",
                "--values",
                "-",
                "--no-test",
                stdin=values,
            ).code
            == 0
        )
    with storage() as opened, opened.database.write() as transaction:
        for before, after in (("default", "x"), ("acme", "default"), ("x", "acme")):
            transaction.change(
                "UPDATE data_keys SET workspace = :after WHERE workspace = :before",
                {"before": before, "after": after},
            )
    for words in (
        ("connections", "add", "new", "--type", "echo/token", "--values", "-", "--no-test"),
        ("invoke", "echo", "say", "--connection", "lock", "text=hello"),
    ):
        answer = operator.run(*words, stdin=values)
        assert (answer.code, answer.json["error"]["code"]) == (1, "unavailable"), answer.out
        assert "the data key '" in answer.json["error"]["message"]
    rotated = operator.run("keys", "rotate")
    assert (rotated.code, rotated.json["notRewrapped"]) == (1, ["acme", "default"])
    problems = operator.run("db", "check").json["problems"]
    assert [text for text in problems if text.startswith("damaged: the data key '")] == problems[:2]
    assert [
        "of the workspace 'acme'" in problems[0],
        "of the workspace 'default'" in problems[1],
    ] == [True, True]


KEYS_DAMAGED: tuple[tuple[str, object], ...] = (
    *(("master_key_id", text) for text in ("", " ", "null", "\u202e", '{"every": "1d"}')),
    ("key_id", " "),
    ("wrapped", b""),
    ("wrapped", b"\xff" * 64),
    ("created_at", -1e308),
    ("created_at", 1e308),
    ("created_at", 316_516_032_000.0),
)


def test_a_damaged_data_key_stops_no_other(operator: Shell) -> None:
    """Rotation goes on with the other workspaces' keys, and names those that cannot be unwrapped,
    whatever was done to their rows. New workspaces get keys, lists show all, and the audit logs of
    the others are whole.
    """
    names = [f"a-{place}" for place in range(len(KEYS_DAMAGED))]
    for name in (*names, "z-healthy"):
        operator.run("workspaces", "create", name)
    with storage() as opened, opened.database.write() as transaction:
        for name, (column, value) in zip(names, KEYS_DAMAGED, strict=True):
            given = {"name": name, "value": value}
            assert transaction.change(
                f"UPDATE data_keys SET {column} = :value WHERE workspace = :name", given
            )
    lost = [
        name
        for name, (column, _) in zip(names, KEYS_DAMAGED, strict=True)
        if column != "created_at"
    ]
    for more in ((), ("--data-keys",)):
        rotated = operator.run("keys", "rotate", *more)
        assert (rotated.code, rotated.json["notRewrapped"]) == (1, sorted(lost)), rotated.out
        with storage() as opened, opened.database.read() as transaction:
            rows = transaction.execute(
                "SELECT master_key_id FROM data_keys WHERE workspace = 'z-healthy'"
            )
        assert {row.master_key_id for row in rows} == {rotated.json["masterKey"]}
    assert operator.run("workspaces", "create", "z-new").code == 0
    listed = operator.run("workspaces", "list")
    assert {row["name"]: "problem" in row for row in listed.json} == {
        **dict.fromkeys(names, False),
        **dict.fromkeys(lost, True),
        "default": False,
        "z-healthy": False,
        "z-new": False,
    }
    assert operator.run("audit", "verify", "--workspace", "z-healthy").json["whole"]
    checked = operator.run("db", "check").json
    told = " ".join(checked["problems"] + checked["notChecked"])
    assert [name for name in lost if f"'{name}'" not in told] == []
    assert "'z-healthy'" not in told
