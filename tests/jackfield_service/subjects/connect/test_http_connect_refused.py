"""Pages of a connect session that refuse: who may frame them, whom they tell, what they say; and
which window leads.
"""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_attacked import BASE, TYPE, Attacked
from tests.jackfield_service.subjects.connect.connect_browser import Person

from jackfield_store.access.platform_tokens import PlatformTokens

pytest_plugins = ["tests.jackfield_service.subjects.connect.connect_place"]

SHOP = "https://shop.example"
FRAMED = {"origins": [SHOP], "theme": {"name": "Shop GmbH"}}
AGAIN = "Go back to Shop GmbH and start again."
FRAME = {"Sec_Fetch_Dest": "iframe"}
WINDOW = {"Sec_Fetch_Dest": "document"}


def framers(person: Person) -> str:
    """Who may frame the page."""
    assert person.page is not None
    return person.page.headers["content-security-policy"].rsplit("frame-ancestors ", 1)[1]


def told(person: Person) -> dict[str, str]:
    """What the page tells the platform's."""
    found = re.search(r'data-told="([^"]*)"', person.text)
    said: dict[str, str] = json.loads(unescape(found[1])) if found else {}
    return said


def state(person: Person, begun: dict[str, Any]) -> dict[str, Any]:
    """What the page reads to follow its session."""
    found: dict[str, Any] = json.loads(person.go(f"/connect/session/{begun['id']}/state").text)
    return found


def nothing_to_press(person: Person) -> bool:
    """True if a page that somebody frames can do nothing."""
    return not re.search(r"<form|<button|<input", person.text)


def test_an_expired_session_is_said_where_it_is_shown(site: Attacked) -> None:
    """To the browser that has begun, on its page, after a form and on the link: in a customer's
    words, in the platform's frame, and the platform is told. The page that it had noticed it by the
    state.
    """
    begun = site.begin(types=["echo/token"], defaults={}, **FRAMED)
    ada = Person(site.stand.port).go(begun["url"], **FRAME).begin()
    csrf = ada.text.split('name="csrf" value="')[1].split('"')[0]
    assert state(ada, begun)["over"] is False
    site.clock.advance(1801)
    assert state(ada, begun)["over"] is True
    address = f"/connect/session/{begun['id']}"
    for path in (address, begun["url"], None):
        ada.go(path) if path else ada.send(address, {"csrf": csrf, "step": "submit"})
        assert (AGAIN in ada.said, "This link has expired" in ada.said, framers(ada)) == (
            True,
            True,
            SHOP,
        )
        assert told(ada) == {
            "session": begun["id"],
            "status": "expired",
            "reason": "nobody finished it in time",
        }
    assert [words in ada.go(address, **FRAME).text for words in (">Return<", ">Close<")] == [
        False,
        True,
    ]


def test_a_link_is_opened_too_late(site: Attacked) -> None:
    """Before Begin there is a page that follows the session by its link; Begin afterwards says what
    to do, also without a cookie.
    """
    begun = site.begin(types=["echo/token"], defaults={}, **FRAMED)
    link = urlsplit(begun["url"]).path
    ada = Person(site.stand.port).go(begun["url"])
    csrf = ada.text.split('name="csrf" value="')[1].split('"')[0]
    assert f'data-page="{link}"' in ada.text
    assert json.loads(Person(site.stand.port).go(f"{link}/state").text) == {
        "state": "pending",
        "over": False,
    }
    site.clock.advance(1801)
    assert json.loads(Person(site.stand.port).go(f"{link}/state").text) == {
        "state": "pending",
        "over": True,
    }
    for person in (ada, Person(site.stand.port)):
        person.send(link, {"csrf": csrf})
        assert (AGAIN in person.said, framers(person), told(person)["status"]) == (
            True,
            SHOP,
            "expired",
        )


