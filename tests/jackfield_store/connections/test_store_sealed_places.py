"""Secrets are bound to where they are sent: whoever writes to the database cannot redirect them
(security finding 10).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clocks import FakeClock
from jackfield.kernel.errors import InvalidConnection
from jackfield_store.access.workspaces import Workspaces
from jackfield_store.connections.connection_rows import Draft
from jackfield_store.connections.connection_table import ConnectionTable
from jackfield_store.database import Database
from jackfield_store.database.migrations import known_migrations
from jackfield_store.keys import Vault
from jackfield_store.resources.verify import StoredContents
from ready_database import take_back

pytest_plugins = ["tests.jackfield_store.connections.store_fixture"]

Opener = Callable[[str], ConnectionTable]
SCHEMA = {
    "type": "object",
    "properties": {
        "token": {"type": "string", "writeOnly": True, "format": "password"},
        "endpoint": {"type": "string"},
    },
}


@pytest.fixture(autouse=True)
def workspaces(kept_database: Database, kept_vault: Vault) -> None:
    """The workspaces to which the connections belong."""
    for name in ("acme", "other"):
        Workspaces(kept_database, kept_vault, FakeClock()).create(name)


def drafted(endpoint: str = "https://good.example") -> Draft:
    """A draft with a secret and a destination."""
    return Draft("test/token", {"token": "s3cret", "endpoint": endpoint}, SCHEMA)


TAMPERING = {
    "endpoint": (
        "UPDATE connections SET public_values = REPLACE(public_values, 'good.example', "
        "'evil.example') WHERE name = 'hall'"
    ),
    "origin": (
        "UPDATE connections SET public_values = REPLACE(public_values, 'operator', 'remote') "
        "WHERE name = 'hall'"
    ),
    "type": "UPDATE connections SET type = 'test/other' WHERE name = 'hall'",
    "names": "UPDATE connections SET name = 'x' WHERE name = 'hall'; UPDATE connections SET name "
    "= 'hall' WHERE name = 'room'; "
    "UPDATE connections SET name = 'room' WHERE name = 'x'",
}


@pytest.mark.parametrize("tampering", TAMPERING)
def test_s10_redirected_secrets_are_refused(
    open_store: Opener, kept_database: Database, kept_vault: Vault, tampering: str
) -> None:
    """A changed endpoint, origin or type, or swapped names: the connection does not open, and the
    check of the database names it.
    """
    store = open_store("acme")
    store.add("hall", drafted())
    store.add("room", drafted("https://other.example"))
    assert list(StoredContents(kept_database, lambda: kept_vault).problems()) == []
    with kept_database.write() as transaction:
        for statement in TAMPERING[tampering].split(";"):
            assert transaction.change(statement)
    with pytest.raises(InvalidConnection, match="cannot be decrypted") as caught:
        open_store("acme").find("hall")
    assert (caught.value.details[0].path, "bound to" in caught.value.details[0].message) == (
        "/token",
        True,
    )
    problems = list(StoredContents(kept_database, lambda: kept_vault).problems())
    assert any("'/token' of the connection 'hall'" in text for text in problems)
    with pytest.raises(InvalidConnection, match="cannot be opened"):
        open_store("acme").rename("hall", "hallway")


def test_s10_a_renamed_connection_opens(open_store: Opener) -> None:
    """A new name given through jackfield seals the secrets anew; so do new values."""
    store = open_store("acme")
    store.add("hall", drafted())
    store.rename("hall", "room")
    found = open_store("acme").find("room")
    assert found is not None
    assert found.values["token"] == "s3cret"
    store.replace("room", drafted("https://new.example"), found.version)
    found = open_store("acme").find("room")
    assert found is not None
    assert dict(found.values) == {"token": "s3cret", "endpoint": "https://new.example"}


OPEN = {"type": "object", "properties": {"region": {"type": "string"}, "file": {}}}
OPEN_TAMPERING = {
    "id": "UPDATE connections SET id = 'another' WHERE name = 'hall'",
    "name": (
        "UPDATE connections SET name = 'x' WHERE name = 'hall'; UPDATE connections SET name "
        "= 'hall' WHERE name = 'room'"
    ),
    "type": "UPDATE connections SET type = 'test/other' WHERE name = 'hall'",
    "version": "UPDATE connections SET version = 2 WHERE name = 'hall'",
    "value": (
        "UPDATE connections SET public_values = REPLACE(public_values, 'eu-west-1', "
        "'us-east-1') WHERE name = 'hall'"
    ),
    "origin": (
        "UPDATE connections SET public_values = REPLACE(public_values, 'remote', 'operator') "
        "WHERE name = 'hall'"
    ),
    "reference": """UPDATE connections SET public_values = REPLACE(public_values, '"eu-west-1"', '{"$file": "/key"}')""",
    "seal removed": "UPDATE connections SET seal = NULL WHERE name = 'hall'",
    "another's seal": (
        "UPDATE connections SET seal = (SELECT seal FROM connections WHERE name = 'room') "
        "WHERE name = 'hall'"
    ),
    "workspace": "DELETE FROM connections WHERE workspace = 'acme' AND name = 'hall'; "
    "UPDATE connections SET workspace = 'acme' WHERE workspace = 'other'",
}


@pytest.mark.parametrize("tampering", OPEN_TAMPERING)
def test_h2_a_connection_without_secrets_is_sealed(
    open_store: Opener, kept_database: Database, kept_vault: Vault, tampering: str
) -> None:
    """Whatever is changed in the row of a connection without secrets: it is refused by name, not
    renamed, and the check names it.
    """
    store = open_store("acme")
    for name, region in (("hall", "eu-west-1"), ("room", "eu-west-2")):
        store.add(name, Draft("test/open", {"region": region}, OPEN, "remote"))
    open_store("other").add("hall", Draft("test/open", {"region": "us-west-1"}, OPEN, "remote"))
    assert list(StoredContents(kept_database, lambda: kept_vault).problems()) == []
    with kept_database.write() as transaction:
        for statement in OPEN_TAMPERING[tampering].split(";"):
            assert transaction.change(statement)
    for use in (
        lambda: open_store("acme").find("hall"),
        lambda: open_store("acme").rename("hall", "hallway"),
    ):
        with pytest.raises(
            InvalidConnection, match="the connection 'hall' cannot be opened: its values"
        ) as caught:
            use()
        assert caught.value.code == "invalid_connection"
    text = (
        "damaged: the values of the connection 'hall', which were changed, of the workspace 'acme'"
    )
    assert text in list(StoredContents(kept_database, lambda: kept_vault).problems())
    version = open_store("acme").list()[0].version
    open_store("acme").replace("hall", Draft("test/open", {"region": "eu-west-3"}, OPEN), version)
    found = open_store("acme").find("hall")
    assert found is not None
    assert dict(found.values) == {"region": "eu-west-3"}


def test_h2_a_secret_that_was_taken_away_is_missed(
    open_store: Opener, kept_database: Database, kept_vault: Vault
) -> None:
    """A secret whose place and sealed value are both gone from the database, or a changed list of
    places, is seen.
    """
    open_store("acme").add("hall", drafted())
    with kept_database.write() as transaction:
        transaction.change("DELETE FROM connection_secrets")
        transaction.change(
            """UPDATE connections SET public_values = REPLACE(public_values, '["/token"]', '[]')"""
        )
    with pytest.raises(InvalidConnection, match="its values in the database were changed"):
        open_store("acme").find("hall")
    assert len(list(StoredContents(kept_database, lambda: kept_vault).problems())) == 1


def test_h2_a_seal_that_was_removed_stays_missing(
    open_store: Opener, kept_database: Database
) -> None:
    """A connection without a seal is refused, with secrets and without; no upgrade makes another
    seal.
    """
    open_store("acme").add("hall", drafted())
    open_store("acme").add("open", Draft("test/open", {"region": "eu-west-1"}, OPEN))
    with kept_database.write() as transaction:
        transaction.change("UPDATE connections SET seal = NULL")
        transaction.change("DELETE FROM schema_migrations")
        take_back(transaction)
        transaction.change(
            "INSERT INTO schema_migrations VALUES (65, 'connections_attention', 0, '')"
        )
    assert len(kept_database.migrate()) == len(known_migrations())
    for name in ("hall", "open"):
        with pytest.raises(InvalidConnection, match="its values in the database were changed"):
            open_store("acme").find(name)
