"""Connections that need a person are counted over all workspaces by what the store knows of them,
before a call stumbles over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.tenants.health import troubles
from jackfield_store.access import Workspaces
from jackfield_store.database import Transaction, open_database
from jackfield_store.management.oauth_clients import OAuthClients, oauth_clients
from jackfield_store.runtime import Jackfield

pytest_plugins = ["postgres"]

CLIENT = {
    "clientId": "c",
    "clientSecret": "a-secret-of-it",
    "tokenUrl": "https://id.example.com/token",
}
TYPE, HOST = "http/oauth2ClientCredentials", "api.example.com"


@pytest.fixture
def runtime(database_url: str) -> Iterator[Jackfield]:
    """The workspace ``acme``, with a connection for each of three clients: two of the server and
    one that hides another of the server.
    """
    open_database(database_url, migrate=True).close()
    with Jackfield(
        database_url=database_url, environment={}, connections=(), workspace="acme"
    ) as found:
        storage = found.storage
        Workspaces(storage.database, storage.vault, SystemClock()).create("acme")
        for workspace, names in (("default", ("shop", "Shop", "own")), ("acme", ("own",))):
            for name in names:
                clients_of(found, workspace).add(name, (HOST,), CLIENT)
        for name in ("shop", "Shop", "own"):
            found.connections.add(
                f"at-{name}", TYPE, {"oauthClient": name, "server": f"https://{HOST}"}, test=False
            )
        yield found


def clients_of(runtime: Jackfield, workspace: str) -> OAuthClients:
    """The OAuth clients of a workspace, as its operator has them."""
    return oauth_clients(runtime.storage, workspace, SystemClock(), Actor("library"), "operator")


def statuses(runtime: Jackfield) -> dict[str, str]:
    """The status of each connection."""
    return {str(row["name"]): str(row["status"]) for row in runtime.connections.list().items}


def test_a_connection_without_its_client_is_expired(runtime: Jackfield) -> None:
    """That of exactly this name, and only once no client of the name is left for it."""
    database = runtime.storage.database
    assert troubles(database) == {}
    assert clients_of(runtime, "default").remove("shop", force=True)["connections"] == 1
    assert statuses(runtime) == {"at-Shop": "untested", "at-own": "untested", "at-shop": "expired"}
    assert troubles(database) == {"acme": {"connections": 1}}
    clients_of(runtime, "default").remove("own", force=True)
    assert statuses(runtime)["at-own"] == "untested"
    clients_of(runtime, "acme").remove("own", force=True)
    assert statuses(runtime)["at-own"] == "expired"
    assert troubles(database) == {"acme": {"connections": 2}}


def test_a_server_client_takes_the_place_of_one_that_hid_it(runtime: Jackfield) -> None:
    """Connections of the workspace use the server's from then on, and are not called expired."""
    clients_of(runtime, "acme").remove("own", force=True)
    assert "expired" not in statuses(runtime).values()


def test_a_connection_is_told_until_it_works(runtime: Jackfield) -> None:
    """One whose credentials were refused, or whose test failed; not one that waits for its first
    approval.
    """
    database, known = runtime.storage.database, runtime.connections.known
    found = runtime.connections.find("at-own")
    assert found.id is not None
    known.note_expired(found.id, found.version)
    assert troubles(database) == {"acme": {"connections": 1}}
    known.note_used("at-own", found.id, found.version)
    assert troubles(database) == {}
    with database.write() as transaction:
        transaction.change(
            "UPDATE connections SET status = 'failing', session = 's' WHERE workspace = 'acme' "
            "AND name = 'at-own'",
            {},
        )
    assert troubles(database) == {}


def test_an_index_counts_them(runtime: Jackfield, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many connections work."""
    database, execute, steps = runtime.storage.database, Transaction.execute, list[str]()
    # where the plan does not depend on what the table has
    is_embedded = database.dialect.name == "sqlite"

    def explained(transaction: Transaction, statement: str, values: Any = None) -> Any:
        if is_embedded:
            steps.extend(
                row.detail
                for row in execute(transaction, f"EXPLAIN QUERY PLAN {statement}", values or {})
            )
        return execute(transaction, statement, values or {})

    monkeypatch.setattr(Transaction, "execute", explained)
    assert troubles(database) == {}
    found = [step for step in steps if " connections " in f"{step} "]
    assert found == (["SCAN connections USING INDEX connections_attention"] if is_embedded else [])
