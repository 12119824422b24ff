"""Connect sessions: a platform's user connects an account on the server's page, and the platform
confirms who that was.
"""

from __future__ import annotations

import json
import logging
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_browser import Person

from clocks import FakeClock
from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers.actor import Actor
from jackfield_service.shell.pages.layout.theme import (
    ENOUGH,
    accents,
    backgrounds,
    contrast,
    source_of,
)
from jackfield_service.subjects.connect.table import session_place
from jackfield_store.access import Audit
from jackfield_store.access.platform_tokens import PlatformTokens
from replies import Reply

BACK = "https://shop.example/settings/connections"
BASE = "/v1/workspaces/acme-1/connect-sessions"


@dataclass
class Shop:
    """A platform with one tenant, and the server."""

    stand: Stand
    platform: Client
    clock: FakeClock

    def begin(self, **body: Any) -> dict[str, Any]:
        """Begin a session for the user ``ada``."""
        answer = self.platform.post(
            BASE,
            {
                "user": "ada",
                "returnTo": BACK,
                "types": ["echo/token"],
                "connection": "main",
                **body,
            },
        )
        assert answer.status == 201, answer.body
        found: dict[str, Any] = answer.json
        assert found.keys() == {"id", "url", "expiresAt"}
        return found

    def person(self, begun: dict[str, Any] | None = None, **headers: str) -> Person:
        """Somebody, who opens a session's link."""
        somebody = Person(self.stand.port)
        return somebody.go(begun["url"], **headers) if begun is not None else somebody

    def confirm(
        self, begun: dict[str, Any], proof: str, user: str = "ada", client: Client | None = None
    ) -> Reply:
        """What the platform's server does when somebody comes back."""
        return (client or self.platform).post(
            f"{BASE}/{begun['id']}:confirm", {"proof": proof, "user": user}
        )

    def status(self, begun: dict[str, Any]) -> str:
        """State of a session."""
        return str(self.platform.get(f"{BASE}/{begun['id']}").json["status"])

    def connections(self) -> dict[str, Any]:
        """The tenant's connections, by name."""
        return {
            row["name"]: row
            for row in self.platform.get("/v1/workspaces/acme-1/connections").json["items"]
        }

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """The tenant's events of connect sessions."""
        token = self.platform.post(
            "/v1/workspaces/acme-1/tokens", {"scope": "read", "name": "reader"}
        ).json["token"]
        found = Client(self.stand.port, token).get("/v1/events?types=connect.*").json["items"]
        return [(item["type"], item["data"]) for item in found]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One server for all tests."""
    clock = FakeClock()
    with standing(tmp_path_factory.mktemp("connect"), SETTINGS, clock=clock) as stand:
        storage = stand.host.storage
        made = PlatformTokens(storage.database, storage.vault, clock, Actor("cli", "ada")).create(
            "acme-*", "The Shop"
        )
        shop = Shop(stand, Client(stand.port, made.text), clock)
        assert shop.platform.call("PUT", "/v1/workspaces/acme-1", {}).status == 201
        yield shop


@pytest.fixture
def shop(place: Shop) -> Shop:
    """The platform, whose tenant has no connection yet."""
    place.platform.call(
        "PATCH", "/v1/workspaces/acme-1", {"suspended": False, "limits": {"connections": None}}
    )
    connections = place.stand.host.runtime("acme-1").connections
    for name in place.connections():
        connections.remove(name)
    return place


def proof_of(address: str) -> str:
    """The proof in the address to which a browser returns."""
    return parse_qs(urlsplit(address).query)["proof"][0]


def test_a_person_connects_with_a_key(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Begin, the values, the account, and back to the platform, whose server confirms: only then
    there is a connection. Nothing that the person entered is in an event, a log, the audit log or
    an address.
    """
    caplog.set_level(logging.DEBUG)
    begun = shop.begin(types=["echo/token", "echo/token"])
    ada = shop.person(begun)
    assert "The Shop asks you" in ada.said
    assert shop.status(begun) == "pending"
    ada.begin()
    assert shop.status(begun) == "opened"
    ada.press("Continue", token="a-very-secret-token")
    assert ("Signed in as The echo in the hall." in ada.said, 'title="echo-1"' in ada.text) == (
        True,
        True,
    )
    assert (shop.status(begun), shop.connections()) == ("testing", {})
    ada.press("Connect")
    address = ada.onward()
    assert address.startswith(f"{BACK}?session={begun['id']}&proof=")
    assert (shop.status(begun), shop.connections(), ada.clicks) == ("saved", {}, 3)
    done = shop.confirm(begun, proof_of(address))
    assert (done.status, done.json["status"], done.json["account"]["id"]) == (
        200,
        "granted",
        "echo-1",
    )
    assert shop.connections()["main"]["status"] == "ok"
    kind, data = shop.events()[-1]
    assert (kind, data["connection"], data["user"], data["session"]) == (
        "connect.completed",
        "main",
        "ada",
        begun["id"],
    )
    storage = shop.stand.host.storage
    entries, _ = Audit(storage.database, lambda: storage.vault, "acme-1", shop.clock).list(limit=50)
    told = (
        str([entry.to_json() for entry in entries])
        + str(shop.events())
        + caplog.text
        + str(ada.visited)
        + str(done.json)
    )
    assert "a-very-secret-token" not in told
    assert (
        proof_of(address)
        not in str([entry.to_json() for entry in entries]) + str(shop.events()) + caplog.text
    )
    created = next(entry.about for entry in entries if entry.about["event"] == "connection.created")
    assert (created["actor"]["kind"], created["actor"]["onBehalfOf"]) == ("platform", "ada")


