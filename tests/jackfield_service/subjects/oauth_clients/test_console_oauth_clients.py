"""OAuth clients in the console: registered, shown without secrets, rotated, refused while
connections refer to them, removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed, token

from browsing import Visitor
from console_rig import Console
from jackfield.callers import Rules
from jackfield.callers.actor import Actor
from jackfield_store.access import Audit, Workspaces
from jackfield_store.management.oauth_clients import oauth_clients

pytest_plugins = ["browser"]

FIELDS = {
    "name": "crm",
    "clientId": "c-4711",
    "clientSecret": "top-of-the-shop",
    "tokenUrl": "https://login.crm.example.com/token",
    "authorizationUrl": "https://login.crm.example.com/authorize",
    "server": "api.crm.example.com",
    "scopes": "contacts deals",
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console where nobody runs anything."""
    with placed(tmp_path, queue_workers=0) as found:
        yield found


@pytest.fixture
def client(place: Place) -> Client:
    """The operator."""
    return place.signed_in()


def stored(place: Place, workspace: str = "default") -> dict[str, object]:
    """The client as a process uses it."""
    host = place.host
    clients = oauth_clients(host.storage, workspace, host.clock, Actor("cli", "ada"), "operator")
    return {"shown": clients.show("crm"), "row": clients._table.row("crm")}


def test_a_client_is_registered_changed_and_removed(place: Place, client: Client) -> None:
    """Its secret is never shown; an empty field of a secret keeps it; other empty fields remove
    their value; the audit log names all.
    """
    answer = client.change("/oauth-clients", "/oauth-clients", **FIELDS)
    assert (answer.status, answer.headers["location"]) == (303, "/oauth-clients/crm?done=created")
    page = client.get("/oauth-clients/crm")
    assert "top-of-the-shop" not in page.text
    assert (
        "c-4711" in page.words,
        "api.crm.example.com" in page.words,
        "Stored; leave it empty" in page.words,
    ) == (True, True, True)
    fields = {
        name: value
        for name, value in FIELDS.items()
        if name not in ("name", "clientSecret", "scopes")
    }
    assert client.change("/oauth-clients/crm", "/oauth-clients/crm", **fields).status == 303
    shown = stored(place)["shown"]
    assert isinstance(shown, dict)
    assert (shown["values"]["clientSecret"], "scopes" in shown["values"]) == ("***", False)
    rotated = client.change(
        "/oauth-clients/crm",
        "/oauth-clients/crm",
        **fields,
        clientSecret="a-new-secret",
        rest='{"audience": "crm"}',
    )
    assert rotated.headers["location"] == "/oauth-clients/crm?done=changed"
    assert '"audience": "crm"' in client.get("/oauth-clients/crm").words
    storage = place.host.storage
    audit = Audit(storage.database, lambda: storage.vault, "default", place.host.clock)
    changes = [entry.to_json() for entry in audit.list(event="oauth_client.changed")[0]]
    assert [change["details"]["fields"] for change in changes] == [
        ["audience", "clientSecret"],
        ["scopes"],
    ]
    assert set(changes[0]["details"]["after"].values()) <= {"***", None}, (
        "only hosts, client ID and endpoints are told"
    )
    assert (
        client.change("/oauth-clients/crm", "/oauth-clients/crm/removal").headers["location"]
        == "/oauth-clients?done=removed"
    )
    assert client.get("/oauth-clients/crm").status == 404


def test_a_client_in_use_is_not_removed_by_accident(place: Place, client: Client) -> None:
    """Whoever refers to it is named; a ticked box removes it all the same."""
    client.change("/oauth-clients", "/oauth-clients", **FIELDS)
    values = {"oauthClient": "crm", "server": "https://api.crm.example.com"}
    place.host.runtime("default").connections.add(
        "deals", "http/oauth2AuthorizationCode", values, test=False
    )
    refused = client.change("/oauth-clients/crm", "/oauth-clients/crm/removal")
    assert refused.status == 409
    assert "1 connection refers to the OAuth client 'crm': deals" in refused.words
    assert (
        client.change("/oauth-clients/crm", "/oauth-clients/crm/removal", force="on").status == 303
    )


def test_faults_are_told_and_tenants_see_a_name_only(place: Place, client: Client) -> None:
    """What is not valid is named; a workspace sees of the server's client that it is there, and may
    not change it.
    """
    refused = client.change("/oauth-clients", "/oauth-clients", name="crm", tokenUrl="ftp://x")
    assert refused.status == 400
    assert ("/values/clientId" in refused.text, "/values/tokenUrl" in refused.text) == (True, True)
    assert (
        client.change("/oauth-clients", "/oauth-clients", **FIELDS, rest='{"burn": 1}').status
        == 400
    )
    client.change("/oauth-clients", "/oauth-clients", **FIELDS)
    storage = place.host.storage
    Workspaces(storage.database, storage.vault, place.host.clock, Actor("cli", "ada")).create(
        "acme"
    )
    tenant = place.signed_in(token(place, "manage", workspace="acme"))
    page = tenant.get("/oauth-clients/crm")
    assert (
        "c-4711" in page.text,
        "login.crm.example.com" in page.text,
        "Change it" in page.text,
    ) == (False, False, False)
    assert tenant.change("/oauth-clients", "/oauth-clients/crm", clientId="mine").status == 400
    for blind in (token(place, "invoke"), token(place, "manage", rules=Rules(block=("echo/*",)))):
        person = place.signed_in(blind)
        assert (
            person.get("/oauth-clients").status,
            "/oauth-clients" in person.get("/connections").text,
        ) == (403, False)


def test_the_pages_in_every_look(browser: Browser, console: Console) -> None:
    """List, form, page and a platform's callbacks pass axe in light, dark and on a phone, and do
    what their buttons say.
    """
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/connections")
    visitor.page.get_by_role("link", name="OAuth clients").click()
    visitor.page.get_by_role("link", name="Register a client").click()
    visitor.field("Name").fill("crm")
    visitor.page.get_by_role("button", name="Register", exact=True).click()
    visitor.page.get_by_role("alert").get_by_role("link", name="Client ID").wait_for()
    assert visitor.field("Client ID").evaluate("node => node === document.activeElement")
    visitor.field("Client ID").fill("c-4711")
    assert visitor.judged("oauth-client-refused", thoroughly=True) == []
    visitor.page.get_by_role("button", name="Register", exact=True).click()
    visitor.page.get_by_text("Registered. Connections name it").wait_for()
    for path in (
        "/oauth-clients",
        "/oauth-clients/crm",
        "/platforms/shop-*/callbacks",
        "/platforms/shop-*/deliveries",
        "/tenants",
    ):
        visitor.go(path)
        assert visitor.judged(path.replace("/", "-"), thoroughly=True) == []
    assert visitor.faults == []
    visitor.close()
