"""``jackfield workspaces``, on SQLite and PostgreSQL."""

from __future__ import annotations

import re

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating"]
pytestmark = pytest.mark.above_sql


def test_create_show_list(operator: Shell) -> None:
    """A workspace that was made is shown and listed beside ``default``, with what was set for
    it.
    """
    made = operator.run(
        "workspaces",
        "create",
        "acme",
        "--allow",
        "echo/*",
        "--keep-inputs",
        "yes",
        "--retention-days",
        "90",
    )
    assert made.code == 0
    assert made.json["rules"] == {"allow": ["echo/*"], "block": []}
    assert (made.json["keepInputs"], made.json["retentionDays"]) == (True, 90)
    assert operator.run("workspaces", "show", "acme").json == made.json
    assert [row["name"] for row in operator.run("workspaces", "list").json] == ["acme", "default"]


def test_set(operator: Shell) -> None:
    """``set`` changes what is named and leaves the rest; rules are replaced list by list, and taken
    away by --no-allow and --no-block.
    """
    operator.run(
        "workspaces",
        "create",
        "acme",
        "--allow",
        "aws-ses/*",
        "--allow",
        "echo/*",
        "--block",
        "effect:write",
    )
    changed = operator.run(
        "workspaces", "set", "acme", "--no-allow", "--allow-own-external-id", "yes"
    ).json
    assert changed["rules"] == {"allow": [], "block": ["effect:write"]}
    assert changed["allowOwnExternalId"]
    changed = operator.run(
        "workspaces",
        "set",
        "acme",
        "--no-block",
        "--allow",
        "echo/*",
        "--allow-own-external-id",
        "no",
    ).json
    assert changed["rules"] == {"allow": ["echo/*"], "block": []}
    assert not changed["allowOwnExternalId"]
    assert operator.run("workspaces", "set", "default", "--keep-inputs", "yes").json["keepInputs"]


def test_suspend_and_resume_are_events(operator: Shell) -> None:
    """What changes ``suspended`` is told in the workspace's events, which the operator reads while
    it is suspended, too.
    """
    operator.run("workspaces", "create", "acme")
    for words in (
        ("suspend",),
        ("suspend",),
        ("resume",),
        ("resume",),
        ("set", "--keep-inputs", "yes"),
        ("delete",),
    ):
        assert operator.run("workspaces", words[0], "acme", *words[1:]).code == 0
    rows = operator.run("events", "list", "--workspace", "acme", "--types", "workspace.*").json
    assert [(row["type"], row["subject"], row["data"]) for row in rows] == [
        (f"workspace.{kind}", "acme", {"workspace": "acme"})
        for kind in ("suspended", "resumed", "suspended")
    ]
    assert operator.run("events", "list", "--types", "workspace.*").json == []
    assert (
        "'workspace.suspended'"
        in operator.run("events", "list", "--types", "workspace.suspend").json["error"]["message"]
    )


@pytest.mark.usefixtures("no_tables")
def test_tables_that_are_not_there(shell: Shell, postgres_url: str) -> None:
    """On a PostgreSQL database without tables the error names the command that makes them."""
    shell.set(JACKFIELD_DATABASE_URL=postgres_url)
    answer = shell.run("workspaces", "list")
    assert answer.code == 2
    assert "jackfield db upgrade" in answer.json["error"]["hint"]


def test_rules_bind_the_command_line(operator: Shell) -> None:
    """What the workspace blocks is refused with the rule that decides, also from here, and the
    journal keeps that rule.
    """
    operator.run("workspaces", "set", "default", "--block", "echo/say & connection:ha*")
    refused = operator.run("invoke", "echo", "say", "text=Hello", "--connection", "hall")
    assert refused.code == 2
    assert (refused.json["error"]["code"], refused.json["meta"]["attempts"]) == ("not_allowed", 0)
    sentence = (
        "the workspace's block pattern 'echo/say & connection:ha*' forbids echo/say with 'hall'"
    )
    assert sentence in refused.json["error"]["message"]
    kept = operator.run("invocations", "show", refused.json["meta"]["invocationId"]).json
    assert (kept["status"], kept["rule"]) == ("failed", sentence)
    operator.run("workspaces", "set", "default", "--no-block")
    assert operator.run("invoke", "echo", "say", "text=Hello", "--connection", "hall").code == 0