def test_a_test_that_fails_says_what_to_do(shop: Shop) -> None:
    """The step that failed is shown with its cure, and the values can be corrected; a fault of a
    value stands at its field.
    """
    begun = shop.begin()
    ada = shop.person(begun).begin().press("Continue")
    assert 'aria-invalid="true"' in ada.text
    ada.press("Continue", token="bad")
    assert "The echo does not know the token." in ada.said
    assert "Make up another one." in ada.said
    ada.press("Continue", token="good", greeting="Hello")
    assert "Signed in as " in ada.said
    ada.press("Change the values").press("Continue")
    assert "Signed in as " in ada.said, "the secret that was entered is kept"
    assert 'value="good"' not in ada.text


def test_the_person_chooses_a_system(shop: Shop) -> None:
    """Several types are offered by name; without a name from the platform the connection gets one
    that is free.
    """
    begun = shop.begin(types=[], connection="")
    ada = shop.person(begun).begin()
    assert "What do you want to connect?" in ada.said
    ada.press("Echo").press("Continue", token="x").press("Connect")
    assert ada.clicks <= 6
    assert shop.confirm(begun, proof_of(ada.onward())).json["connection"] == "echo"


def test_a_version_without_a_member_reads_a_session(shop: Shop) -> None:
    """During a rolling upgrade, a process of the version before refuses a session with a member
    that it does not know: what is empty is not stored.
    """
    begun = shop.begin()
    shop.person(begun).begin()
    storage = shop.stand.host.storage
    with storage.database.read() as transaction:
        row = transaction.execute(
            "SELECT * FROM connect_sessions WHERE id = :id", {"id": begun["id"]}
        )[0]
    place = session_place(row.id, row.digest, row.status, row.expires_at)
    members = json.loads(storage.vault.open("acme-1", place, row.sealed))
    assert ("browser" in members, "opener" in members) == (True, False)


