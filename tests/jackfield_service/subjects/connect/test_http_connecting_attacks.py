"""Attacks on authorizations begun over the API: no foreign grant, and no request to the token
endpoint before who began completes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from clocks import FakeClock
from http_stand import SETTINGS, Client, Stand, clean, standing
from jackfield.testing import Answer, Provider, Request
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.connections.authorizations import WITHIN
from oauth2_site import ASK, make_people
from plugboard import plugged
from replies import Reply

DEVICE = {
    "device_code": "d",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://login.example/device",
    "expires_in": 600,
}


@dataclass
class Authority:
    """Authorization server whose tokens carry the code's owner; ``announces`` that its answers
    carry ``iss``.
    """

    announces: bool = False
    device: dict[str, Any] = field(default_factory=lambda: dict(DEVICE))
    exchanged: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer a request."""
        if request.path == "/token":
            form = {name: value[0] for name, value in parse_qs(request.body.decode()).items()}
            self.exchanged.append(form)
            owner = form.get("code", "ada").removesuffix("s-code")
            return Answer(
                {
                    "access_token": f"{owner}-token",
                    "token_type": "Bearer",
                    "refresh_token": f"{owner}-refresh",
                }
            )
        if request.path == "/device":
            return Answer(self.device)
        if request.path.startswith("/.well-known/"):
            found = {
                "issuer": self.url,
                "authorization_response_iss_parameter_supported": self.announces,
            }
            return Answer(
                found if "openid" in request.path else {}, 200 if "openid" in request.path else 404
            )
        bearer = next(
            value for name, value in request.headers.items() if name.lower() == "authorization"
        )
        return Answer({"sub": bearer.removeprefix("Bearer ").removesuffix("-token")})


