"""What all workspaces inherit from ``default`` is the operator's: an ``admin`` there changes none
of it. A sign-in goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place
from tests.jackfield_service.shell.pages.identity_provider import Provider, grant, signed_in_at

from jackfield.callers.actor import Actor
from jackfield.kernel.errors import NotAllowed, Unavailable
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.management.mcp_servers import ServerWish, mcp_servers
from jackfield_store.management.oauth_clients import oauth_clients
from jackfield_store.runtime import stored

pytest_plugins = ["tests.jackfield_service.subjects.people.console_people"]
CLIENT = {
    "name": "shop",
    "clientId": "c",
    "clientSecret": "s3cr3t-of-it",
    "tokenUrl": "https://login.example.com/token",
}


def signed_in(place: Place, provider: Provider, role: str, workspace: str = "default") -> Client:
    """A browser of a person with this role."""
    provider.claims["groups"] = ["them"]
    grant(place, role, workspace, group="them")
    client = place.client()
    assert signed_in_at(client).status == 200
    return client


def registered(client: Client) -> int:
    """The status of registering a client in the console."""
    return client.post(
        "/oauth-clients", {**CLIENT, "csrf": client.get("/oauth-clients").csrf}
    ).status


@pytest.mark.parametrize(("role", "may"), [("admin", False), ("platform-admin", True)])
def test_who_registers_a_client_for_all_workspaces(
    place: Place, provider: Provider, role: str, may: bool
) -> None:
    """An ``admin`` of ``default`` manages that workspace alone; who operates manages what all
    inherit.
    """
    assert registered(signed_in(place, provider, role)) == (303 if may else 403)


def test_an_admin_of_another_workspace_registers_its_own(place: Place, provider: Provider) -> None:
    """Its clients serve nobody else."""
    storage = place.host.storage
    Workspaces(storage.database, storage.vault, place.host.clock).create("acme")
    assert registered(signed_in(place, provider, "admin", "acme")) == 303


@pytest.mark.parametrize(
    ("creator", "may"),
    [
        (Actor("cli", "root"), True),
        (Actor("link", "console"), True),
        (Actor("user", "https://idp#ada", "Ada"), False),
    ],
)
def test_a_token_shares_as_its_creator_does(place: Place, creator: Actor, may: bool) -> None:
    """The operator's tokens manage what is shared; one that an ``admin`` has created for himself
    does not.
    """
    storage, clock = place.host.storage, place.host.clock
    storage.database.migrate()
    made = Tokens(storage.database, storage.vault, "default", clock, creator).create("manage").token
    actor = Actor("token", made.id)
    clients = oauth_clients(storage, "default", clock, actor, "remote")
    servers = mcp_servers(
        stored(place.host.runtime("default")), actor, "remote", place.host.runtimes.guard
    )
    wish = ServerWish("shop", "https://127.0.0.1:1/mcp", shared=True)
    if may:
        assert (
            clients.add(
                "shop", [], {"clientId": "c", "tokenUrl": "https://login.example.com/token"}
            )["name"]
            == "shop"
        )
        assert clients.remove("shop")["removed"] == "shop"
        with pytest.raises(Unavailable, match="refused the connection"):
            servers.add(wish)
    else:
        steps: tuple[Callable[[], object], ...] = (
            lambda: clients.add("shop", [], {"clientId": "c"}),
            lambda: clients.change("shop", {}),
            lambda: clients.remove("shop"),
        )
        for step in steps:
            with pytest.raises(NotAllowed, match="only the operator changes them"):
                step()
        with pytest.raises(NotAllowed, match="only the operator changes it"):
            servers.add(wish)


def test_signing_in_again_leads_to_the_same_workspace(place: Place, provider: Provider) -> None:
    """That of the session that has ended, which its pages and forms belong to; not the first one,
    unless the role there is lost.
    """
    storage = place.host.storage
    Workspaces(storage.database, storage.vault, place.host.clock).create("acme")
    client = signed_in(place, provider, "operator", "acme")
    grant(place, "operator", "default", group="them")
    assert client.post("/workspaces/acme", {"csrf": client.get("/").csrf}).status == 303
    signed_in_at(client)
    assert json.loads(client.get("/login/session", sec_fetch_site="same-origin").text)[
        "session"
    ].startswith("acme ")
    assert json.loads(place.client().get("/login/session").text) == {}