@pytest.mark.parametrize(("verify", "refused"), [("link", False), ("browser", True)])
def test_a_session_without_a_confirmation(shop: Shop, verify: str, refused: bool) -> None:
    """``link`` is for whoever has the link, and says so in the audit log; ``browser`` opens for a
    browser that comes from the platform.
    """
    begun = shop.begin(verify=verify, returnTo=BACK.replace(".example", ".example:443"))
    ada = shop.person(begun)
    assert ("does not work here" in ada.said) is refused
    assert ("for the user ada" in ada.said) is not refused
    ada.go(begun["url"], Referer="https://shop.example/").begin().press(
        "Continue", token="x"
    ).press("Connect")
    assert "proof" not in ada.onward()
    assert shop.status(begun) == "granted"
    assert shop.connections()["main"]["status"] == "ok"
    assert shop.confirm(begun, "made-up").status == 409


def test_values_of_the_platform(shop: Shop) -> None:
    """Its own values fill the form; those that are locked are not shown and cannot be sent."""
    begun = shop.begin(
        defaults={
            "values": {"token": "the-platforms-own", "greeting": "Hello"},
            "locked": ["token"],
        }
    )
    ada = shop.person(begun).begin()
    assert "the-platforms-own" not in ada.text
    assert 'value="Hello"' in ada.text
    assert "value.token" not in ada.text
    ada.press("Continue").press("Connect")
    assert shop.confirm(begun, proof_of(ada.onward())).status == 200
    token = shop.platform.post(
        "/v1/workspaces/acme-1/tokens", {"scope": "read", "name": "reader"}
    ).json["token"]
    assert (
        Client(shop.stand.port, token).get("/v1/connections/main").json["values"]["greeting"]
        == "Hello"
    )


def test_a_locked_value_that_is_wrong_is_told(shop: Shop) -> None:
    """The person does not see its field, and cannot change it: the platform is told. One that the
    person sees can be corrected.
    """
    asked = {
        "user": "ada",
        "returnTo": BACK,
        "types": ["echo/token"],
        "defaults": {"values": {"greeting": 5}, "locked": ["greeting"]},
    }
    refused = shop.platform.post(BASE, asked)
    assert (refused.status, refused.json["details"][0]["path"]) == (
        400,
        "/defaults/values/greeting",
    )
    assert "Greeting" in shop.person(shop.begin(defaults={"values": {"greeting": 5}})).begin().said


def test_a_platform_gives_an_external_id(shop: Shop) -> None:
    """A customer whose role demands an External ID already keeps it: the platform, which knows
    whose it is, gives it for a new connection. Neither the person nor another workspace can choose
    it, and the refusal is that of any other.
    """
    asks = {"actions": ["sendEmail"], "principal": "arn:aws:iam::111122223333:user/shop"}
    role = {"types": ["aws-ses/awsAssumeRole"], "connection": "role", **asks}
    keys = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s3cret"}
    ada = shop.person(
        shop.begin(**role, defaults={"values": {**keys, "externalId": "jf-HUT-4711"}})
    ).begin()
    assert "jf-HUT-4711" in ada.text
    assert "value.externalId" not in ada.text
    eve = shop.person(shop.begin(**role, defaults={"values": keys})).begin()
    assert "jf-HUT-4711" not in eve.text
    for wrong in (1, "a", "x" * 1225, "with space", "über", "a\n"):
        answer = shop.platform.post(
            BASE,
            {
                "user": "ada",
                "returnTo": BACK,
                **role,
                "defaults": {"values": {**keys, "externalId": wrong}},
            },
        )
        assert (answer.status, answer.json["details"][0]["path"]) == (
            400,
            "/defaults/values/externalId",
        ), wrong
    assert (
        shop.platform.call("PATCH", "/v1/workspaces/acme-1", {"allowOwnExternalId": True}).json[
            "allowOwnExternalId"
        ]
        is True
    )
    shop.platform.call("PATCH", "/v1/workspaces/acme-1", {"allowOwnExternalId": False})


