"""A connect session in a modal, in every order of events: approvals, refusals, windows that are
closed or blocked, confirmations that come late or never, and the end of the session on each page.
The modal and the window agree, and the platform's page hears each end once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page
from tests.jackfield_service.subjects.connect.connect_site import OPEN, Place, Platform, result_of

from jackfield_service.subjects.connect.operations import connecting
from jackfield_service.subjects.connect.pages.approval import ApprovalPages

pytest_plugins = ["browser", "tests.jackfield_service.subjects.connect.connect_fixtures"]

KEY: dict[str, Any] = {"types": ["echo/token"], "defaults": {}}
AGAIN = "Go back to The Shop and start again."


@dataclass
class Story:
    """Ada at the platform's page, whose modal shows a session. Each method is a step of an order;
    it waits for what Ada must see then.
    """

    place: Place
    person: BrowserContext
    platform: str
    body: dict[str, Any]
    window: Page = field(init=False)
    proof: str = ""

    def __post_init__(self) -> None:
        self.session, self.link = self.place.begin(
            origins=[self.platform],
            returnTo=f"{self.platform}/back",
            connection="main",
            **self.body,
        )
        Platform.script = f"{self.place.origin}/connect.js"
        self.page = self.person.new_page()
        # who closes it with a key typed is asked
        self.page.on("dialog", lambda dialog: dialog.accept())
        self.open()

    @property
    def frame(self) -> Locator:
        """The session's page in the modal, once its script runs: before, it tells nobody what has
        happened.
        """
        return self.page.frame_locator("iframe").locator("html.framed")

    def sees(self, text: str) -> None:
        """Wait for a text in the modal."""
        self.frame.get_by_text(text).locator("visible=true").first.wait_for()

    def open(self) -> None:
        """Open the platform's page, and on it the modal."""
        self.page.goto(f"{self.platform}/embedding")
        self.page.evaluate(OPEN, [self.link, "modal"])

    def go(self) -> None:
        """Go to the provider, which asks."""
        with self.page.expect_popup() as opened:
            self.frame.get_by_role("link", name="Continue to 127.0.0.1").click()
        self.window = opened.value
        self.window.get_by_role("heading", name="People asks").wait_for()
        self.sees("Go on in the window that has opened")

    def block(self) -> None:
        """Press the same button in a browser that opens no window."""
        self.frame.get_by_role("link", name="Continue to 127.0.0.1").wait_for()
        self.page.frames[1].evaluate(
            "() => { window.kept = window.open; window.open = () => null; }"
        )
        self.frame.get_by_role("link", name="Continue to 127.0.0.1").click()
        self.sees("Your browser has opened no window")
        self.page.frames[1].evaluate("() => { window.open = window.kept; }")

    def deny(self) -> None:
        """Say no at the provider: the window closes by itself, and the modal offers to try
        again.
        """
        with self.window.expect_event("close"):
            self.window.get_by_role("link", name="Deny").click()
        self.sees("You did not approve")

    def retry(self) -> None:
        """Try again in the modal."""
        self.frame.get_by_role("button", name="Try again").click()

    def allow(self) -> None:
        """Say yes at the provider: the window asks to finish, and the modal says so. The window
        alone has a button that leads on.
        """
        self.window.get_by_role("link", name="Allow").click()
        self.window.get_by_role("button", name="Connect", exact=True).wait_for()
        self.sees("Finish there")
        leading = "main .primary:visible"
        assert (self.window.locator(leading).count(), self.frame.locator(leading).count()) == (1, 0)

    def finish(self) -> None:
        """Finish in the window, which takes the proof to the platform, while the modal waits."""
        self.window.get_by_role("button", name="Connect", exact=True).click()
        self.window.wait_for_url("**/back?*")
        self.proof = parse_qs(urlsplit(self.window.url).query)["proof"][0]
        self.sees("Almost done")

    def confirm(self) -> None:
        """The platform's server confirms."""
        connecting(self.place.stand.host, "acme-1").confirm(
            self.session, self.proof, "ada", self.place.shop
        )

    def late(self) -> None:
        """Wait until the modal says that the platform has not answered."""
        self.sees("you can close this page")

    def leave(self) -> None:
        """Press the button under that."""
        self.frame.get_by_role("button", name="Close").click()

    def shut(self) -> None:
        """Close the window by hand."""
        self.window.close()

    def misses(self) -> None:
        """See that the window is gone."""
        self.sees("is closed, or cannot be seen from here")

    def again(self) -> None:
        """Start again in the modal."""
        self.frame.get_by_role("button", name="Start again").click()

    def back(self) -> None:
        """Go back in the window to the provider, and forward again."""
        self.window.go_back()
        self.window.get_by_role("heading", name="People asks").wait_for()
        self.window.go_forward()
        self.window.get_by_role("button", name="Connect", exact=True).wait_for()

    def reload(self) -> None:
        """Load the platform's page anew, and open the same session in it."""
        self.open()
        self.frame.get_by_role("heading").first.wait_for()

    def tab(self) -> None:
        """Open the link in a tab of its own as well."""
        tab = self.person.new_page()
        tab.goto(self.link)
        tab.get_by_role("heading").first.wait_for()
        tab.close()

    def cancel(self) -> None:
        """Cancel in the modal."""
        self.frame.get_by_role("button", name="Cancel").click()

    def close(self) -> None:
        """Close the modal."""
        self.page.get_by_role("button", name="Close", exact=True).first.click()

    def escape(self) -> None:
        """Press Escape in the page in the modal."""
        self.frame.get_by_role("link", name="Continue to 127.0.0.1").wait_for()
        self.page.keyboard.press("Escape")

    def expire(self) -> None:
        """Let the session's time end: the page in the modal notices it, and says what to do
        next.
        """
        self.frame.get_by_role("heading").first.wait_for()
        self.place.clock.ahead += 3600
        self.sees(AGAIN)

    def gone(self) -> None:
        """See the end in the window, too."""
        self.window.get_by_text(AGAIN).wait_for()

    def enter(self) -> None:
        """Enter a key, and see whose it is."""
        self.frame.get_by_label("Token").fill("x")
        self.frame.get_by_role("button", name="Continue").click()
        self.sees("Signed in as The echo in the hall.")

    def typing(self) -> None:
        """Begin to enter a key."""
        self.frame.get_by_label("Token").fill("x")

    def connect(self) -> None:
        """Connect with the key."""
        self.frame.get_by_role("button", name="Connect", exact=True).click()


