"""Rows that somebody has changed in the database, on SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from operating import journalled, storage
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating"]


def test_damaged_rows(operator: Shell, tmp_path: Path) -> None:
    """A row that somebody has changed is named by ``check`` and marked in lists, which show the others; it can be removed. Without the
    master key ``check`` says what it could not look at."""
    values = '{"token": "secret-4711"}'
    for name in ("garbage", "good", "moved"):
        operator.run("connections", "add", name, "--type", "echo/token", "--values", "-", "--no-test", stdin=values)
    first, second, third = journalled("succeeded", "succeeded", "succeeded")
    assert operator.run("db", "check").json["problems"] == []
    with storage() as opened, opened.database.write() as transaction:
        transaction.change("UPDATE connections SET public_values = 'garbage' WHERE name = 'garbage'")
        transaction.change(
            "UPDATE connection_secrets SET version = 7 WHERE connection_id = (SELECT id FROM connections WHERE name = 'moved')"
        )
        transaction.change(
            "UPDATE invocations SET result = (SELECT result FROM invocations WHERE id = :first) WHERE id = :second",
            {"first": first, "second": second},
        )
        transaction.change("UPDATE invocations SET attempt_log = '[' WHERE id = :third", {"third": third})
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
        1, [("garbage", True), ("good", False), ("hall", False), ("moved", False)]
    )  # fmt: skip
    assert "'garbage' cannot be used" in listed.err
    assert operator.run("connections", "test", "garbage").json["error"]["code"] == "invalid_connection"
    assert operator.run("connections", "show", "garbage").json["problem"]
    assert operator.run("connections", "remove", "garbage").code == 0
    journal = operator.run("invocations", "list")
    assert [(row["invocationId"], "problem" in row) for row in journal.json] == [(third, True), (second, True), (first, False)]
    assert operator.run("invocations", "show", second).json["error"]["code"] == "internal"
    (tmp_path / "home" / "master.key").unlink()
    unsealed = operator.run("db", "check").json
    assert unsealed["problems"] == [f"damaged: the invocation {third} of the workspace 'default'"]
    assert "master.key' is missing" in unsealed["notChecked"][0]