def test_connect_sessions(operator: Shell) -> None:
    """A link is printed once; its session is listed, shown and revoked; without an address of the
    server there is no link, and nobody can confirm what no platform has begun.
    """
    assert (
        "address of the server"
        in operator.run("connect-sessions", "create").json["error"]["message"]
    )
    made = operator.run(
        "connect-sessions",
        "create",
        "--user",
        "ada",
        "--expires-in",
        "2h",
        "--url",
        "https://j.example/",
    ).json
    assert made["url"].startswith("https://j.example/connect/")
    (listed,) = operator.run("connect-sessions", "list").json
    assert (listed["id"], listed["status"], listed["verify"], listed["user"]) == (
        made["id"],
        "pending",
        "link",
        "ada",
    )
    assert made["url"].rpartition("/")[2] not in str(listed)
    assert (
        operator.run("connect-sessions", "revoke", made["id"]).json["reason"]
        == "the operator has revoked it"
    )
    assert operator.run("connect-sessions", "show", made["id"]).json["status"] == "failed"
    body = operator.write(
        "body.json", '{"verify": "confirm", "returnTo": "https://shop.example/back"}'
    )
    refused = operator.run(
        "connect-sessions",
        "create",
        "--user",
        "ada",
        "--file",
        str(body),
        "--url",
        "https://j.example",
    )
    assert (refused.code, "only the platform" in refused.json["error"]["message"]) == (2, True)


def test_a_connection_of_nobody_is_given_to_a_user(operator: Shell) -> None:
    """Sessions of that user may be about it from then on, and those of others not any more; the
    audit log has who decided.
    """
    values = operator.write("values.json", '{"token": "secret-4711"}')
    added = operator.run(
        "connections", "add", "old", "--type", "echo/token", "--values", str(values), "--no-test"
    )
    assert added.code == 0, added.err
    assert operator.run("connect-sessions", "assign", "old", "--user", "ada").json == {
        "connection": "old",
        "user": "ada",
    }
    again = (
        "connect-sessions",
        "create",
        "--mode",
        "reauth",
        "--connection",
        "old",
        "--url",
        "https://j.example",
        "--user",
    )
    assert operator.run(*again, "ada").code == 0
    assert "is of another user than 'bob'" in operator.run(*again, "bob").json["error"]["message"]
    assert operator.run("connect-sessions", "assign", "old", "--user", "").code == 0
    assert operator.run(*again, "bob").code == 0
    told = [
        (row["object"], row["details"]["user"])
        for row in operator.run("audit", "list").json
        if row["event"] == "connect.assigned"
    ]
    assert sorted(told) == [("connection:old", ""), ("connection:old", "ada")]
    assert operator.run("connect-sessions", "assign", "missing", "--user", "ada").code == 2
    assert operator.run("connect-sessions", "assign", "old", "--user", "a" * 201).code == 2


def test_a_rule_that_guards_a_part_of_the_changes_is_told_so(operator: Shell) -> None:
    """The command does what it was asked for, and says on stderr and in ``warnings`` how many
    changes the rule leaves out.
    """
    partly: tuple[tuple[str, ...], ...] = (
        ("workspaces", "create", "acme", "--approve", "effect:write"),
        ("workspaces", "set", "acme", "--block", "effect:write & */p*"),
        ("tokens", "create", "--scope", "invoke", "--approve", "effect:write"),
        ("workspaces", "create", "agents", "--writes", "ask"),
    )
    for words in partly:
        answer = operator.run(*words)
        assert answer.code == 0, answer.err
        told = answer.json["warnings"][-1]["message"]
        assert re.search(r"leaves out [0-9,]+ installed actions? that changes? something", told)
        assert "leaves out" in answer.err
        assert "effect:change" in answer.err
    for words in (
        ("workspaces", "set", "acme", "--approve", "effect:change", "--no-block"),
        ("workspaces", "create", "asks", "--writes", "ask", "--approve", "effect:change"),
        (
            "tokens",
            "create",
            "--scope",
            "invoke",
            "--block",
            "effect:change & */delete*",
            "--approve",
            "effect:change",
        ),
        ("tokens", "create", "--scope", "invoke", "--allow", "effect:write"),
    ):
        answer = operator.run(*words)
        assert (answer.code, "warnings" in answer.json, "leaves out" in answer.err) == (
            0,
            False,
            False,
        )
