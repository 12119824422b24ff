"""Connections that a person approves at a provider, connected from the console: in the browser,
with a code, by the same session only.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import Answer, Client, Place, placed, token

from browsing import Visitor
from console_rig import served
from jackfield_service.shell.process.server_context import ServerContext
from oauth2_site import ASK, make_people
from oidc_provider import AuthorizationServer, authorization_server

pytest_plugins = ["browser"]


@pytest.fixture(scope="module")
def provider() -> Iterator[AuthorizationServer]:
    """One authorization server for all tests."""
    with authorization_server() as found:
        yield found


def add(host: ServerContext, provider: AuthorizationServer, **more: Any) -> None:
    """Add the connection ``ada``, which nobody has approved."""
    values = provider.public_values(**more)
    host.runtime("default").connections.add(
        "ada", "people/oauth2AuthorizationCode", values, test=False
    )


@pytest.fixture
def place(tmp_path: Path, provider: AuthorizationServer) -> Iterator[Place]:
    """A console with the connection ``ada``."""
    make_people(tmp_path / "site")
    with placed(tmp_path) as found:
        add(found.host, provider)
        yield found


def begin(client: Client, flow: str = "redirect") -> Answer:
    """Press a button of the connection's page, as htmx sends it."""
    csrf = client.get("/connections/ada").csrf_of("/connections/ada/authorization")
    return client.post(
        "/connections/ada/authorization", {"csrf": csrf, "flow": flow}, hx_request="true"
    )


def approved(client: Client, provider: AuthorizationServer) -> str:
    """Begin in a session and approve; the address on this server at which the provider's answer
    arrives.
    """
    url = begin(client).headers["hx-redirect"]
    asked = parse_qs(urlsplit(url).query)
    assert asked["redirect_uri"] == ["http://127.0.0.1:8080/oauth2/callback"]
    parts = urlsplit(provider.browser().open(url)[0])
    return f"{parts.path}?{parts.query}"


def handed_over(place: Place, address: str) -> str:
    """Where the page of the provider's answer refreshes to, for a browser without the session's
    cookie.
    """
    answer = place.client().get(address)
    assert (answer.status, answer.headers["referrer-policy"]) == (200, "no-referrer")
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', answer.text)
    assert found is not None
    return html.unescape(found[1])


def test_the_session_that_began_completes(place: Place, provider: AuthorizationServer) -> None:
    """The answer comes without the cookie, is handed over to a page that has it, and connects; the
    page shows scopes and person.
    """
    client = place.signed_in()
    assert "not connected" in client.get("/connections/ada").words
    address = handed_over(place, approved(client, provider))
    assert address.startswith("/connected?")
    answer = client.get(address)
    assert (answer.status, answer.headers["location"]) == (303, "/connections/ada?done=connected")
    page = client.get(answer.headers["location"]).words
    assert "Connected. Test it" in page
    assert "mail.read" in page
    assert "Connected by one-time link" in page
    assert place.host.runtime("default").invoke(ASK).to_json()["output"] == {"sub": "ada"}
    assert client.get(address).status == 404  # an answer is taken once


def test_another_session_cannot_complete(place: Place, provider: AuthorizationServer) -> None:
    """Neither another session, nor no session, nor the bare callback connects; afterwards the one
    that began still can.
    """
    client, other = place.signed_in(), place.signed_in()
    arrived = approved(client, provider)
    address = handed_over(place, arrived)
    assert other.get(address).status == 404
    assert place.client().get(address).status == 303  # to the sign-in
    assert place.client().get(arrived).status == 200
    assert "not connected" in client.get("/connections/ada").words
    assert client.get(address).status == 303
    assert place.host.runtime("default").invoke(ASK).status == "succeeded"


