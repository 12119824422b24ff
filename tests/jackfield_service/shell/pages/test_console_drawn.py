"""A form of the console that decides something does what its page has shown, or nothing: of another
state the page is shown anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed_asking, token

from jackfield_service.shell.pages.app import _PAGES, routes
from jackfield_service.shell.pages.sign_in import ConsoleSessions
from jackfield_service.subjects.connect.pages import routes as connect
from jackfield_store.recording.decisions import ApprovalChanged

POST = {"connector": "echo", "action": "post", "connection": "hall"}
ANEW = "This has changed since its page was opened, perhaps in another tab. Nothing was done."


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection, in a workspace where a write waits for an approval."""
    with placed_asking(tmp_path) as found:
        yield found


def asked(place: Place, text: str = "to Ada") -> str:
    """A call that waits."""
    return (
        place.host.runtime("default").invoke({**POST, "inputs": {"text": text}}).meta.invocation_id
    )


def decide(person: Client, identifier: str, csrf: str, outcome: str = "approved") -> str:
    """Send a decision with the token of a form; return where that leads."""
    return person.post(
        f"/invocations/{identifier}/approval", {"csrf": csrf, "as": outcome}
    ).headers["location"]


@pytest.mark.parametrize("outcome", ["approved", "declined"])
def test_a_decision_is_of_the_call_that_was_shown(place: Place, outcome: str) -> None:
    """The form of another call, and one of no call, decide nothing; the call still waits, and its
    own form decides.
    """
    one, other = asked(place), asked(place, "to Mallory")
    person = place.signed_in(token(place, "approve"))
    page = person.get(f"/invocations/{one}")
    for csrf in (
        person.get(f"/invocations/{other}").csrf_of(f"/invocations/{other}/approval"),
        page.csrf,
    ):
        assert decide(person, one, csrf, outcome) == f"/invocations/{one}?anew=1#decide"
    shown = person.get(f"/invocations/{one}?anew=1")
    assert (ANEW in shown.words, "to Ada" in shown.words, 'id="decide"' in shown.text) == (
        True,
        True,
        True,
    )
    assert ANEW not in page.words
    assert (
        decide(person, one, page.csrf_of(f"/invocations/{one}/approval"), outcome)
        == f"/invocations/{one}?done={outcome}"
    )


def test_a_connection_that_has_changed_is_shown_anew(place: Place) -> None:
    """In three browsers whose pages are from before its values changed, nobody approves or
    declines.
    """
    identifier = asked(place)
    people = [place.signed_in(token(place, "approve")) for _ in range(3)]
    pages = [
        person.get(f"/approvals?decide={identifier}").csrf_of(f"/invocations/{identifier}/approval")
        for person in people
    ]
    place.host.runtime("default").connections.rename("hall", "lobby")
    for person, csrf, outcome in zip(
        people, pages, ("approved", "declined", "approved"), strict=True
    ):
        sent = {"csrf": csrf, "as": outcome, "list": "on"}
        answer = person.post(f"/invocations/{identifier}/approval", sent)
        assert answer.headers["location"] == f"/approvals?decide={identifier}&anew=1#decide"
        assert ANEW in person.get(answer.headers["location"]).words
    assert place.host.runtime("default").approvals.show(identifier)["status"] == "waiting"


def test_a_form_goes_on_after_another_sign_in(place: Place) -> None:
    """The script gives a form the token of the new session, and leaves what it was drawn from."""
    identifier = asked(place)
    text = token(place, "approve")
    before = (
        place.signed_in(text)
        .get(f"/invocations/{identifier}")
        .csrf_of(f"/invocations/{identifier}/approval")
    )
    person = place.signed_in(text)
    drawn = before.partition(".")[2]
    assert (
        decide(person, identifier, f"{person.get('/').csrf}.{drawn}")
        == f"/invocations/{identifier}?done=approved"
    )


def test_a_digest_that_is_sent_must_match(place: Place) -> None:
    """In the library: with another one nothing is decided, with that of show it is."""
    identifier, approvals = asked(place), place.host.runtime("default").approvals
    with pytest.raises(ApprovalChanged) as found:
        approvals.decline(identifier, "", "another")
    assert (found.value.http_status, found.value.problem) == (412, "version_conflict")
    shown = approvals.show(identifier)
    assert shown["status"] == "waiting"
    assert approvals.decline(identifier, "", shown["digest"])["status"] == "declined"


ODD = {
    "bob\u202e\u2066gnp.moc@\u2069": ("bob\\u202e\\u2066gnp.moc@\\u2069", True, False),
    "pay\u00adpal": ("pay\\u00adpal", True, False),
    "x\U000e0041": ("x\\udb40\\udc41", True, False),
    "p\u0430ypal": ("p\u0430ypal", False, True),
    "Zoë, Привет": ("Zoë, Привет", False, False),
}


