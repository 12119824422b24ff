"""A browser without a window: it keeps cookies, sends forms and reads what comes back. It speaks
ASGI to the application itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import os
import re
from collections.abc import Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.types import ASGIApp

from hosted import Hosted
from jackfield.callers import Rules
from jackfield.kernel.clock import Clock, SystemClock
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.pages.sign_in import one_time_link
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.process.settings import ServerSettings
from plugboard import ECHO, declare, plugged

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class _Sent(HTMLParser):
    """What a browser sends of the forms for an address, by their order."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self._address, self._inside, self._name = address, False, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, and its controls."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = self._address in (given.get("action"), given.get("hx-post"))
            self.forms += [{}] if self._inside else []
        if not self._inside or "disabled" in given or "form" in given:
            return
        if tag == "option":
            if "selected" in given or self._name not in self.forms[-1]:
                self.forms[-1][self._name] = given["value"]
        elif tag in ("input", "select", "textarea") and "name" in given:
            self._name = given["name"]
            if tag == "textarea" or (
                tag == "input" and (given.get("type") != "checkbox" or "checked" in given)
            ):
                self.forms[-1][self._name] = given.get(
                    "value", "on" if given.get("type") == "checkbox" else ""
                )

    def handle_data(self, data: str) -> None:
        """Note the text of a field for several lines."""
        if self._inside and self.lasttag == "textarea":
            self.forms[-1][self._name] += (
                data if self.forms[-1][self._name] else data.removeprefix("\n")
            )

    def handle_endtag(self, tag: str) -> None:
        """Leave what ends here."""
        self.lasttag = "" if tag == "textarea" else self.lasttag
        self._inside = self._inside and tag != "form"


@dataclass(frozen=True)
class Answer:
    """What came back. ``headers`` are by lower-case name."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: tuple[str, ...]

    @property
    def csrf(self) -> str:
        """The token of the first form."""
        found = _CSRF.search(self.text)
        assert found is not None, self.text[:500]
        return found[1]

    def csrf_of(self, address: str) -> str:
        """The token of the form for an address, which says what it was drawn from; of a page
        without such a form, that of its first.
        """
        begins = rf'<form[^>]* (?:action|hx-post)="{re.escape(html.escape(address))}"[^>]*>'
        found = re.search(begins + '<input type="hidden" name="csrf" value="([^"]+)"', self.text)
        return found[1] if found is not None else self.csrf

    def fields_of(self, address: str) -> dict[str, str]:
        """The hidden fields of the form for an address."""
        form = re.search(
            rf'<form[^>]* action="{re.escape(html.escape(address))}"[^>]*>(.*?)</form>',
            self.text,
            re.DOTALL,
        )
        assert form is not None, self.words
        return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[1]))

    def sent_of(self, address: str) -> dict[str, str]:
        """All that a browser sends of the first form for an address, but for its buttons."""
        read = _Sent(address)
        read.feed(self.text)
        return read.forms[0]

    @property
    def words(self) -> str:
        """The text without its tags."""
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self.text)).split())


@dataclass
class Client:
    """One browser."""

    app: ASGIApp
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, address: str, **headers: str) -> Answer:
        """Ask for a page."""
        return self.send("GET", address, headers=headers)

    def post(self, address: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """Send a form."""
        body = urlencode(fields).encode()
        return self.send(
            "POST", address, body, {"content-type": "application/x-www-form-urlencoded", **headers}
        )

    def change(self, page: str, address: str, **fields: str) -> Answer:
        """Send a form that a page holds."""
        return self.post(address, {"csrf": self.get(page).csrf_of(address), **fields})

    def anew(self, answer: Answer) -> Answer:
        """The page that is shown anew in place of an answer: where that leads, or the answer, which
        has what was typed.
        """
        return answer if answer.status == 409 else self.get(answer.headers["location"])

    def send(
        self, method: str, address: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request; ``headers`` with underscores for hyphens."""
        with ThreadPoolExecutor(1) as apart:  # this thread may have a browser's event loop
            return apart.submit(
                lambda: asyncio.run(self._send(method, address, body, headers or {}))
            ).result()

    async def _send(
        self, method: str, address: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        parts = urlsplit(address)
        given = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        given += [(b"host", b"127.0.0.1:8080"), (b"content-length", str(len(body)).encode())]
        if self.cookies:
            given.append(
                (
                    b"cookie",
                    "; ".join(f"{name}={value}" for name, value in self.cookies.items()).encode(),
                )
            )
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": given,
            "client": ("127.0.0.1", 5000),
            "server": ("127.0.0.1", 8080),
            "state": {},
        }
        waiting: list[MutableMapping[str, Any]] = [
            {"type": "http.request", "body": body, "more_body": False}
        ]
        never = asyncio.Event()
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            if not waiting:
                await never.wait()
            return waiting.pop()

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return self._answer(sent)

    def _answer(self, sent: list[MutableMapping[str, Any]]) -> Answer:
        pairs = [(name.decode().lower(), value.decode()) for name, value in sent[0]["headers"]]
        cookies = tuple(value for name, value in pairs if name == "set-cookie")
        for text in cookies:
            for name, morsel in SimpleCookie(text).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(sent[0]["status"], dict(pairs), body.decode("utf-8", "replace"), cookies)


@dataclass(frozen=True)
class Place(Hosted):
    """A host with its application, that nobody listens for."""

    host: ServerContext
    app: ASGIApp

    def client(self) -> Client:
        """A browser that is not signed in."""
        return Client(self.app)

    def link(self) -> str:
        """A new one-time link, without the server's address."""
        return one_time_link(self.host.storage, self.host.clock, "")

    def signed_in(self, token: str | None = None) -> Client:
        """A browser that is signed in: with a token, or by a one-time link."""
        client = self.client()
        if token is None:
            assert client.get(self.link()).status == 200
        else:
            assert client.change("/login", "/login", token=token).status == 200
        return client


@contextlib.contextmanager
def placed(
    folder: Path,
    clock: Clock | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    **settings: Any,
) -> Iterator[Place]:
    """A host on a database of its own, with the echo connector installed."""
    site = folder / "site"
    declare(site, "jackfield-echo", "jackfield.connectors", {"echo": "jackfield_echo:connector"})
    known = {
        "JACKFIELD_HOME": str(folder / "home"),
        "JACKFIELD_DATABASE_URL": f"sqlite:///{folder / 'console.db'}",
    }
    with plugged(site, ECHO):
        host = ServerContext(
            ServerSettings(**settings),
            {**os.environ, **known, **(environment or {})},
            clock or SystemClock(),
        )
        try:
            yield Place(host, build_app(host, mounts()))
        finally:
            host.runtimes.close()


@contextlib.contextmanager
def placed_asking(folder: Path) -> Iterator[Place]:
    """A console with the connection ``hall``, in a workspace where a write waits for an approval
    and nobody takes what is queued.
    """
    with placed(folder, queue_workers=0) as found:
        found.workspaces.set("default", {"rules": {"approve": ["echo/post"]}})
        found.host.runtime("default").connections.add(
            "hall", "echo/token", {"token": "sesame-0815"}
        )
        yield found


def token(
    place: Place,
    scope: str,
    workspace: str = "default",
    rules: Rules | None = None,
    expires_at: float | None = None,
) -> str:
    """The text of a new token."""
    return place.tokens(workspace).create(scope, "Ada", rules, expires_at).text


def is_in(client: Client) -> bool:
    """Whether a browser sees the console, or is sent to the sign-in."""
    answer = client.get("/")
    assert answer.status in (200, 303)
    return answer.status == 200
