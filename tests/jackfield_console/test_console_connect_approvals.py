"""Approvals of a connect session in a browser, over TLS: the window of a page in a frame, a page of its own, and another device."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page

from http_stand import SETTINGS, Stand, standing
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.testing import Provider
from jackfield_server.shared.operations.connect import connecting
from jackfield_store.access import Workspaces
from jackfield_store.access.platform_tokens import PlatformTokens
from oauth2_authority import Codes
from oauth2_site import make_people
from plugboard import plugged
from raw_server import make_certificate

pytest_plugins = ["browser"]


class Platform(BaseHTTPRequestHandler):
    """Pages of the platform: one that frames ``framed``, one that people return to, and one that posts ``nonce`` to ``start``."""

    framed = ""
    start = ""
    script = ""
    nonce = ""

    def do_GET(self) -> None:
        """Show the page."""
        pages = {
            "/embedding": f'<!doctype html><h1>The Shop</h1><script src="{self.script}"></script>',
            "/framing": f'<!doctype html><iframe src="{self.framed}" width="900" height="900"></iframe>',
            "/opening": f"""<!doctype html><button onclick='w = window.open("{self.start}"); setInterval(() =>
                w.postMessage({{nonce: "{self.nonce}"}}, "*"), 50)'>Win a prize</button>""",
        }
        body = pages.get(urlsplit(self.path).path, "<!doctype html><h1>The Shop</h1>").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Place:
    """A server over TLS, a provider at which everybody approves as Ada, and a platform on another site."""

    stand: Stand
    provider: Provider
    authority: Codes
    platform: str
    origin: str
    shop: Actor

    def begin(self, **body: Any) -> tuple[str, str]:
        """Begin a session for Ada; return its ID and link."""
        url = self.provider.url
        values = {"server": url, "authorizationUrl": f"{url}/authorize", "tokenUrl": f"{url}/token", "clientId": "c", "issuer": url}
        kind = self.stand.host.runtime("acme-1").connections.kinds.find("people/oauth2AuthorizationCode")
        asked = {
            "user": "ada", "returnTo": f"{self.platform}/back", "types": [kind.full_name],
            "defaults": {"values": values, "locked": [*kind.schema["properties"]]}, **body,
        }  # fmt: skip
        found, link = connecting(self.stand.host, "acme-1").create(asked, self.shop)
        return found.id, f"{self.origin}/connect/{link}"

    def confirmed(self, session: str, page: Page) -> str:
        """The state of a session that is confirmed with the proof in the address of a page."""
        page.wait_for_url("**/back?*")
        proof = parse_qs(urlsplit(page.url).query)["proof"][0]
        return str(connecting(self.stand.host, "acme-1").confirm(session, proof, "ada", self.shop)["status"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all."""
    folder: Path = tmp_path_factory.mktemp("approvals")
    make_people(folder / "packages")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    authority, certificate = Codes(), str(make_certificate(folder))
    origin = f"https://localhost:{port}"
    settings = replace(SETTINGS, port=port, public_url=origin, certificate=certificate, key=certificate)
    with (
        plugged(folder / "packages"), Provider(authority) as provider, ThreadingHTTPServer(("127.0.0.1", 0), Platform) as site,
        standing(folder, settings, clock=SystemClock()) as stand,
    ):  # fmt: skip
        Thread(target=site.serve_forever, name="platform", daemon=True).start()
        storage = stand.host.storage
        Workspaces(storage.database, storage.vault, stand.host.clock).create("acme-1")
        made = PlatformTokens(storage.database, storage.vault, stand.host.clock).create("acme-*", "The Shop")
        shop = stand.host.identities.find(made.text)
        assert shop is not None
        yield Place(stand, provider, authority, f"http://127.0.0.1:{site.server_port}", origin, shop.actor)
        site.shutdown()


@pytest.fixture
def person(browser: Browser) -> Iterator[BrowserContext]:
    """Somebody's browser, which believes the server's certificate."""
    context = browser.new_context(ignore_https_errors=True, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    yield context
    context.close()


def framed(place: Place, person: BrowserContext, **body: Any) -> tuple[str, Page, FrameLocator]:
    """A session that somebody has begun on a page of the platform's that frames it."""
    session, Platform.framed = place.begin(origins=[place.platform], **body)
    page = person.new_page()
    page.goto(f"{place.platform}/framing")
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Begin").click()
    frame.get_by_role("link", name="Continue to 127.0.0.1").wait_for()
    return session, page, frame


def test_a_framed_page_hands_its_window_the_nonce(place: Place, person: BrowserContext) -> None:
    """The window has no cookie of the frame's site: it goes on by itself, comes back, finishes, and takes the proof to the platform. The
    provider's page cannot reach the frame, which says where to finish."""
    session, page, frame = framed(place, person)
    with page.expect_popup() as opened:
        frame.get_by_role("link", name="Continue to 127.0.0.1").click()
    window = opened.value
    window.get_by_role("button", name="Finish").wait_for()
    assert window.evaluate("window.opener") is None
    assert "for the user ada" in window.locator("main").inner_text()
    frame.get_by_role("link", name="I have approved").click()
    frame.get_by_text("Finish there").wait_for()
    window.get_by_role("button", name="Finish").click()
    assert place.confirmed(session, window) == "granted"


@pytest.mark.parametrize("way", ["closed", "blocked", "without scripts"])
def test_a_window_that_does_not_go_on(place: Place, person: BrowserContext, browser: Browser, way: str) -> None:
    """A window that was closed is opened again. One that was opened without the page, or by a page without scripts, asks for the code."""
    if way == "without scripts":
        person = browser.new_context(ignore_https_errors=True, java_script_enabled=False)
    session, page, frame = framed(place, person)
    if way == "closed":
        page.route("**/connect/session/*/start/*", lambda route: route.abort())
        person.route("**/connect/session/*/start/*", lambda route: route.abort())
        with page.expect_popup() as opened:
            frame.get_by_role("link", name="Continue to 127.0.0.1").click()
        opened.value.close()
        page.unroute_all()
        person.unroute_all()
        with page.expect_popup() as opened:
            frame.get_by_role("link", name="Continue to 127.0.0.1").click()
        window = opened.value
    else:
        frame.get_by_role("button", name="Use another device").click()
        link = frame.get_by_role("region", name="Link").inner_text()
        code = frame.get_by_role("region", name="Code").inner_text()
        if way == "blocked":
            window = person.new_page()
            window.goto(link)
        else:
            with person.expect_page() as apart:
                frame.get_by_role("link", name="Continue to 127.0.0.1").click()
            window = apart.value
        window.get_by_label("Code").fill(code)
        window.get_by_role("button", name="Continue").click()
    window.get_by_role("button", name="Finish").click()
    assert place.confirmed(session, window) == "granted"
    person.close()


def kept_here(place: Place, person: BrowserContext, session: str, link: str) -> Page:
    """The page of a session after Begin, in a browser that could not reach the provider then: it went there by itself."""
    page = person.new_page()
    page.goto(link)
    person.route("**/oauth2/start/*", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Begin").click()
    person.unroute_all()
    page.goto(f"{place.origin}/connect/session/{session}")
    return page


def test_one_click_leads_to_the_provider(place: Place, person: BrowserContext) -> None:
    """Of one type that the platform has named: Begin, the provider, Finish. The way back leads to a page that goes on by hand."""
    session, link = place.begin()
    page = person.new_page()
    page.goto(link)
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("button", name="Finish").wait_for()
    page.go_back()
    page.get_by_role("button", name="Finish").or_(page.get_by_role("button", name="Begin")).wait_for()
    page.goto(f"{place.origin}/connect/session/{session}")
    page.get_by_role("button", name="Finish").click()
    assert place.confirmed(session, page) == "granted"


def test_a_page_of_its_own_in_two_tabs(place: Place, person: BrowserContext) -> None:
    """The session's browser goes to the provider in another tab, or comes back and goes again; either tab finishes."""
    session, link = place.begin()
    first = kept_here(place, person, session, link)
    second = person.new_page()
    with second.expect_navigation(url="**/connect/session/*"):
        second.goto(f"{place.origin}{first.get_by_role('link', name='Continue to 127.0.0.1').get_attribute('href')}")
    second.get_by_role("button", name="Finish").wait_for()
    first.reload()
    first.get_by_role("button", name="Finish").click()
    assert place.confirmed(session, first) == "granted"


@pytest.mark.parametrize("verify", ["confirm", "browser", "link"])
@pytest.mark.parametrize("more", ["page", "frame"])
def test_the_start_link_is_sent_on(place: Place, person: BrowserContext, browser: Browser, verify: str, more: str) -> None:
    """Another person opens it, also from a page that knows the nonce and posts it: nobody comes to the provider."""
    place.authority.exchanged.clear()
    session, _, frame = framed(place, person, user="eve", verify=verify)
    link = frame.get_by_role("link", name="Continue to 127.0.0.1")
    Platform.start, Platform.nonce = f"{place.origin}{link.get_attribute('href')}", str(link.get_attribute("data-nonce"))
    victim = browser.new_context(ignore_https_errors=True)
    page = victim.new_page()
    if more == "page":
        page.goto(Platform.start)
    else:
        page.goto(f"{place.platform}/opening")
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Win a prize").click()
        page = opened.value
    page.get_by_role("heading", name="Did you begin this yourself?").wait_for()
    page.wait_for_load_state("networkidle")
    assert "for the user eve" in page.locator("main").inner_text()
    victim.close()
    assert (connecting(place.stand.host, "acme-1").find(session).status, place.authority.exchanged) == ("testing", [])


def test_a_phone_types_the_code(place: Place, person: BrowserContext, browser: Browser) -> None:
    """The code leads another browser to the provider and back, and it finishes there; the first page says so."""
    session, link = place.begin()
    page = kept_here(place, person, session, link)
    page.get_by_role("button", name="Use another device").click()
    phone = browser.new_context(ignore_https_errors=True)
    there = phone.new_page()
    there.goto(page.get_by_role("region", name="Link").inner_text())
    there.get_by_label("Code").fill("12")
    there.get_by_role("button", name="Continue").click()
    there.get_by_text("Tries left: 2").wait_for()
    there.get_by_label("Code").fill(page.get_by_role("region", name="Code").inner_text())
    there.get_by_role("button", name="Continue").click()
    there.get_by_role("button", name="Finish").click()
    page.get_by_role("link", name="I have approved").click()
    page.get_by_text("Finish there").wait_for()
    assert place.confirmed(session, there) == "granted"
    phone.close()


OPEN = """([url, mode]) => {
    window.result = null;
    jackfieldConnect.open(url, {mode, title: "Connect Echo"}).then(found => window.result = found);
}"""


def embedding(place: Place, person: BrowserContext, **body: Any) -> tuple[str, Page, str]:
    """A session, a page of the platform's with the script, and the link that it may open."""
    session, link = place.begin(origins=["http://shop.example", place.platform], **body)
    Platform.script = f"{place.origin}/connect.js"
    page = person.new_page()
    page.goto(f"{place.platform}/embedding")
    return session, page, link


def in_modal(place: Place, person: BrowserContext, **body: Any) -> tuple[str, Page]:
    """A session that a page of the platform's has opened in a modal."""
    session, page, link = embedding(place, person, **body)
    page.evaluate(OPEN, [link, "modal"])
    return session, page


def result_of(page: Page) -> dict[str, Any]:
    """What the script says in the end."""
    page.wait_for_function("window.result !== null")
    found: dict[str, Any] = page.evaluate("window.result")
    return found


def test_the_script_opens_a_modal(place: Place, person: BrowserContext) -> None:
    """The page's own values: the proof comes to the page that has opened it, and nothing leads it elsewhere."""
    session, page = in_modal(place, person, types=["echo/token"], connection="modal", defaults={})
    assert page.get_by_role("dialog", name="Connect Echo").count() == 1
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Begin").click()
    frame.get_by_label("Token").fill("x")
    frame.get_by_role("button", name="Test").click()
    frame.get_by_role("button", name="Connect", exact=True).click()
    found = result_of(page)
    assert (found["status"], found["session"], page.get_by_role("dialog").count()) == ("saved", session, 0)
    assert page.url == f"{place.platform}/embedding"
    assert connecting(place.stand.host, "acme-1").confirm(session, found["proof"], "ada", place.shop)["status"] == "granted"


def test_the_modal_sees_what_a_window_has_ended(place: Place, person: BrowserContext) -> None:
    """The provider opens in a window, which finishes there and brings the proof to the platform; the modal closes by itself."""
    session, page = in_modal(place, person, connection="modal-oauth")
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Begin").click()
    with page.expect_popup() as opened:
        frame.get_by_role("link", name="Continue to 127.0.0.1").click()
    opened.value.get_by_role("button", name="Finish").click()
    assert place.confirmed(session, opened.value) == "granted"
    assert result_of(page) == {"status": "granted", "session": session}


def test_the_script_opens_a_window(place: Place, person: BrowserContext) -> None:
    """Begin, the provider, Finish; the window closes, and its opener has the proof."""
    session, page, link = embedding(place, person, connection="window")
    with page.expect_popup() as opened:
        page.evaluate(OPEN, [link, "window"])
    window = opened.value
    window.get_by_role("button", name="Begin").click()
    window.get_by_role("button", name="Finish").click()
    found = result_of(page)
    assert (found["status"], window.is_closed()) == ("saved", True)
    assert connecting(place.stand.host, "acme-1").confirm(session, found["proof"], "ada", place.shop)["status"] == "granted"


@pytest.mark.parametrize("way", ["cancelled", "closed"])
def test_the_script_says_that_nothing_was_connected(place: Place, person: BrowserContext, way: str) -> None:
    """The person cancels in the page, or closes the modal."""
    session, page = in_modal(place, person, types=["echo/token"], connection=way, defaults={})
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Begin").click()
    if way == "closed":
        page.get_by_role("button", name="Close").click()
        assert result_of(page) == {"status": "closed"}
        return
    frame.get_by_role("button", name="Cancel").click()
    assert result_of(page) == {"status": "failed", "session": session, "reason": "the person has cancelled it"}


def test_only_the_sessions_origins_are_told(place: Place, person: BrowserContext) -> None:
    """A page of another site that opens the window hears nothing, and the person comes back to the platform with the proof."""
    session, link = place.begin(origins=["http://shop.example"], types=["echo/token"], connection="untold", defaults={})
    page = person.new_page()
    page.goto(f"{place.platform}/framing")
    page.evaluate("window.heard = []; addEventListener('message', event => window.heard.push(event.data))")
    with page.expect_popup() as opened:
        page.evaluate("link => { window.opened = window.open(link) }", link)
    window = opened.value
    window.get_by_role("button", name="Begin").click()
    window.get_by_label("Token").fill("x")
    window.get_by_role("button", name="Test").click()
    window.get_by_role("button", name="Connect", exact=True).click()
    assert place.confirmed(session, window) == "granted"
    assert page.evaluate("window.heard") == []
