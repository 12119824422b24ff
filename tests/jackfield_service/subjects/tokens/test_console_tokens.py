"""Tokens on the console: the form opens from the title, and one quota goes with a token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Place, placed, token


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console."""
    with placed(tmp_path) as found:
        yield found


def test_a_token_has_a_quota(place: Place) -> None:
    """It is made with the token and shown in the list; one that is not whole is refused at its
    field, and nothing is made.
    """
    client = place.signed_in()
    given = {"name": "shop", "scope": "invoke", "expires": "30d", "per": "day"}
    for wrong, words in (
        ({"count": "many"}, "must be a number above 0"),
        ({"by": "token"}, "must be a number above 0"),
        (
            {"count": "5", "sum": "amount"},
            "must be a JSON Pointer",
        ),
    ):
        refused = client.change("/tokens", "/tokens", **given, **wrong)
        assert (refused.status, words in refused.words) == (400, True), wrong
    assert [one.name for one in place.tokens().list()[0]] == []
    assert (
        client.change(
            "/tokens", "/tokens", **given, count="50", effect="write", action="aws-ses/*"
        ).status
        == 200
    )
    assert (
        "at most 50 of effect:write & aws-ses/* per day of this token"
        in client.get("/tokens").words
    )
    assert client.change("/tokens", "/tokens", **{**given, "name": "free"}).status == 200
    assert [one.rules.quotas for one in place.tokens().list()[0] if one.name == "free"] == [()]


def test_who_may_not_make_one_sees_no_form(place: Place) -> None:
    """A reader is told so."""
    page = place.signed_in(token(place, "read")).get("/tokens")
    assert ("New token" in page.words, "not allowed to create or revoke tokens" in page.words) == (
        False,
        True,
    )
