"""Forms that change something do it to what their page has shown: of another state the page is
shown anew, and nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Place, placed

from dead_letters import give_up
from jackfield.callers.actor import Actor
from jackfield.callers.caller import Caller
from jackfield.kernel.clock import iso
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.management.oauth_clients import oauth_clients

ANEW = "This has changed since its page was opened, perhaps in another tab. Nothing was done."
SAY: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": "Hello"},
}
CRM = {
    "clientId": "c-4711",
    "clientSecret": "s-0815",
    "tokenUrl": "https://login.crm.example.com/token",
}
ADA = Actor("cli", "ada")


@dataclass(frozen=True)
class Form:
    """A form at ``address`` of ``page``: ``make`` makes what it is about and returns its ID,
    ``move`` changes that, ``read`` returns what the form would change. ``{}`` in an address stands
    for the ID.
    """

    page: str
    address: str
    make: Callable[[Place], str]
    move: Callable[[Place, str], object]
    read: Callable[[Place, str], object]
    fields: tuple[tuple[str, str], ...] = ()


def schedules(place: Place) -> WorkspaceSchedules:
    """The schedules of the workspace."""
    return WorkspaceSchedules(place.host.runtime("default"), Caller(), ADA)


def subscriptions(place: Place) -> WorkspaceSubscriptions:
    """The subscriptions of the workspace."""
    return WorkspaceSubscriptions(
        place.host.runtime("default"), Caller(), ADA, "https://jackfield.example.com"
    )


def nightly(place: Place) -> str:
    """Make a schedule."""
    return str(schedules(place).add({"name": "nightly", "every": "1h", "invocation": SAY})["name"])


def watched(place: Place) -> str:
    """Make a subscription."""
    return str(
        subscriptions(place).add({"name": "one", "trigger": "echo/notes", "connection": "hall"})[
            "name"
        ]
    )


def registered(place: Place) -> str:
    """Make an OAuth client."""
    host = place.host
    oauth_clients(host.storage, "default", host.clock, ADA, "operator").add("crm", (), CRM)
    return "crm"


def client_of(place: Place, **changes: str) -> dict[str, Any]:
    """Change the OAuth client; return its values."""
    clients = oauth_clients(place.host.storage, "default", place.host.clock, ADA, "operator")
    if changes:
        clients.change("crm", {"values": changes})
    return dict(clients.show("crm")["values"])


def paused(place: Place, bounces: int = 7) -> str:
    """Let the guard pause the connection."""
    figures = {
        "at": iso(place.host.clock.time()),
        "bounces": bounces,
        "complaints": 0,
        "messages": 1000,
    }
    place.workspaces.set("default", {"guards": {"hall": {"bounceRate": 0.005, "paused": figures}}})
    return "hall"


def queued(place: Place) -> str:
    """Queue a call that nobody takes."""
    found = place.host.runtime("default").enqueue(SAY)
    assert isinstance(found, str)
    return found


def dead(place: Place) -> str:
    """A call that was given up."""
    identifier, journal = queued(place), place.host.runtime("default").journal
    assert journal is not None
    give_up(journal, "default", identifier)
    return identifier


def begin(place: Place, identifier: str) -> None:
    """Take a queued call, as a worker does."""
    with place.host.storage.database.write() as transaction:
        transaction.execute(
            "UPDATE invocations SET status = 'running' WHERE id = :id", {"id": identifier}
        )


def die_again(place: Place, identifier: str) -> None:
    """Redrive a dead letter, and give it up once more."""
    with place.host.storage.database.write() as transaction:
        transaction.execute(
            "UPDATE invocations SET dead_at = dead_at + 60 WHERE id = :id", {"id": identifier}
        )


def entry(place: Place, identifier: str) -> str:
    """The status of a call, and whether it is dead."""
    found = place.host.runtime("default").journal_of(Caller()).find(identifier)
    return f"{found.status} {found.dead_at is not None}"


def status_of(place: Place, _: str) -> object:
    """The status of the schedule and of the subscription, of those that there are."""
    return [
        row["status"] == "paused"
        for page in (schedules(place).page, subscriptions(place).page)
        for row in page(None, 9)[0]
    ]


def guards(place: Place, _: str) -> object:
    """The settings of guards."""
    return "paused" in place.workspaces.find("default").settings.guards["hall"]


FORMS = {
    "workspace": Form(
        "/workspace",
        "/workspace",
        lambda _: "",
        lambda place, _: place.workspaces.set("default", {"rules": {"block": ["echo/post"]}}),
        lambda place, _: place.workspaces.find("default").settings.keep_inputs,
        (("keepInputs", "on"), ("retentionDays", "9")),
    ),
    **{
        f"schedule {step}": Form(
            f"/schedules/{{}}{'/edit' if step == 'edit' else ''}",
            f"/schedules/{{}}/{step}",
            nightly,
            lambda place, name: schedules(place).change(
                name, {"invocation": {**SAY, "inputs": {"text": "Mallory"}}}
            ),
            lambda place, name: [
                status_of(place, name),
                schedules(place).show(name)["invocation"],
                schedules(place).show(name)["slots"],
            ],
        )
        for step in ("pause", "run", "removal", "edit")
    },
    **{
        f"subscription {step}": Form(
            f"/subscriptions/{{}}{'/edit' if step == 'edit' else ''}",
            f"/subscriptions/{{}}/{step}",
            watched,
            lambda place, name: subscriptions(place).change(name, {"then": SAY}),
            lambda place, name: [
                status_of(place, name),
                subscriptions(place).show(name).get("then"),
            ],
            (("sure", "on"), ("since", "2d"), ("stop", "on")),
        )
        for step in ("pause", "removal", "reset", "edit")
    },
    "OAuth client": Form(
        "/oauth-clients/crm",
        "/oauth-clients/crm",
        registered,
        lambda place, _: client_of(place, tokenUrl="https://login.crm.example.com/t2"),
        lambda place, _: client_of(place).get("clientId"),
        (("clientId", "c-0815"), ("tokenUrl", CRM["tokenUrl"])),
    ),
    "guard": Form(
        "/connections/{}",
        "/connections/{}/guard",
        paused,
        lambda place, _: paused(place, 70),
        guards,
    ),
    "cancel": Form("/invocations/{}", "/invocations/{}/cancel", queued, begin, entry),
    "redrive": Form("/invocations/{}", "/invocations/{}/redrive", dead, die_again, entry),
    "redrive in the list": Form(
        "/queue/dead-letters",
        "/invocations/{}/redrive",
        dead,
        die_again,
        entry,
        (("from", "list"),),
    ),
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection, where nobody takes what is queued."""
    with placed(tmp_path, queue_workers=0) as found:
        found.host.runtime("default").connections.add(
            "hall", "echo/token", {"token": "sesame-0815"}
        )
        yield found


