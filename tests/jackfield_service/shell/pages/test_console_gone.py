"""What schedules and subscriptions refer to may be gone: they say so with a code and a cure, and
are not resumed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed, token

from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield.kernel.errors import UnknownConnection
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions

SAY: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": "Hello"},
}
HOOK: dict[str, Any] = {"trigger": "http/webhook", "inputs": {"signature": "secretPath"}}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console where something runs by itself over a connection, and something over another
    one.
    """
    with placed(tmp_path, queue_workers=0) as found:
        runtime = found.host.runtime("default")
        for name in ("hall", "yard"):
            runtime.connections.add(name, "echo/token", {"token": "sesame"})
        _schedules(found).add({"name": "nightly", "every": "24h", "invocation": SAY})
        _subscriptions(found).add(
            {"name": "posted", "trigger": "echo/posted", "connection": "hall"}
        )
        _subscriptions(found).add({"name": "orders", **HOOK, "then": SAY})
        _subscriptions(found).add(
            {"name": "others", "trigger": "echo/posted", "connection": "yard"}
        )
        yield found


def _schedules(place: Place) -> WorkspaceSchedules:
    return WorkspaceSchedules(place.host.runtime("default"), LIBRARY, Actor("library"))


def _subscriptions(place: Place) -> WorkspaceSubscriptions:
    return WorkspaceSubscriptions(place.host.runtime("default"), LIBRARY, Actor("library"))


def _lose(place: Place, statement: str = "DELETE FROM connections WHERE name = 'hall'") -> None:
    """Let the connection be gone by other ways than a removal."""
    database = place.host.storage.database
    with database.write() as transaction:
        transaction.change(statement, {})
    # the epoch moves
    place.host.runtime("default").connections.add("other", "echo/token", {"token": "x"})


def test_what_stops_is_named_before_several_are_removed(place: Place) -> None:
    """As on the page of each: by connection, as links; a connection that nothing uses is not named
    there.
    """
    client = place.signed_in()
    place.host.runtime("default").connections.add("idle", "echo/token", {"token": "x"})
    picked = {f"pick-{name}": "on" for name in ("hall", "yard", "idle")}
    page = client.change("/connections", "/connections/selection", step="remove", **picked)
    told = page.text.partition("These stop:")[2].partition("</ul>")[0]
    assert all(
        f'href="/{address}"' in told
        for address in ("schedules/nightly", "subscriptions/orders", "subscriptions/others")
    )
    assert (
        "hall : schedule nightly , subscription posted , subscription orders (what its "
        "events start)"
    ) in page.words
    assert "/connections/idle" not in told


def test_what_refers_to_a_lost_connection_says_so(place: Place) -> None:
    """With status, code and cure, in lists and alone, over HTTP and in the console; the others are
    as before, and all once it is back.
    """
    subscriptions, schedules = _subscriptions(place), _schedules(place)
    _lose(place)
    rows = {
        row["name"]: row for row in (*subscriptions.page(None, 10)[0], *schedules.page(None, 10)[0])
    }
    shown = {name: subscriptions.show(name) for name in ("posted", "orders", "others")} | {
        "nightly": schedules.show("nightly")
    }
    for found in (rows, shown):
        assert {name: row.get("fault", {}).get("code") for name, row in found.items()} == {
            "posted": "unknown_connection",
            "orders": "unknown_connection",
            "others": None,
            "nightly": "unknown_connection",
        }
        assert {name: row["status"] for name, row in found.items()} == {
            "posted": "failing",
            "orders": "failing",
            "others": "pending",
            "nightly": "stopped",
        }
    assert "Add a connection of that name" in rows["orders"]["reason"]
    client = place.signed_in()
    assert (
        "No connection is named 'hall' What to do: Add a connection of that name"
        in client.get("/subscriptions/orders").words
    )
    assert (
        "Status no connection is named “hall”. Add a connection of that name"
        in client.get("/schedules/nightly").words
    )
    _lose(place, "DELETE FROM connections WHERE name = 'other'")
    place.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})
    assert (schedules.show("nightly")["status"], "fault" in subscriptions.show("orders")) == (
        "active",
        False,
    )


