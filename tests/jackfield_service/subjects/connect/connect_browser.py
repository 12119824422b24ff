"""A browser without scripts: it keeps cookies, follows links and redirects of the server, and sends
forms as a person does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from http_stand import Client
from replies import Reply


@dataclass
class Form:
    """A form of a page: where it goes, its fields, and its buttons."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    """Text, name and value of each."""


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._button: tuple[str, str] | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, and what is in it."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif tag == "input" and self.forms and "name" in given and given.get("type") != "checkbox":
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag in ("textarea", "select") and self.forms and "name" in given:
            self.forms[-1].fields[given["name"]] = ""
        elif tag == "button":
            self._button, self._text = (given.get("name", ""), given.get("value", "")), ""

    def handle_data(self, data: str) -> None:
        """Note the text of a button."""
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a button."""
        if tag == "button" and self._button is not None and self.forms:
            self.forms[-1].buttons.append((self._text, *self._button))
            self._button = None


@dataclass
class Person:
    """Somebody at a browser. ``page`` is what it shows, ``clicks`` counts what was pressed."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    page: Reply | None = None
    clicks: int = 0
    visited: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The page's HTML."""
        assert self.page is not None
        return self.page.body.decode()

    @property
    def said(self) -> str:
        """The page's text."""
        return unescape(re.sub(r"<[^>]*>", "", self.text))

    def go(self, url: str, **headers: str) -> Person:
        """Open an address of the server, and follow its redirects."""
        return self._follow("GET", url, None, headers)

    def begin(self) -> Person:
        """Press the button of a link's page: Begin, or the one that leads to the provider. Where
        the page asks for a value at once, nothing is entered yet.
        """
        forms = [form for form in self._forms() if form.fields.get("step") != "cancel"]
        assert len(forms) == 1, self.said
        ((label, _, _),) = forms[0].buttons
        if not any(name.startswith("value.") for name in forms[0].fields):
            return self.press(label.strip())
        self.clicks += 1
        return self.send(forms[0].action, {"csrf": forms[0].fields["csrf"]})

    def _forms(self) -> list[Form]:
        reader = _Forms()
        reader.feed(self.text)
        return reader.forms

    def press(self, label: str, **values: str) -> Person:
        """Press the button with this text, after entering values: ``token="x"`` is the field
        ``value.token``.
        """
        found = [
            (form, name, value)
            for form in self._forms()
            for text, name, value in form.buttons
            if text.strip() == label
        ]
        assert found, f"no button {label!r}: {self.said}"
        form, name, value = found[0]
        entered = {f"value.{key}": item for key, item in values.items()}
        assert entered.keys() <= form.fields.keys(), (entered, form)
        sent = {**form.fields, **entered, **({name: value} if name else {})}
        self.clicks += 1
        return self._follow("POST", form.action, sent, {"Sec_Fetch_Site": "same-origin"})

    def send(self, path: str, form: dict[str, str]) -> Person:
        """Send a form that no page has shown."""
        return self._follow("POST", path, form, {"Sec_Fetch_Site": "same-origin"})

    def onward(self) -> str:
        """Where the page leads by itself."""
        found = re.search(r'http-equiv="refresh" content="0;url=([^"]*)"', self.text)
        assert found is not None, self.said
        return unescape(found[1])

    def _follow(
        self, method: str, url: str, form: dict[str, str] | None, headers: dict[str, str]
    ) -> Person:
        given: dict[str, Any] = dict(headers)
        for _ in range(5):
            parts = urlsplit(url)
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            self.visited.append(path)
            cookie = (
                {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
                if self.cookies
                else {}
            )
            body = urlencode(form).encode() if form is not None else None
            kind = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
            self.page = Client(self.port).call(method, path, body, **given, **cookie, **kind)
            for name, morsel in SimpleCookie(self.page.headers.get("set-cookie", "")).items():
                self.cookies[name] = morsel.value
            url = self.page.headers.get("location", "")
            if not url or not url.startswith("/"):
                return self
            method, form = "GET", None
        raise AssertionError("too many redirects")
