"""What needs a person is told on the start page, and to the operator of all workspaces: nothing
that stands still is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import Place, placed, token

from browsing import Visitor
from console_rig import Console
from jackfield.callers import LIBRARY, Rules
from jackfield.callers.actor import Actor
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.access import Workspaces
from jackfield_store.management.oauth_clients import oauth_clients

pytest_plugins = ["browser"]

POST: dict[str, Any] = {
    "connector": "echo",
    "action": "post",
    "connection": "yard",
    "inputs": {"text": "Hello"},
}
SAY: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": "Hello"},
}
HOOK: dict[str, Any] = {"trigger": "http/webhook", "inputs": {"signature": "secretPath"}}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console where something runs by itself, and nobody works."""
    with placed(tmp_path, queue_workers=0) as found:
        furnish(found.host)
        yield found


def furnish(host: ServerContext, workspace: str = "default") -> None:
    """Let something run by itself over the connection ``hall``, and another over ``yard``."""
    runtime = host.runtime(workspace)
    for name in ("hall", "yard"):
        runtime.connections.add(name, "echo/token", {"token": "sesame"})
    WorkspaceSchedules(runtime, LIBRARY, Actor("library")).add(
        {"name": "nightly", "every": "24h", "invocation": SAY}
    )
    subscriptions = WorkspaceSubscriptions(runtime, LIBRARY, Actor("library"))
    subscriptions.add({"name": "orders", **HOOK, "then": SAY})
    subscriptions.add({"name": "others", "trigger": "echo/posted", "connection": "yard"})


def spoil(host: ServerContext, workspace: str = "default") -> None:
    """Remove ``hall``, let a callback fail with a dead delivery, and let a call wait for an
    approval.
    """
    storage, runtime = host.storage, host.runtime(workspace)
    runtime.connections.remove("hall")
    callbacks = Callbacks(
        storage.database, storage.vault, workspace, host.clock, Actor("library"), origin="operator"
    )
    made = callbacks.create({"url": "http://localhost:9/", "description": "The shop"}).callback.id
    values = {"workspace": workspace, "callback": made, "now": host.clock.time()}
    with storage.database.write() as transaction:
        transaction.change(
            "UPDATE callbacks SET failing_since = :now WHERE workspace = :workspace AND id = "
            ":callback",
            values,
        )
        transaction.change(
            "INSERT INTO deliveries (workspace, callback, sequence, id, event, type, state, "
            "next_at, ended_at, created_at)"
            " VALUES (:workspace, :callback, 1, 'dlv_1', 'e-1', 'quota.low', 'dead', :now, :now, "
            ":now)",
            values,
        )
    runtime.access.workspaces.set(workspace, {"rules": {"approve": ["echo/post"]}})
    assert runtime.invoke(POST).status == "waiting"


TOLD = (
    "broken 1 schedule does not run : nightly .",
    "failing 1 subscription does not do what it is for : orders .",
    "failing 1 callback fails : The shop .",
    "dead letter 1 delivery to a callback was given up .",
    "waiting 1 call waits for an approval .",
)
PAGES = (
    "/schedules/nightly",
    "/subscriptions/orders",
    "/deliveries?status=dead",
    "/invocations?status=waiting",
)


def test_nothing_is_told_while_nothing_needs_a_person(place: Place) -> None:
    """No card, on neither page, though a person has paused what is all there."""
    runtime, operator = place.host.runtime("default"), place.signed_in()
    WorkspaceSubscriptions(runtime, LIBRARY, Actor("library")).disable("others")
    assert "Needs attention" not in operator.get("/").words
    words = operator.get("/tenants").words
    assert ("Nothing is wrong." in words, "need attention" in words) == (True, False)


def test_the_start_page_tells_of_all_that_stands_still(place: Place) -> None:
    """Each kind has its line with a link to what it is, as soon as it stands still, and its page is
    there.
    """
    spoil(place.host)
    operator = place.signed_in()
    page = operator.get("/")
    assert [text for text in TOLD if text not in page.words] == []
    assert [address for address in PAGES if f'href="{address}"' not in page.text] == []
    assert {operator.get(address).status for address in PAGES} == {200}


def test_each_sees_what_he_may(place: Place) -> None:
    """Callbacks and deliveries are for whoever manages the whole workspace, approvals lead whoever
    decides to their list; what rules hide is not told.
    """
    spoil(place.host)
    reader = place.signed_in(token(place, "read")).get("/")
    assert ([TOLD[place_] in reader.words for place_ in range(5)]) == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert (
        'href="/approvals"'
        in place.signed_in(token(place, "approve")).get("/").text.partition('id="attention"')[2]
    )
    blind = place.signed_in(token(place, "manage", rules=Rules(block=("echo/*", "http/*")))).get(
        "/"
    )
    assert "Needs attention" not in blind.words