@pytest.mark.parametrize(
    "forged",
    [
        {"state": "made-up"},
        {"state": ""},
        {"iss": "https://evil.example"},
        {"code": "made-up"},
        {"error": "access_denied"},
    ],
)
def test_forged_answers_connect_nothing(
    place: Place, provider: AuthorizationServer, forged: dict[str, str]
) -> None:
    """An answer that is not the provider's is refused on a page that says so, and shows nothing of
    it as markup.
    """
    client = place.signed_in()
    given = {
        name: value[0]
        for name, value in parse_qs(urlsplit(approved(client, provider)).query).items()
    }
    answer = client.get(
        f"/connected?{urlencode({**given, **forged, 'error_description': '<b>no</b>'})}"
    )
    assert answer.status >= 400
    assert "Not connected" in answer.words
    assert "<b>" not in answer.text
    assert "Connect" in client.get("/connections/ada").words
    assert "not connected" in client.get("/connections/ada").words


def test_the_callback_redirects_nowhere_else(place: Place, provider: AuthorizationServer) -> None:
    """No parameter of the answer, and no field of the form, changes where the browser goes."""
    client = place.signed_in()
    csrf = client.get("/connections/ada").csrf_of("/connections/ada/authorization")
    given = {
        "csrf": csrf,
        "flow": "redirect",
        "returnTo": "https://evil.example",
        "return_to": "//evil.example",
        "redirectUri": "https://evil.example",
    }
    url = client.post("/connections/ada/authorization", given, hx_request="true").headers[
        "hx-redirect"
    ]
    assert url.startswith(f"{provider.issuer}/auth?")
    assert "evil" not in url
    parts = urlsplit(provider.browser().open(url)[0])
    address = handed_over(
        place, f"{parts.path}?{parts.query}&returnTo=https://evil.example&next=//evil.example"
    )
    assert address.startswith("/connected?")
    assert client.get(address).headers["location"] == "/connections/ada?done=connected"


def test_an_authorization_is_begun_for_what_was_shown(place: Place) -> None:
    """Of a connection whose values have changed since, nobody is sent to the provider: the page is
    shown anew.
    """
    client, address = place.signed_in(), "/connections/ada/authorization"
    before, connections = client.get("/connections/ada"), place.host.runtime("default").connections
    shown = connections.show("ada")["values"]
    connections.replace("ada", {**shown, "clientId": "another-client"}, test=False)
    answer = client.post(
        address, {"csrf": before.csrf_of(address), "flow": "redirect"}, hx_request="true"
    )
    assert answer.headers["hx-redirect"] == "/connections/ada?anew=1"


def test_without_scripts_a_link_leads_to_the_provider(
    place: Place, provider: AuthorizationServer
) -> None:
    """A redirect after a form would break the page's policy, so the answer is a page with a
    link.
    """
    client = place.signed_in()
    answer = client.change("/connections/ada", "/connections/ada/authorization", flow="redirect")
    assert answer.status == 200
    assert f'href="{provider.issuer}/auth?' in answer.text


def test_a_code_connects_on_another_device(place: Place, provider: AuthorizationServer) -> None:
    """The page shows the address and the code, and asks until somebody has entered it."""
    client = place.signed_in()
    answer = begin(client, "device")
    shown = re.search(r"<code>([A-Z]{4}-[A-Z]{4})</code>", answer.text)
    waiting = re.search(r'hx-get="([^"]+)"', answer.text)
    assert shown is not None, answer.text
    assert waiting is not None
    assert "Waiting" in client.get(waiting[1], hx_request="true").words
    browser = provider.browser()
    _, page = browser.open(f"{provider.issuer}/device?user_code={shown[1]}")
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    browser.open(f"{provider.issuer}/device", {**fields, "user_code": shown[1], "confirm": "yes"})
    for _ in range(100):
        found = client.get(waiting[1], hx_request="true")
        if "hx-redirect" in found.headers:
            break
        place.host.clock.sleep(0.5)
    assert found.headers["hx-redirect"] == "/connections/ada?done=connected"
    assert place.host.runtime("default").invoke(ASK).status == "succeeded"


