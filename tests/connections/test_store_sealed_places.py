"""Secrets are bound to where they are sent: whoever writes to the database cannot redirect them (security finding 10)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jackfield.connections.connection_store import ConnectionStore
from jackfield.connections.sealed_places import reseal
from jackfield.connections.stored_row import Draft
from jackfield.database import Database, Vault
from jackfield.errors import InvalidConnection
from jackfield.resources.verify import Contents

pytest_plugins = ["store_fixture"]

Opener = Callable[[str], ConnectionStore]
SCHEMA = {
    "type": "object",
    "properties": {"token": {"type": "string", "writeOnly": True, "format": "password"}, "endpoint": {"type": "string"}},
}


def drafted(endpoint: str = "https://good.example") -> Draft:
    """A draft with a secret and a destination."""
    return Draft("test/token", {"token": "s3cret", "endpoint": endpoint}, SCHEMA)


TAMPERING = {
    "endpoint": "UPDATE connections SET public_values = REPLACE(public_values, 'good.example', 'evil.example') WHERE name = 'hall'",
    "origin": "UPDATE connections SET public_values = REPLACE(public_values, 'operator', 'remote') WHERE name = 'hall'",
    "type": "UPDATE connections SET type = 'test/other' WHERE name = 'hall'",
    "names": "UPDATE connections SET name = 'x' WHERE name = 'hall'; UPDATE connections SET name = 'hall' WHERE name = 'room'; "
    "UPDATE connections SET name = 'room' WHERE name = 'x'",
}


@pytest.mark.parametrize("tampering", TAMPERING)
def test_s10_redirected_secrets_are_refused(open_store: Opener, kept_database: Database, kept_vault: Vault, tampering: str) -> None:
    """A changed endpoint, origin or type, or swapped names: the connection does not open, and the check of the database names it."""
    store = open_store("acme")
    store.add("hall", drafted())
    store.add("room", drafted("https://other.example"))
    assert list(Contents(kept_database, lambda: kept_vault).problems()) == []
    with kept_database.write() as transaction:
        for statement in TAMPERING[tampering].split(";"):
            assert transaction.change(statement)
    with pytest.raises(InvalidConnection, match="cannot be opened") as caught:
        open_store("acme").find("hall")
    assert (caught.value.details[0].path, "bound to" in caught.value.details[0].message) == ("/token", True)
    problems = list(Contents(kept_database, lambda: kept_vault).problems())
    assert any("'/token' of the connection 'hall'" in text for text in problems)
    with pytest.raises(InvalidConnection, match="cannot be opened"):
        open_store("acme").rename("hall", "hallway")
    assert reseal(kept_database, kept_vault) == 0


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


def test_s10_secrets_of_an_older_version_are_bound_once(open_store: Opener, kept_database: Database, kept_vault: Vault) -> None:
    """They open as before, the check says that they are not bound, and sealing them anew binds them to what is there then."""
    shown = open_store("acme").add("hall", drafted())
    old = kept_vault.seal("acme", ("connection", shown.id, "/token", "1"), b'"s3cret"')
    with kept_database.write() as transaction:
        transaction.change("UPDATE connection_secrets SET sealed = :sealed", {"sealed": old})
    found = open_store("acme").find("hall")
    assert found is not None
    assert found.values["token"] == "s3cret"
    contents = Contents(kept_database, lambda: kept_vault)
    assert list(contents.problems()) == []
    assert "1 connection" in contents.not_checked[0]
    assert [reseal(kept_database, kept_vault) for _ in range(2)] == [1, 0]
    assert open_store("acme").find("hall") is not None
    with kept_database.write() as transaction:
        transaction.change(TAMPERING["endpoint"])
    with pytest.raises(InvalidConnection, match="cannot be opened"):
        open_store("acme").find("hall")