def test_a_connection_is_connected_again(shop: Shop) -> None:
    """``reauth`` replaces the values of the connection under its name; a session about one that is
    not there is refused.
    """
    assert (
        shop.platform.post(
            BASE, {"mode": "reauth", "user": "ada", "returnTo": BACK, "connection": "main"}
        ).status
        == 404
    )
    first = shop.begin()
    ada = shop.person(first).begin().press("Continue", token="old").press("Connect")
    assert shop.confirm(first, proof_of(ada.onward())).status == 200
    assert (
        shop.platform.post(BASE, {"user": "ada", "returnTo": BACK, "connection": "main"}).status
        == 409
    )
    again = shop.begin(mode="reauth", types=[])
    ada = shop.person(again).begin()
    assert "Connect Echo: Token again" in ada.said
    ada.press("Continue", token="new").press("Connect")
    assert shop.confirm(again, proof_of(ada.onward())).json["status"] == "granted"
    assert list(shop.connections()) == ["main"]


def test_a_locked_value_outlasts_a_second_session(shop: Shop) -> None:
    """Locked again, without a value in the session, the stored one stays; the person neither sees
    nor sends it.
    """
    first = shop.begin(
        defaults={"values": {"token": "t", "greeting": "Hello"}, "locked": ["greeting"]}
    )
    ada = shop.person(first).begin().press("Continue", token="old").press("Connect")
    assert shop.confirm(first, proof_of(ada.onward())).status == 200
    again = shop.begin(mode="reauth", types=[], defaults={"locked": ["greeting"]})
    ada = shop.person(again).begin()
    assert "value.greeting" not in ada.text
    ada.press("Continue", token="new").press("Connect")
    assert shop.confirm(again, proof_of(ada.onward())).status == 200
    token = shop.platform.post(
        "/v1/workspaces/acme-1/tokens", {"scope": "read", "name": "reader"}
    ).json["token"]
    assert (
        Client(shop.stand.port, token).get("/v1/connections/main").json["values"]["greeting"]
        == "Hello"
    )


def test_a_value_that_decides_is_not_changed_by_connecting_again(shop: Shop) -> None:
    """A tenant of SES that the platform has set is not in the form of a later session, although
    that locks nothing.
    """
    values = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "s3cret-key",
        "region": "eu-west-1",
        "tenant": "acme",
    }
    shop.stand.host.runtime("acme-1").connections.add(
        "mail", "aws/apiKeySecret", values, test=False
    )
    again = shop.begin(mode="reauth", types=[], connection="mail")
    ada = shop.person(again).begin()
    assert ("value.region" in ada.text, "value.tenant" in ada.text) == (True, False)
    shop.stand.host.runtime("acme-1").connections.remove("mail")


@pytest.mark.parametrize("opened", [False, True])
def test_a_connection_is_removed_meanwhile(shop: Shop, *, opened: bool) -> None:
    """The page of a session about it says that it is not there any more, at every step, and ends
    without a fault of the server.
    """
    first = shop.begin()
    ada = shop.person(first).begin().press("Continue", token="old").press("Connect")
    assert shop.confirm(first, proof_of(ada.onward())).status == 200
    again = shop.begin(mode="reauth", types=[])
    bob = shop.person(again)
    if opened:
        bob.begin()
    shop.stand.host.runtime("acme-1").connections.remove("main")
    bob.press("Continue", token="new") if opened else bob.begin()
    assert bob.page is not None
    assert (bob.page.status, "main" in bob.said) == (404, False)
    assert bob.go(f"/connect/session/{again['id']}").page.status < 500  # type: ignore[union-attr]
    assert shop.connections() == {}


def test_a_session_does_what_it_is_for_only(shop: Shop) -> None:
    """With forms of one's own, ``reauth`` removes nothing and makes nothing new, and ``connect``
    changes no connection that exists.
    """
    first = shop.begin()
    ada = shop.person(first).begin().press("Continue", token="old").press("Connect")
    assert shop.confirm(first, proof_of(ada.onward())).status == 200
    for mode, connection, steps in (
        ("reauth", "main", ("remove", "choose")),
        ("connect", "other", ("again", "remove")),
    ):
        begun = shop.begin(mode=mode, connection=connection)
        eve = shop.person(begun).begin()
        csrf = eve.text.split('name="csrf" value="')[1].split('"')[0]
        for step in steps:
            form = {"csrf": csrf, "step": step, "connection": "main", "type": "echo/token"}
            eve.send(f"/connect/session/{begun['id']}", form).send(
                f"/connect/session/{begun['id']}", {"csrf": csrf, "step": "finish"}
            )
            assert shop.status(begun) == "opened", (mode, step)
    assert list(shop.connections()) == ["main"]