def test_the_id_alone_frames_and_tells_nothing(site: Attacked) -> None:
    """Who knows the ID of a session, and has neither its link nor its cookie, sees what he sees of
    none: he learns neither that there is one nor who may frame it, however it goes, and also in a
    frame.
    """
    begun = site.begin(**FRAMED)
    ada = Person(site.stand.port).go(begun["url"]).begin()
    assert ada.page is not None
    for _ in range(2):
        for headers in ({}, FRAME):
            seen = []
            for identifier in (begun["id"], "6f2b7a52-0000-4000-8000-000000000000"):
                eve = Person(site.stand.port).go(f"/connect/session/{identifier}", **headers)
                assert eve.page is not None
                seen.append(
                    (
                        eve.page.status,
                        eve.said,
                        framers(eve),
                        told(eve),
                        eve.page.headers.get("x-frame-options"),
                    )
                )
            assert seen[0] == seen[1]
            assert seen[0][0] == 404
            assert seen[0][2:] == ("'none'", {}, "DENY")
        site.clock.advance(1801)


def test_who_is_refused_is_refused_in_the_frame(site: Attacked) -> None:
    """Another browser with the link, and one whose platform's token was revoked: the page can be
    framed by the session's origins alone, has nothing to press, and tells them that this browser
    cannot go on.
    """
    begun = site.begin(**FRAMED)
    Person(site.stand.port).go(begun["url"]).begin()
    bob = Person(site.stand.port).go(begun["url"], **FRAME)
    assert bob.page is not None
    assert (bob.page.status, framers(bob), told(bob)["status"], nothing_to_press(bob)) == (
        403,
        SHOP,
        "lost",
        True,
    )
    assert AGAIN in bob.said
    other = site.other_platform()
    made = other.post(
        BASE, {"user": "ada", "returnTo": f"{SHOP}/back", "types": ["slack/botToken"], **FRAMED}
    ).json
    ada = Person(site.stand.port).go(made["url"], **FRAME).begin()
    storage, found = site.stand.host.storage, site.stand.host.identities.find(other.token or "")
    assert found is not None
    PlatformTokens(storage.database, storage.vault, site.clock).revoke(found.id)
    ada.go(f"/connect/session/{made['id']}", **FRAME)
    assert ada.page is not None
    assert (ada.page.status, framers(ada), told(ada)["status"], nothing_to_press(ada)) == (
        404,
        SHOP,
        "lost",
        True,
    )


def test_a_frame_without_cookies_offers_a_window(site: Attacked) -> None:
    """A browser that keeps none there opens the link in a window, and the frame follows it by the
    link, to its end.
    """
    begun = site.begin(types=["echo/token"], defaults={}, verify="link", **FRAMED)
    frame = Person(site.stand.port).go(begun["url"], **FRAME)
    assert "data-begins" in frame.text
    frame.cookies.clear()
    # a browser of before such headers, in which a frame is not told from a page of its own
    frame.begin()
    assert "Your browser keeps no cookies of this page" in frame.said
    link = urlsplit(begun["url"]).path
    body = {"csrf": "0" * 64}
    kind = {"Content-Type": "application/x-www-form-urlencoded", **FRAME}
    frame.page = site.platform.call(
        "POST", link, urlencode(body).encode(), **kind, Sec_Fetch_Site="same-origin"
    )
    assert (
        f'href="{link}" class="button primary" target="_blank"' in frame.text,
        framers(frame),
    ) == (True, SHOP)
    ada = (
        Person(site.stand.port)
        .go(begun["url"], **WINDOW)
        .begin()
        .press("Continue", token="x")
        .press("Connect")
    )
    assert json.loads(Person(site.stand.port).go(f"{link}/state").text)["over"] is True
    frame.go(link, **FRAME)
    granted = {"session": begun["id"], "status": "granted"}
    assert (told(frame), "echo in the hall" in frame.said, "Connected" in frame.said) == (
        granted,
        False,
        True,
    )
    assert "echo in the hall" in ada.go(f"/connect/session/{begun['id']}").said


