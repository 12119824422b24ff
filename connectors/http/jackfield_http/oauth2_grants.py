"""OAuth 2.0 with a person's approval: code with PKCE (RFC 6749, 7636, 9207), device code (RFC
8628), refresh, revocation (RFC 7009).
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn
from urllib.parse import quote_plus

from jackfield.connector import (
    Account,
    Authorization,
    Detail,
    DeviceAuthorization,
    Forbidden,
    Grant,
    Grants,
    InvalidConnection,
    JackfieldError,
    Minted,
    OpenContext,
    RateLimited,
    Sent,
    Unavailable,
)
from jackfield.kernel.dataclass import replace
from jackfield_http import connection_fields as fields
from jackfield_http.accounts import account_in
from jackfield_http.connection_types import HttpConnection
from jackfield_http.id_tokens import check_id_token
from jackfield_http.learned_values import NOTHING_LEARNED, Learned
from jackfield_http.oauth2 import (
    REFUSED_CLIENT,
    REFUSED_GRANT,
    ClientAuthentication,
    TokenClient,
    ask,
    fetch_object,
    metadata_urls,
    minted,
)
from jackfield_http.sign_in import LeasedToken, SignIn
from jackfield_http.token_answers import shown_code, token_at
from jackfield_http.urls import server_url

if TYPE_CHECKING:
    from jackfield_http.answers import Answer

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_REFRESH = 12.0
"""Timeout of a refresh in seconds, whatever the caller's deadline: a lost answer may hold the only
refresh token. It is less than the time for which a process holds the right to refresh, so that two
processes never refresh at once.
"""
_REFUSED = "the provider no longer accepts it"
_REFUSED_TWICE = "the provider refused twice in a row to renew it"
_SECOND_REFUSAL = 3600.0
"""Seconds after a first refusal in unknown words until a second one ends the approval. A fault of
the application, such as one that is switched off, is often mended by then.
"""
_PASSING = frozenset({407, 408, 425, 429, 499})
"""Statuses of refusals that prove nothing about the refresh token: timeouts, rate limits and
refusals of a proxy.
"""
_PASSING_CODES = REFUSED_CLIENT | {"temporarily_unavailable", "server_error", "slow_down"}
_PASSING_WORDS = re.compile(r"too many|rate.?limit|throttl|try again", re.IGNORECASE)
"""Regular expression of messages of providers that throttle with other statuses, as Zoho does."""
_USABLE = 60.0
"""Minimum remaining lifetime in seconds of an access token from the code exchange; a shorter-lived
token is refreshed at once.
"""
_INTERRUPTED = (
    "a refresh was interrupted before its answer was stored, and the provider does not "
    "accept the previous refresh token again"
)
_METADATA = 5.0
"""Timeout in seconds for each of the provider's two metadata documents."""
_PERSON = {"id": "/sub", "label": ["/email", "/preferred_username", "/name"]}
"""Claims of an ID token that name the person who approved."""
_LOG = logging.getLogger("jackfield.oauth2")
_WORDS = 300
"""Maximum number of characters of a provider's error in a message."""