AXE = (Path(__file__).parents[3] / "support" / "vendor" / "axe-4.14.1.min.js").read_text(
    encoding="utf-8"
)
JUDGED = """() => axe.run(document, {iframes: false, resultTypes: ["violations"]}).then(found => found.violations.filter(
    one => ["serious", "critical"].includes(one.impact)).map(one => `${one.id}: ${one.nodes.map(node => node.html)}`))"""
ORDERS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("go allow finish confirm", {"status": "granted"}, []),
    ("go allow finish late confirm", {"status": "granted"}, ["pending"]),
    ("go allow finish late leave", {"status": "pending"}, ["pending"]),
    ("go allow finish late close", {"status": "pending"}, ["pending"]),
    ("go deny retry go allow finish confirm", {"status": "granted"}, ["declined"]),
    (
        "go deny retry go deny retry go allow finish confirm",
        {"status": "granted"},
        ["declined", "declined"],
    ),
    ("go deny cancel", {"status": "failed", "reason": "the person has cancelled it"}, ["declined"]),
    ("go deny close", {"status": "closed", "last": "declined"}, ["declined"]),
    ("go shut misses go allow finish confirm", {"status": "granted"}, []),
    ("go allow shut again go allow finish confirm", {"status": "granted"}, []),
    ("block go allow finish confirm", {"status": "granted"}, []),
    ("go allow back finish confirm", {"status": "granted"}, []),
    ("go reload allow finish confirm", {"status": "granted"}, []),
    ("go tab allow finish confirm", {"status": "granted"}, []),
    ("escape", {"status": "closed"}, []),
    ("expire", {"status": "expired"}, []),
    ("go expire", {"status": "expired"}, []),
    ("go allow expire gone", {"status": "expired"}, []),
    ("go allow finish expire", {"status": "expired"}, []),
    ("go deny expire", {"status": "expired"}, ["declined"]),
]
SHARED = (
    "go allow finish confirm",
    "go allow finish late leave",
    "go deny retry go allow finish confirm",
    "go allow shut again go allow finish confirm",
    "go tab allow finish confirm",
    "go allow finish expire",
)
"""Orders that are taken on the server's own site, too, where windows share the cookies of
frames.
"""
KEYS = [
    ("enter connect", "saved"),
    ("enter reload connect", "saved"),
    ("typing expire", "expired"),
    ("enter expire", "expired"),
    ("typing cancel", "failed"),
    ("typing close", "closed"),
]


