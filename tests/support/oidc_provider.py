"""A real authorization server (npm's oidc-provider) on loopback, and a browser in which Ada
approves.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

import pytest

ROOT = Path(__file__).parents[2]
_NODE = ROOT / ".venv" / "node"
_SCRIPT = ROOT / "tests" / "clients" / "authorization-server.mjs"
REDIRECT_URI = "https://jackfield.example/oauth2/callback"
SECRET = "web-secret-of-the-test"
_HOPS = 12


class Stay(HTTPRedirectHandler):
    """Says where a redirect leads, as an error."""

    def redirect_request(self, *_given: Any) -> None:
        """Follow no redirect: the browser below looks at each."""


class Browser:
    """Browser with cookies. It follows redirects until they leave the provider."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()), Stay())

    def open(self, url: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        """Open a page; return the address at which the browser ends, and its text."""
        for _ in range(_HOPS):
            data = urlencode(form).encode() if form is not None else None
            try:
                with self._opener.open(Request(url, data=data), timeout=60) as answer:
                    return url, answer.read().decode()
            except HTTPError as answer:
                if answer.code not in (302, 303):
                    return url, answer.read().decode()
                url, form = urljoin(url, answer.headers["Location"]), None
            if not url.startswith(f"{self._issuer}/"):
                return url, ""
        raise AssertionError(f"more than {_HOPS} redirects")

    def approve(self, url: str) -> dict[str, str]:
        """Approve; return the parameters of the provider's answer."""
        return dict(parse_qsl(urlsplit(self.open(url)[0]).query))

    def enter(self, url: str, code: str) -> None:
        """Enter a device's code on the provider's page, and approve."""
        _, page = self.open(url)
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
        self.open(url, {**fields, "user_code": code, "confirm": "yes"})


class AuthorizationServer:
    """Running authorization server."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def values(self, **more: Any) -> dict[str, Any]:
        """Values of a connection to it, and to its own API."""
        return {
            "server": self.issuer,
            "authorizationUrl": f"{self.issuer}/auth",
            "tokenUrl": f"{self.issuer}/token",
            "issuer": self.issuer,
            "deviceUrl": f"{self.issuer}/device/auth",
            "revocationUrl": f"{self.issuer}/token/revocation",
            "clientId": "web",
            "clientSecret": SECRET,
            "scopes": ["openid", "offline_access", "mail.read"],
            **more,
        }

    def public_values(self, **more: Any) -> dict[str, Any]:
        """Values of a connection of a public client, which may return to any port of this
        machine.
        """
        found = self.values(
            **{"clientId": "native", "scopes": ["openid", "offline_access", "mail.read"], **more}
        )
        return {name: value for name, value in found.items() if name != "clientSecret"}

    def browser(self) -> Browser:
        """A new browser."""
        return Browser(self.issuer)

    def count(self, path: str) -> int:
        """How many requests to a path it has had."""
        with build_opener().open(f"{self.issuer}/counts", timeout=60) as answer:
            return int(json.loads(answer.read()).get(path, 0))


@contextmanager
def authorization_server() -> Iterator[AuthorizationServer]:
    """Run an authorization server."""
    node = shutil.which("node")
    if node is None or not (_NODE / "node_modules" / "oidc-provider").exists():
        pytest.skip(
            "oidc-provider is not installed in .venv/node ('make clients' does it, where there "
            "is npm)"
        )
    script = _NODE / _SCRIPT.name  # Node.js looks for modules beside the script
    part = script.with_suffix(f".{os.getpid()}")
    shutil.copy(_SCRIPT, part)
    part.replace(script)
    with subprocess.Popen(
        [node, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield AuthorizationServer(process.stdout.readline().strip())
        finally:
            process.kill()