class OAuth2AuthorizationCode(HttpConnection):
    """Account of a person who approves at the provider. The connection must be connected before its
    first use, and after an approval ends.

    ``client_authentication`` is the place of the client's secret in token requests: ``basic`` (the
    header field, RFC 6749's first choice), the ``body``, or ``none``. ``parameters`` are further
    parameters of the address at which a person approves, such as ``access_type=offline``,
    ``token_parameters`` further parameters of each token request. ``token_place`` is a JSON Pointer
    to the object with the token in the provider's answer, such as ``/authed_user``. With
    ``openid``, the provider is an OpenID Connect provider, whose ID token must be for this client
    and this approval. With ``answers_issuer``, the provider's answers carry ``iss`` (RFC 9207), and
    an answer without ``iss`` is refused; the metadata of the ``issuer`` may declare the same.
    ``places`` points at the connection values that name the endpoints, if their names differ from
    the usual ones. With ``asks_in_json``, token requests are JSON. ``separator`` joins scopes.
    ``pkce`` is False for providers that refuse unknown parameters. ``learned`` has the places of
    public values in the provider's answers. ``refused_grants`` are further codes for a rejected
    refresh token. ``prefix`` precedes the token in requests. ``refresh_url`` is the endpoint that
    refreshes tokens, if it differs from the token endpoint.
    """

    key: ClassVar[str] = "oauth2AuthorizationCode"
    title: ClassVar[str] = "OAuth 2.0"
    auth: ClassVar[str] = "oauth2"
    authorizes: ClassVar[tuple[Literal["redirect", "device"], ...]] = ("redirect", "device")
    client_authentication: ClassVar[ClientAuthentication] = "basic"
    parameters: ClassVar[Mapping[str, str]] = {}
    token_parameters: ClassVar[Mapping[str, str]] = {}
    token_place: ClassVar[str] = ""
    token_targets: ClassVar[Mapping[str, str]] = {}
    openid: ClassVar[bool] = False
    answers_issuer: ClassVar[bool] = False
    places: ClassVar[Mapping[str, str]] = {}
    asks_in_json: ClassVar[bool] = False
    separator: ClassVar[str] = " "
    prefix: ClassVar[str] = "Bearer "
    refresh_url: ClassVar[str | None] = None
    refused_grants: ClassVar[frozenset[str]] = frozenset()
    pkce: ClassVar[bool] = True
    learned: ClassVar[Learned] = NOTHING_LEARNED

    authorization_url: str = fields.url(
        "Authorization URL",
        "The page on which a person approves.",
        "https://login.example.com/oauth2/authorize",
    )
    token_url: str = fields.token_url()
    device_url: str | None = fields.url(
        "Device Authorization URL", "The endpoint that issues codes for devices.", default=None
    )
    revocation_url: str | None = fields.url(
        "Revocation URL", "The endpoint that ends an approval.", default=None
    )
    issuer: str | None = fields.url(
        "Issuer", "The provider's identifier, which its answers must carry.", default=None
    )
    client_id: str = fields.client_id("platform")
    client_secret: str | None = fields.secret(
        "Client Secret",
        "The secret of the application, unless it is a public one.",
        default=None,
        audience="platform",
    )
    scopes: tuple[str, ...] = fields.scopes()

    def client(self) -> TokenClient:
        """Return the client of the provider's endpoints."""
        return TokenClient(
            self.client_id,
            self.client_secret,
            self.client_authentication,
            self.token_parameters,
            self.token_place,
            self.asks_in_json,
        )

    def targets(self) -> Mapping[str, str]:
        """Return the parameters that name the token's resource, such as ``audience``: part of the
        approval and of each token request.
        """
        return self.token_targets

    def sign_in(self, context: OpenContext) -> SignIn:
        """Lease an access token for the grant. One process refreshes the token for all.

        :raises InvalidConnection: if no person has approved, or the approval has ended.
        """
        grants = _grants(context)
        return LeasedToken(
            context,
            f"oauth2 {grants.find().id}",
            lambda: self._access_token(context, grants),
            outlasts=True,
            prefix=self.prefix,
        )

    def authorize(self, context: OpenContext, redirect_uri: str, state: str) -> Authorization:
        """Return the address at which a person approves, with a new PKCE challenge and, for OpenID
        Connect, a new nonce.
        """
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        challenge = (
            urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        )
        asked = {
            **self.parameters,
            **self.targets(),
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.separator.join(self._scopes()) or None,
            "state": state,
            "code_challenge": challenge if self.pkce else None,
            "code_challenge_method": "S256" if self.pkce else None,
            "nonce": nonce if self._is_openid() else None,
        }
        url = server_url(self.authorization_url, "/authorizationUrl")
        iss = self.answers_issuer or (
            self.issuer is not None and self._announces_issuer(context, self.issuer)
        )
        query = "&".join(
            f"{quote_plus(name)}={quote_plus(value)}"
            for name, value in asked.items()
            if value is not None
        )
        return Authorization(
            str(url.with_query(query)), {"verifier": verifier, "nonce": nonce, "iss": iss}
        )

    def authorized(
        self,
        context: OpenContext,
        kept: Mapping[str, Any],
        redirect_uri: str,
        answer: Mapping[str, str],
    ) -> Grant:
        """Exchange the provider's code for tokens.

        :raises Forbidden: if the person or the provider refused.
        :raises InvalidConnection: if the answer comes from another provider, or the tokens are for
            another client or approval.
        """
        absent = None if kept.get("iss") else self.issuer
        if self.issuer is not None and answer.get("iss", absent) != self.issuer:
            raise InvalidConnection(
                "the answer came from another provider",
                details=[Detail("/issuer", "is not the issuer of the answer")],
                hint=(
                    "Check 'issuer'. If it is right, somebody tried to mix up two providers: "
                    "do not approve again."
                ),
            )
        if "error" in answer or not answer.get("code"):
            said = answer.get("error_description") or answer.get("error") or "it sent no code"
            raise Forbidden(
                f"the connection was not approved: {_printable_text(said)}",
                hint="Connect it again.",
            )
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": redirect_uri,
            **({"code_verifier": kept["verifier"]} if self.pkce else {}),
        }
        return self._granted(
            context, self._ask(context, "tokenUrl", self.token_url, form), kept["nonce"], answer
        )

    def authorize_device(self, context: OpenContext) -> DeviceAuthorization:
        """Request a code that a person enters on another device.

        :raises InvalidConnection: if the connection has no ``deviceUrl``.
        """
        if self.device_url is None:
            text = "the connection names no endpoint for devices"
            raise InvalidConnection(
                text,
                details=[Detail("/deviceUrl", "is missing")],
                hint="Add it, or connect in a browser.",
            )
        form = {**self.targets(), "scope": self.separator.join(self._scopes()) or None}
        found = self._ask(
            context, "deviceUrl", self.device_url, form, step="request a code for a device"
        )
        try:
            code, user_code, where = (
                str(found[name]) for name in ("device_code", "user_code", "verification_uri")
            )
            expires, interval = _finite(found["expires_in"]), _finite(found.get("interval", 5))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise Unavailable(
                "the authorization server returned no code for a device", repeatable=False
            ) from None
        complete = found.get("verification_uri_complete")
        kept = {"device_code": code}
        return DeviceAuthorization(
            where, user_code, expires, max(1.0, interval), kept, str(complete) if complete else None
        )

    def device_authorized(self, context: OpenContext, kept: Mapping[str, Any]) -> Grant | None:
        """Request the tokens for a device's code; return None until a person has approved.

        :raises RateLimited: if the server demands a longer interval.
        """
        form = {"grant_type": _DEVICE, "device_code": kept["device_code"]}
        try:
            found = self._ask(context, "tokenUrl", self.token_url, form)
        except JackfieldError as error:
            code = error.provider.code if error.provider is not None else None
            if code == "authorization_pending":
                return None
            if code == "slow_down":
                raise RateLimited("the authorization server wants to be asked less often") from None
            raise
        return self._granted(context, found, None)

    def adopt(self, tokens: Mapping[str, Any]) -> Grant:
        """Return the grant for tokens that a person approved elsewhere.

        With a refresh token, the access token is dropped and the first call refreshes. A provider
        that rotates tokens then invalidates other holders' copies.
        """
        refresh, first, scopes = (
            tokens.get("refreshToken"),
            tokens.get("accessToken"),
            tuple(tokens.get("scopes") or self._scopes()),
        )
        if refresh:
            return Grant({"refreshToken": refresh}, scopes, (refresh,))
        return Grant({"accessToken": first}, scopes, (str(first),))

    def accounts(
        self, context: OpenContext, path: str = "", answer: Answer | None = None
    ) -> Sequence[Account]:
        """Return the account in the test's answer, else the person in the approval's ID token."""
        return super().accounts(context, path, answer) or person_of(context)

    def revoke(self, context: OpenContext) -> bool:
        """End the grant at the provider (RFC 7009); return False if the provider has no revocation
        endpoint.
        """
        if self.revocation_url is None:
            return False
        value = _grants(context).find().value
        form = {"token": value.get("refreshToken") or value["accessToken"]}
        self._ask(context, "revocationUrl", self.revocation_url, form, step="revoke the approval")
        return True

    def _access_token(self, context: OpenContext, grants: Grants) -> Minted:
        """Refresh the access token. A rotated refresh token is stored before anything else, since
        it may exist nowhere else.

        The start of a refresh is recorded first. If this process ends before the answer is stored,
        the next process finds that record and sends the previous refresh token again, which many
        providers accept for a while.
        """
        used = grants.find()
        refresh, first = used.value.get("refreshToken"), used.value.get("accessToken")
        if refresh is None:  # a token that the provider does not renew
            return Minted({"token": first}, None, used.secrets)
        if first is not None and used.value["expiresAt"] - context.clock.time() >= _USABLE:
            # it is used once, so that the next mint, after the provider calls it expired, refreshes
            # it
            grants.replace(
                used,
                replace(used, value=_beside(used, {"refreshToken": refresh}), secrets=(refresh,)),
            )
            return Minted({"token": first}, used.value["expiresAt"], used.secrets)
        if used.begun_at is not None:
            _LOG.warning(
                "a refresh of %s got no answer: the previous refresh token is sent again",
                self.token_url,
            )
        grants.begin(used)
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        try:
            found = self._ask(
                context, "tokenUrl", self.refresh_url or self.token_url, form, within=_REFRESH
            )
        except JackfieldError as error:
            self._unrefreshed(context, grants, used, error)
        found = dict(token_at(found, self.client().place, renewed=True))
        rotated, said = found.get("refresh_token"), found.get("scope")
        # a person may have taken some back
        kept = replace(used, scopes=_scopes_of(said)) if isinstance(said, str) else used
        current = rotated if isinstance(rotated, str) and rotated else refresh
        grants.replace(
            used, replace(kept, value=_beside(used, {"refreshToken": current}), secrets=(current,))
        )
        lease = minted(context, found)
        return replace(lease, secrets=(*lease.secrets, refresh))

    def _unrefreshed(
        self, context: OpenContext, grants: Grants, used: Grant, error: JackfieldError
    ) -> NoReturn:
        """Record the outcome of a failed refresh, unless it is unknown, or another process has
        rotated the token meanwhile.

        A known code for a rejected refresh token ends the approval at once. Any other explicit
        refusal ends it at the second time in a row, if the first is an hour old.
        """
        code = error.provider.code if error.provider is not None else None
        is_known = code in REFUSED_GRANT or code in self.refused_grants
        if not is_known and not _refuses_grant(error):
            if error.sent is not Sent.UNKNOWN:
                grants.replace(used, used)
            raise error
        now = context.clock.time()
        first = float(used.value.get("refused", now))
        if not is_known and now - first < _SECOND_REFUSAL:
            grants.replace(used, replace(used, value={**used.value, "refused": first}))
            raise error
        if grants.find().value != used.value:
            raise Unavailable(
                "the access token was refreshed by another process meanwhile", hint="Try again."
            ) from None
        reason = _REFUSED if is_known else _REFUSED_TWICE + shown_code(code, used.secrets)
        grants.end(used, reason if used.begun_at is None else _INTERRUPTED)
        grants.find()
        raise error

    def _ask(
        self,
        context: OpenContext,
        endpoint: str,
        url: str,
        form: Mapping[str, Any],
        *,
        step: str = "request a token",
        within: float | None = None,
    ) -> dict[str, Any]:
        place = self.places.get(endpoint, f"/{endpoint}")
        settings = replace(self.settings(), guard_path=place, within=within)
        is_token = endpoint == "tokenUrl"
        given, login = self.client().request(
            {**(self.targets() if is_token else {}), **form}, extended=is_token
        )
        as_json = is_token and self.client().as_json
        return ask(
            context, settings, server_url(url, place), given, login, step=step, as_json=as_json
        )

    def _announces_issuer(self, context: OpenContext, issuer: str) -> bool:
        """Return whether the provider's metadata declare that its answers carry ``iss`` (RFC 9207
        §3).

        Missing or unreadable metadata declare nothing.
        """
        place = self.places.get("issuer", "/issuer")
        for address in metadata_urls(issuer):
            settings = replace(self.settings(), guard_path=place, within=_METADATA)
            try:
                found = fetch_object(
                    context,
                    settings,
                    server_url(address, place),
                    step="read the provider's metadata",
                )
            except JackfieldError:
                continue
            if found.get("issuer") == issuer:
                return found.get("authorization_response_iss_parameter_supported") is True
        return False

    def _granted(
        self,
        context: OpenContext,
        whole: Mapping[str, Any],
        nonce: str | None,
        answer: Mapping[str, str] | None = None,
    ) -> Grant:
        found = token_at(whole, self.client().place)
        token = minted(context, found)
        claims: Mapping[str, Any] = {}
        if self._is_openid():
            claims = check_id_token(
                found.get("id_token"),
                client_id=self.client_id,
                issuer=self.issuer,
                nonce=nonce,
                now=context.clock.time(),
            )
        refresh, said = found.get("refresh_token"), found.get("scope")
        scopes = _scopes_of(said) if isinstance(said, str) else self._scopes()
        first = {"accessToken": token.value["token"]}
        if self.learned is not NOTHING_LEARNED:
            values = self.learned.values(
                context, self.settings(), first["accessToken"], whole, answer or {}
            )
            first |= {"values": values} if values else {}
        if (person := account_in(claims, _PERSON)) is not None:
            first["account"] = [person.id, person.label]
        if isinstance(refresh, str) and refresh:
            return Grant(
                {"refreshToken": refresh, **first, "expiresAt": token.expires_at},
                scopes,
                token.secrets,
            )
        return Grant(first, scopes, token.secrets)

    def _scopes(self) -> tuple[str, ...]:
        return self.scopes

    def _is_openid(self) -> bool:
        return self.openid or "openid" in self._scopes()


