"""Tokens: made, found by their text, refused, explained; on SQLite and PostgreSQL."""

from __future__ import annotations

import logging
import pickle
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clocks import FakeClock
from jackfield.callers import Request, Rules
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield_store.access import Audit, Tokens, UnknownToken, Workspaces
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.access.tokens import is_well_formed, new_text
from jackfield_store.database import Database
from jackfield_store.keys import Vault
from jackfield_store.keys.sealing import digest

pytest_plugins = ["postgres"]

MAIL = Request("aws-ses", "sendEmail", "write", "acme-ses")
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_token_has_a_form() -> None:
    """A token's text is ``jf_`` and 49 base62 digits, and no two are the same."""
    texts = {new_text() for _ in range(1000)}
    assert len(texts) == 1000
    assert all(re.fullmatch(r"jf_[0-9A-Za-z]{49}", text) and is_well_formed(text) for text in texts)


@given(st.integers(3, 51), st.sampled_from(LETTERS))
def test_a_mistyped_token_is_known(place: int, letter: str) -> None:
    """A token with one wrong character is no token."""
    good = new_text()
    changed = good[:place] + letter + good[place + 1 :]
    assert is_well_formed(changed) is (changed == good)


@pytest.mark.parametrize(
    "text",
    ["", "jf_", "jf_" + "é" * 49, "jf_" + "a" * 48, "jf_" + "a" * 49, " " * 52, "JF_" + "a" * 49],
)
def test_what_is_no_token(text: str) -> None:
    """Anything else is no token."""
    assert not is_well_formed(text)


