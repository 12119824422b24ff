"""After a rename, pages name the connection as it is now, and say what a call that waits for an
approval cannot do any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Place, placed_asking, token

from http_stand import say
from jackfield.callers import Rules
from jackfield_store.runtime import Jackfield


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection, in a workspace where a write waits for an approval."""
    with placed_asking(tmp_path) as found:
        yield found


def _queued(runtime: Jackfield) -> str:
    found = runtime.enqueue(say("say", "hall", text="Hello"))
    assert isinstance(found, str)
    return found


def _asked(runtime: Jackfield, text: str = "to be approved") -> str:
    return runtime.invoke(say("post", "hall", text=text)).meta.invocation_id


def test_a_queued_call_has_the_present_name(place: Place) -> None:
    """In the list and on its page, also if another connection has the old name by now; a token with
    rules reads the old one.
    """
    runtime, client = place.host.runtime("default"), place.signed_in()
    identifier = _queued(runtime)
    runtime.connections.rename("hall", "lobby")
    runtime.connections.add("hall", "echo/token", {"token": "sesame-4711"})
    for address in ("/invocations", f"/invocations/{identifier}"):
        page = client.get(address).text
        assert '<a href="/connections/lobby">lobby</a>' in page
        assert "/connections/hall" not in page
    limited = place.signed_in(token(place, "read", rules=Rules(allow=("echo/*",))))
    assert "lobby" not in limited.get(f"/invocations/{identifier}").text


@pytest.mark.parametrize("change", ["rename", "removal"])
def test_a_call_that_waits_says_that_it_cannot_be_approved(place: Place, change: str) -> None:
    """Before somebody tries; it can be declined. Of a page from before nothing is done: it is shown
    anew, with the reason.
    """
    runtime, person = place.host.runtime("default"), place.signed_in(token(place, "approve"))
    first, second = _asked(runtime), _asked(runtime, "another")
    before = person.get(f"/invocations/{first}")
    assert "a worker makes exactly this call" in before.words
    if change == "rename":
        runtime.connections.rename("hall", "lobby")
        reason = "its connection 'hall' was renamed to 'lobby' since it was asked for"
        assert (
            'hall, now <a href="/connections/lobby">lobby</a>'
            in place.signed_in().get("/invocations?status=waiting").text
        )
    else:
        runtime.connections.remove("hall")
        reason = "no connection is named 'hall'"
    page = person.get(f"/invocations/{first}")
    assert f"It cannot be approved any more: {reason}" in page.words
    assert "a worker makes exactly this call" not in page.words
    assert ('value="approved"' in page.text, 'value="declined"' in page.text) == (False, True)
    for outcome in ("approved", "declined"):
        late = person.post(
            f"/invocations/{first}/approval",
            {"csrf": before.csrf_of(f"/invocations/{first}/approval"), "as": outcome},
        )
        assert late.headers["location"] == f"/invocations/{first}?anew=1#decide"
        told = person.get(late.headers["location"]).words
        assert "This has changed since its page was opened" in told
        assert f"It cannot be approved any more: {reason}" in told
    forced = person.change(
        f"/invocations/{first}", f"/invocations/{first}/approval", **{"as": "approved"}
    )
    assert forced.headers["location"] == f"/invocations/{first}?done=spoiled"
    told = person.get(forced.headers["location"]).words
    assert "Not approved, but cancelled" in told
    assert reason in told
    declined = person.change(
        f"/invocations/{second}", f"/invocations/{second}/approval", **{"as": "declined"}
    )
    assert declined.headers["location"] == f"/invocations/{second}?done=declined"


def test_the_audit_log_finds_a_rename_by_both_names(place: Place) -> None:
    """By a part of either, and by no other word of the entry."""
    place.host.runtime("default").connections.rename("hall", "lobby")
    client = place.signed_in()
    for part, is_found in (("hall", True), ("LOBB", True), ("lob%y", False), ("library", False)):
        assert ("connection.renamed" in client.get(f"/audit?object={part}").words) is is_found
