"""``jackfield tokens``, on SQLite and PostgreSQL."""

from __future__ import annotations

import re

import pytest

from jackfield.kernel.clock import SystemClock
from jackfield_store.access import Tokens
from operating import storage
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating"]
pytestmark = pytest.mark.above_sql


def _create(operator: Shell, *words: str) -> tuple[str, str]:
    made = operator.run("tokens", "create", *words)
    assert made.code == 0, made.out
    assert set(made.json) == {"token", "id"}
    return made.json["token"], made.json["id"]


def test_create(operator: Shell) -> None:
    """A token is printed once with its id; its text opens its workspace with its scope, and no list
    shows it.
    """
    operator.run("workspaces", "create", "acme")
    text, identifier = _create(
        operator,
        "--scope",
        "invoke",
        "--workspace",
        "acme",
        "--name",
        "the shop",
        "--expires",
        "30d",
    )
    with storage() as opened:
        token = Tokens.authenticate(opened.database, opened.vault, SystemClock(), text)
    assert token is not None
    assert (token.workspace, token.id, token.scope, token.name) == (
        "acme",
        identifier,
        "invoke",
        "the shop",
    )
    listed = operator.run("tokens", "list", "--workspace", "acme")
    assert text not in listed.out
    assert [(row["id"], row["scope"], row["status"]) for row in listed.json] == [
        (identifier, "invoke", "active")
    ]
    assert listed.json[0]["expiresAt"] > listed.json[0]["createdAt"]
    assert listed.json[0]["lastUsedAt"] is not None
    assert operator.run("tokens", "list").json == []
    without = operator.run("tokens", "create", "--name", "the shop")
    assert (without.code, "--scope invoke" in without.json["error"]["hint"]) == (2, True)


def test_a_person_is_told_that_it_is_shown_once(operator: Shell) -> None:
    """On a terminal the command says that the token is not shown again."""
    operator.set(NO_COLOR="1")
    answer = operator.on_terminal("tokens", "create", "--scope", "read")
    assert re.search(r'"token": "jf_[0-9A-Za-z]{49}"', answer.out)
    assert "not shown again" in answer.err


def test_a_token_that_never_expires_is_warned_of(operator: Shell) -> None:
    """A token without an end is made, with a warning; one with an end is made without."""
    assert "this token never expires" in operator.run("tokens", "create", "--scope", "read").err
    assert operator.run("tokens", "create", "--scope", "read", "--expires", "90d").err == ""


def test_revoke(operator: Shell) -> None:
    """A revoked token is refused from then on and stays in the list; another workspace cannot
    revoke it.
    """
    text, identifier = _create(operator, "--scope", "manage")
    operator.run("workspaces", "create", "acme")
    assert operator.run("tokens", "revoke", identifier, "--workspace", "acme").code == 2
    assert operator.run("tokens", "revoke", identifier).json["status"] == "revoked"
    with storage() as opened:
        assert Tokens.authenticate(opened.database, opened.vault, SystemClock(), text) is None
    assert [row["status"] for row in operator.run("tokens", "list").json] == ["revoked"]


def test_explain(operator: Shell) -> None:
    """``explain`` names the rule that decides and every pattern on the way; its exit code says
    whether the token may.
    """
    _, identifier = _create(
        operator, "--scope", "invoke", "--allow", "echo/*", "--block", "connection:prod-*"
    )
    allowed = operator.run(
        "tokens", "explain", identifier, "--action", "echo/say", "--connection", "hall"
    )
    assert allowed.code == 0
    unknown = operator.run(
        "tokens", "explain", identifier, "--action", "echo/say", "--connection", "wall"
    )
    assert "no connection is named 'wall'" in unknown.err  # L16
    assert allowed.err == ""
    assert allowed.json["rule"] == "the token's allow pattern 'echo/*' matches echo/say with 'hall'"
    assert [step["fits"] for step in allowed.json["trail"]] == [False, True]
    refused = operator.run(
        "tokens", "explain", identifier, "--action", "echo/say", "--connection", "prod-hall"
    )
    assert refused.code == 1
    assert (refused.json["allowed"], refused.json["source"]) == (False, "token")
    operator.run("workspaces", "set", "default", "--block", f"effect:{refused.json['effect']}")
    assert (
        operator.run("tokens", "explain", identifier, "--action", "echo/say").json["source"]
        == "workspace"
    )
