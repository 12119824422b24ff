"""A server over TLS, a provider that asks, and a platform whose pages embed connect sessions in
frames, modals and windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from playwright.sync_api import BrowserContext, FrameLocator, Page

from http_stand import Stand
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.testing import Answer, Provider, Request
from jackfield_service.subjects.connect.operations import connecting
from oauth2_authority import Codes


class Platform:
    """Pages of the platform: one that frames ``framed``, one that people return to, and one that
    posts ``nonce`` to ``start``.
    """

    framed = ""
    start = ""
    script = ""
    nonce = ""

    @classmethod
    def answer(cls, _number: int, request: Request) -> Answer:
        """Show the page."""
        pages = {
            "/embedding": f'<!doctype html><h1>The Shop</h1><script src="{cls.script}"></script>',
            "/framing": (
                f'<!doctype html><iframe src="{cls.framed}" width="900" height="900"></iframe>'
            ),
            "/opening": f"""<!doctype html><button onclick='w = window.open("{cls.start}"); setInterval(() =>
                w.postMessage({{nonce: "{cls.nonce}"}}, "*"), 50)'>Win a prize</button>""",
        }
        body = pages.get(urlsplit(request.path).path, "<!doctype html><h1>The Shop</h1>")
        return Answer(headers={"Content-Type": "text/html"}, content=body.encode())


class Shifted(SystemClock):
    """The clock of this machine, which a test puts forward."""

    ahead = 0.0

    def time(self) -> float:
        """Return the time."""
        return super().time() + self.ahead


@dataclass
class Asking(Codes):
    """An authorization server at which everybody approves as Ada at once, or, while it ``asks``, on
    its page.
    """

    asks: bool = False

    def __call__(self, number: int, request: Request) -> Answer:
        """Answer a request."""
        if not self.asks or not request.path.startswith("/authorize?"):
            return super().__call__(number, request)
        given = dict(parse_qsl(urlsplit(request.path).query))
        back = {
            "Allow": {"state": given["state"], "code": "adas-code"},
            "Deny": {"state": given["state"], "error": "access_denied"},
        }
        links = [
            f'<p><a href="{given["redirect_uri"]}?{urlencode(answer)}">{name}</a>'
            for name, answer in back.items()
        ]
        page = f"<!doctype html><title>People</title><h1>People asks</h1>{''.join(links)}"
        return Answer(status=200, headers={"Content-Type": "text/html"}, content=page.encode())


@dataclass
class Place:
    """A server over TLS, a provider at which everybody approves as Ada, and a platform on another
    site. ``sister`` has the same pages on the server's own site, whose frames share their cookies
    with windows.
    """

    stand: Stand
    provider: Provider
    authority: Asking
    platform: str
    sister: str
    origin: str
    shop: Actor
    clock: Shifted

    def begin(self, **body: Any) -> tuple[str, str]:
        """Begin a session for Ada; return its ID and link."""
        url = self.provider.url
        values = {
            "server": url,
            "authorizationUrl": f"{url}/authorize",
            "tokenUrl": f"{url}/token",
            "clientId": "c",
            "issuer": url,
        }
        kind = self.stand.host.runtime("acme-1").connections.kinds.find(
            "people/oauth2AuthorizationCode"
        )
        asked = {
            "user": "ada",
            "returnTo": f"{self.platform}/back",
            "types": [kind.full_name],
            "defaults": {"values": values, "locked": [*kind.schema["properties"]]},
            **body,
        }
        found, link = connecting(self.stand.host, "acme-1").create(asked, self.shop)
        return found.id, f"{self.origin}/connect/{link}"

    def confirmed(self, session: str, page: Page) -> str:
        """The state of a session that is confirmed with the proof in the address of a page."""
        page.wait_for_url("**/back?*")
        proof = parse_qs(urlsplit(page.url).query)["proof"][0]
        return str(
            (connecting(self.stand.host, "acme-1").confirm(session, proof, "ada", self.shop) or {})[
                "status"
            ]
        )


def framed(
    place: Place, person: BrowserContext, *, presses: bool = False, **body: Any
) -> tuple[str, Page, FrameLocator]:
    """A session that somebody has begun on a page of the platform's that frames it; without scripts
    somebody ``presses`` Begin.
    """
    session, Platform.framed = place.begin(origins=[place.platform], **body)
    page = person.new_page()
    page.goto(f"{place.platform}/framing")
    frame = page.frame_locator("iframe")
    if presses:
        frame.get_by_role("button", name="Begin").click()
    frame.get_by_role("link", name="Continue to 127.0.0.1").wait_for()
    return session, page, frame


OPEN = """([url, mode]) => {
    window.result = null;
    window.told = [];
    const on = found => window.told.push(found.status);
    jackfieldConnect.open(url, {mode, title: "Connect Echo", on}).then(found => window.result = found);
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
