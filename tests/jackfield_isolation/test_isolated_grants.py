"""Connections of isolated connectors that a person approves: both flows, rotation, the end of an
approval, revocation.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isolated import install, isolating
from jackfield.connections.provenance import Provenance
from jackfield.kernel.errors import Forbidden, InvalidConnection, UnknownConnection
from jackfield_store.runtime import Jackfield

SOURCE = '''
"""An account that a person approves."""

from typing import Any, ClassVar

from jackfield.connector import (
    Authorization, ConnectionType, Connector, DeviceAuthorization, Field, Forbidden, Grant, Inputs, InvalidConnection, Minted, Output,
)


class Client:
    """A client with an access token."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.token = context.lease("access " + context.grants.find().id, self._refreshed).value["token"]

    def _refreshed(self) -> Minted:
        grants = self.context.grants
        used = grants.find()
        number = int(used.value["refreshToken"].rpartition("-")[2])
        grants.begin(used)
        if number > 1:
            grants.end(used, "the provider no longer accepts it")
            raise InvalidConnection("the approval has ended")
        rotated = f"refresh-secret-{number + 1}"
        grants.replace(used, Grant({"refreshToken": rotated}, used.scopes, (rotated,), used.id))
        return Minted({"token": f"access-secret-{number}"}, None, (f"access-secret-{number}",))


class Person(ConnectionType):
    """A person's account."""

    key: ClassVar[str] = "person"
    title: ClassVar[str] = "Person"
    auth: ClassVar[str] = "oauth2"
    authorizes: ClassVar[tuple[str, ...]] = ("redirect", "device")

    client_id: str = Field(title="Client ID")

    def open(self, context: Any) -> Client:
        """Open a client."""
        return Client(context)

    def authorize(self, context: Any, redirect_uri: str, state: str) -> Authorization:
        """Return the address."""
        return Authorization(f"https://login.example/?state={state}&client={self.client_id}&to={redirect_uri}", {"verifier": "v-1"})

    def authorized(self, context: Any, kept: Any, redirect_uri: str, answer: Any) -> Grant:
        """Take the answer."""
        if answer.get("code") != "good" or kept != {"verifier": "v-1"}:
            raise Forbidden("the connection was not approved")
        return Grant({"refreshToken": "refresh-secret-0"}, ("mail.read",), ("refresh-secret-0",))

    def authorize_device(self, context: Any) -> DeviceAuthorization:
        """Return a code."""
        return DeviceAuthorization("https://login.example/device", "ABCD-EFGH", 600.0, 1.0, {"asked": 0})

    def device_authorized(self, context: Any, kept: Any) -> Grant | None:
        """Approve at the second question."""
        asked = context.cached("asked", list)
        asked.append(1)
        return None if len(asked) < 2 else self.authorized(context, {"verifier": "v-1"}, "", {"code": "good"})

    def adopt(self, tokens: Any) -> Grant:
        """Take what another system had."""
        if not tokens["refreshToken"].startswith("refresh-secret-"):
            raise InvalidConnection(f"{tokens['refreshToken']} is none of ours")
        return Grant({"refreshToken": tokens["refreshToken"]}, tuple(tokens["scopes"]), (tokens["refreshToken"],))

    def revoke(self, context: Any) -> None:
        """Say so."""
        raise Forbidden("revoked " + context.grants.find().value["refreshToken"][:7])


connector = Connector("people", title="People", version="1.0.0", connections=[Person])


class Nothing(Inputs):
    """Nothing."""


class Seen(Output):
    """What the client has."""

    token_number: int


@connector.action("look", effect="read")
def look(inputs: Nothing, client: Client) -> Seen:
    """Tell which token it is."""
    return Seen(token_number=int(client.token.rpartition("-")[2]))