def test_connections_are_managed(shop: Shop) -> None:
    """``manage`` lists the workspace's connections; one is disconnected when the platform has
    confirmed who asked for that.
    """
    first = shop.begin()
    ada = shop.person(first).begin().press("Continue", token="old").press("Connect")
    assert shop.confirm(first, proof_of(ada.onward())).status == 200
    begun = shop.begin(mode="manage", types=[], connection="")
    ada = shop.person(begun).begin()
    assert (
        "The echo in the hall" in ada.said,
        "echo-1" in ada.said,
        'title="echo-1"' in ada.text,
    ) == (True, False, True)
    ada.press("Disconnect")
    assert ("Disconnect Echo: Token?" in ada.said, "main" in ada.said) == (True, False)
    ada.press("Disconnect")
    assert list(shop.connections()) == ["main"]
    assert shop.confirm(begun, proof_of(ada.onward())).status == 200
    assert shop.connections() == {}


def test_many_connections_are_searched(shop: Shop) -> None:
    """The page has at most 60 kB however many connections there are, and offers a search."""
    known = shop.stand.host.runtime("acme-1").connections
    for number in range(50):
        known.add(f"account-{number:02}", "echo/token", {"token": "secret-4711"}, test=False)
    logo = f"data:image/png;base64,{'A' * 23_900}"
    begun = shop.begin(
        mode="manage", types=[], connection="", theme={"logo": logo}, allConnections=True
    )
    ada = shop.person(begun).begin()
    assert len(ada.text.encode()) <= 60_000
    assert (
        "10 more." in ada.said,
        "(2)" in ada.said,
        "(49)" in ada.said,
        "account" in ada.said,
    ) == (True, True, False, False)
    ada.go(f"/connect/session/{begun['id']}?q=echo+(49)")
    assert ("(49)" in ada.said, "(2)" in ada.said) == (True, False)
    ada.press("Disconnect")
    assert "Disconnect Echo: Token (49)?" in ada.said
    ada.press("Disconnect")
    assert shop.confirm(begun, proof_of(ada.onward())).json["connection"] == "account-48"


def test_a_scanner_spends_nothing(shop: Shop) -> None:
    """A mail scanner, a preview and a prefetching browser may open the link; the person's browser
    still is the first.
    """
    begun = shop.begin()
    path = urlsplit(begun["url"]).path
    for method, headers in (("HEAD", {}), ("GET", {}), ("GET", {"Sec_Purpose": "prefetch"})):
        assert Client(shop.stand.port).call(method, path, **headers).status == 200
    assert shop.status(begun) == "pending"
    assert "Continue" in shop.person(begun).begin().said
    assert Client(shop.stand.port).get(path).status == 403


def test_what_frames_and_remembers_the_page(shop: Shop) -> None:
    """Only the session's own origins may frame it; its address is sent to nobody; no cache keeps
    it, and only the server's script runs.
    """
    for origins, frames in (([], "'none'"), (["https://shop.example"], "https://shop.example")):
        page = shop.person(shop.begin(origins=origins)).page
        assert page is not None
        policy = page.headers["content-security-policy"]
        assert f"frame-ancestors {frames}" in policy
        assert "script-src 'self'; connect-src 'self';" in policy
        assert "default-src 'none'" in policy
        assert ("x-frame-options" in page.headers) is not bool(origins)
        assert (page.headers["referrer-policy"], page.headers["cache-control"]) == (
            "no-referrer",
            "no-store",
        )
        assert {"HttpOnly", "SameSite=Lax"} <= set(page.headers["set-cookie"].split("; "))