@pytest.mark.parametrize("same_site", [True, False])
def test_a_window_follows_and_the_frame_leads(site: Attacked, *, same_site: bool) -> None:
    """After a "no", the window has nothing to press and says where to go on, whether or not it
    shares the frame's cookie; the frame offers to try again. After a yes, the window finishes.
    """
    begun = site.begin(**FRAMED)
    frame = Person(site.stand.port).go(begun["url"], **FRAME)
    link = urlsplit(begun["url"]).path
    csrf = frame.text.split('name="csrf" value="')[1].split('"')[0]
    kind = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": "; ".join(f"{k}={v}" for k, v in frame.cookies.items()),
    }
    began = site.platform.call(
        "POST",
        link,
        urlencode({"csrf": csrf}).encode(),
        **kind,
        **FRAME,
        Sec_Fetch_Site="same-origin",
    )
    frame.cookies[began.headers["set-cookie"].partition("=")[0]] = (
        began.headers["set-cookie"].partition("=")[2].partition(";")[0]
    )
    address = f"/connect/session/{begun['id']}"
    for answer in ({"error": "access_denied"}, {"code": "adas-code"}):
        frame.go(address, **FRAME)
        if "error" not in answer:
            frame.press("Try again").go(address, **FRAME)
        start = next(part for part in frame.text.split('"') if part.startswith("/oauth2/start/"))
        nonce = frame.text.split('data-nonce="')[1].split('"')[0]
        window = Person(site.stand.port, dict(frame.cookies) if same_site else {}).go(
            start, **WINDOW
        )
        if not same_site:
            asked = window.text.split('name="csrf" value="')[1].split('"')[0]
            window.send(window.visited[-1], {"csrf": asked, "nonce": nonce})
        assert window.page is not None
        goes = window.page.headers.get("location") or window.onward()
        given = dict(part.split("=", 1) for part in urlsplit(goes).query.split("&"))
        window.go(f"/oauth2/callback?{urlencode({'state': given['state'], **answer})}")
        window.go(window.onward(), **WINDOW)
        if "error" in answer:
            assert (
                "Go on in the window in which you began" in window.said,
                nothing_to_press(window),
                told(window),
            ) == (True, True, {})
            assert told(frame.go(address, **FRAME))["status"] == "declined"
            assert state(window, begun) == state(frame, begun)
    assert "Finish there" in frame.go(address, **FRAME).said
    window.press("Connect")
    assert "proof=" in window.text


@pytest.mark.parametrize("locale", ["en", "de"])
def test_no_name_of_a_connection_is_shown(site: Attacked, locale: str) -> None:
    """Not on any page on which a customer connects, connects again, manages and disconnects; the
    session's labels are on all of them, and the account. What nobody has approved yet is not among
    the connections.
    """
    words = {
        "en": ("Begin", "Continue", "Connect", "Connect again", "Disconnect"),
        "de": ("Beginnen", "Weiter", "Verbinden", "Neu verbinden", "Trennen"),
    }
    begin, onward, connect, again, remove = words[locale]
    labels = {"echo/token": {"title": "Hall of Echoes"}}
    more: dict[str, Any] = {
        "verify": "link",
        "locale": locale,
        "labels": labels,
        "theme": {"name": "Shop GmbH"},
    }
    first = site.begin(types=["echo/token"], defaults={}, connection="internal-7", **more)
    ada, pages = Person(site.stand.port).go(first["url"]).press(begin), []
    pages.append(ada.said)
    pages.append(ada.press(onward, token="x").said)
    pages.append(ada.press(connect).go(f"/connect/session/{first['id']}").said)
    site.at_provider(site.begin(types=[TYPE], connection="internal-8"))
    assert site.stored() == ["internal-7", "internal-8"]
    manage = site.begin(mode="manage", types=[], defaults={}, connection="", **more)
    bob = Person(site.stand.port).go(manage["url"]).press(begin)
    pages.append(bob.said)
    assert bob.said.count("Hall of Echoes") == 1
    pages.append(bob.press(again).said)
    pages.append(bob.go(f"/connect/session/{manage['id']}").said)
    last = site.begin(mode="manage", types=[], defaults={}, connection="", **more)
    eve = Person(site.stand.port).go(last["url"]).press(begin)
    pages.append(eve.press(remove).said)
    pages.append(eve.press(remove).go(f"/connect/session/{last['id']}").said)
    assert [page for page in pages if "internal" in page] == []
    assert [page for page in pages if "Hall of Echoes" not in page] == []
    assert [page for page in pages if "echo-1" in page] == [], "an ID says nothing beside a label"
    assert ["The echo in the hall" in page for page in pages] == [
        False,
        True,
        True,
        True,
        True,
        True,
        True,
        False,
    ]
