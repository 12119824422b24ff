"""Calls of one action are told apart wherever they stand in a list or a question, by inputs that
the visitor may read, without secrets.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Answer, Client, Place, placed, token

from dead_letters import give_up

SAY: dict[str, Any] = {"connector": "echo", "action": "say", "connection": "hall"}
POST: dict[str, Any] = {"connector": "echo", "action": "post", "connection": "hall"}
SECRET = "sesame-open-4711"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console where posts wait for an approval, inputs are recorded, and nobody works."""
    with placed(tmp_path, queue_workers=0) as found:
        found.host.runtime("default").connections.add("hall", "echo/token", {"token": SECRET})
        found.workspaces.set("default", {"rules": {"approve": ["echo/post"]}, "keepInputs": True})
        yield found


def dead(place: Place, text: str) -> str:
    """The ID of a call that was given up."""
    runtime = place.host.runtime("default")
    identifier = runtime.enqueue({**SAY, "inputs": {"text": text}})
    assert isinstance(identifier, str)
    assert runtime.journal is not None
    give_up(runtime.journal, "default", identifier)
    return identifier


def told(page: Answer) -> list[str]:
    """The lines of a page that tell calls apart."""
    return [html.unescape(text) for text in re.findall(r'class="gist">([^<]*)<', page.text)]


def asked(client: Client, list_: str, step: str, *picked: str) -> Answer:
    """The page that asks once more."""
    return client.change(
        list_, f"{list_}/selection", step=step, **{f"pick-{one}": "on" for one in picked}
    )


def test_approvals_are_told_apart(place: Place) -> None:
    """Those that wait, for whoever decides; once they have run, as all lists do."""
    runtime = place.host.runtime("default")
    for text in ("to Ada", "to Grace"):
        runtime.invoke({**POST, "inputs": {"text": text}})
    person = place.signed_in(token(place, "approve"))
    assert told(person.get("/approvals")) == ["to Grace", "to Ada"]
    assert told(person.get("/invocations?status=waiting")) == ["to Grace", "to Ada"]
    place.workspaces.set("default", {"keepInputs": False})
    assert told(person.get("/approvals")) == ["to Grace", "to Ada"]
    assert told(place.signed_in(token(place, "manage")).get("/invocations?status=waiting")) == []


def test_dead_letters_and_questions_are_told_apart(place: Place) -> None:
    """In the list of dead letters, before they are redriven, and before calls are run again."""
    client, runtime = place.signed_in(), place.host.runtime("default")
    first, second = dead(place, "to Ada"), dead(place, "to Grace")
    assert told(client.get("/queue/dead-letters")) == ["to Grace", "to Ada"]
    assert told(asked(client, "/queue/dead-letters", "redrive", first, second)) == [
        "to Ada",
        "to Grace",
    ]
    said = [
        runtime.invoke({**SAY, "inputs": {"text": text}}).meta.invocation_id
        for text in ("one", "two")
    ]
    assert told(asked(client, "/invocations", "again", *said)) == ["one", "two"]
    labels = re.findall(r'aria-label="(Redrive [^"]+)"', client.get("/queue/dead-letters").text)
    assert len(set(labels)) == 2


def test_what_is_not_recorded_is_not_shown(place: Place) -> None:
    """A workspace that records no inputs shows those of dead and queued calls to nobody."""
    place.workspaces.set("default", {"keepInputs": False})
    dead(place, "to Ada")
    place.host.runtime("default").enqueue({**SAY, "inputs": {"text": "to Grace"}})
    client = place.signed_in()
    assert [
        told(client.get(address)) for address in ("/queue/dead-letters", "/invocations", "/queue")
    ] == [[], [], []]


def test_a_secret_is_in_no_line(place: Place) -> None:
    """Neither what the schema marks, nor the connection's own, wherever it stands; of a call whose
    connection is gone nothing is shown.
    """
    runtime, client = place.host.runtime("default"), place.signed_in()
    runtime.enqueue({**SAY, "inputs": {"text": f"my key is {SECRET}"}})
    dead(place, f"again {SECRET}")
    runtime.enqueue({**SAY, "inputs": {"text": "to Ada"}})
    for address in ("/invocations", "/queue", "/queue/dead-letters", "/"):
        assert SECRET not in client.get(address).text
    assert "to Ada" in told(client.get("/queue"))
    runtime.connections.remove("hall")
    assert told(client.get("/invocations")) == []
