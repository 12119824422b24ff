"""Somebody at a real browser, and what holds of every page.

``CONSOLE_PICTURES=FOLDER`` has the tests that judge pages write pictures of them there;
``photographs`` makes the documentation's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    ViewportSize,
)

from console_rig import Console

_AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
_LISTEN = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
    window.__violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
});
"""
_FLAT = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`.whole::after { content: none !important; } .actions, .copy { position: static !important; }
        pre { max-height: none !important; white-space: pre-wrap !important; }`);
    document.adoptedStyleSheets = [sheet];
}"""
"""Nothing lies above anything else: axe does not measure the contrast of what it takes for
covered.
"""
_FOCUSED = (
    "() => { const one = document.activeElement; return (one.labels?.[0] ?? "
    "one).textContent.trim(); }"
)
_STOPS = 100
"""Presses of Tab after which nothing new comes on any page."""
_GRAVE = ("serious", "critical")
_WIDE: ViewportSize = {"width": 1360, "height": 900}
_PHONE: ViewportSize = {"width": 375, "height": 720}
Scheme = Literal["light", "dark"]
LOOKS: tuple[tuple[Scheme, bool], ...] = (("light", False), ("dark", False), ("light", True))
"""Colour schemes, and whether the window is that of a phone, in which pages are judged."""


_FREE: WeakKeyDictionary[Browser, list[BrowserContext]] = WeakKeyDictionary()
"""Windows that nobody uses: a new one costs a process of its own, which reads all scripts anew."""


class Visitor:
    """Somebody at a browser. Whatever a page does that it must not is noted, and ``check`` says
    so.
    """

    def __init__(self, browser: Browser, console: Console, *, zone: str | None = None) -> None:
        self.console = console
        self._free = _FREE.setdefault(browser, []) if zone is None else []
        if self._free:
            self._context = self._free.pop()
            self.page: Page = self._context.pages[0]
        else:
            self._context = browser.new_context(reduced_motion="reduce", timezone_id=zone)
            self._context.add_init_script(_LISTEN)
            self.page = self._context.new_page()
        self._zone = zone
        self._looks: tuple[Scheme, bool] | None = None
        self.look("light")
        self.page.set_default_timeout(60_000)
        self.faults: list[str] = []
        self._hears: dict[Any, Any] = {
            "request": self._asked,
            "pageerror": self._broke,
            "console": self._said,
        }
        for event, hear in self._hears.items():
            self.page.on(event, hear)

    def close(self) -> None:
        """Leave the browser's window as if it were new; close one that is not as others are."""
        if self._zone is not None or len(self._context.pages) > 1:
            self._context.close()
            return
        for event, hear in self._hears.items():
            self.page.remove_listener(event, hear)
        self.page.evaluate(
            "try { localStorage.clear(); sessionStorage.clear(); } catch { /* of a file */ }"
        )
        self._context.clear_cookies()
        self._context.clear_permissions()
        try:
            self.page.goto("about:blank")
        except Error:  # a script was on its way to the page for signing in
            self.page.wait_for_load_state()
            self.page.goto("about:blank")
        self._free.append(self._context)

    def enter(self, scope: str) -> None:
        """Sign in with a new token of a scope, in place of the operator's link."""
        self.page.goto(f"{self.console.origin}/login")
        self.field("Token").fill(self.console.token(scope))
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.console.origin}/")

    def look(self, scheme: Scheme, *, phone: bool = False) -> None:
        """Change the colour scheme and the window's size, if they are others."""
        if self._looks == (scheme, phone):
            return
        self._looks = scheme, phone
        self._rules = (
            {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
            if scheme == "dark"
            else {}
        )
        self.page.emulate_media(color_scheme=scheme)
        self.page.set_viewport_size(_PHONE if phone else _WIDE)

    def sign_in(self) -> None:
        """Use a new one-time link."""
        self.page.goto(self.console.link())
        self.page.wait_for_url(f"{self.console.origin}/")

    def go(self, path: str) -> None:
        """Open a page, and wait until its forms are there."""
        self.page.goto(f"{self.console.origin}{path}")
        self.settle()

    def settle(self) -> None:
        """Wait until the page is there, and all of its forms are made."""
        self.page.wait_for_load_state()
        self.page.locator("[data-form]:not([data-filled])").first.wait_for(state="detached")

    def field(self, label: str) -> Any:
        """The control of this label."""
        return self.page.get_by_label(label, exact=True)

    def reach(self, words: str) -> None:
        """Press Tab until what begins with these words has the focus: a button or a link, or the
        field that they label.
        """
        for _ in range(_STOPS):
            self.page.keyboard.press("Tab")
            if str(self.page.evaluate(_FOCUSED)).startswith(words):
                return
        raise AssertionError(f"the keyboard does not reach {words!r} on {self.page.url}")

    def run(self, button: str = "Run") -> str:
        """Send the form of an action; the status of its Result."""
        before = self.page.locator("#result .result").count()
        if before:
            self.page.evaluate("document.querySelector('#result').replaceChildren()")
        self.page.get_by_role("button", name=button, exact=True).click()
        result = self.page.locator("#result .result")
        result.wait_for()
        return str(result.get_attribute("data-status"))

    def axe(self) -> list[str]:
        """What axe-core finds serious or critical, by rule and place; of a dark page, only what its
        colours decide.
        """
        self.page.wait_for_load_state()
        self.page.evaluate(_FLAT)
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(
            "(only) => axe.run(document, {...only, resultTypes: ['violations', 'incomplete']})",
            self._rules,
        )
        unsure = [
            item for item in found["incomplete"] if item["id"] == "color-contrast"
        ]  # no pass, but for labels of charts, scrolled code and single letters, which axe cannot
        return [
            (
                f"{item['id']} ({item['impact']}): {node['target']} "
                f"{node.get('failureSummary', '')[:300]}"
            )
            for item in [*found["violations"], *unsure]
            if item["impact"] in _GRAVE
            for node in item["nodes"]
            if item in found["violations"]
            or not (
                node["html"].startswith(("<text", "<code")) or "too short" in node["failureSummary"]
            )
        ]

    def judged(self, picture: str = "", *, thoroughly: bool, by_axe: bool = True) -> list[str]:
        """What axe, if it is asked at all, finds on the page in light; ``thoroughly`` in dark and
        on a phone, too. The page is no wider than the windows.
        """
        found = []
        pictured = picture and os.environ.get("CONSOLE_PICTURES")
        for scheme, phone in LOOKS if thoroughly or pictured else (LOOKS[0], LOOKS[-1]):
            way = f"{scheme}{'-phone' if phone else ''}"
            self.look(scheme, phone=phone)
            if pictured:
                self.picture(f"{picture}-{way}", whole=True)
            self.check()
            if thoroughly or (by_axe and way == "light"):
                found += [f"{self.page.url}, {way}: {fault}" for fault in self.axe()]
        self.look("light")
        return found

    def check(self) -> None:
        """Fail where the page asked another host, broke its policy, raised an error, or is wider
        than the window.
        """
        # until its style sheet is there, a page is as wide as its longest line
        self.page.wait_for_load_state()
        violations = self.page.evaluate("window.__violations")
        assert violations == []
        assert self.faults == []
        wide = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, f"{self.page.url} is {wide} pixels wider than the window"

    def picture(self, name: str, *, whole: bool = False) -> None:
        """Keep a picture of the page, where somebody asked for pictures."""
        folder = os.environ.get("CONSOLE_PICTURES")
        if folder:
            self.page.screenshot(
                path=Path(folder) / f"{name}.png", full_page=whole, animations="disabled"
            )

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if (
            parts.scheme not in ("data", "blob")
            and f"{parts.scheme}://{parts.netloc}" != self.console.origin
        ):
            self.faults.append(f"foreign request: {request.url}")

    def _broke(self, error: Error) -> None:
        self.faults.append(f"script: {error}")

    def _said(self, message: ConsoleMessage) -> None:
        kind, text = message.type, message.text
        if (
            kind in ("error", "warning")
            and "status of 40" not in text
            and "status of 50" not in text
        ):
            self.faults.append(f"{kind}: {text}")