@dataclass
class Attacked:
    """A server with the connection ``ada``, whose product has one token, and its provider."""

    stand: Stand
    product: Client
    authority: Authority
    clock: FakeClock

    def begin(self, **body: str) -> dict[str, Any]:
        """Begin to connect with the product's token."""
        answer = self.product.post("/v1/connections/ada/authorize", body)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json
        return found

    def callback(
        self, begun: dict[str, Any], code: str = "adas-code", cookie: str = "", **more: str
    ) -> Reply:
        """A browser without a token comes back from the provider."""
        state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
        return self.browser(
            f"/oauth2/callback?{urlencode({'state': state, 'code': code, **more})}", cookie
        )

    def browser(self, path: str, cookie: str = "") -> Reply:
        """A browser opens a page of the server."""
        return Client(self.stand.port).get(path, **({"Cookie": cookie} if cookie else {}))

    def opened(self, begun: dict[str, Any], cookie: str = "") -> Reply:
        """A browser opens the start link."""
        return self.browser(urlsplit(begun["startUrl"]).path, cookie)

    def complete(self, begun: dict[str, Any], client: Client | None = None, **body: str) -> Reply:
        """Finish, with the product's token or another."""
        return (client or self.product).post(f"/v1/authorizations/{begun['id']}:complete", body)

    def status(self, begun: dict[str, Any]) -> str:
        """State of an authorization."""
        return str(self.product.get(f"/v1/authorizations/{begun['id']}").json["status"])

    def untouched(self) -> bool:
        """True if nobody is connected, and the token endpoint was never asked."""
        shown = self.product.get("/v1/connections/ada").json["authorization"]
        return shown == {"status": "none"} and self.authority.exchanged == []

    def connected(self) -> str:
        """Whose account the connection uses."""
        return str(self.product.post("/v1/invocations", ASK).json["output"]["sub"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Attacked]:
    """A server and a provider of their own."""
    make_people(tmp_path / "packages")
    clock, authority = FakeClock(), Authority()
    with (
        plugged(tmp_path / "packages"),
        Provider(authority) as provider,
        standing(tmp_path, SETTINGS, clock=clock) as stand,
    ):
        authority.url = provider.url
        found = Attacked(stand, stand.client(), authority, clock)
        values = {
            "server": provider.url,
            "authorizationUrl": f"{provider.url}/authorize",
            "tokenUrl": f"{provider.url}/token",
            "clientId": "c",
            "deviceUrl": f"{provider.url}/device",
            "issuer": provider.url,
        }
        body = {"name": "ada", "type": "people/oauth2AuthorizationCode", "values": values}
        assert found.product.post("/v1/connections?test=false", body).status == 201
        yield found


def cookie_of(answer: Reply) -> str:
    """The cookie that a page has set, as the browser sends it."""
    found = SimpleCookie(answer.headers["set-cookie"])
    return "; ".join(f"{name}={part.value}" for name, part in found.items())


def test_security_3_a_link_sent_to_another_person_connects_nothing(site: Attacked) -> None:
    """Security 3: the callback alone linked the account of whoever opened the link; now it stores
    an answer that nobody else can use.
    """
    begun = site.begin()
    assert site.callback(begun, "bobs-code").status == 200
    assert (site.status(begun), site.untouched()) == ("answered", True)
    assert site.product.post("/v1/invocations", ASK).status == 422


def test_who_began_finishes(site: Attacked) -> None:
    """The token that began exchanges the code, once, and is shown as who connected; a token without
    a name by its time.
    """
    begun = site.begin()
    assert site.complete(begun).status == 409
    site.callback(begun)
    assert site.complete(begun).json["status"] == "granted"
    assert len(site.authority.exchanged) == 1
    assert site.connected() == "ada"
    assert (
        site.product.get("/v1/connections/ada")
        .json["authorization"]["grantedBy"]
        .startswith("token of ")
    )


def test_an_answer_is_replayed(site: Attacked) -> None:
    """The first answer counts: a second one of the same state replaces nothing, before the
    completion and after it.
    """
    begun = site.begin()
    assert site.callback(begun, "adas-code").status == 200
    assert site.callback(begun, "bobs-code").status == 400
    assert site.complete(begun).json["status"] == "granted"
    assert site.callback(begun, "bobs-code").status == 400
    assert site.complete(begun).status == 404
    assert len(site.authority.exchanged) == 1
    assert site.connected() == "ada"


def test_another_token_finishes_nothing(site: Attacked) -> None:
    """Not even a token that may manage the same connection completes what another began; the one
    that began still can.
    """
    begun = site.begin()
    site.callback(begun)
    state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
    for other in (
        site.stand.client(name="other"),
        site.stand.client("invoke"),
        Client(site.stand.port),
    ):
        assert site.complete(begun, other).status in (401, 403, 404)
        assert site.complete(begun, other, state=state, code="bobs-code").status in (401, 403, 404)
    assert site.untouched()
    assert site.complete(begun).json["status"] == "granted"


def test_another_workspace_finishes_nothing(site: Attacked) -> None:
    """The id of an authorization is unknown in every other workspace."""
    host = site.stand.host
    Workspaces(host.storage.database, host.storage.vault, host.clock).create("umbrella")
    begun, other = site.begin(), site.stand.client(workspace="umbrella")
    site.callback(begun)
    assert site.complete(begun, other).status == 404
    assert other.get(f"/v1/authorizations/{begun['id']}").status == 404
    assert site.untouched()


def test_a_link_is_passed_on_after_it_was_opened(site: Attacked) -> None:
    """Once a browser has opened the start link, the link and the answer of any other browser are
    refused.
    """
    begun = site.begin()
    ada = cookie_of(site.opened(begun))
    assert site.opened(begun).status == 400
    for cookie in ("", "jackfield_approver_0=made-up"):
        assert site.callback(begun, "bobs-code", cookie).status == 400
    assert (site.status(begun), site.untouched()) == ("pending", True)
    assert site.callback(begun, "adas-code", ada).status == 200
    assert site.complete(begun).json["status"] == "granted"
    assert site.connected() == "ada"


def test_the_start_link_leads_to_the_provider_and_marks_the_browser(site: Attacked) -> None:
    """Its cookie is out of reach for scripts and comes along when the provider leads back; a
    preview of the link spends nothing.
    """
    begun = site.begin()
    path = urlsplit(begun["startUrl"]).path
    assert Client(site.stand.port).call("HEAD", path).status == 503
    assert Client(site.stand.port).get(path, Sec_Purpose="prefetch").status == 503
    answer = site.browser(path)
    assert (answer.status, answer.headers["location"], answer.headers["referrer-policy"]) == (
        303,
        begun["url"],
        "no-referrer",
    )
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(answer.headers["set-cookie"].split("; "))
    assert urlsplit(begun["startUrl"]).path.rsplit("/", 1)[1] not in begun["url"]


def test_two_tabs_of_one_browser(site: Attacked) -> None:
    """Two authorizations in one browser do not disturb each other, and neither takes the other's
    answer.
    """
    first, second = site.begin(), site.begin()
    cookie = cookie_of(site.opened(first))
    assert cookie_of(site.opened(second, cookie)) == cookie
    assert site.callback(second, "bobs-code", cookie).status == 200
    assert site.complete(first).status == 409
    assert site.callback(first, "adas-code", cookie).status == 200
    assert site.complete(first).json["status"] == "granted"
    assert site.connected() == "ada"


def test_a_code_is_injected_through_another_authorization(site: Attacked) -> None:
    """A code that an attacker got elsewhere is sent with the verifier of this authorization, at
    which a provider refuses it (PKCE); one in the body needs the state, and replaces no stored
    answer.
    """
    mine, victims = site.begin(), site.begin()
    state = parse_qs(urlsplit(mine["url"]).query)["state"][0]
    assert site.complete(victims, state=state, code="bobs-code").status == 404
    site.callback(victims)
    assert (
        site.complete(
            victims, state=parse_qs(urlsplit(victims["url"]).query)["state"][0], code="bobs-code"
        ).status
        == 404
    )
    assert site.untouched()
    site.complete(victims)
    assert [(form["code"], bool(form["code_verifier"])) for form in site.authority.exchanged] == [
        ("adas-code", True)
    ]


@pytest.mark.parametrize(
    "assignment",
    ["digest = :digest", "connection_id = :other", "expires_at = 99999999999.0", "flow = 'device'"],
)
def test_a_row_is_changed_in_the_database(site: Attacked, assignment: str) -> None:
    """Whoever can write to the database, without the master key, cannot lead another person's
    answer to an authorization, nor move it to another connection, nor keep it open: a changed row
    is over.
    """
    begun, foreign = site.begin(), site.begin()
    twin = site.product.get("/v1/connections/ada").json
    body = {"name": "twin", "type": twin["type"], "values": twin["values"]}
    assert site.product.post("/v1/connections?test=false", body).status == 201
    with site.stand.host.storage.database.write() as transaction:
        place = {"id": foreign["id"]}
        other = transaction.find("SELECT id FROM connections WHERE name = 'twin'", {})
        row = transaction.find("SELECT digest FROM authorizations WHERE id = :id", place)
        assert row is not None
        assert other is not None
        transaction.change("DELETE FROM authorizations WHERE id = :id", place)
        values = {"id": begun["id"], "digest": row.digest, "other": other.id}
        transaction.change(f"UPDATE authorizations SET {assignment} WHERE id = :id", values)
    site.callback(foreign if "digest" in assignment else begun, "bobs-code")
    assert site.complete(begun).status == 404
    assert site.untouched()


@pytest.mark.parametrize("answers", [False, True])
def test_an_authorization_expires(site: Attacked, *, answers: bool) -> None:
    """Ten minutes after it was begun, it can neither be answered nor completed."""
    begun = site.begin()
    if answers:
        site.callback(begun)
    site.clock.advance(WITHIN + 1)
    assert site.callback(begun).status == 400
    assert site.opened(begun).status == 400
    assert site.complete(begun).status == 404
    assert (site.status(begun), site.untouched()) == ("failed", True)


def test_the_server_ends_between_answer_and_completion(site: Attacked) -> None:
    """The answer is in the database, sealed: another process completes, and a copy of the database
    shows no code.
    """
    begun = site.begin()
    site.callback(begun, "adas-code")
    again = ServerContext(SETTINGS, clean(site.stand.folder / "home"), site.clock)
    with again.storage.database.read() as transaction:
        row = transaction.find(
            "SELECT sealed FROM authorizations WHERE id = :id", {"id": begun["id"]}
        )
    assert row is not None
    assert b"adas-code" not in row.sealed
    identity = again.identities.find(site.product.token or "")
    assert identity is not None
    again.runtime("default").connections.acting_as(identity.actor).authorizing().complete(
        begun["id"]
    )
    asyncio.run(again.stop())
    assert (len(site.authority.exchanged), site.status(begun)) == (1, "granted")


@pytest.mark.parametrize("announces", [False, True])
def test_security_8_the_answer_of_another_issuer(site: Attacked, *, announces: bool) -> None:
    """Security 8: an answer without ``iss`` was taken from a provider that announces it, so that
    mix-up was stopped only where the honest provider's arrived. It is refused before the exchange
    now, as one with a foreign ``iss`` is.
    """
    site.authority.announces = announces
    foreign, bare = site.begin(), site.begin()
    site.callback(foreign, iss="https://evil.example")
    refused = site.complete(foreign)
    assert site.untouched()
    site.callback(bare)
    answer = site.complete(bare)
    assert site.untouched() is announces
    assert (refused.status, answer.status) == (422, 422 if announces else 200)
    good = site.begin()
    site.callback(good, iss=site.authority.url)
    assert site.complete(good).json["status"] == "granted"


def test_the_connection_changes_in_between(site: Attacked) -> None:
    """A code goes to no token endpoint that was named after the person had approved."""
    begun = site.begin()
    site.callback(begun)
    shown = site.product.get("/v1/connections/ada").json["values"]
    with Provider(evil := Authority()) as other:
        changed = {**shown, "tokenUrl": f"{other.url}/token"}
        assert (
            site.product.call("PUT", "/v1/connections/ada?test=false", {"values": changed}).status
            == 200
        )
        assert site.complete(begun).status == 422
        assert (evil.exchanged, site.untouched()) == ([], True)
    assert "has changed" in site.product.get(f"/v1/authorizations/{begun['id']}").json["reason"]


def test_the_connection_is_removed_in_between(site: Attacked) -> None:
    """A connection of the same name that is made afterwards gets nothing of the approval."""
    begun = site.begin()
    site.callback(begun)
    about = site.product.get("/v1/connections/ada").json
    assert site.product.call("DELETE", "/v1/connections/ada").status == 204
    body = {"name": "ada", "type": about["type"], "values": about["values"]}
    assert site.product.post("/v1/connections?test=false", body).status == 201
    assert site.complete(begun).status == 404
    assert site.untouched()


def test_an_authorization_of_the_console_is_no_callers(site: Attacked) -> None:
    """What a console's session began is finished by no token, not even the one that the session
    signed in with; nor the reverse.
    """
    host = site.stand.host
    tokens = Tokens(host.storage.database, host.storage.vault, "default", host.clock)
    token = tokens.create("manage")
    client, connections = Client(site.stand.port, token.text), host.runtime("default").connections
    identity = host.identities.find(token.text)
    assert identity is not None
    begun = (
        connections.acting_as(identity.actor)
        .authorizing()
        .begin(
            "ada",
            f"http://127.0.0.1:{site.stand.port}/oauth2/callback",
            return_to="/connected",
            browser="csrf-of-the-session",
        )
    )
    state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
    assert site.callback(begun).status == 200  # handed over to the console's own page
    assert site.complete(begun, client).status == 404
    assert site.complete(begun, client, state=state, code="adas-code").status == 404
    mine = site.begin()
    given = {"state": parse_qs(urlsplit(mine["url"]).query)["state"][0], "code": "bobs-code"}
    for session in ("", "csrf-of-the-session"):
        with pytest.raises(Exception, match="no such authorization"):
            connections.acting_as(identity.actor).authorizing().complete(
                mine["id"], given, browser=session
            )
    assert site.untouched()


def test_another_token_polls_a_device(site: Attacked) -> None:
    """Only who began a device's authorization makes the server ask the provider; the others see its
    state.
    """
    begun = site.begin(flow="device")
    other = site.stand.client(name="other")
    assert other.get(f"/v1/authorizations/{begun['id']}").json["status"] == "pending"
    assert site.untouched()
    assert site.status(begun) == "granted"


def test_security_8_a_device_shows_nothing_that_acts(site: Attacked) -> None:
    """Security 8: escape sequences reached the terminal, and ``javascript:`` the callers; a
    provider's address must be one of the web.
    """
    good, found = dict(site.authority.device), []
    for wrong in (
        {"verification_uri": "javascript:alert(document.domain)"},
        {"verification_uri": "\x1b]0;pwned\x07\x1b[2J"},
        {"verification_uri": "https://login.example/\x1b[2J"},
        {"verification_uri_complete": "data:text/html,x"},
        {"user_code": "AB\x1b[2JCD"},
        {"user_code": "A" * 5000},
        {"user_code": ""},
        {"verification_uri": "https://"},
    ):
        site.authority.device |= {**good, **wrong}
        answer = site.product.post("/v1/connections/ada/authorize", {"flow": "device"})
        found += (
            [] if (answer.status, b"\\u001b" in answer.body) == (503, False) else [(wrong, answer)]
        )
        for name in wrong.keys() - good.keys():
            del site.authority.device[name]
    assert found == []
    site.authority.device |= good
    assert site.begin(flow="device")["interval"] >= 1


def test_security_8_the_interval_of_a_device_is_bounded(site: Attacked) -> None:
    """Security 8: an interval of 1e300 seconds was a traceback of the command."""
    found = []
    for said in (1e300, -5, 0, 7):
        site.authority.device |= {"interval": said}
        found.append(site.begin(flow="device")["interval"])
    assert found == [300, 1, 1, 7]
