"""Dead letters in the console: their badge and filter, their page with its button, and who may use
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import Place, placed, token

from browsing import Visitor
from console_rig import Console
from dead_letters import give_up
from jackfield.callers import Rules
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_store.access import Audit

pytest_plugins = ["browser"]

SAY = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "Hello"}}


def dead(host: ServerContext, **more: str) -> str:
    """Return the id of an invocation that was given up."""
    runtime = host.runtime("default")
    identifier = runtime.enqueue({**SAY, **more})
    assert isinstance(identifier, str)
    assert runtime.journal is not None
    give_up(runtime.journal, "default", identifier)
    return identifier


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection to the echo, where nobody takes what is queued."""
    with placed(tmp_path, queue_workers=0) as found:
        found.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})
        yield found


def test_a_dead_letter_is_redriven_from_its_page(place: Place) -> None:
    """The overview counts it, the list marks and filters it, its page queues it again; the audit
    log names who did it.
    """
    identifier = dead(place.host)
    client = place.signed_in()
    assert "Dead letters 1 to be redriven" in client.get("/").words
    assert "dead letter" in client.get("/invocations").words
    assert identifier in client.get("/invocations?status=dead").text
    page = client.get(f"/invocations/{identifier}")
    assert "Given up after 5 deliveries" in page.words
    answer = client.change(f"/invocations/{identifier}", f"/invocations/{identifier}/redrive")
    assert (answer.status, answer.headers["location"]) == (
        303,
        f"/invocations/{identifier}?done=redriven",
    )
    page = client.get(answer.headers["location"])
    assert "Queued again." in page.words
    assert "Given up" not in page.words
    assert "No invocation matches." in client.get("/invocations?status=dead").words
    storage = place.host.storage
    entries, _ = Audit(storage.database, lambda: storage.vault, "default", place.host.clock).list(
        event="invocation.redriven"
    )
    assert [entry.to_json()["actor"]["id"] for entry in entries] == ["console"]


def test_l9_a_late_redrive_ends_on_the_page_of_its_invocation(place: Place) -> None:
    """L9: the second tab's redrive ended on a bare page "Conflict"; the page of the invocation says
    now that it was queued already.
    """
    identifier = dead(place.host)
    client = place.signed_in()
    client.change(f"/invocations/{identifier}", f"/invocations/{identifier}/redrive")
    late = client.change(f"/invocations/{identifier}", f"/invocations/{identifier}/redrive")
    assert (late.status, late.headers["location"]) == (303, f"/invocations/{identifier}?done=alive")
    assert "It is no dead letter any more" in client.get(late.headers["location"]).words


def test_m10_the_queue_and_its_dead_letters_have_pages(place: Place) -> None:
    """M10: what waits, since when and where, and the dead letters with a button each; what cannot
    be queued again says why.
    """
    identifier, _ = dead(place.host), dead(place.host, idempotencyKey="key-1")
    runtime = place.host.runtime("default")
    runtime.enqueue(SAY)
    client = place.signed_in()
    shown = client.get("/queue").words
    assert (
        "Waiting 1" in shown,
        "Dead letters 2" in shown,
        "default 1 0 0 0 2" in shown,
        "Oldest waits for" in shown,
    ) == (True,) * 4
    letters = client.get("/queue/dead-letters")
    assert letters.text.count("/redrive") == 2
    answer = client.change(
        "/queue/dead-letters", f"/invocations/{identifier}/redrive", **{"from": "list"}
    )
    assert answer.headers["location"] == "/queue/dead-letters?done=redriven"
    assert client.get(answer.headers["location"]).text.count("/redrive") == 1
    runtime.enqueue({**SAY, "idempotencyKey": "key-1"})
    letter = (
        client.get("/queue/dead-letters")
        .text.partition('action="/invocations/')[2]
        .partition("/")[0]
    )
    held = client.change(
        "/queue/dead-letters", f"/invocations/{letter}/redrive", **{"from": "list"}
    )
    assert (
        "another invocation holds its idempotency key" in client.get(held.headers["location"]).words
    )
    reader = place.signed_in(token(place, "invoke"))
    assert (
        "/redrive" in reader.get("/queue/dead-letters").text,
        "By workspace" in reader.get("/queue").words,
    ) == (False, False)


def test_a_redrive_needs_the_scope_manage(place: Place) -> None:
    """A token with the scope ``invoke`` sees a dead letter, and is told what it lacks; one whose
    rules hide it does not find it.
    """
    identifier = dead(place.host)
    client = place.signed_in(token(place, "invoke"))
    page = client.get(f"/invocations/{identifier}")
    assert "requires the scope manage" in page.words
    assert "/redrive" not in page.text
    assert client.post(f"/invocations/{identifier}/redrive", {"csrf": page.csrf}).status == 403
    blind = place.signed_in(token(place, "manage", rules=Rules(block=("echo/*",))))
    csrf = blind.get("/").csrf
    assert blind.post(f"/invocations/{identifier}/redrive", {"csrf": csrf}).status == 404
    assert "Dead letters" not in blind.get("/").words
    assert identifier not in blind.get("/invocations?status=dead").text


def test_the_pages_of_a_dead_letter_are_accessible(
    browser: Browser, console: Console, thoroughly: bool
) -> None:
    """Overview, filtered list and page pass axe, and are no wider than the window."""
    console.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})
    identifier = dead(console.host)
    visitor = Visitor(browser, console)
    visitor.sign_in()
    for name, path in (
        ("overview", "/"),
        ("queue", "/queue"),
        ("dead-list", "/queue/dead-letters"),
        ("dead", f"/invocations/{identifier}"),
    ):
        visitor.go(path)
        assert visitor.judged(name, thoroughly=thoroughly) == []
    visitor.page.get_by_role("button", name="Redrive").first.wait_for()
    visitor.close()