def told_by(
    place: Place, person: BrowserContext, platform: str, order: str, body: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Take the steps of an order; what the script says in the end, and what it was told on the
    way.
    """
    place.authority.asks = True
    connections = place.stand.host.runtime("acme-1").connections
    for row in connections.list().items:
        connections.remove(str(row["name"]))
    story = Story(place, person, platform, body)
    for step in order.split():
        getattr(story, step)()
    found = result_of(story.page)
    if found["status"] in ("granted", "saved", "pending", "closed"):
        assert story.page.get_by_role("dialog").count() == 0
    return found, story.page.evaluate("window.told")


@pytest.mark.parametrize(
    ("order", "result", "passing", "site"),
    [
        (*one, site)
        for one in ORDERS
        for site in ("platform", "sister")
        if site == "platform" or one[0] in SHARED
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_an_order_of_events(
    place: Place,
    person: BrowserContext,
    monkeypatch: pytest.MonkeyPatch,
    site: str,
    order: str,
    result: dict[str, Any],
    passing: list[str],
) -> None:
    """At a provider, for a platform on another site and for one on the server's own, where windows
    share the frame's cookies.
    """
    monkeypatch.setattr(ApprovalPages, "patience", 0.5 if "late" in order else 600.0)
    found, told = told_by(place, person, getattr(place, site), order, {})
    assert {name: found.get(name) for name in result} == result
    assert told == [
        *passing,
        *([] if found["status"] in ("closed", "pending") else [found["status"]]),
    ]


@pytest.mark.parametrize(
    ("order", "result"), KEYS, ids=[order.replace(" ", "-") for order, _ in KEYS]
)
def test_an_order_of_events_with_a_key(
    place: Place, person: BrowserContext, order: str, result: str
) -> None:
    """On a form."""
    found, told = told_by(place, person, place.platform, order, KEY)
    assert (found["status"], told) == (result, [] if result == "closed" else [result])


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1200), ("light", 375)])
def test_the_modal_can_be_read(
    place: Place, browser: Browser, monkeypatch: pytest.MonkeyPatch, scheme: Any, width: int
) -> None:
    """In German, dark and on a phone: every page of an approval, and the button that closes the
    modal, pass axe; the modal is no wider than the window, as tall as its page, and its button has
    the page's colours.
    """
    monkeypatch.setattr(ApprovalPages, "patience", 0.5)
    place.authority.asks = True
    connections = place.stand.host.runtime("acme-1").connections
    for row in connections.list().items:
        connections.remove(str(row["name"]))
    window = {"width": width, "height": 800}
    person = browser.new_context(
        ignore_https_errors=True,
        reduced_motion="reduce",
        color_scheme=scheme,
        bypass_csp=True,
        viewport=window,  # type: ignore[arg-type]
    )
    person.set_default_timeout(60_000)
    story = Story(place, person, place.platform, {"locale": "de", "theme": {"name": "Shop GmbH"}})
    found: list[str] = []

    def judge() -> None:
        for frame in story.page.frames:
            frame.evaluate(AXE)
            if frame is story.page.main_frame:
                continue
            found.extend(frame.evaluate(JUDGED))
            frame.wait_for_function(
                "document.documentElement.scrollHeight <= innerHeight && "
                "document.documentElement.scrollWidth <= innerWidth"
            )
        found.extend(
            story.page.evaluate(JUDGED.replace("document,", "document.querySelector('dialog'),"))
        )
        looks = (
            "getComputedStyle(document.querySelector('dialog > button')).backgroundColor === "
            "'rgb(255, 255, 255)'"
        )
        assert story.page.evaluate(looks) is (scheme == "light")

    onward = story.frame.get_by_role("link", name="Weiter zu 127.0.0.1")
    for answer, said in (
        ("Deny", "Sie haben nicht zugestimmt"),
        ("Allow", "Schließen Sie dort ab"),
    ):
        onward.wait_for()
        judge()
        with story.page.expect_popup() as opened:
            onward.click()
        opened.value.get_by_role("link", name=answer).click()
        story.sees(said)
        judge()
        if answer == "Deny":
            story.frame.get_by_role("button", name="Erneut versuchen").click()
    opened.value.get_by_role("button", name="Verbinden", exact=True).click()
    story.sees("Noch fehlt die Bestätigung")
    judge()
    place.clock.ahead += 3600
    story.sees("Gehen Sie zurück zu Shop GmbH")
    judge()
    person.close()
    assert found == []
