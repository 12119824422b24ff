"""Whose account a connection of the connector ``http`` is, by the answer to its test: at places
that it names, or at the usual ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield.catalog import installed_here
from jackfield_market.testing.loopback_provider import Answer, Provider
from jackfield_store.runtime import Jackfield

_SIGN_INS: dict[str, dict[str, str]] = {
    "http/apiKey": {"apiKey": "k-secret-4711"},
    "http/bearer": {"token": "t-secret-4711"},
    "http/basic": {"username": "ada", "password": "p-secret-4711"},
}
_ADA = {"id": 7, "email": "ada@acme.example", "name": "Ada"}


@pytest.fixture
def jackfield(tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime with the installed connectors."""
    database = f"sqlite:///{tmp_path}/j.db"
    with Jackfield(
        catalog=installed_here({}),
        database_url=database,
        environment={"JACKFIELD_HOME": str(tmp_path)},
    ) as found:
        yield found


def _account(jackfield: Jackfield, body: Any, kind: str = "http/apiKey", **values: str) -> Any:
    """Connect an account at a server that answers with a body, and return it as the connection's
    JSON and the list have it.
    """
    with Provider([Answer(body)]) as server:
        shown = jackfield.connections.add(
            "acme", kind, {"server": server.url, **_SIGN_INS[kind], **values}
        )
    assert shown["status"] == "ok"
    listed = next(
        row for row in jackfield.connections.list().to_json()["items"] if row["name"] == "acme"
    )
    assert listed.get("account") == shown.get("account")
    return shown.get("account")


@pytest.mark.parametrize("kind", sorted(_SIGN_INS))
def test_the_test_path_names_the_account(jackfield: Jackfield, kind: str) -> None:
    """A path of the person's own answers with the account, whatever the credentials are."""
    assert _account(jackfield, _ADA, kind, testPath="/v1/me") == {
        "id": "7",
        "label": "ada@acme.example",
    }


@pytest.mark.parametrize(
    ("path", "body", "account"),
    [
        ("/userinfo", {"sub": "u-1", "preferred_username": "ada"}, {"id": "u-1", "label": "ada"}),
        ("/v2/user/", {"id": "u-1"}, {"id": "u-1", "label": "u-1"}),
        (
            "/me",
            {"email": "ada@acme.example"},
            {"id": "ada@acme.example", "label": "ada@acme.example"},
        ),
        ("/me", {"id": "u-1", "name": "A\r\nda\u202e"}, {"id": "u-1", "label": "A  da"}),
        ("/me", {"id": "u-1", "name": "A" * 900}, {"id": "u-1", "label": "A" * 200}),
        ("/parcels/7", _ADA, None),
        ("/me", [_ADA], None),
        ("/me", "ada", None),
        ("/me", {"id": None, "name": "Ada"}, None),
        ("/me", {"id": True}, None),
    ],
)
def test_usual_members_are_looked_for_at_paths_of_the_person(
    jackfield: Jackfield, path: str, body: Any, account: dict[str, str] | None
) -> None:
    """Another object's ID is no account, and an answer without a usual member fails no test.
    Control characters and long texts are cut.
    """
    assert _account(jackfield, body, testPath=path) == account


def test_a_connection_says_where_the_account_is(jackfield: Jackfield) -> None:
    """JSON Pointers of the connection come first, at any path; without the member there, no account
    is guessed.
    """
    places = {
        "testPath": "/whoami",
        "accountIdPlace": "/data/team",
        "accountLabelPlace": "/data/title",
    }
    assert _account(
        jackfield, {"id": "no", "data": {"team": "t-1", "title": "Acme Ltd"}}, **places
    ) == {"id": "t-1", "label": "Acme Ltd"}
    jackfield.connections.remove("acme")
    assert _account(jackfield, {"id": "no", "email": "no@acme.example"}, **places) is None


def test_a_key_that_may_not_read_stripes_account_is_valid(tmp_path: Path) -> None:
    """Stripe's test reads the balance, then whose account it is: a restricted key without that
    permission passes, with a note.
    """
    database, home = f"sqlite:///{tmp_path}/j.db", {"JACKFIELD_HOME": str(tmp_path)}
    account = {
        "id": "acct_1",
        "email": "ada@acme.example",
        "settings": {"dashboard": {"display_name": "Acme Ltd"}},
    }
    refused = Answer(
        {
            "error": {
                "type": "invalid_request_error",
                "message": "The provided key does not have the permission",
            }
        },
        403,
    )
    with (
        Jackfield(catalog=installed_here({}), database_url=database, environment=home) as jackfield,
        Provider(
            [Answer({"object": "balance"}), Answer(account), Answer({"object": "balance"}), refused]
        ) as server,
    ):
        values = {"token": "rk_test_4711", "server": server.url}
        assert jackfield.connections.add("one", "stripe/secretKey", values)["account"] == {
            "id": "acct_1",
            "label": "Acme Ltd",
        }
        shown = jackfield.connections.add("two", "stripe/secretKey", values)
    assert [request.path for request in server.requests] == ["/v1/balance", "/v1/account"] * 2
    assert (shown["status"], "account" in shown) == ("ok", False)
    assert [
        (step["key"], step["passed"], step["mandatory"]) for step in shown["lastTest"]["steps"]
    ] == [
        ("probe", True, True),
        ("account", False, False),
    ]
