"""Somebody at a real browser, and what holds of every page.

``CONSOLE_PICTURES=docs/images`` has the tests that show something write pictures of it there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, ViewportSize

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
"""Nothing lies above anything else: axe does not measure the contrast of what it takes for covered."""
_GRAVE = ("serious", "critical")
_WIDE: ViewportSize = {"width": 1360, "height": 900}
_PHONE: ViewportSize = {"width": 375, "height": 720}
Scheme = Literal["light", "dark"]
LOOKS: tuple[tuple[Scheme, bool], ...] = (("light", False), ("dark", False), ("light", True))
"""Colour schemes, and whether the window is that of a phone, in which pages are judged."""


class Visitor:
    """Somebody at a browser. Whatever a page does that it must not is noted, and ``check`` says so."""

    def __init__(
        self, browser: Browser, console: Console, scheme: Scheme = "light", *, phone: bool = False, zone: str | None = None
    ) -> None:
        self.console = console
        self._context = browser.new_context(reduced_motion="reduce", timezone_id=zone)
        self._context.add_init_script(_LISTEN)
        self.page: Page = self._context.new_page()
        self.look("light")
        self.page.set_default_timeout(60_000)
        self.faults: list[str] = []
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("console", lambda message: self._said(message.type, message.text))

    def close(self) -> None:
        """Close the browser's window."""
        self._context.close()

    def look(self, scheme: Scheme, *, phone: bool = False) -> None:
        """Change the colour scheme and the window's size."""
        self._rules = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}} if scheme == "dark" else {}
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
        """Wait until all forms of the page are made."""
        self.page.locator("[data-form]:not([data-filled])").first.wait_for(state="detached")

    def field(self, label: str) -> Any:
        """The control of this label."""
        return self.page.get_by_label(label, exact=True)

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
        """What axe-core finds serious or critical, by rule and place; of a dark page, only what its colours decide."""
        self.page.evaluate(_FLAT)
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("(only) => axe.run(document, {...only, resultTypes: ['violations', 'incomplete']})", self._rules)
        unsure = [
            item for item in found["incomplete"] if item["id"] == "color-contrast"
        ]  # no pass, but for labels of charts, scrolled code and single letters, which axe cannot
        return [
            f"{item['id']} ({item['impact']}): {node['target']} {node.get('failureSummary', '')[:300]}"
            for item in [*found["violations"], *unsure]
            if item["impact"] in _GRAVE
            for node in item["nodes"]
            if item in found["violations"] or not (node["html"].startswith(("<text", "<code")) or "too short" in node["failureSummary"])
        ]

    def check(self) -> None:
        """Fail where the page asked another host, broke its policy, raised an error, or is wider than the window."""
        violations = self.page.evaluate("window.__violations")
        assert violations == []
        assert self.faults == []
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{self.page.url} is {wide} pixels wider than the window"

    def picture(self, name: str, *, whole: bool = False) -> None:
        """Keep a picture of the page, where somebody asked for pictures."""
        folder = os.environ.get("CONSOLE_PICTURES")
        if folder:
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=whole, animations="disabled")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.console.origin:
            self.faults.append(f"foreign request: {request.url}")

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "status of 40" not in text and "status of 50" not in text:
            self.faults.append(f"{kind}: {text}")