def test_create_and_authenticate(
    tokens: Tokens, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """A token's text finds the token with its workspace, scope and rules."""
    made = tokens.create(
        "invoke", "the shop", Rules(("aws-ses/*",), ("effect:read",)), clock.time() + 60
    )
    found = Tokens.authenticate(database, vault, clock, made.text)
    assert found == made.token
    assert (found.workspace, found.scope, found.name) == ("default", "invoke", "the shop")
    assert found.rules == Rules(("aws-ses/*",), ("effect:read",))


def test_m8_a_token_without_a_name_is_named_after_the_time(
    tokens: Tokens, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """M8: sidebar, callers and audit log showed the ID of a token without a name; it has one now,
    earlier ones too.
    """
    made = tokens.create("read")
    assert re.fullmatch(r"token of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", made.token.name)
    assert tokens.find(made.token.id) == made.token
    assert (
        Audit(database, lambda: vault, "default", clock).list()[0][0].about["details"]["name"]
        == made.token.name
    )


def test_the_text_is_stored_nowhere(tokens: Tokens, database: Database) -> None:
    """The database holds the digest of a token and not its text; what is made shows it in no repr
    and no pickle.
    """
    made = tokens.create("read")
    with database.read() as transaction:
        row = transaction.find("SELECT * FROM tokens")
    assert row is not None
    assert row.digest == digest(made.text)
    assert made.text not in repr(row.as_dict())
    assert made.text not in repr(made) + repr(made.token)
    with pytest.raises(TypeError, match="it holds secrets"):
        pickle.dumps(made)


@pytest.mark.parametrize(
    ("scope", "name", "expires", "paths"),
    [
        ("write", "", None, ["/scope"]),
        ("invoke", "x" * 201, None, ["/name"]),
        ("invoke", "a\x1bb", None, ["/name"]),
        ("invok", "a\nb", -1.0, ["/scope", "/name", "/expires"]),
    ],
)
def test_tokens_that_are_not_valid(
    tokens: Tokens, clock: FakeClock, scope: str, name: str, expires: float | None, paths: list[str]
) -> None:
    """Every fault is told with its place, and no token is made."""
    with pytest.raises(InvalidInvocation) as caught:
        tokens.create(scope, name, expires_at=None if expires is None else clock.time() + expires)
    assert [detail.path for detail in caught.value.details] == paths
    assert tokens.list() == ([], None)


def test_a_rule_that_is_not_valid(tokens: Tokens) -> None:
    """A token is not made with a pattern that means nothing."""
    with pytest.raises(InvalidInvocation, match="1 pattern is not valid"):
        tokens.create("invoke", rules=Rules(("aws",)))


def test_refusals_say_why_in_the_log(
    tokens: Tokens,
    database: Database,
    vault: Vault,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A malformed, unknown, expired or revoked token is refused alike; the log says which it was,
    by its id and never by its text. Only a text that is no platform's token either is one that does
    not exist.
    """
    expiring, revoked = tokens.create("read", expires_at=clock.time() + 10), tokens.create("read")
    tokens.revoke(revoked.token.id)
    clock.advance(11)
    texts = ["nonsense", new_text(), expiring.text, revoked.text]
    with caplog.at_level(logging.INFO, "jackfield.access"):
        assert [Tokens.authenticate(database, vault, clock, text) for text in texts] == [None] * 4
        assert [
            PlatformTokens.authenticate(database, vault, clock, text) for text in texts[1:2]
        ] == [None]
    said = [record.getMessage() for record in caplog.records]
    assert "form or checksum" in said[0]
    assert re.search(
        f"the token {expiring.token.id} of the workspace 'default' was refused: it expired at .*Z",
        said[1],
    )
    assert re.search(
        f"the token {revoked.token.id} of .* was refused: it was revoked at .*Z", said[2]
    )
    assert "it does not exist" in said[3]
    assert not any(text in caplog.text for text in texts)


def test_use_is_noted_once_a_minute(
    tokens: Tokens, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """The last use of a token is known within a minute, and costs at most one write a minute."""
    made = tokens.create("read")
    assert tokens.find(made.token.id).last_used_at is None
    Tokens.authenticate(database, vault, clock, made.text)
    first = tokens.find(made.token.id).last_used_at
    clock.advance(30)
    Tokens.authenticate(database, vault, clock, made.text)
    assert tokens.find(made.token.id).last_used_at == first
    clock.advance(31)
    Tokens.authenticate(database, vault, clock, made.text)
    last = tokens.find(made.token.id).last_used_at
    assert first is not None
    assert last is not None
    assert last - first == pytest.approx(61, abs=30)


def test_a_database_that_cannot_be_written_keeps_nobody_out(
    tokens: Tokens,
    database: Database,
    vault: Vault,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the use of a token cannot be noted, the token is good all the same."""
    made = tokens.create("read")

    def refuse(_unit: object) -> None:
        raise Unavailable("the database cannot be written: the disk is full")

    monkeypatch.setattr(database, "record", refuse)
    assert Tokens.authenticate(database, vault, clock, made.text) == made.token


def test_list_in_pages(tokens: Tokens, clock: FakeClock) -> None:
    """Tokens come newest first, page by page, revoked ones too."""
    made = []
    for number in range(5):
        made.append(tokens.create("read", str(number)).token)
        clock.advance(1)
    tokens.revoke(made[2].id)
    first, cursor = tokens.list(limit=2)
    second, further = tokens.list(limit=2, cursor=cursor)
    third, end = tokens.list(limit=2, cursor=further)
    assert [token.name for token in first + second + third] == ["4", "3", "2", "1", "0"]
    assert end is None
    assert [token.status(clock.time()) for token in second] == ["revoked", "active"]


def test_a_cursor_of_ones_own(tokens: Tokens) -> None:
    """A cursor that no list gave is refused."""
    with pytest.raises(InvalidInvocation, match="cursor"):
        tokens.list(cursor="nonsense")


def test_revoke_again(tokens: Tokens, clock: FakeClock) -> None:
    """To revoke a token again changes nothing: the first moment stays."""
    made = tokens.create("read").token
    first = tokens.revoke(made.id)
    clock.advance(100)
    assert tokens.revoke(made.id) == first
    assert replace(first, revoked_at=None) == made


def test_tokens_stay_in_their_workspace(
    tokens: Tokens, workspaces: Workspaces, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """A token of another workspace is not found, listed, explained or revoked: it is as if it were
    not there.
    """
    workspaces.create("acme")
    theirs = Tokens(database, vault, "acme", clock)
    made = theirs.create("manage")
    for call in (tokens.find, tokens.revoke, lambda identifier: tokens.explain(identifier, MAIL)):
        with pytest.raises(UnknownToken) as caught:
            call(made.token.id)
        assert caught.value.http_status == 404
    assert tokens.list() == ([], None)
    found = Tokens.authenticate(database, vault, clock, made.text)
    assert found is not None
    assert found.workspace == "acme"


def test_explain(
    workspaces: Workspaces, database: Database, vault: Vault, clock: FakeClock
) -> None:
    """``explain`` decides as a call would, by the rules of the workspace and of the token."""
    workspaces.create("acme", {"rules": {"block": ["connection:prod-*"]}})
    tokens = Tokens(database, vault, "acme", clock)
    made = tokens.create("invoke", rules=Rules(("aws-ses/*",))).token
    assert (
        tokens.explain(made.id, MAIL).rule
        == "the token's allow pattern 'aws-ses/*' matches aws-ses/sendEmail with 'acme-ses'"
    )
    assert tokens.explain(made.id, replace(MAIL, connection="prod-ses")).source == "workspace"
    assert not tokens.explain(made.id, Request("echo", "say", "read")).allowed


def test_explain_a_token_without_force(tokens: Tokens, clock: FakeClock) -> None:
    """An expired or revoked token may run nothing, and that is why."""
    made = tokens.create("invoke", expires_at=clock.time() + 10).token
    assert tokens.explain(made.id, MAIL).allowed
    clock.advance(11)
    assert "the token expired at" in tokens.explain(made.id, MAIL).rule
    tokens.revoke(made.id)
    decision = tokens.explain(made.id, MAIL)
    assert (decision.allowed, decision.source) == (False, "token")
    assert "the token was revoked at" in decision.rule


def test_an_explanation_says_what_waits(database: Database, vault: Vault, clock: FakeClock) -> None:
    """A call that is allowed and waits for a person is not just allowed."""
    tokens = Tokens(database, vault, "default", clock)
    found = tokens.create("invoke", "agent", rules=Rules(approve=("effect:write",))).token
    waits, free = (
        tokens.explain(found.id, Request("aws-ses", "sendEmail", effect, None))
        for effect in ("write", "read")
    )
    assert (waits.allowed, "waits until a person approves it" in waits.rule) == (True, True)
    assert (free.allowed, "waits" in free.rule) == (True, False)