def test_an_approval_that_has_ended_says_what_to_do(
    place: Place, provider: AuthorizationServer
) -> None:
    """A changed value ends the approval: the page says why, and offers to connect again."""
    client = place.signed_in()
    client.get(handed_over(place, approved(client, provider)))
    connections = place.host.runtime("default").connections
    shown = connections.show("ada")["values"]
    connections.replace("ada", {**shown, "tokenUrl": f"{provider.issuer}/elsewhere"}, test=False)
    page = client.get("/connections/ada").words
    assert "must be reconnected" in page
    assert "a value of the connection has changed since" in page
    assert "Connect again" in page


def test_a_refused_token_asks_for_a_new_approval_until_a_call_succeeds(
    place: Place, provider: AuthorizationServer
) -> None:
    """A provider may have revoked a token, also one that is never refreshed: its refusal is no
    proof, so a success takes it back.
    """
    client, connections = place.signed_in(), place.host.runtime("default").connections
    client.get(handed_over(place, approved(client, provider)))
    found = connections.find("ada")
    assert found.id is not None
    connections.known.note_expired(found.id, found.version)
    place.host.storage.database.settle(5.0)
    page = client.get("/connections/ada").words
    assert (
        "must be reconnected The provider refused the token of this approval. What to do: "
        "connect it again."
    ) in page
    assert place.host.runtime("default").invoke(ASK).status == "succeeded"
    place.host.storage.database.settle(5.0)
    assert "must be reconnected" not in client.get("/connections/ada").words


def test_who_may_connect(place: Place) -> None:
    """The scope ``invoke`` sees the state and no button; its requests are refused, as in the HTTP
    API.
    """
    client = place.signed_in(token(place, "invoke"))
    page = client.get("/connections/ada")
    assert "Connecting it requires the scope manage" in page.words
    assert (
        client.post(
            "/connections/ada/authorization", {"csrf": page.csrf, "flow": "redirect"}
        ).status
        == 403
    )
    assert client.get("/connections/ada/authorization/x").status == 403
    assert client.get("/connected?state=x&code=y").status == 403


def test_removing_a_connection_revokes_its_approval(
    place: Place, provider: AuthorizationServer
) -> None:
    """The page says that removal revokes, and the provider is told."""
    client = place.signed_in()
    client.get(handed_over(place, approved(client, provider)))
    assert "revokes its approval at the provider" in client.get("/connections/ada").words
    before = provider.count("/token/revocation")
    assert client.change("/connections/ada", "/connections/ada/removal").status == 303
    assert provider.count("/token/revocation") == before + 1


def test_ada_connects_in_a_browser(
    browser: Browser, provider: AuthorizationServer, tmp_path: Path
) -> None:
    """In Chromium, with a provider on another site: a click on Connect, the approval, and back on
    the page, connected and signed in.
    """
    make_people(tmp_path / "site")
    with served(tmp_path) as console:
        add(console.host, provider)
        local = type(console)(console.host, console.origin.replace("127.0.0.1", "localhost"))
        visitor = Visitor(browser, local)
        visitor.sign_in()
        visitor.go("/connections/ada")
        assert visitor.judged("approval-none", thoroughly=False) == []
        for button in ("Connect", "Connect again"):
            visitor.go("/connections/ada")
            visitor.page.get_by_role("button", name=button, exact=True).click()
            visitor.page.get_by_text("Connected. Test it").wait_for()
            assert visitor.page.url == f"{local.origin}/connections/ada?done=connected"
            assert [
                fault
                for fault in visitor.faults
                if not fault.startswith(f"foreign request: {provider.issuer}/")
            ] == []
            visitor.faults.clear()
        visitor.picture("approval-light", whole=True)
        visitor.page.get_by_role("button", name="Connect with a code").click()
        visitor.page.get_by_role("region", name="Code").wait_for()
        assert visitor.judged("approval-code", thoroughly=False) == []
        visitor.close()
        assert console.host.runtime("default").invoke(ASK).status == "succeeded"
