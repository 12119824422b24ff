"""Somebody in a browser who counts the pages on which they have done something."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote_plus, urlsplit

from playwright.sync_api import Error

from browsing import Visitor


class Person:
    """Somebody who counts the pages on which they have done something."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.page = visitor, visitor.page
        self.places: list[str] = []

    def begin(self, section: str) -> None:
        """Open a section from the menu."""
        try:
            self.visitor.go("/")
        except Error:  # the page that answers the form before came in between
            self.visitor.go("/")
        self.places = []
        self.page.get_by_role("navigation").get_by_role("link", name=section, exact=True).click()
        self.visitor.settle()

    def _here(self) -> None:
        place = urlsplit(self.page.url).path.removesuffix("/selection")
        if not self.places or self.places[-1] != place:
            self.places.append(place)

    def press(self, name: str, role: Any = "button", *, exact: bool = True, nth: int = 0) -> None:
        """Press a button, or follow a link."""
        self._here()
        self.page.get_by_role("main").get_by_role(role, name=name, exact=exact).nth(nth).click()
        self.visitor.settle()

    def follow(self, name: str, *, exact: bool = True) -> None:
        """Follow a link of the page."""
        self.press(name, "link", exact=exact)

    def fill(self, **fields: str) -> None:
        """Fill fields in by their labels, in which ``_`` is a space."""
        self._here()
        for label, text in fields.items():
            control = self.page.get_by_role("main").get_by_label(label.replace("_", " ")).first
            if control.evaluate("node => node.tagName") == "SELECT":
                control.select_option(text)
            elif control.get_attribute("type") == "checkbox":
                control.set_checked(text == "on")
            else:
                control.fill(text)

    def filter(self, **fields: str) -> None:
        """Filter a list, and wait until it is shown."""
        self.fill(**fields)
        self.press("Filter")
        for text in fields.values():
            self.page.wait_for_url(re.compile(re.escape(quote_plus(text))))
        self.page.locator(".htmx-request").first.wait_for(state="detached")

    def look_for(self, label: str, words: str) -> None:
        """Search what something new is made of or starts; what is found is shown below."""
        self._here()
        self.page.get_by_role("searchbox", name=label, exact=True).fill(words)

    def tick(self, count: int = 1) -> None:
        """Tick boxes of a list."""
        self._here()
        for number in range(count):
            self.page.locator('main input[name^="pick-"]').nth(number).check()

    def open(self, text: str) -> None:
        """Unfold what is folded."""
        self._here()
        self.page.locator("main summary", has_text=text).first.click()

    def sees(self, text: str) -> None:
        """Wait for a text of the page."""
        self.page.locator("main").get_by_text(re.compile(re.escape(text), re.IGNORECASE)).locator(
            "visible=true"
        ).first.wait_for()