@pytest.mark.parametrize("name", FORMS)
def test_a_form_of_another_state_does_nothing(place: Place, name: str) -> None:
    """What was changed in another tab is shown anew, and stays; the form of the page of now does
    it.
    """
    form, person = FORMS[name], place.signed_in()
    identifier = form.make(place)
    page, address = form.page.format(identifier), form.address.format(identifier)
    before = person.get(page)
    form.move(place, identifier)
    was = form.read(place, identifier)
    answer = person.post(address, {"csrf": before.csrf_of(address), **dict(form.fields)})
    assert ANEW in person.anew(answer).words
    assert form.read(place, identifier) == was
    now = person.change(page, address, **dict(form.fields))
    assert "anew=1" not in now.headers.get("location", "")


def test_a_step_for_several_leaves_out_what_has_changed(place: Place) -> None:
    """Another connection has the name of one that was picked: it stays, and the page says why; the
    other one is removed.
    """
    connections, person = place.host.runtime("default").connections, place.signed_in()
    connections.add("cellar", "echo/token", {"token": "sesame-0816"})
    picked = {"pick-hall": "on", "pick-cellar": "on"}
    asked = person.change("/connections", "/connections/selection", step="remove", **picked)
    connections.remove("hall")
    connections.add("hall", "echo/token", {"token": "another-one"})
    done = person.post("/connections/selection", asked.fields_of("/connections/selection"))
    assert (
        "1 done, 1 not done" in done.words,
        "It has changed since the step was asked for." in done.words,
    ) == (True, True)
    assert connections.find("hall").values["token"] == "another-one"
    assert [row["name"] for row in connections.list().items] == ["hall"]