def test_what_was_lost_otherwise_is_told_too(place: Place) -> None:
    """A connection that is gone without having been removed, before anything has noticed; and all
    is well once it is back.
    """
    database, operator = place.host.storage.database, place.signed_in()
    with database.write() as transaction:
        transaction.change("DELETE FROM connections WHERE name = 'hall'", {})
    # the epoch moves
    place.host.runtime("default").connections.add("other", "echo/token", {"token": "x"})
    words = operator.get("/").words
    assert [text in words for text in TOLD] == [True, True, False, False, False]
    words = operator.get("/tenants").words
    assert (
        "Nothing is wrong." in words,
        "The server has no fault; this workspace needs attention" in words,
    ) == (False, True)
    place.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})
    assert "Needs attention" not in operator.get("/").words


def test_the_operator_is_told_of_all_workspaces(place: Place) -> None:
    """With counts, a link to each, and there what it is; nothing is called well meanwhile."""
    storage, operator = place.host.storage, place.signed_in()
    Workspaces(storage.database, storage.vault, place.host.clock).create("acme-1")
    furnish(place.host, "acme-1")
    spoil(place.host, "acme-1")
    page = operator.get("/tenants")
    assert "Nothing is wrong." not in page.words
    assert "The server has no fault; some tenants need attention" in page.words
    assert "Waiting for approval acme-1 0 1 1 1 1 1" in page.words
    assert 'href="/tenants/acme-1"' in page.text.partition('id="workspaces-attention"')[2]
    tenant = operator.get("/tenants/acme-1")
    assert [
        text for text in TOLD if text.replace(" :", ":").replace(" .", ".") not in tenant.words
    ] == []
    assert 'href="/schedules/nightly"' not in tenant.text


def test_a_subscription_that_is_cured_is_told_no_more(place: Place) -> None:
    """One that starts calls over a removed connection is told until it starts others, or is resumed
    when the connection is back.
    """
    runtime, operator = place.host.runtime("default"), place.signed_in()
    subscriptions = WorkspaceSubscriptions(runtime, LIBRARY, Actor("library"))
    WorkspaceSchedules(runtime, LIBRARY, Actor("library")).remove("nightly")
    subscriptions.disable("others")
    for name in ("hall", "yard"):
        runtime.connections.remove(name)
    assert "default 0 0 2 0 0 0" in operator.get("/tenants").words
    runtime.connections.add("yard", "echo/token", {"token": "sesame"})
    subscriptions.enable("others")
    subscriptions.change("orders", {"then": {**SAY, "connection": "yard"}})
    assert "Nothing is wrong." in operator.get("/tenants").words
    assert "Needs attention" not in operator.get("/").words


def test_what_the_store_knows_of_connections_is_told(place: Place) -> None:
    """Before anything stumbles over it: a failed test, refused credentials, and an OAuth client
    that is gone; an index counts them.
    """
    storage, runtime, operator = (
        place.host.storage,
        place.host.runtime("default"),
        place.signed_in(),
    )
    database = storage.database
    clients = oauth_clients(storage, "default", place.host.clock, Actor("library"), "operator")
    for name in ("shop", "Shop"):
        clients.add(
            name,
            ("api.example.com",),
            {
                "clientId": "c",
                "clientSecret": "a-secret-of-it",
                "tokenUrl": "https://id.example.com/token",
            },
        )
        values = {"oauthClient": name, "server": "https://api.example.com"}
        runtime.connections.add(f"at-{name}", "http/oauth2ClientCredentials", values, test=False)
    assert "Needs attention" not in operator.get("/").words
    with database.write() as transaction:
        transaction.change("UPDATE connections SET status = 'failing' WHERE name = 'yard'", {})
    clients.remove("shop", force=True)
    rows = {row["name"]: row["status"] for row in runtime.connections.list().items}
    assert (rows["at-shop"], rows["at-Shop"]) == ("expired", "untested")
    for told in (
        "failing 1 connection fails : yard .",
        "expired 1 connection has expired : at-shop .",
    ):
        assert told in operator.get("/").words
    assert "default 2 0 0 0 0 0" in operator.get("/tenants").words
    assert "at-shop" in operator.get("/connections?status=expired").text.partition('id="found"')[2]
    blind = place.signed_in(token(place, "manage", rules=Rules(block=("echo/*", "http/*")))).get(
        "/"
    )
    assert "Needs attention" not in blind.words


def test_the_pages_that_tell_it_are_accessible(
    browser: Browser, console: Console, thoroughly: bool
) -> None:
    """They pass axe, and are no wider than the window."""
    furnish(console.host)
    spoil(console.host)
    visitor = Visitor(browser, console)
    visitor.sign_in()
    for name, path in (
        ("attention", "/"),
        ("attention-all", "/tenants"),
        ("attention-tenant", "/tenants/default"),
    ):
        visitor.go(path)
        visitor.page.get_by_role("heading", name="attention").first.wait_for()
        assert visitor.judged(name, thoroughly=thoroughly) == []
    visitor.close()
