"""A connection's page tells the calls over it: those that are queued or wait for an approval, and
the last one, with links to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import (
    Answer,
    Client,
    Place,
    placed_asking,
    token,
)

from http_stand import say
from jackfield.callers import Rules
from jackfield_store.runtime import Jackfield


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection, in a workspace where a write waits for an approval and nobody
    takes what is queued.
    """
    with placed_asking(tmp_path) as found:
        yield found


@pytest.fixture
def runtime(place: Place) -> Jackfield:
    """Its workspace."""
    return place.host.runtime("default")


def fact(page: Answer, name: str) -> str:
    """What the page says under a name; empty if it does not have it."""
    found = re.search(rf"<dt>{name}</dt>\s*<dd>(.*?)</dd>", page.text, re.DOTALL)
    return "" if found is None else " ".join(re.sub(r"<[^>]+>", "", found[1]).split())


def found_by(client: Client, page: Answer, words: str) -> str:
    """What the list shows to which a link of the page leads."""
    link = re.search(rf'<a href="(/invocations[^"]*)"[^>]*>{words}</a>', page.text)
    assert link is not None, page.words
    return client.get(link[1].replace("&amp;", "&")).words


def filled(runtime: Jackfield) -> None:
    """Two queued calls, one that waits, and one that has ended."""
    for text in ("one", "two"):
        runtime.enqueue(say("say", "hall", text=text))
    assert runtime.invoke(say("post", "hall", text="waits")).status == "waiting"
    assert runtime.invoke(say("say", "hall", text="ended")).status == "succeeded"


def test_the_calls_over_a_connection_are_told(place: Place, runtime: Jackfield) -> None:
    """Where it is shown, and before it is renamed or removed; nothing of a connection that nothing
    uses.
    """
    client = place.signed_in()
    unused = client.get("/connections/hall")
    assert (fact(unused, "Used by"), fact(unused, "Last call")) == ("", "")
    filled(runtime)
    page = client.get("/connections/hall")
    assert fact(page, "Used by") == "2 calls queued, 1 call waiting for approval"
    assert "All its calls" in fact(page, "Last call")
    assert "These follow the new name: 2 calls queued" in page.words
    assert "These fail: 2 calls queued" in page.words
    assert page.words.count("These cannot be approved any more: 1 call waiting for approval") == 2
    assert found_by(client, page, "2 calls queued").count("Say echo") == 2
    assert found_by(client, page, "1 call waiting for approval").count("Post a Note echo") == 1
    assert found_by(client, page, "All its calls").count("Say echo") == 3
    bound = place.signed_in(token(place, "manage", rules=Rules(block=("echo/say",))))
    assert fact(bound.get("/connections/hall"), "Used by") == "1 call waiting for approval"


def test_queued_calls_are_told_of_their_own_connection(place: Place, runtime: Jackfield) -> None:
    """By its new name, and not of another one that has the old name by now, or the name of one that
    was removed.
    """
    client = place.signed_in()
    filled(runtime)
    runtime.connections.rename("hall", "lobby")
    runtime.connections.add("hall", "echo/token", {"token": "another"})
    runtime.enqueue(say("say", "hall", text="other"))
    assert fact(client.get("/connections/hall"), "Used by") == "1 call queued"
    page = client.get("/connections/lobby")
    assert fact(page, "Used by") == "2 calls queued"
    assert found_by(client, page, "2 calls queued").count("lobby") == 2
    runtime.connections.remove("hall")
    runtime.connections.add("hall", "echo/token", {"token": "a third one"})
    third = client.get("/connections/hall")
    assert (fact(third, "Used by"), fact(third, "Last call")) == ("", "")


def test_many_calls_are_counted_up_to_a_bound(place: Place, runtime: Jackfield) -> None:
    """A hundred, and no more."""
    runtime.enqueue_many([say("say", "hall", text=str(number)) for number in range(101)])
    assert fact(place.signed_in().get("/connections/hall"), "Used by") == "100 or more calls queued"


def test_quotas_of_a_connection_are_set_on_its_page(place: Place, runtime: Jackfield) -> None:
    """The form has them; a fault is told, and the table says how far each is spent. Who may not
    change the connection sees no form.
    """
    client, page = place.signed_in(), "/connections/hall"
    wrong = client.change(page, f"{page}/quotas", count="0", per="day")
    assert (wrong.status, "must be a number above 0" in wrong.words) == (400, True)
    given = {"count": "3", "per": "month", "action": "echo/say"}
    assert (
        client.change(page, f"{page}/quotas", **given).headers["location"] == f"{page}?done=quotas"
    )
    runtime.invoke(say("say", "hall", text="x"))
    told = "3 calls of echo/say per month 1 "
    assert told in client.get(page).words
    reader = place.signed_in(token(place, "invoke"))
    assert (told in reader.get(page).words, f"{page}/quotas" in reader.get(page).text) == (
        True,
        False,
    )
    assert client.change(page, f"{page}/quotas", place="0", removal="on").status == 303
    assert told not in client.get(page).words
