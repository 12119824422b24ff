"""OpenID Connect for people who sign in to the console: discovery, the authorization code flow with
PKCE, verification, and logout tokens.

Requests to the provider pass the guard of tenants' connections, which here also permits the
issuer's host. ``Jwts`` verifies the tokens, as it does for callers.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from jackfield.kernel.clock import Clock, monotonic
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.stored_values import is_storable
from jackfield.wire.client import Wire
from jackfield.wire.connection import WireSettings
from jackfield.wire.faults import WireFault, printable
from jackfield.wire.guard import Guard, unseen
from jackfield.wire.head import Route
from jackfield.wire.tls import client_context
from jackfield.wire.urls import target_of
from jackfield_service.shell.identity.identity_providers import Jwt, Oidc
from jackfield_service.shell.identity.jwts import Jwts
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.access.sign_ins import Person

_LOG = logging.getLogger("jackfield.http")
_WITHIN = 5.0
"""Seconds for each request to the provider, its answer included."""
_LARGEST = 1024 * 1024
"""Maximum size of an answer, in bytes."""
_DESCRIBED = 600.0
"""Seconds after which the provider's discovery document is read again."""
_MOST_GROUPS, _LONGEST_GROUP, _LONGEST_NAME = 2_000, 1_000, 200
_OF_TOKEN = ("sid", "name", "preferred_username", "email")
"""Claims of an ID token that count in addition to the userinfo endpoint's."""
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_NEEDS = ("exp", "iss", "aud", "iat", "jti")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PUBLIC_ERRORS = frozenset(
    {"login_required", "interaction_required", "consent_required", "account_selection_required"}
)
"""Error codes of a request that shows no page of the provider (OpenID Connect Core §3.1.2.6): a
person has to sign in.
"""


class ProviderAway(Exception):
    """Error for an identity provider that cannot be reached, or whose discovery document is
    unusable. The message is for the operator's log.
    """


class Refused(Exception):
    """Error for an answer, or a token, of the provider that signs nobody in. The message gives the
    reason, without any part that others chose.
    """


class SignInNeededError(Refused):
    """Error for a browser in which nobody is signed in at the provider."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Started sign-in: the address of the provider's page, its ``state``, and the record for the
    answer.
    """

    address: str
    state: str
    kept: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Described:
    """Provider's discovery document, read at ``at`` (monotonic), and the validator of its
    tokens.
    """

    at: float
    members: Mapping[str, Any]
    jwts: Jwts

    def url(self, name: str) -> str:
        """Return the URL of an endpoint."""
        return str(self.members[name])