@pytest.mark.parametrize("removed", [True, False])
def test_what_refers_to_a_lost_connection_is_not_resumed(place: Place, *, removed: bool) -> None:
    """Paused or stopped, in Python, over HTTP and in the console: 404 with the code, and nothing
    has changed.
    """
    subscriptions, schedules = _subscriptions(place), _schedules(place)
    schedules.pause("nightly")
    subscriptions.disable("posted")
    subscriptions.disable("orders")
    if removed:
        place.host.runtime("default").connections.remove("hall")
    else:
        _lose(place)
    before = {name: subscriptions.show(name)["status"] for name in ("posted", "orders")}
    with pytest.raises(UnknownConnection, match="no connection is named 'hall'"):
        schedules.resume("nightly")
    for name in ("posted", "orders"):
        with pytest.raises(UnknownConnection, match="no connection is named 'hall'"):
            subscriptions.enable(name)
    bearer = {"authorization": f"Bearer {token(place, 'manage')}"}
    for address in (
        "/v1/schedules/nightly:resume",
        "/v1/subscriptions/posted:enable",
        "/v1/subscriptions/orders:enable",
    ):
        answer = Client(place.app).send("POST", address, headers=bearer)
        assert (answer.status, json.loads(answer.text)["code"]) == (404, "unknown_connection"), (
            answer.text
        )
    client = place.signed_in()
    for page in ("/schedules/nightly", "/subscriptions/posted", "/subscriptions/orders"):
        refused = client.change(page, f"{page}/resume")
        assert (
            refused.status,
            "o connection is named 'hall' What to do: Add a connection" in refused.words,
        ) == (404, True), refused.words
    assert {name: subscriptions.show(name)["status"] for name in ("posted", "orders")} == before
    assert schedules.show("nightly")["status"] in ("paused", "stopped")


def test_what_a_removal_has_stopped_says_so(place: Place) -> None:
    """What stops is in the audit log, each by its name, but not what was paused before. A webhook
    whose events started calls over the connection says what is gone, in the list and on its page,
    and where to choose another; it is not resumed before, and then is.
    """
    subscriptions, client = _subscriptions(place), place.signed_in()
    subscriptions.add({"name": "idle", **HOOK, "then": SAY})
    subscriptions.disable("idle")
    place.host.runtime("default").connections.remove("hall")
    for name, event in (
        ("nightly", "schedule.stopped"),
        ("posted", "subscription.disabled"),
        ("orders", "subscription.disabled"),
    ):
        found = client.get(f"/audit?object={name}&event={event}").words
        assert (
            f"{event} {event.partition('.')[0]}:{name} its connection 'hall' was removed" in found
        )
    for name in ("idle", "others"):
        assert "its connection 'hall' was removed" not in client.get(f"/audit?object={name}").words
    orders = subscriptions.show("orders")
    assert (orders["status"], orders["fault"]["code"]) == ("paused", "unknown_connection")
    assert (
        "orders paused no connection is named 'hall'. Add a connection of that name"
        in client.get("/subscriptions").words
    )
    refused = client.change("/subscriptions/orders", "/subscriptions/orders/resume")
    assert refused.status == 404
    for page in (refused, client.get("/subscriptions/orders")):
        assert (
            "No connection is named 'hall' What to do: Add a connection of that name" in page.words
        )
        assert '<a href="/subscriptions/orders/edit">Choose another connection</a>' in page.text
    # its own connection cannot be chosen
    assert "Choose another connection" not in client.get("/subscriptions/posted").words
    subscriptions.change("orders", {"then": {**SAY, "connection": "yard"}})
    resumed = client.change("/subscriptions/orders", "/subscriptions/orders/resume")
    assert resumed.headers["location"] == "/subscriptions/orders?done=resumed"
    assert "fault" not in subscriptions.show("orders")


@pytest.mark.parametrize(
    ("column", "code"), [("connector", "unknown_connector"), ("action", "unknown_action")]
)
def test_what_runs_an_action_that_is_gone_says_so(place: Place, column: str, code: str) -> None:
    """A connector that was uninstalled, and an action that its new version has not."""
    _schedules(place).pause("nightly")
    _lose(place, f"UPDATE schedules SET {column} = 'gone'")
    assert _schedules(place).show("nightly")["fault"]["code"] == code
    answer = Client(place.app).send(
        "POST",
        "/v1/schedules/nightly:resume",
        headers={"authorization": f"Bearer {token(place, 'manage')}"},
    )
    assert (answer.status, json.loads(answer.text)["code"]) == (404, code)
