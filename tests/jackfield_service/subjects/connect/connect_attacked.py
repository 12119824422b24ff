"""A platform's tenant and a provider, for attacks on who is asking in a connect session."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.jackfield_service.subjects.connect.connect_browser import Person

from clocks import FakeClock
from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers.actor import Actor
from jackfield.testing import Provider
from jackfield_store.access.platform_tokens import PlatformTokens
from oauth2_authority import Codes
from oauth2_site import make_people
from plugboard import make_connector, plugged
from replies import Reply

BACK = "https://shop.example/back"
TYPE = "people/oauth2AuthorizationCode"
BASE = "/v1/workspaces/acme-1/connect-sessions"
OWNERS = '''
from typing import ClassVar

from jackfield.connector import Account, Connector, Inputs, Output, Step
from jackfield_http import OAuth2AuthorizationCode

class Approved(OAuth2AuthorizationCode):
    """An account whose owner the test finds out."""

    key: ClassVar[str] = "approved"

    def test(self, context):
        """Ask who has approved."""
        owner = self.open(context).get("/me").json("/sub")
        yield Step("me", "Ask whose it is", passed=True, message="The provider knows the account.")
        yield Account(owner, owner)

connector = Connector("owners", title="Owners", version="1.0.0", connections=[Approved])

class Nothing(Inputs):
    """Nothing."""

class Person(Output):
    """Who has approved."""

    sub: str

@connector.action("whoAmI", effect="read")
def who_am_i(inputs: Nothing, api) -> Person:
    """Ask."""
    return Person(sub=api.get("/me").json("/sub"))
'''


@dataclass
class Attacked:
    """A server with a platform's tenant, and a provider whose accounts are connected by
    approval.
    """

    stand: Stand
    platform: Client
    provider: Provider
    authority: Codes
    clock: FakeClock
    environment: dict[str, Any]
    connection: str = "main"

    def begin(self, **body: Any) -> dict[str, Any]:
        """Begin a session for ``ada``; the platform gives all values, so that the person only
        approves.
        """
        url = self.provider.url
        values = {
            "server": url,
            "authorizationUrl": f"{url}/authorize",
            "tokenUrl": f"{url}/token",
            "clientId": "c",
            "issuer": url,
        }
        types = self.stand.host.runtime("acme-1").connections.kinds.find(TYPE).schema["properties"]
        defaults = {"values": values, "locked": [*types]}
        asked = {
            "user": "ada",
            "returnTo": BACK,
            "types": [TYPE],
            "connection": self.connection,
            "defaults": defaults,
            **body,
        }
        answer = self.platform.post(BASE, asked)
        assert answer.status == 201, answer.body
        found: dict[str, Any] = answer.json
        return found

    def at_provider(
        self, begun: dict[str, Any], person: Person | None = None
    ) -> tuple[Person, str]:
        """Open a session and go to the provider; return the browser and the state that the provider
        gets.
        """
        browser = (person or Person(self.stand.port)).go(begun["url"]).begin()
        link = next(part for part in browser.text.split('"') if part.startswith("/oauth2/start/"))
        browser.clicks += 1
        assert browser.go(link).page is not None
        address = browser.page.headers["location"]  # type: ignore[union-attr]
        return browser, parse_qs(urlsplit(address).query)["state"][0]

    def answered(self, browser: Person, state: str, code: str) -> Person:
        """Come back from the provider with a code, and go where the page leads."""
        return browser.go(f"/oauth2/callback?{urlencode({'state': state, 'code': code})}")

    def approved(
        self, begun: dict[str, Any], code: str = "adas-code", person: Person | None = None
    ) -> tuple[Person, str]:
        """Approve with an account, and finish; return the browser and the proof."""
        browser, state = self.at_provider(begun, person)
        browser = self.answered(browser, state, code)
        browser.go(browser.onward()).press("Connect")
        return browser, parse_qs(urlsplit(browser.onward()).query)["proof"][0]

    def confirm(
        self,
        begun: dict[str, Any],
        proof: str,
        user: str = "ada",
        client: Client | None = None,
        base: str = BASE,
    ) -> Reply:
        """What the platform's server does with a proof."""
        return (client or self.platform).post(
            f"{base}/{begun['id']}:confirm", {"proof": proof, "user": user}
        )

    def pressed(self, begun: dict[str, Any], person: Person) -> Person:
        """A browser of the same cookies and page that presses Begin, and does not follow where that
        leads.
        """
        csrf = person.text.split('name="csrf" value="')[1].split('"')[0]
        cookie = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
        reply = Client(self.stand.port).call(
            "POST", urlsplit(begun["url"]).path, urlencode({"csrf": csrf}).encode(), **kind
        )
        given = {
            name: morsel.value
            for name, morsel in SimpleCookie(reply.headers.get("set-cookie", "")).items()
        }
        return Person(self.stand.port, {**person.cookies, **given}, reply)

    def stored(self) -> list[str]:
        """Names of the connections that there are, those that wait for an approval included."""
        with self.stand.host.storage.database.read() as transaction:
            rows = transaction.execute(
                "SELECT name FROM connections WHERE workspace = :workspace ORDER BY name",
                {"workspace": "acme-1"},
            )
        return [str(row.name) for row in rows]

    def status(self, begun: dict[str, Any]) -> str:
        """State of a session."""
        return str(self.platform.get(f"{BASE}/{begun['id']}").json["status"])

    def untouched(self, codes: int = 0) -> bool:
        """True if nobody is connected, and the token endpoint was asked for as many codes as
        browsers have brought back that it was opened for, and for nothing else.
        """
        connections = self.stand.host.runtime("acme-1").connections
        rows = [connections.show(name) for name in self.stored()]
        return len(self.authority.exchanged) == codes == self.codes() and all(
            row["authorization"] == {"status": "none"} for row in rows
        )

    def codes(self) -> int:
        """How many codes were exchanged."""
        return sum("code" in form for form in self.authority.exchanged)

    def connected(self, connector: str = "people") -> str:
        """Whose account the connection uses."""
        token = self.platform.post(
            "/v1/workspaces/acme-1/tokens", {"scope": "invoke", "name": "shop"}
        ).json["token"]
        ask = {
            "connector": connector,
            "action": "whoAmI",
            "connection": self.connection,
            "inputs": {},
        }
        return str(
            Client(self.stand.port, token).post("/v1/invocations", ask).json["output"]["sub"]
        )

    def other_platform(self, pattern: str = "acme-*") -> Client:
        """Another platform's token."""
        storage = self.stand.host.storage
        made = PlatformTokens(
            storage.database, storage.vault, self.clock, Actor("cli", "eve")
        ).create(pattern, "another")
        return Client(self.stand.port, made.text)