@pytest.mark.parametrize("text", ODD)
def test_an_approver_sees_what_is_hidden(place: Place, text: str) -> None:
    """Hidden characters are escapes in the inputs, and marked in the gist of the list; a notice
    says so, and one of mixed alphabets.
    """
    shown, is_hidden, is_mixed = ODD[text]
    identifier, person = asked(place, text), place.signed_in(token(place, "approve"))
    page = person.get(f"/invocations/{identifier}")
    assert (text in page.text, f"&quot;text&quot;: &quot;{shown}&quot;" in page.text) == (
        not is_hidden,
        True,
    )
    assert ("not seen or that reorder others" in page.words, "several alphabets" in page.words) == (
        is_hidden,
        is_mixed,
    )
    assert (
        '<span class="unseen-character"' in person.get("/approvals").text,
        text in person.get("/approvals").text,
    ) == (
        is_hidden,
        not is_hidden,
    )


def test_what_has_another_ones_name_is_not_removed(place: Place) -> None:
    """The page of a connection asks whether to remove it; it was removed since, and there is
    another one of its name.
    """
    connections, person = place.host.runtime("default").connections, place.signed_in()
    before = person.get("/connections/hall")
    connections.remove("hall")
    connections.add("hall", "echo/token", {"token": "another-one"})
    for step, sent in (("removal", {}), ("name", {"new": "lobby"})):
        answer = person.post(
            f"/connections/hall/{step}",
            {"csrf": before.csrf_of(f"/connections/hall/{step}"), **sent},
        )
        assert ANEW in person.anew(answer).words
    assert connections.find("hall").values["token"] == "another-one"
    assert (
        person.change("/connections/hall", "/connections/hall/removal").headers["location"]
        == "/connections?done=removed"
    )


def test_a_tenant_is_ended_as_it_was_shown(place: Place) -> None:
    """A page from before its limits changed suspends, ends and changes nothing."""
    place.workspaces.create("acme-1")
    operator = place.signed_in()
    before = operator.get("/tenants/acme-1")
    place.workspaces.set("acme-1", {"limits": {"queued": 5}})
    for step in ("suspend", "end", "limits"):
        answer = operator.post(
            f"/tenants/acme-1/{step}", {"csrf": before.csrf_of(f"/tenants/acme-1/{step}")}
        )
        assert answer.headers["location"] == "/tenants/acme-1?anew=1"
    settings = place.workspaces.find("acme-1").settings
    assert (settings.suspended, settings.limits["queued"]) == (False, 5)


OTHERS = {
    "makes something new, of what the form itself has": {
        "/connections",
        "/new-batch",
        "/new-schedule",
        "/oauth-clients",
        "/mcp-servers",
        "/schedules",
        "/subscriptions",
        "/callbacks",
        "/platforms/{platform}/callbacks",
        "/tokens",
        "/tenants",
        "/tenants/{w}/connect-sessions",
        "/uploads",
        "/connectors/{key}/actions/{action}/run",
        "/connectors/{key}/trial",
    },
    "carries the version, the value or the digest of what it changes": {
        "/mcp-servers/{server}/acceptance",
        "/shared-settings",
        "/connections/selection",
        "/tokens/selection",
        "/invocations/selection",
        "/queue/dead-letters/selection",
    },
    "ends for good what has an ID, and which is never another": {
        "/tokens/{id}/revocation",
        "/tenants/{w}/tokens/{id}/revocation",
        "/tenants/{w}/connect-sessions/{id}/revocation",
        "/files/{file}/removal",
    },
    "shows or tests something": {
        "/connections/{name}/test",
        "/connections/{name}/doctor",
        "/invocations/{id}/look",
        "/invocations/{id}/ask",
        "/mcp-servers/{server}/review",
        "/connectors/{key}/actions/{action}/code",
    },
    "is about the session alone": {"/tenants/{w}/switch", "/workspaces/{w}", "/login", "/logout"},
    "is of the connect page, whose forms all are judged": {
        "/connect/{link}",
        "/connect/session/{id}",
        "/connect/session/{id}/start/{start}",
    },
}
"""Forms that no ``decides`` judges, by the reason; all others are judged."""


def test_every_form_that_decides_is_judged(place: Place) -> None:
    """A new route that takes POST is judged by what its page has shown, or is named here with a
    reason.
    """
    judged = {
        page.path
        for page in _PAGES
        if page.method == "POST" and hasattr(page.endpoint, "drawn_from")
    }
    posts = {route.path for route in routes(place.host) if "POST" in (route.methods or ())}
    assert posts - judged == {path for paths in OTHERS.values() for path in paths}
    assert judged <= posts


def test_every_form_of_the_connect_page_is_judged(place: Place) -> None:
    """A new route that takes POST has to be tried by the tests of connect sessions first."""
    routes = connect.routes(place.host, ConsoleSessions(place.host))
    assert [route.path for route in routes if "POST" in (route.methods or ())] == [
        "/connect/{link}",
        "/connect/session/{id}",
        "/connect/session/{id}/start/{start}",
    ]