class OidcProvider:
    """The operator's identity provider. Thread-safe; every method may wait for the provider.

    ``guard`` is the guard of tenants' connections; the issuer's own host is also permitted.
    ``route`` is the outbound route to it.
    """

    def __init__(
        self, settings: Oidc, clock: Clock, guard: Guard, route: Route | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        host = (urlsplit(settings.issuer).hostname or "").rstrip(".").lower()
        self._wire = Wire(
            WireSettings(
                guard=replace(guard, allowed=(*guard.allowed, host)),
                guard_path="/issuer",
                tls=cache(client_context),
                route=route,
            )
        )
        self._lock = threading.Lock()
        self._known: _Described | None = None

    @property
    def issuer(self) -> str:
        """The issuer, as the operator names it."""
        return self._settings.issuer

    def begin(self, redirect_uri: str, *, silent: bool = False) -> Begun:
        """Begin a sign-in. A ``silent`` one succeeds only if the person is signed in at the
        provider.

        :raises ProviderAway: if the provider cannot be used.
        """
        endpoint = self._described().url("authorization_endpoint")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self._settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
            **({"prompt": "none"} if silent else {}),
        }
        joined = "&" if urlsplit(endpoint).query else "?"
        return Begun(
            f"{endpoint}{joined}{urlencode(asked)}",
            state,
            {"nonce": nonce, "verifier": verifier, "redirectUri": redirect_uri},
        )

    def check(self, answer: Mapping[str, str]) -> str:
        """Return the code of the provider's answer.

        :raises Refused: if the answer has no code, or another provider sent it (RFC 9207).
        :raises ProviderAway: if the provider cannot be used.
        """
        named = answer.get("iss")
        must = (
            self._described().members.get("authorization_response_iss_parameter_supported") is True
        )
        if (named is not None or must) and named != self._settings.issuer:
            raise Refused("the answer came from another identity provider")
        if (error := answer.get("error")) is not None:
            if error in _PUBLIC_ERRORS:
                raise SignInNeededError("nobody is signed in at the identity provider")
            raise Refused(
                "the identity provider refused to sign you in"
                if error != "access_denied"
                else "you were refused, or cancelled"
            )
        code = answer.get("code", "")
        if not code or len(code) > 10_000:
            raise Refused("the answer has no code")
        return code

    def person(self, code: str, kept: Mapping[str, Any]) -> Person:
        """Exchange a code for the person who signed in.

        :raises Refused: if the provider refuses the code, or its ID token is not for this sign-in.
        :raises ProviderAway: if the provider cannot be used.
        """
        asked = {
            "code": code,
            "redirect_uri": kept["redirectUri"],
            "code_verifier": kept["verifier"],
        }
        granted = self._granted({"grant_type": "authorization_code", **asked})
        claims = self._verified(granted)
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(
            nonce.encode("utf-8", "replace"), kept["nonce"].encode()
        ):
            raise Refused("the ID token is for another sign-in")
        return self._described_by(claims, granted, kept["nonce"])

    def renewed(self, person: Person) -> Person:
        """Return a person's current data from the provider, by the refresh token, which is used up.

        :raises Refused: if the provider does not renew, or describes another person.
        :raises ProviderAway: if the provider cannot be used.
        """
        if not person.refresh:
            raise Refused("the provider gave no refresh token")
        granted = {
            "refresh_token": person.refresh,
            **self._granted({"grant_type": "refresh_token", "refresh_token": person.refresh}),
        }
        claims = (
            self._verified(granted)
            if "id_token" in granted
            else self._userinfo(granted, person.subject)
        )
        if claims.get("sub") != person.subject or claims.get("nonce", person.nonce) != person.nonce:
            raise Refused("the renewal is another person's")
        found = self._described_by({"iss": person.issuer, **claims}, granted, person.nonce)
        return replace(
            found, session=found.session or person.session, name=found.name or person.name
        )

    def logged_out(self, token: str) -> tuple[str, str]:
        """Return subject and session of a logout token (OpenID Connect Back-Channel Logout §2.6);
        one of them may be empty.

        :raises Refused: if the token is not of this provider for this client.
        :raises ProviderAway: if the provider cannot be used.
        """
        claims = self._claims(token, _LOGOUT_NEEDS)
        events, subject, session = (
            claims.get("events"),
            claims.get("sub", ""),
            claims.get("sid", ""),
        )
        if (
            not isinstance(events, dict)
            or not isinstance(events.get(_LOGOUT), dict)
            or "nonce" in claims
        ):
            raise Refused("it is no logout token")
        if not isinstance(subject, str) or not isinstance(session, str) or not (subject or session):
            raise Refused("the logout token names nobody")
        return subject, session

    def _verified(self, granted: Mapping[str, Any]) -> dict[str, Any]:
        """Verify an ID token for this client, and return its claims (OpenID Connect Core
        §3.1.3.7).
        """
        token = granted.get("id_token")
        if not isinstance(token, str):
            raise Refused("the provider sent no ID token")
        claims = self._claims(token)
        audience, party = claims["aud"], claims.get("azp")
        if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (
            None,
            self._settings.client_id,
        ):
            raise Refused("the ID token is for another client")
        if "events" in claims or "iat" not in claims:
            raise Refused("it is no ID token")
        return claims

    def _claims(self, token: str, needed: tuple[str, ...] | None = None) -> dict[str, Any]:
        jwts = self._described().jwts
        jwts.wait(token)
        try:
            claims = jwts.claims(token) if needed is None else jwts.claims(token, needed)
        except Problem as refusal:
            raise (Refused if refusal.status == 401 else ProviderAway)(refusal.detail) from None
        if claims is None:
            raise Refused("the token was not issued by this provider for this client")
        return claims

    def _described_by(
        self, claims: Mapping[str, Any], granted: Mapping[str, Any], nonce: str
    ) -> Person:
        """Return the person whom claims describe, with groups from the userinfo endpoint if the ID
        token has none.
        """
        subject, claim = str(claims["sub"]), self._settings.groups_claim
        if claim not in claims or _overflowed(claims, claim):
            claims = {
                **self._userinfo(granted, subject),
                **{name: claims[name] for name in _OF_TOKEN if name in claims},
            }
        groups = _groups(claims, claim)
        name = next(
            (
                text
                for key in ("name", "preferred_username", "email")
                if isinstance(text := claims.get(key), str) and text
            ),
            "",
        )
        session, refresh = claims.get("sid"), granted.get("refresh_token")
        if not is_storable(subject, name, *groups):
            raise Refused("a claim cannot be kept")
        return Person(
            self._settings.issuer,
            subject,
            "".join(one for one in name if one.isprintable())[:_LONGEST_NAME],
            groups,
            session if isinstance(session, str) else "",
            nonce,
            refresh if isinstance(refresh, str) else "",
            self._clock.time(),
        )

    def _userinfo(self, granted: Mapping[str, Any], subject: str) -> dict[str, Any]:
        """Return the claims of the userinfo endpoint (OpenID Connect Core §5.3) about ``subject``;
        only the subject if there is no endpoint.
        """
        endpoint, token = (
            self._described().members.get("userinfo_endpoint"),
            granted.get("access_token"),
        )
        if (
            not isinstance(endpoint, str)
            or not isinstance(token, str)
            or not token.isascii()
            or not token.isprintable()
        ):
            return {"sub": subject}
        status, found = self._json(
            "GET", self._checked(endpoint), [(b"Authorization", b"Bearer " + token.encode())]
        )
        if status != 200 or found.get("sub") != subject:
            raise Refused("the provider does not describe this person")
        return found

    def _granted(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Send ``form`` to the token endpoint, authenticated as this client, and return the answer.

        :raises Refused: if the endpoint grants nothing.
        """
        described, client, secret = (
            self._described(),
            self._settings.client_id,
            self._settings.client_secret,
        )
        ways = described.members.get(
            "token_endpoint_auth_methods_supported", ["client_secret_basic"]
        )
        fields = [(b"Content-Type", b"application/x-www-form-urlencoded")]
        form = {**form, "client_id": client}
        if (
            secret
            and isinstance(ways, list)
            and "client_secret_basic" not in ways
            and "client_secret_post" in ways
        ):
            form = {**form, "client_secret": secret}
        elif secret:
            login = f"{quote_plus(client)}:{quote_plus(secret)}".encode()  # RFC 6749 §2.3.1
            fields.append((b"Authorization", b"Basic " + b64encode(login)))
        status, found = self._json(
            "POST", described.url("token_endpoint"), fields, urlencode(form).encode()
        )
        if status >= 500 or status == 429:
            raise ProviderAway(f"its token endpoint answered {status}")
        if status != 200:
            _LOG.warning(
                "the identity provider's token endpoint refused a request of the console: %d %.80s",
                status,
                _error_of(found),
            )
            raise Refused("the identity provider refused the sign-in")
        return found

    def _described(self) -> _Described:
        """Return the provider's discovery document, which is read again every ten minutes. While it
        cannot be read, return the last one.

        :raises ProviderAway: if no document could be read yet.
        """
        with self._lock:
            known = self._known
            if known is not None and self._clock.monotonic() - known.at < _DESCRIBED:
                return known
            try:
                members = self._discovered()
            except ProviderAway:
                if known is None:
                    raise
                self._known = replace(known, at=self._clock.monotonic())
                return known
            issuer, client = self._settings.issuer, self._settings.client_id
            jwts = (
                known.jwts
                if known is not None and known.members["jwks_uri"] == members["jwks_uri"]
                else None
            )
            jwts = jwts or Jwts(
                Jwt(members["jwks_uri"], issuer, client),
                self._clock,
                lambda: client,
                self._keys,
                lone=True,
            )
            self._known = _Described(self._clock.monotonic(), members, jwts)
            return self._known

    def _discovered(self) -> dict[str, Any]:
        status, found = self._json(
            "GET",
            self._checked(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"),
        )
        if status != 200:
            raise ProviderAway(f"its description answered {status}")
        if (named := found.get("issuer")) != self._settings.issuer:
            text = (
                f"its description names the issuer {printable(str(named))!r}, and the one "
                f"that is set is {self._settings.issuer[:200]!r}"
            )
            raise ProviderAway(
                f"{text}: set JACKFIELD_OIDC_ISSUER to exactly what the provider names"
            )
        for name in _ENDPOINTS:
            if not isinstance(found.get(name), str):
                raise ProviderAway(f"its description has no {name}")
            self._checked(found[name])
        return found

    def _keys(self, url: str) -> Any:
        status, found = self._json("GET", url)
        if status != 200:
            raise OSError(f"they answered {status}")
        return found

    def _checked(self, url: str) -> str:
        """Return a URL of the provider: https, or http on this machine only.

        :raises ProviderAway: if the URL is of another kind.
        """
        try:
            parts = urlsplit(url)
            fits = parts.scheme == "https" or (
                parts.scheme == "http" and parts.hostname in _LOOPBACK
            )
        except ValueError:
            fits = False
        if not fits or not url.isascii() or not url.isprintable() or parts.fragment:
            raise ProviderAway(f"'{url[:200]}' is no https URL")
        return url

    def _json(
        self,
        method: str,
        url: str,
        fields: list[tuple[bytes, bytes]] | None = None,
        body: bytes = b"",
    ) -> tuple[int, dict[str, Any]]:
        """Send a request and return the status and the JSON object of the answer; follow no
        redirect.

        :raises ProviderAway: if there is no answer, or it is no JSON object.
        """
        until = monotonic() + _WITHIN
        try:
            target, path, host = target_of(url)
            head = [
                (b"Host", host),
                (b"Accept", b"application/json"),
                (b"Accept-Encoding", b"identity"),
                (b"User-Agent", b"jackfield"),
            ]
            head += [
                *(fields or []),
                *([(b"Content-Length", str(len(body)).encode())] if method == "POST" else []),
            ]
            with unseen():
                reply = self._wire.send(
                    method, target, path, head, body, lambda: until - monotonic(), lambda: None
                )
                found = json.loads(reply.read(_LARGEST))
        except (WireFault, JackfieldError, ValueError, RecursionError) as error:
            raise ProviderAway(f"{urlsplit(url).netloc}: {_reason(error)}") from None
        if not isinstance(found, dict):
            raise ProviderAway(f"{urlsplit(url).netloc}: its answer is no JSON object")
        return reply.status, found


def _reason(error: Exception) -> str:
    if isinstance(error, JackfieldError):
        return error.message
    return error.words if isinstance(error, WireFault) else "its answer is no JSON"


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _overflowed(claims: Mapping[str, Any], claim: str) -> bool:
    """Return whether the provider has left groups out because there are too many (distributed
    claims, ``hasgroups``).
    """
    elsewhere = claims.get("_claim_names")
    return (isinstance(elsewhere, dict) and claim in elsewhere) or claims.get("hasgroups") in (
        True,
        "true",
    )


def _groups(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """Return a person's groups; an empty tuple if the provider has left some out, so that a person
    whose role depends on groups is refused.
    """
    found = claims.get(claim)
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list) or len(found) > _MOST_GROUPS or _overflowed(claims, claim):
        return ()
    return tuple(one for one in found if isinstance(one, str) and 0 < len(one) <= _LONGEST_GROUP)


def _error_of(found: Mapping[str, Any]) -> str:
    """Return the error code of a refusal; an empty string if it is not printable ASCII (RFC 6749
    §5.2).
    """
    error = found.get("error")
    return error if isinstance(error, str) and error.isascii() and error.isprintable() else ""
