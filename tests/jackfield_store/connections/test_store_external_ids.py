"""External IDs: unguessable where they are made, and never of two workspaces."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.jackfield_store.connections.stored_drafts import TOKEN_SCHEMA, drafted

from jackfield.connections.host_access import generate, generated_fields
from jackfield.connector.manifests import model_schema
from jackfield.kernel.errors import InvalidConnection
from jackfield_aws import AwsAssumeRole
from jackfield_store.connections.connection_table import ConnectionTable
from jackfield_store.database import Database
from together import at_once

pytest_plugins = ["tests.jackfield_store.connections.store_fixture"]

Opener = Callable[[str], ConnectionTable]


def test_made_ones_are_unguessable() -> None:
    """One that is made has at least 128 random bits, says where it is from, and is what AWS
    takes.
    """
    made = {generate() for _ in range(1000)}
    assert len(made) == 1000
    pattern = model_schema(AwsAssumeRole)["properties"]["externalId"]["pattern"]
    for value in made:
        assert value.startswith("jf-")
        assert re.search(pattern, value)
        assert (len(value) - 3) * 6 >= 128


def test_where_they_stand() -> None:
    """A connection type says by a mark which of its values is one."""
    assert generated_fields(TOKEN_SCHEMA) == ("externalId",)
    assert generated_fields(model_schema(AwsAssumeRole)) == ("externalId",)
    assert generated_fields({"type": "object"}) == ()


def test_another_workspace_cannot_use_it(
    connection_store: ConnectionTable, open_store: Opener
) -> None:
    """One that a workspace uses is refused in another one, new or edited, until it is given up;
    nothing is written then.
    """
    other = open_store("other")
    connection_store.add("hall", drafted({"externalId": "acme-4711"}))
    with pytest.raises(InvalidConnection, match="External ID cannot be used") as caught:
        other.add("room", drafted({"externalId": "acme-4711"}))
    assert [detail.path for detail in caught.value.details] == ["/externalId"]
    assert "acme" not in str(caught.value)
    assert other.show("room") is None
    other.add("room", drafted({"externalId": "another"}))
    with pytest.raises(InvalidConnection):
        other.replace("room", drafted({"externalId": "acme-4711"}), 1)
    kept = other.show("room")
    assert kept is not None
    assert (kept.public["externalId"], kept.version) == ("another", 1)
    connection_store.replace("hall", drafted({"externalId": "acme-4712"}), 1)
    other.replace("room", drafted({"externalId": "acme-4711"}), 1)


def test_one_workspace_may_share_it(
    connection_store: ConnectionTable, open_store: Opener, kept_database: Database
) -> None:
    """Connections of one workspace may use the same one, and as long as any of them does, no other
    workspace may.
    """
    for name in ("a", "b", "c"):
        connection_store.add(name, drafted({"externalId": "shared"}))
    connection_store.replace("b", drafted({"externalId": "shared", "host": "h"}), 1)
    for name in ("a", "b", "c"):
        with pytest.raises(InvalidConnection):
            open_store("other").add("room", drafted({"externalId": "shared"}))
        connection_store.remove(name)
    open_store("other").add("room", drafted({"externalId": "shared"}))
    with kept_database.read() as transaction:
        assert [
            row.workspace for row in transaction.execute("SELECT workspace FROM external_ids")
        ] == ["other"]


def test_a_reference_is_none(connection_store: ConnectionTable, open_store: Opener) -> None:
    """One that is only referred to is not compared when it is stored: what it is shows when it is
    used, and it is compared then.
    """
    for store in (connection_store, open_store("other")):
        assert store.add("hall", drafted({"externalId": {"$env": "EXTERNAL_ID"}})).version == 1


def test_racing_workspaces(open_store: Opener) -> None:
    """Of eight workspaces that take the same one at once, one gets it."""
    stores = [open_store(f"w{number}") for number in range(8)]
    for store in stores:
        store.add("warm", drafted())

    def take(number: int) -> str:
        try:
            stores[number].add("hall", drafted({"externalId": "wanted"}))
        except InvalidConnection:
            return "refused"
        return "kept"

    assert sorted(at_once(8, take)) == ["kept"] + ["refused"] * 7


def test_sharing_and_leaving_at_once(open_store: Opener, kept_database: Database) -> None:
    """Connections of a workspace that come and go with the same one leave it to whoever stays."""
    store = open_store("acme")
    store.add("stays", drafted({"externalId": "shared"}))

    def come_and_go(number: int) -> None:
        for turn in range(10):
            store.add(f"c{number}-{turn}", drafted({"externalId": "shared"}))
            store.remove(f"c{number}-{turn}")

    at_once(4, come_and_go)
    kept = store.show("stays")
    assert kept is not None
    with kept_database.read() as transaction:
        rows = transaction.execute("SELECT digest, connection_id FROM external_ids")
    assert [(":" in row.digest, row.connection_id) for row in rows] == [(False, kept.id)]
    with pytest.raises(InvalidConnection):
        open_store("other").add("room", drafted({"externalId": "shared"}))