def test_the_page_is_small_and_speaks_two_languages(shop: Shop) -> None:
    """With its style sheet a page has at most 60 kB; its language is the platform's choice, or the
    browser's.
    """
    begun = shop.begin()
    ada = shop.person(begun, Accept_Language="de-DE,de;q=0.9")
    assert ("Beginnen" in ada.said, 'lang="de"' in ada.text) == (True, True)
    sheet = re.search(r'href="(/assets/[^"]+)"', ada.text)
    assert sheet is not None
    ada.begin()
    assert len(ada.text) + len(Client(shop.stand.port).get(sheet[1]).body) < 60_000
    assert "Beginnen" in shop.person(shop.begin(locale="de")).said


def test_a_session_is_cancelled(shop: Shop) -> None:
    """By the platform or by the person; then nothing is left to do, and the event says why."""
    begun = shop.begin()
    assert shop.platform.call("DELETE", f"{BASE}/{begun['id']}").status == 204
    assert "Nothing was connected" in shop.person(begun).said
    other = shop.begin()
    ada = shop.person(other).begin().press("Cancel")
    assert "Nothing was connected. You can close this page." in ada.said
    assert shop.events()[-1][1]["reason"] == "the person has cancelled it"


@pytest.mark.parametrize(
    ("asked", "said", "status"),
    [
        ({}, "Nothing was connected. You can close this page.", "failed"),
        (
            {"types": ["echo/token", "slack/botToken"]},
            "Nothing was connected. You can close this page.",
            "failed",
        ),
        (
            {"mode": "manage", "types": [], "connection": ""},
            "Your connections are as they were.",
            "granted",
        ),
    ],
    ids=["one type", "several", "manage"],
)
def test_a_link_is_cancelled_before_anything_has_begun(
    shop: Shop, asked: dict[str, Any], said: str, status: str
) -> None:
    """The first page has a way out, too, which leads back to the platform. It ends nothing that has
    begun in another browser, and a form that is none of this browser's pages ends nothing.
    """
    begun = shop.begin(**asked)
    ada = shop.person(begun)
    stranger = Person(ada.port).send(urlsplit(begun["url"]).path, {"csrf": "x", "step": "cancel"})
    assert (stranger.page and stranger.page.status, shop.status(begun)) == (403, "pending")
    ada.press("Cancel")
    assert (
        said in ada.said,
        f'href="{BACK}?session={begun["id"]}"' in ada.text,
        shop.status(begun),
    ) == (True, True, status)
    again = shop.begin(**asked)
    other, first = shop.person(again), shop.person(again)
    first.begin()
    other.press("Cancel")
    assert ("opened in another browser" in other.said, shop.status(again)) == (True, "opened")


def test_sessions_are_listed_by_page(shop: Shop) -> None:
    """Those of the last week, those that last longest first, without their links; a cursor leads to
    the next page.
    """
    begun = [shop.begin(expiresIn=seconds) for seconds in (600, 86_400, 1200)]
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = shop.platform.get(f"{BASE}?limit=2{cursor and f'&cursor={cursor}'}").json
        found, cursor = [*found, *page["items"]], page["nextCursor"]
    identifiers = [one["id"] for one in found]
    assert len(set(identifiers)) == len(identifiers)
    assert [one for one in identifiers if one in {made["id"] for made in begun}] == [
        begun[number]["id"] for number in (1, 2, 0)
    ]
    assert found[0] == shop.platform.get(f"{BASE}/{begun[1]['id']}").json
    assert not any(one["url"].rpartition("/")[2] in str(found) for one in begun)


