"""Accounts connected over the HTTP API, against a certified authorization server: both flows, the
callback, and attacks on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from http_stand import SETTINGS, Client, Stand, standing
from jackfield_store.access import Workspaces
from oauth2_site import ASK, make_people
from oidc_provider import AuthorizationServer, authorization_server
from plugboard import plugged
from replies import Reply

PRODUCT = "https://product.example"
AUTHORIZE = "/v1/connections/ada/authorize"


@pytest.fixture(scope="module")
def provider() -> Iterator[AuthorizationServer]:
    """One authorization server for all tests."""
    with authorization_server() as found:
        yield found


@dataclass(frozen=True)
class Site:
    """A server with the connection ``ada``, and its provider."""

    stand: Stand
    client: Client
    provider: AuthorizationServer

    def begin(self, **body: str) -> dict[str, Any]:
        """Begin to connect."""
        found: dict[str, Any] = self.client.post(AUTHORIZE, body).json
        return found

    def approved(self, url: str) -> str:
        """Approve in a browser; path and query of this server to which the provider leads it."""
        parts = urlsplit(self.provider.browser().open(url)[0])
        assert (parts.hostname, parts.port, parts.path) == (
            "127.0.0.1",
            self.stand.port,
            "/oauth2/callback",
        )
        return f"{parts.path}?{parts.query}"

    def complete(self, identifier: str, body: dict[str, str] | None = None) -> Reply:
        """Finish with the token that began."""
        return self.client.post(f"/v1/authorizations/{identifier}:complete", body or {})

    def status(self) -> str:
        """State of the approval, as the connection shows it."""
        return str(self.client.get("/v1/connections/ada").json["authorization"]["status"])

    @property
    def stranger(self) -> Client:
        """A caller without a token, such as a person's browser."""
        return Client(self.stand.port)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, provider: AuthorizationServer) -> Iterator[Site]:
    """A server whose product may be returned to."""
    folder: Path = tmp_path_factory.mktemp("site")
    make_people(folder / "packages")
    with (
        plugged(folder / "packages"),
        standing(folder, replace(SETTINGS, origins=(PRODUCT,))) as stand,
    ):
        found = Site(stand, stand.client(), provider)
        body = {
            "name": "ada",
            "type": "people/oauth2AuthorizationCode",
            "values": provider.public_values(),
        }
        assert found.client.post("/v1/connections?test=false", body).status == 201
        yield found


def test_a_product_connects_its_users(site: Site) -> None:
    """The browser goes to the provider, to the callback and back to the product, which finishes; an
    answer counts once.
    """
    begun = site.begin(returnTo=f"{PRODUCT}/settings?tab=1")
    assert site.client.get(f"/v1/authorizations/{begun['id']}").json["status"] == "pending"
    address = site.approved(begun["url"])
    answer = site.stranger.get(address)
    assert (answer.status, answer.headers["location"]) == (
        303,
        f"{PRODUCT}/settings?tab=1&connection=ada",
    )
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == (
        "no-referrer",
        "no-store",
    )
    assert site.client.get(f"/v1/authorizations/{begun['id']}").json["status"] == "answered"
    assert (site.status(), site.provider.count("/token")) == ("none", 0)
    assert site.complete(begun["id"]).json["status"] == "granted"
    shown = site.client.get("/v1/connections/ada").json["authorization"]
    assert (shown["status"], "mail.read" in shown["scopes"]) == ("granted", True)
    assert site.client.post("/v1/invocations", ASK).json["output"] == {"sub": "ada"}
    assert site.stranger.get(address).status == 400
    assert site.client.get("/v1/audit").json["items"][0]["event"] == "connection.granted"


def test_a_page_of_the_products_own(site: Site) -> None:
    """A product that receives the answer itself passes it on; a forged one is refused, also that of
    another authorization.
    """
    mine, other = (site.begin(redirectUri="http://127.0.0.1:1/callback") for _ in range(2))
    answer = dict(parse_qsl(urlsplit(site.provider.browser().open(mine["url"])[0]).query))
    for forged in (
        {"state": "made-up"},
        {"state": parse_qs(urlsplit(other["url"]).query)["state"][0]},
    ):
        assert site.complete(mine["id"], {**answer, **forged}).status == 404
    assert site.complete(other["id"], answer).status == 404
    assert "startUrl" not in mine
    assert site.complete(mine["id"], {**answer, "extra": "x"}).status == 400
    assert site.complete(mine["id"], {"code": answer["code"]}).status == 400
    assert site.complete(mine["id"]).status == 409
    assert site.complete(mine["id"], answer).json["status"] == "granted"
    assert site.complete(mine["id"], answer).status == 404


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"iss": "https://evil.example"}, id="issuer-mix-up"),
        pytest.param({"iss": None}, id="no-issuer-of-a-provider-that-announces-it"),
        pytest.param({"code": "made-up"}, id="code-of-another"),
        pytest.param({"code": ""}, id="no-code"),
        pytest.param(
            {"error": "access_denied", "error_description": "<script>alert(1)</script>"},
            id="refused",
        ),
    ],
)
def test_forged_answers_connect_nothing(site: Site, forged: dict[str, str | None]) -> None:
    """An answer that is not the provider's is refused when it is completed; the grant stays as it
    was.
    """
    before, begun = site.status(), site.begin(returnTo=f"{PRODUCT}/")
    given = dict(parse_qsl(urlsplit(site.approved(begun["url"])).query))
    sent = {name: value for name, value in {**given, **forged}.items() if value is not None}
    assert site.stranger.get(f"/oauth2/callback?{urlencode(sent)}").status == 303
    assert site.complete(begun["id"]).status in (422, 502)
    assert site.client.get(f"/v1/authorizations/{begun['id']}").json["status"] == "failed"
    assert site.complete(begun["id"]).status == 404
    assert site.status() == before


