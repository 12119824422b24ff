"""An OpenID provider on loopback whose answers a test may forge. It checks redirect URI, PKCE, and
one use of a code.
"""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.jackfield_service.shell.pages.console_client import Answer, Client, Place, is_in

from jackfield.callers.actor import LIBRARY
from jackfield.callers.roles import made_grant
from jackfield_market.testing import loopback_provider
from jackfield_market.testing.loopback_provider import Answer as Reply
from jackfield_market.testing.loopback_provider import Request
from jackfield_store.management.roles import Roles

CLIENT, SECRET = "console", "s3cret-of-the-console"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


@functools.cache
def key_of(name: str) -> rsa.RSAPrivateKey:
    """A key, which takes 60 ms to make."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Provider:
    """The provider: who is signed in there, and what a test forges."""

    port: int = 0
    claims: dict[str, Any] = field(
        default_factory=lambda: {"sub": "ada-1", "name": "Ada Lovelace", "groups": ["support"]}
    )
    """Claims of the person who is signed in; without a ``sub``, nobody is."""
    forge: Callable[[dict[str, Any]], str] | None = None
    """Makes the ID token from its claims."""
    described: dict[str, Any] = field(default_factory=dict)
    """Members of the description that are others."""
    granted: dict[str, Any] = field(default_factory=dict)
    """Members of the token endpoint's answer that are others; None leaves one out."""
    userinfo: dict[str, Any] | None = None
    others: list[dict[str, Any]] = field(default_factory=list)
    """Further keys that it publishes."""
    refreshes: bool = True
    is_away: bool = False
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    reused: int = 0
    """How often a refresh token was used again."""

    @property
    def issuer(self) -> str:
        """Its issuer."""
        return f"http://127.0.0.1:{self.port}"

    def description(self) -> dict[str, Any]:
        """Its discovery document."""
        usual: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }
        return {
            name: value for name, value in {**usual, **self.described}.items() if value is not None
        }

    def keys(self) -> dict[str, Any]:
        """Its keys."""
        made = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key_of("own").public_key()))
        return {"keys": [made | {"kid": "one", "use": "sig", "alg": "RS256"}, *self.others]}

    def authorize(self, query: str) -> str:
        """The address to which its page leads back."""
        given = dict(parse_qsl(query))
        back = {"state": given["state"]}
        if "sub" not in self.claims:
            back["error"] = "login_required" if given.get("prompt") == "none" else "access_denied"
        else:
            back["code"] = secrets.token_urlsafe(16)
            self.codes[back["code"]] = given
        return f"{given['redirect_uri']}?{urlencode(back)}"

    def id_token(self, nonce: str | None, **claims: Any) -> str:
        """An ID token; a claim of None is left out."""
        now = int(time.time())
        usual = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.claims,
            **claims,
        }
        found = {name: value for name, value in usual.items() if value is not None}
        return self.forge(found) if self.forge is not None else self.signed(found)

    def signed(self, claims: dict[str, Any], **head: Any) -> str:
        """A token with its key."""
        return jwt.encode(
            claims,
            key_of("own"),
            "RS256",
            {name: value for name, value in {"kid": "one", **head}.items() if value is not None},
        )

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The answer of the token endpoint."""
        login = (
            b64decode(authorization.removeprefix("Basic ")).decode()
            if authorization
            else f"{form['client_id']}:{form['client_secret']}"
        )
        if login != f"{CLIENT}:{SECRET}":
            return 401, {"error": "invalid_client"}
        nonce: str | None = None
        if form["grant_type"] == "authorization_code":
            begun = self.codes.pop(form["code"], None)
            challenge = (
                urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest())
                .decode()
                .rstrip("=")
            )
            if (
                begun is None
                or begun["redirect_uri"] != form["redirect_uri"]
                or begun["code_challenge"] != challenge
            ):
                return 400, {"error": "invalid_grant"}
            nonce = begun["nonce"]
        elif form["refresh_token"] not in self.tokens:
            self.reused += 1
            return 400, {"error": "invalid_grant"}
        else:
            self.tokens.discard(form["refresh_token"])
        found: dict[str, Any] = {
            "access_token": secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "id_token": self.id_token(nonce),
        }
        if self.refreshes:
            found["refresh_token"] = secrets.token_urlsafe(16)
            self.tokens.add(found["refresh_token"])
        return 200, {
            name: value for name, value in {**found, **self.granted}.items() if value is not None
        }


@contextlib.contextmanager
def providing(**members: Any) -> Iterator[Provider]:
    """A provider that answers."""
    provider = Provider(**members)

    def answer(_number: int, request: Request) -> Reply:
        parts = urlsplit(request.path)
        provider.asked.append(request.path if request.changes else parts.path)
        if provider.is_away:
            return Reply({}, 503)
        if request.changes:
            form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            status, found = provider.token(form, request.header("Authorization"))
            return Reply(found, status)
        if parts.path == "/authorize":
            return Reply({}, 302, {"Location": provider.authorize(parts.query)})
        if parts.path == "/keys":
            return Reply(provider.keys())
        if parts.path == "/userinfo":
            return Reply(provider.userinfo or {"sub": provider.claims.get("sub")})
        return Reply(provider.description())

    with loopback_provider.Provider(answer) as far:
        provider.port = far.port
        yield provider


def led_back(location: str) -> str:
    """Open the provider's page; the path and query to which it leads back."""
    parts = urlsplit(location)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=120)
    with contextlib.closing(connection):
        connection.request("GET", f"{parts.path}?{parts.query}")
        back = urlsplit(connection.getresponse().headers["Location"])
    return f"{back.path}?{back.query}"


def signed_in_at(client: Client, start: str = "/login/start") -> Answer:
    """Sign in at the provider: the console's answer to what the provider answers."""
    begun = client.get(start)
    assert begun.status == 303, begun.words
    return client.get(led_back(begun.headers["location"]), sec_fetch_site="cross-site")


def roles_of(place: Place) -> Roles:
    """The grants of a console's database."""
    return Roles(place.host.storage, place.host.clock, LIBRARY)


def grant(place: Place, role: str, workspace: str = "default", **whom: str) -> None:
    """Give a role."""
    roles_of(place).add(made_grant(role, workspace, **whom))


def csrf(client: Client) -> str:
    """The token of the session's forms."""
    return client.get("/").csrf


def is_in_after(place: Place) -> bool:
    """Whether a sign-in opens the console."""
    client = place.client()
    signed_in_at(client)
    return is_in(client)