def begun_by(site: Attacked, **body: Any) -> tuple[dict[str, Any], Person, str]:
    """A session that somebody has begun, that browser, and the link to the approval."""
    begun = site.begin(**body)
    page = Person(site.stand.port).go(begun["url"], Referer="https://shop.example/").begin()
    return begun, page, start_of(page)


def start_of(page: Person) -> str:
    """The link to the approval on a page."""
    return next(part for part in page.text.split('"') if part.startswith("/oauth2/start/"))


def nonce_of(page: Person) -> str:
    """What a framed page hands to its window."""
    return page.text.split('data-nonce="')[1].split('"')[0]


def code_of(page: Person) -> str:
    """The code that a page shows for another device."""
    return page.text.rsplit("<code>", 1)[1].split("<")[0]


def state_at(person: Person) -> str:
    """The state with which a page leads to the provider."""
    assert person.page is not None
    address = person.page.headers.get("location") or person.onward()
    return parse_qs(urlsplit(address).query)["state"][0]


def sent(person: Person, **form: str) -> Person:
    """Send the form of the page on which a stranger is asked, with other values."""
    csrf = person.text.split('name="csrf" value="')[1].split('"')[0]
    return person.send(person.visited[-1], {"csrf": csrf, **form})


@contextlib.contextmanager
def attacked(folder: Path, environment: dict[str, Any]) -> Iterator[Attacked]:
    """Serve a platform, its tenant and a provider."""
    make_people(folder / "packages")
    make_connector(folder / "packages", "owners", OWNERS)
    clock, authority = FakeClock(), Codes()
    settings = replace(SETTINGS, origins=("https://shop.example",))
    with (
        plugged(folder / "packages"),
        Provider(authority) as provider,
        standing(folder, settings, clock=clock, **environment) as stand,
    ):
        storage = stand.host.storage
        made = PlatformTokens(storage.database, storage.vault, clock, Actor("cli", "ada")).create(
            "acme-*", "The Shop"
        )
        found = Attacked(
            stand, Client(stand.port, made.text), provider, authority, clock, environment
        )
        for name in ("acme-1", "acme-2"):
            assert found.platform.call("PUT", f"/v1/workspaces/{name}", {}).status == 201
        yield found
