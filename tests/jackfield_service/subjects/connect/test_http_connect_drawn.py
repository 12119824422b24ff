"""A button of a connect session's page does what its page says, or nothing: for another state the
page is shown anew. Without scripts.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_attacked import BASE, Attacked
from tests.jackfield_service.subjects.connect.connect_browser import Person

pytest_plugins = ["tests.jackfield_service.subjects.connect.connect_place"]

ANEW = "This has changed since its page was opened, perhaps in another tab. Nothing was done."
LISTED = "/v1/workspaces/acme-1/connections"


def tab(person: Person) -> Person:
    """Another tab of the same browser, which shows the same page."""
    return Person(person.port, person.cookies, person.page)


def connected(site: Attacked, user: str) -> None:
    """Connect an account of a user by his key."""
    values = {"server": site.provider.url, "testPath": "/me"}
    session = site.begin(
        user="ada", types=["http/bearer"], connection=f"of-{user}", defaults={"values": values}
    )
    person = (
        Person(site.stand.port)
        .go(session["url"])
        .begin()
        .press("Continue", token=f"{user}-token")
        .press("Connect")
    )
    assert (
        site.confirm(session, parse_qs(urlsplit(person.onward()).query)["proof"][0], "ada").status
        == 200
    )


def key_page(site: Attacked, **body: Any) -> tuple[dict[str, Any], Person]:
    """A session in which somebody is asked for a key."""
    values = {"server": site.provider.url, "testPath": "/me"}
    session = site.begin(
        user="ada", types=["http/bearer"], connection="main", defaults={"values": values}, **body
    )
    return session, Person(site.stand.port).go(session["url"]).begin()


def test_a_tab_disconnects_what_it_names(site: Attacked) -> None:
    """One tab asks whether to disconnect Alice's, another has gone on to Bob's: the first one's
    button does nothing, and shows Bob's.
    """
    for user in ("alice", "bob"):
        connected(site, user)
    session = site.begin(mode="manage", user="ada", types=[], defaults={}, connection="")
    first = Person(site.stand.port).go(session["url"]).begin()
    second = tab(first)
    address = next(path for path in first.visited if "/session/" in path)
    forms = {
        form.fields["connection"]: form for form in first._forms() if "connection" in form.fields
    }
    first.send(address, {**forms["of-alice"].fields, "step": "remove"})
    assert ("Disconnect" in first.said, "alice" in first.said, "bob" in first.said) == (
        True,
        True,
        False,
    )
    # the list is as old as the step of the first tab
    second.send(address, {**forms["of-bob"].fields, "step": "remove"})
    assert (ANEW in second.said, "alice" in second.said) == (True, True)
    second.press("Cancel")
    assert site.stored() == ["of-alice", "of-bob"]


def test_a_tab_connects_what_it_names(site: Attacked) -> None:
    """One tab says that Alice is connected; in another one Mallory's key was entered since: nobody
    is connected by the first.
    """
    session, first = key_page(site)
    first.press("Continue", token="alice-token")
    assert "Signed in as alice." in first.said
    second = tab(first)
    second.press("Use another token").press("Continue", token="mallory-token")
    assert "Signed in as mallory." in second.said
    first.press("Connect")
    assert (
        ANEW in first.said,
        "Signed in as mallory." in first.said,
        first.page and first.page.status,
    ) == (True, True, 409)
    assert site.stored() == []
    assert site.platform.get(f"{BASE}/{session['id']}").json["status"] == "testing"
    first.press("Connect")  # the page of now
    assert (
        site.confirm(session, parse_qs(urlsplit(first.onward()).query)["proof"][0], "ada").status
        == 200
    )
    assert site.platform.get(LISTED).json["items"][0]["account"]["label"] == "mallory"


@pytest.mark.parametrize("button", ["Connect", "Cancel", "Use another token"])
def test_each_step_is_of_its_page(site: Attacked, button: str) -> None:
    """Not only the last one: whatever an old page offers does nothing."""
    session, first = key_page(site)
    first.press("Continue", token="alice-token")
    second = tab(first).press("Use another token")
    second.press("Continue", token="mallory-token")
    before = site.platform.get(f"{BASE}/{session['id']}").json
    assert ANEW in first.press(button).said
    assert site.platform.get(f"{BASE}/{session['id']}").json == before


def test_a_platform_confirms_what_it_was_shown(site: Attacked) -> None:
    """With the digest of another state nothing is confirmed, and nothing ends; with the session's,
    and without one, it is.
    """
    session, person = key_page(site)
    person.press("Continue", token="alice-token")
    other = site.platform.get(f"{BASE}/{session['id']}").json["digest"]
    person.press("Use another token").press("Continue", token="mallory-token").press("Connect")
    proof = parse_qs(urlsplit(person.onward()).query)["proof"][0]
    shown = site.platform.get(f"{BASE}/{session['id']}").json
    assert (shown["status"], shown["account"]["label"]) == ("saved", "mallory")
    address = f"{BASE}/{session['id']}:confirm"
    for wrong in (other, ""):
        refused = site.platform.post(address, {"proof": proof, "user": "ada", "digest": wrong})
        assert (refused.status, refused.json["code"]) == (412, "version_conflict")
    for wrong in (1, None):
        assert (
            site.platform.post(address, {"proof": proof, "user": "ada", "digest": wrong}).status
            == 400
        )
    assert site.platform.get(f"{BASE}/{session['id']}").json == shown
    confirmed = site.platform.post(
        address, {"proof": proof, "user": "ada", "digest": shown["digest"]}
    )
    assert (confirmed.status, confirmed.json["status"]) == (200, "granted")


@pytest.mark.parametrize(
    "blank", ["   ", "\u00a0", "\u200b", "\ufeff", "\u200e \u202e", "\u00ad", "\u3164", "\u2800"]
)
def test_blanks_on_the_connect_page_are_no_key(site: Attacked, blank: str) -> None:
    """A person is asked for a value at the field, and nothing is tested or connected."""
    session = site.begin(
        user="ada",
        types=["http/bearer"],
        connection="main",
        defaults={"values": {"server": site.provider.url}},
    )
    person = Person(site.stand.port).go(session["url"]).begin().press("Continue", token=blank)
    assert ("Enter a value." in person.said, "Signed in as " in person.said) == (True, False)
    assert site.stored() == []
    person.press("Continue", token=f"{blank}ada-token{blank}").press("Connect")
    assert (
        site.confirm(
            session, person.onward().rpartition("proof=")[2].partition("&")[0], "ada"
        ).status
        == 200
    )