def test_limits_and_suspension(shop: Shop) -> None:
    """A workspace whose limit of connections is reached begins no session for another one; a
    suspended one has no page.
    """
    begun = shop.begin()
    ada = shop.person(begun).begin()
    shop.platform.call("PATCH", "/v1/workspaces/acme-1", {"limits": {"connections": 0}})
    answer = shop.platform.post(BASE, {"user": "ada", "returnTo": BACK})
    assert (answer.status, answer.json["limit"]) == (429, "connections")
    shop.platform.call("PATCH", "/v1/workspaces/acme-1", {"suspended": True})
    assert ada.go(f"/connect/session/{begun['id']}").page.status == 403  # type: ignore[union-attr]


def test_the_page_of_a_suspended_workspace_is_closed(shop: Shop) -> None:
    """It says so to who has the link or has begun, in their language; the session's ID alone tells
    nobody whether it is.
    """
    begun, other = shop.begin(), shop.begin(locale="de", connection="second")
    ada = shop.person(begun).begin()
    shop.platform.call("PATCH", "/v1/workspaces/acme-1", {"suspended": True})
    closed = (
        "Nothing can be connected here at the moment",
        "Zurzeit kann hier nichts verbunden werden",
    )
    for page, said in zip(
        (ada.go(f"/connect/session/{begun['id']}"), shop.person(other)), closed, strict=True
    ):
        assert page.page is not None
        assert (page.page.status, said in page.said, "its time is over" in page.said) == (
            403,
            True,
            False,
        )
    stranger = shop.person().go(f"/connect/session/{begun['id']}")
    assert stranger.page is not None
    assert (stranger.page.status, "at the moment" in stranger.said) == (404, False)
    shop.platform.call("PATCH", "/v1/workspaces/acme-1", {"suspended": False})
    assert "at the moment" not in ada.go(f"/connect/session/{begun['id']}").said


@pytest.mark.parametrize(
    "value",
    [
        "planted",
        '"a\\073 Domain=evil.example"',
        '"a\\015\\012X-Injected: 1"',
        '"\\377\\000"',
        "a" * 44,
        "\xff",
    ],
)
def test_a_cookie_that_somebody_has_planted_is_none(shop: Shop, value: str) -> None:
    """Another host of the same domain can set one: the page neither takes it over nor sends it
    back, with fields of its own.
    """
    begun = shop.begin()
    name = f"jackfield_connect_{begun['id']}_{SETTINGS.port}"
    page = Client(shop.stand.port).call(
        "GET", urlsplit(begun["url"]).path, Cookie=f"{name}={value}"
    )
    assert (page.status, "x-injected" in page.headers, "evil" in page.headers["set-cookie"]) == (
        200,
        False,
        False,
    )
    assert re.match(
        rf"{name}=[A-Za-z0-9_-]{{43}}; Path=/; HttpOnly; Max-Age=88200; ",
        page.headers["set-cookie"],
    )


@pytest.mark.parametrize(
    ("proof", "user", "path"),
    [(None, "", "/user"), (None, " ", "/user"), ("", "ada", "/proof"), ("", "", "/proof")],
)
def test_an_empty_confirmation_ends_nothing(
    shop: Shop, proof: str | None, user: str, path: str
) -> None:
    """A platform that has lost who is signed in gets 400 with the member's name, and can confirm
    afterwards.
    """
    begun = shop.begin()
    ada = shop.person(begun).begin().press("Continue", token="good").press("Connect")
    right = parse_qs(urlsplit(ada.onward()).query)["proof"][0]
    answer = shop.confirm(begun, right if proof is None else proof, user)
    assert (answer.status, answer.json["details"][0]["path"], shop.status(begun)) == (
        400,
        path,
        "saved",
    )
    assert shop.confirm(begun, right).status == 200


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"returnTo": BACK}, "/user"),
        ({"user": "ada"}, "/returnTo"),
        ({"user": "ada", "returnTo": "http://shop.example/"}, "/returnTo"),
        ({"user": "ada", "returnTo": "javascript:alert(1)"}, "/returnTo"),
        ({"mode": "other"}, "/mode"),
        ({"expiresIn": 86_401}, "/expiresIn"),
        ({"verify": "none"}, "/verify"),
        ({"types": ["echo/nothing"], "user": "ada", "returnTo": BACK}, "/types/0"),
        ({"origins": ["https://shop.example/path"]}, "/origins/0"),
        ({"origins": ["https://shop.example:65536"]}, "/origins/0"),
        ({"extra": 1}, "/extra"),
        ({"defaults": []}, "/defaults"),
        (
            {
                "user": "ada",
                "returnTo": BACK,
                "types": ["echo/token"],
                "defaults": {"locked": ["nothing"]},
            },
            "/defaults/locked/nothing",
        ),
        (
            {
                "user": "ada",
                "returnTo": BACK,
                "types": ["echo/token"],
                "defaults": {"locked": ["token"]},
            },
            "/defaults/locked/token",
        ),
        ({"user": "ada", "returnTo": "https://shop.example:99999/"}, "/returnTo"),
    ],
)
def test_what_is_no_session(shop: Shop, body: dict[str, Any], path: str) -> None:
    """What is wrong is named, with its place."""
    answer = shop.platform.post(BASE, body)
    assert answer.status == 400
    assert path in [item["path"] for item in answer.json["details"]]