class OpenIdConnect(OAuth2AuthorizationCode):
    """Account of a person at an OpenID Connect provider, whose ID token is checked."""

    key: ClassVar[str] = "openIdConnect"
    title: ClassVar[str] = "OpenID Connect"
    openid: ClassVar[bool] = True

    issuer: str = fields.url(
        "Issuer", "The provider's identifier, which its answers and ID tokens must carry."
    )

    def _scopes(self) -> tuple[str, ...]:
        return self.scopes if "openid" in self.scopes else ("openid", *self.scopes)


def person_of(context: OpenContext) -> list[Account]:
    """Return the person in the approval's ID token; empty without an ID token."""
    known = None if context.grants is None else context.grants.find().value.get("account")
    return [] if known is None else [Account(*known)]


def _beside(used: Grant, tokens: dict[str, Any]) -> dict[str, Any]:
    """Return rotated tokens with the approval's other members: public values, and data about the
    provider.
    """
    return {
        **tokens,
        **{
            name: used.value[name]
            for name in ("values", "discovered", "account")
            if name in used.value
        },
    }


def _grants(context: OpenContext) -> Grants:
    if context.grants is None:
        raise InvalidConnection(
            "this connection keeps no approval: it is given inline, in a file, or without a "
            "database",
            hint="Store it in the database, then connect it.",
        )
    return context.grants


def _refuses_grant(error: JackfieldError) -> bool:
    """Return whether a provider explicitly refused a refresh token: with a status of 4xx, or with
    an error in a success.

    Refusals of the client, timeouts, rate limits and what something else may have answered do not
    count.
    """
    said = error.provider
    if said is None or said.code in _PASSING_CODES or isinstance(error, RateLimited | Unavailable):
        return False
    status = said.http_status or 0
    is_explicit = 400 <= status < 500 or 200 <= status < 300
    return is_explicit and status not in _PASSING and not _PASSING_WORDS.search(said.message or "")


def _scopes_of(said: str) -> tuple[str, ...]:
    """Return the scopes in an answer, separated by spaces (RFC 6749 §3.3) or by commas, as GitHub
    and Slack do.
    """
    return tuple(said.replace(",", " ").split())


def _finite(value: Any) -> float:
    found = float(value)
    if not isfinite(found):
        raise ValueError(value)
    return found


def _printable_text(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:_WORDS])