'''
HERE = "http://127.0.0.1/callback"


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime with the connection ``ada`` of an isolated connector."""
    install(tmp_path, "people", SOURCE)
    with isolating(
        tmp_path, environment={"JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path}/j.db"}
    ) as jackfield:
        jackfield.connections.add("ada", "people/person", {"clientId": "c-1"}, test=False)
        yield jackfield


def look(runtime: Jackfield) -> dict[str, Any]:
    """Use the connection."""
    return dict(
        runtime.invoke(
            {"connector": "people", "action": "look", "connection": "ada", "inputs": {}}
        ).to_json()
    )


def connect(runtime: Jackfield, code: str = "good") -> None:
    """Approve, with the answer that the provider sends to the redirect URI."""
    authorizing = runtime.connections.authorizing()
    begun = authorizing.begin("ada", HERE)
    assert "client=c-1" in begun["url"]
    state = begun["url"].partition("state=")[2].partition("&")[0]
    authorizing.complete(begun["id"], {"state": state, "code": code})


def forget_leases(runtime: Jackfield) -> None:
    """Let the access token be due."""
    with runtime.storage.database.write() as transaction:
        transaction.change("DELETE FROM leases", {})
    for cache in runtime.open_connections._stored._caches.values():
        cache._held.clear()


def test_an_approval_is_used_rotated_and_ended(runtime: Jackfield) -> None:
    """The child refreshes with the grant, the rotated token is stored here, and an end that it
    reports asks for a new approval.
    """
    error = look(runtime)["error"]
    assert (error["code"], "nobody has approved" in error["message"]) == (
        "invalid_connection",
        True,
    )
    connect(runtime)
    assert runtime.connections.show("ada")["authorization"]["scopes"] == ["mail.read"]
    assert [look(runtime)["output"]["tokenNumber"] for _ in range(2)] == [0, 0]
    forget_leases(runtime)
    assert look(runtime)["output"]["tokenNumber"] == 1
    forget_leases(runtime)
    assert look(runtime)["error"]["code"] == "invalid_connection"
    assert (
        runtime.connections.show("ada")["authorization"]["reason"]
        == "the provider no longer accepts it"
    )
    connect(runtime)
    assert look(runtime)["output"]["tokenNumber"] == 0


def test_a_refusal_grants_nothing(runtime: Jackfield) -> None:
    """The error of the connection's type reaches the caller."""
    with pytest.raises(Forbidden, match="was not approved"):
        connect(runtime, "bad")
    assert runtime.connections.show("ada")["authorization"] == {"status": "none"}


def test_a_device_is_approved(runtime: Jackfield) -> None:
    """The code is shown, and the child asks until there is a grant."""
    authorizing = runtime.connections.authorizing()
    begun = authorizing.begin_device("ada")
    assert (begun["userCode"], begun["url"]) == ("ABCD-EFGH", "https://login.example/device")
    assert authorizing.poll(begun["id"])["status"] == "pending"
    runtime.clock.sleep(begun["interval"])
    assert authorizing.poll(begun["id"])["status"] == "granted"
    assert look(runtime)["status"] == "succeeded"


def test_a_removal_revokes(runtime: Jackfield) -> None:
    """The child is asked to revoke, with the grant at hand; that it fails stops nobody."""
    connect(runtime)
    runtime.connections.remove("ada")
    with pytest.raises(UnknownConnection):
        runtime.connections.show("ada")


def test_a_grant_from_elsewhere_is_read_by_the_child(runtime: Jackfield) -> None:
    """The child makes the grant of another system's tokens; its error hides them."""
    moving, kind = runtime.connections.moving_in(), "people/person"
    moving.add(
        "grace",
        kind,
        {"clientId": "c-1"},
        {"refreshToken": "refresh-secret-0", "scopes": "mail.read"},
        Provenance(),
    )
    found = runtime.invoke(
        {"connector": "people", "action": "look", "connection": "grace", "inputs": {}}
    )
    assert found.unwrap() == {"tokenNumber": 0}
    with pytest.raises(InvalidConnection) as caught:
        moving.add(
            "eve", kind, {"clientId": "c-1"}, {"refreshToken": "another-secret-0"}, Provenance()
        )
    assert "another-secret-0" not in caught.value.message