@pytest.mark.parametrize("state", ["", "x" * 43])
def test_an_answer_without_its_state_goes_nowhere(site: Site, state: str) -> None:
    """An answer that belongs to no authorization ends on a page with no script and no redirect."""
    before, begun = site.status(), site.begin(returnTo=f"{PRODUCT}/")
    given = dict(parse_qsl(urlsplit(site.approved(begun["url"])).query))
    answer = site.stranger.get(f"/oauth2/callback?{urlencode({**given, 'state': state})}")
    assert (answer.status, "location" in answer.headers, b"<script" in answer.body) == (
        400,
        False,
        False,
    )
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert given["code"].encode() not in answer.body
    assert site.status() == before


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/connected",
        "https://product.example.evil.example/",
        "data:,x",
        "https://product.example@evil.example/",
        "https://evil.example\\@product.example/",
        "http://product.example/",
        "https://product.example:444/",
        "https://product.example/\r\nLocation: https://evil.example",
        "https://product.example\\.evil.example",
        "https:product.example",
        "https://[::1",
    ],
)
def test_the_callback_is_no_open_redirect(site: Site, address: str) -> None:
    """A browser is sent back to a page of an allowed origin only; any other is refused before the
    provider is asked.
    """
    answer = site.client.post(AUTHORIZE, {"returnTo": address})
    assert (answer.status, answer.json["details"][0]["path"]) == (400, "/returnTo")


@pytest.mark.parametrize(
    "address",
    [
        "https://user@evil.example/",
        "http://evil.example/",
        "https://a.example/#x",
        "javascript:alert(1)",
        "/x",
    ],
)
def test_codes_go_to_no_other_place(site: Site, address: str) -> None:
    """A redirect URI without TLS, or with parts that hide where it leads, is refused."""
    answer = site.client.post(AUTHORIZE, {"redirectUri": address})
    assert (answer.status, answer.json["details"][0]["path"]) == (400, "/redirectUri")


def test_another_workspace_sees_nothing(site: Site) -> None:
    """An authorization is found by callers of its own workspace alone."""
    host = site.stand.host
    Workspaces(host.storage.database, host.storage.vault, host.clock).create("umbrella")
    other, begun = site.stand.client(workspace="umbrella"), site.begin()
    given = dict(parse_qsl(urlsplit(site.approved(begun["url"])).query))
    assert other.get(f"/v1/authorizations/{begun['id']}").status == 404
    assert other.post(f"/v1/authorizations/{begun['id']}:complete", given).status == 404
    assert other.post(AUTHORIZE, {}).status == 404
    assert site.stranger.post(AUTHORIZE, {}).status == 401
    assert site.stand.client("invoke").post(AUTHORIZE, {}).status == 403


def test_a_code_for_another_device(site: Site) -> None:
    """A device without a browser shows a code; each look at the authorization asks the provider, no
    more often than it wants.
    """
    begun = site.begin(flow="device")
    path, before = f"/v1/authorizations/{begun['id']}", site.provider.count("/token")
    assert [site.client.get(path).json["status"] for _ in range(3)] == ["pending"] * 3
    assert site.provider.count("/token") - before == 1
    site.provider.browser().enter(begun["url"], begun["userCode"])
    site.stand.host.clock.sleep(begun["interval"])
    assert site.client.get(path).json["status"] == "granted"


def test_z_a_removal_revokes(site: Site) -> None:
    """The provider is told when the connection is removed, and the approval can no longer be
    found.
    """
    before = site.provider.count("/token/revocation")
    assert site.client.call("DELETE", "/v1/connections/ada").status == 204
    assert site.provider.count("/token/revocation") - before == 1
    assert site.client.post(AUTHORIZE, {}).status == 404
