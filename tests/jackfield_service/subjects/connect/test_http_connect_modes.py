"""Each mode of a connect session with each way to sign in: a confirmation that has done its work
answers 200, and is told once.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_attacked import BASE, TYPE, Attacked
from tests.jackfield_service.subjects.connect.connect_browser import Person

from http_stand import Client
from jackfield_store.connections.revocations import DueRevocations

pytest_plugins = ["tests.jackfield_service.subjects.connect.connect_place"]

TYPES = {"key": "http/bearer", "approved": TYPE, "revocable": TYPE, "role": "aws-ses/awsAssumeRole"}
ROLE = {
    "roleARN": "arn:aws:iam::123456789012:role/jackfield",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "s3cret-key",
    "region": "eu-west-1",
    "sender": "noreply@example.com",
}
WAYS = ("key", "approved", "revocable")
"""Ways that can be used without AWS; a role is only removed here."""


def values(site: Attacked, way: str) -> dict[str, Any]:
    """Values of a connection."""
    url = site.provider.url
    if way == "role":
        return ROLE
    if way == "key":
        return {"server": url, "token": "adas-token", "testPath": "/me"}
    revocation = {"revocationUrl": f"{url}/revoke"} if way == "revocable" else {}
    return {
        "server": url,
        "authorizationUrl": f"{url}/authorize",
        "tokenUrl": f"{url}/token",
        "clientId": "c",
        "issuer": url,
        **revocation,
    }


def begun(site: Attacked, way: str, **body: Any) -> dict[str, Any]:
    """A session in which the platform gives all values."""
    kinds = site.stand.host.runtime("acme-1").connections.kinds
    defaults = {
        "values": values(site, way),
        "locked": [*kinds.find(TYPES[way]).schema["properties"]],
    }
    return site.begin(types=[TYPES[way]], **{"defaults": defaults, **body})


def finished(site: Attacked, session: dict[str, Any], way: str) -> str:
    """What a person does to connect; return the proof."""
    if way != "key":
        return site.approved(session)[1]
    person = Person(site.stand.port).go(session["url"]).begin()
    person.press("Continue").press("Connect")
    return parse_qs(urlsplit(person.onward()).query)["proof"][0]


def removed(site: Attacked, session: dict[str, Any]) -> str:
    """What a person does to disconnect the only connection; return the proof."""
    person = (
        Person(site.stand.port).go(session["url"]).begin().press("Disconnect").press("Disconnect")
    )
    return parse_qs(urlsplit(person.onward()).query)["proof"][0]


def told(site: Attacked, session: dict[str, Any]) -> list[tuple[str, bool]]:
    """Types of the events of a session, and whether they say that the account was disconnected."""
    token = site.platform.post(
        "/v1/workspaces/acme-1/tokens", {"scope": "read", "name": "reader"}
    ).json["token"]
    found = Client(site.stand.port, token).get("/v1/events?types=connect.*&limit=100").json["items"]
    return [
        (item["type"], item["data"].get("disconnected", False))
        for item in found
        if item["data"].get("session") == session["id"]
    ]


@pytest.mark.parametrize("way", WAYS)
def test_an_account_is_connected_and_connected_again(site: Attacked, way: str) -> None:
    """``connect``, then ``reauth``."""
    for mode in ("connect", "reauth"):
        session = begun(site, way, mode=mode)
        answer = site.confirm(session, finished(site, session, way))
        assert (answer.status, answer.json["status"], told(site, session)) == (
            200,
            "granted",
            [("connect.completed", False)],
        ), answer.body
    assert site.stored() == ["main"]


@pytest.mark.parametrize("one", [True, False], ids=["one", "all"])
@pytest.mark.parametrize("way", TYPES)
def test_an_account_is_disconnected(site: Attacked, way: str, *, one: bool) -> None:
    """``manage``, of one connection or of all: the provider of an approval is told once, and
    nothing remains to be told.
    """
    site.authority.revoked.clear()
    if way in WAYS:
        first = begun(site, way)
        assert site.confirm(first, finished(site, first, way)).status == 200
    else:
        site.stand.host.runtime("acme-1").connections.add(
            "main", TYPES[way], values(site, way), test=False
        )
    session = site.begin(
        mode="manage",
        types=[],
        defaults={},
        allConnections=way == "role",
        **({} if one else {"connection": ""}),
    )
    answer = site.confirm(session, removed(site, session))
    assert (answer.status, answer.json["status"], answer.json["disconnected"]) == (
        200,
        "granted",
        True,
    ), answer.body
    assert (site.stored(), told(site, session)) == ([], [("connect.completed", True)])
    assert site.authority.revoked == (["ada-refresh"] if way == "revocable" else [])
    site.clock.advance(86_400)
    storage = site.stand.host.storage
    assert DueRevocations(storage.database, site.clock, storage.blocked).claimed_rows(20) == []


@pytest.mark.parametrize("begins", [False, True], ids=["list", "form"])
def test_who_only_looks_has_not_failed(site: Attacked, *, begins: bool) -> None:
    """Cancelling the list, or what was begun from it, changes nothing, and is told as that."""
    first = begun(site, "key")
    assert site.confirm(first, finished(site, first, "key")).status == 200
    session = site.begin(mode="manage", types=[], defaults={})
    person = Person(site.stand.port).go(session["url"]).begin()
    person = person.press("Connect again") if begins else person
    assert "Nothing was changed" in person.press("Cancel" if begins else "Done").said
    answer = site.platform.get(f"/v1/workspaces/acme-1/connect-sessions/{session['id']}").json
    assert (answer["status"], answer["unchanged"], "reason" in answer) == ("granted", True, False)
    assert (site.stored(), told(site, session)) == (["main"], [("connect.completed", False)])


def test_a_confirmation_comes_too_late(site: Attacked) -> None:
    """The provider's answer waits for ten minutes, and the session no longer."""
    session = begun(site, "approved")
    proof = finished(site, session, "approved")
    assert site.status(session) == "saved"
    site.clock.advance(700)
    assert site.status(session) == "failed"
    answer = site.confirm(session, proof)
    assert (answer.status, site.stored()) == (409, [])