def test_a_workspace_keeps_a_theme_for_sessions_that_bring_none(shop: Shop) -> None:
    """Stored once, instead of a logo in each request; a session's own one is instead of it, and
    what is none is refused.
    """
    stored = {"name": "Stored Shop", "color": "#0b5a94"}
    path = "/v1/workspaces/acme-1"
    logo = {"logo": "data:image/png;base64,AAAA"}
    assert shop.platform.call("PATCH", path, {"theme": {**stored, **logo}}).json["theme"] == {
        **stored,
        **logo,
    }
    assert shop.platform.get("/v1/workspaces").json["items"][0]["theme"] == stored
    assert "Stored Shop" in shop.person(shop.begin()).text
    other = shop.person(shop.begin(theme={"name": "Another"})).text
    assert "Another" in other
    assert "Stored Shop" not in other
    for theme in ({"color": "red"}, {"wordmark": "x"}, {"font": "x"}, "blue", None):
        assert shop.platform.call("PATCH", path, {"theme": theme}).status == 400
    shop.platform.call("PATCH", path, {"theme": {"logo": "data:image/png;base64,aGVsbG8="}})
    assert shop.platform.call("PATCH", path, {"theme": {}}).json["theme"] == {}


def test_a_theme_is_shown(shop: Shop) -> None:
    """The platform's name, logo and colour; the policy allows exactly this style sheet, and the
    image of a data: URL.
    """
    logo = "data:image/png;base64,iVBORw0KGgo="
    ada = shop.person(
        shop.begin(theme={"name": "The <Shop>", "logo": logo, "color": "#FFEE00", "scheme": "dark"})
    )
    assert ada.page is not None
    assert (
        "The &lt;Shop&gt;" in ada.text,
        f'src="{logo}"' in ada.text,
        "color-scheme: dark" in ada.text,
    ) == (True, True, True)
    style = ada.text.partition("<style>")[2].partition("</style>")[0]
    assert source_of(style) in ada.page.headers["content-security-policy"]
    for theme in (
        {"color": "red"},
        {"color": "#fff;}"},
        {"logo": "https://shop.example/logo.png"},
        {"scheme": "both"},
        {"font": "x"},
    ):
        assert (
            shop.platform.post(BASE, {"user": "ada", "returnTo": BACK, "theme": theme}).status
            == 400
        )


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.campaign)])
def test_every_colour_can_be_read(count: int) -> None:
    """Of random colours, text in the colour and text on it have a contrast of 4.5 at least, in
    light and dark.
    """
    chosen = random.Random(4711)
    for _ in range(count):
        colour = f"#{chosen.randrange(256**3):06x}"
        for dark in (False, True):
            behind = backgrounds(dark)
            accent, text = accents(colour, behind)
            assert min(contrast(accent, ground) for ground in behind.values()) >= ENOUGH, colour
            assert contrast(accent, text) >= ENOUGH, colour