def test_connecting_again_says_so(site: Attacked) -> None:
    """The page before the approval says that it is again, and what comes next; the one after it
    names what is connected.
    """
    first = begun(site, "approved")
    assert site.confirm(first, finished(site, first, "approved")).status == 200
    session = begun(site, "approved", mode="reauth")
    person = (
        Person(site.stand.port)
        .go(site.begin(mode="manage", types=[], defaults={})["url"])
        .begin()
        .press("Connect again")
    )
    assert "Connect 127.0.0.1 again" in person.said
    assert "You sign in with the provider of the account, and approve there." in person.said
    browser, state = site.at_provider(session)
    browser = site.answered(browser, state, "adas-code")
    assert "Connect 127.0.0.1 to The Shop?" in browser.go(browser.onward()).said


def test_two_providers_of_one_type_have_names_of_their_own(site: Attacked) -> None:
    """The words of the session that connected an account stay its own, in one list: beside those of
    another provider over the same type, and beside labels of the list's session, which are for all
    of the type. Each has its account, and none is counted.
    """
    for name, title in (("crm", "Acme CRM"), ("mail", "Zed Mail")):
        session = begun(site, "key", connection=name, labels={"http/bearer": {"title": title}})
        person = Person(site.stand.port).go(session["url"]).begin().press("Continue")
        assert "Signed in as adas." in person.said
        person.press("Connect")
        assert (
            site.confirm(session, parse_qs(urlsplit(person.onward()).query)["proof"][0]).status
            == 200
        )
        assert site.platform.get(f"{BASE}/{session['id']}").json["account"] == {
            "id": "adas",
            "label": "adas",
        }
    for labels in ({}, {"http/bearer": {"title": "Our provider"}}, {}):
        session = site.begin(mode="manage", types=[], defaults={}, connection="", labels=labels)
        listed = Person(site.stand.port).go(session["url"]).begin()
        cards = re.findall(r'<li class="card">.*?</li>', listed.text, re.DOTALL)
        assert [re.sub(r"<[^>]*>", " ", card).split()[:3] for card in cards] == [
            ["A", "Acme", "CRM"],
            ["Z", "Zed", "Mail"],
        ]
        assert all("<p>adas</p>" in card and "(2)" not in card for card in cards)
        again = listed.press("Connect again")
        assert "Connect Acme CRM again" in again.said
        again.press("Continue", token="adas-token").press("Connect")
        assert (
            site.confirm(session, parse_qs(urlsplit(again.onward()).query)["proof"][0]).status
            == 200
        )


def test_what_was_typed_stays(site: Attacked) -> None:
    """A form that was refused has what the person typed, without secrets, and says of an empty
    field to enter a value.
    """
    session = site.begin(types=["http/bearer"], defaults={}, fields=["server"])
    person = Person(site.stand.port).go(session["url"]).begin()
    person.press("Continue", server=site.provider.url, token="")
    assert ("Enter a value." in person.said, f'value="{site.provider.url}"' in person.text) == (
        True,
        True,
    )
    person.press("Continue", server="no address", token="a-very-secret-token")
    assert ("no address" in person.text, "a-very-secret-token" in person.text) == (True, False)
