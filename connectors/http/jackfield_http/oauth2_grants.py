"""OAuth 2.0 with a person's approval: code with PKCE (RFC 6749, 7636, 9207), device code (RFC 8628), refresh, revocation (RFC 7009)."""

from __future__ import annotations

import hashlib
import logging
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from math import isfinite
from typing import Any, ClassVar, Literal, NoReturn
from urllib.parse import quote_plus

from jackfield.connector import (
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
    Unauthenticated,
    Unavailable,
)
from jackfield.dataclass import replace
from jackfield_http import connection_fields as fields
from jackfield_http.connection_types import HttpConnection
from jackfield_http.id_tokens import check_id_token
from jackfield_http.oauth2 import REFUSED_GRANT, ask, fetch_object, metadata_urls, minted
from jackfield_http.sign_in import ANONYMOUS, LeasedToken, SignIn, basic
from jackfield_http.urls import server_url

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_REFRESH = 12.0
"""Seconds for the answer to a refresh, whatever the caller's deadline: an answer that nobody reads may hold the only refresh token. It is
less than the time for which a process holds the right to refresh, so that two never refresh at once."""
_REFUSED = "the provider no longer accepts it"
_INTERRUPTED = "a refresh was interrupted before its answer was stored, and the provider does not accept the previous refresh token again"
_METADATA = 5.0
"""Seconds for each of the provider's two documents of metadata."""
_LOG = logging.getLogger("jackfield.oauth2")
_WORDS = 300
"""Limit of the characters of a provider's error that are shown."""


class OAuth2AuthorizationCode(HttpConnection):
    """Account of a person who approves at the provider. Connect the connection before its first use, and again whenever it says so.

    ``client_authentication`` is how the client's secret is sent to the token endpoint: ``basic`` (RFC 6749's first choice) or in the
    ``body``. ``parameters`` are further parameters of the address at which a person approves, such as ``access_type=offline``.
    ``openid`` means that the provider is an OpenID Connect provider, whose ID token must be for this client and this approval.
    ``answers_issuer`` means that the provider's answers carry ``iss`` (RFC 9207): one without it is refused. It is also looked up in the
    metadata of the ``issuer``. ``places`` points at the connection values that name the endpoints, where these are not called as they are
    here.
    """

    key: ClassVar[str] = "oauth2AuthorizationCode"
    title: ClassVar[str] = "OAuth 2.0"
    auth: ClassVar[str] = "oauth2"
    authorizes: ClassVar[tuple[Literal["redirect", "device"], ...]] = ("redirect", "device")
    client_authentication: ClassVar[Literal["basic", "body"]] = "basic"
    parameters: ClassVar[Mapping[str, str]] = {}
    openid: ClassVar[bool] = False
    answers_issuer: ClassVar[bool] = False
    places: ClassVar[Mapping[str, str]] = {}

    authorization_url: str = fields.url(
        "Authorization URL", "The page on which a person approves.", "https://login.example.com/oauth2/authorize"
    )
    token_url: str = fields.token_url()
    device_url: str | None = fields.url("Device Authorization URL", "The endpoint that issues codes for devices.", default=None)
    revocation_url: str | None = fields.url("Revocation URL", "The endpoint that ends an approval.", default=None)
    issuer: str | None = fields.url("Issuer", "The provider's identifier, which its answers must carry.", default=None)
    client_id: str = fields.client_id()
    client_secret: str | None = fields.secret("Client Secret", "The secret of the application, unless it is a public one.", default=None)
    scopes: tuple[str, ...] = fields.scopes()

    def sign_in(self, context: OpenContext) -> SignIn:
        """Lease an access token for the grant. One process refreshes it for all.

        :raises InvalidConnection: if nobody has approved, or the approval has ended.
        """
        grants = _grants(context)
        return LeasedToken(context, f"oauth2 {grants.find().id}", lambda: self._access_token(context, grants))

    def authorize(self, context: OpenContext, redirect_uri: str, state: str) -> Authorization:
        """Return the address at which a person approves, with a new PKCE challenge and, for OpenID Connect, a new nonce."""
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            **self.parameters, "response_type": "code", "client_id": self.client_id, "redirect_uri": redirect_uri,
            "scope": " ".join(self._scopes()) or None, "state": state, "code_challenge": challenge, "code_challenge_method": "S256",
            "nonce": nonce if self._is_openid() else None,
        }  # fmt: skip
        url = server_url(self.authorization_url, "/authorizationUrl")
        iss = self.answers_issuer or (self.issuer is not None and self._announces_issuer(context, self.issuer))
        query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in asked.items() if value is not None)
        return Authorization(str(url.with_query(query)), {"verifier": verifier, "nonce": nonce, "iss": iss})

    def authorized(self, context: OpenContext, kept: Mapping[str, Any], redirect_uri: str, answer: Mapping[str, str]) -> Grant:
        """Exchange the provider's code for tokens.

        :raises Forbidden: if the person or the provider refused.
        :raises InvalidConnection: if the answer is not this provider's, or its tokens are for another client or approval.
        """
        absent = None if kept.get("iss") else self.issuer
        if self.issuer is not None and answer.get("iss", absent) != self.issuer:
            raise InvalidConnection(
                "the answer came from another provider", details=[Detail("/issuer", "is not the issuer of the answer")],
                hint="Check 'issuer'. If it is right, somebody tried to mix up two providers: do not approve again.",
            )  # fmt: skip
        if "error" in answer or not answer.get("code"):
            said = answer.get("error_description") or answer.get("error") or "it sent no code"
            raise Forbidden(f"the connection was not approved: {_shown(said)}", hint="Connect it again.")
        form = {
            "grant_type": "authorization_code", "code": answer["code"], "redirect_uri": redirect_uri, "code_verifier": kept["verifier"],
        }  # fmt: skip
        return self._granted(context, self._ask(context, "tokenUrl", self.token_url, form), kept["nonce"])

    def authorize_device(self, context: OpenContext) -> DeviceAuthorization:
        """Ask for a code that a person enters on another device.

        :raises InvalidConnection: if the connection has no ``deviceUrl``.
        """
        if self.device_url is None:
            text = "the connection names no endpoint for devices"
            raise InvalidConnection(text, details=[Detail("/deviceUrl", "is missing")], hint="Add it, or connect in a browser.")
        form = {"scope": " ".join(self._scopes()) or None}
        found = self._ask(context, "deviceUrl", self.device_url, form, step="request a code for a device")
        try:
            code, user_code, where = (str(found[name]) for name in ("device_code", "user_code", "verification_uri"))
            expires, interval = _finite(found["expires_in"]), _finite(found.get("interval", 5))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise Unavailable("the authorization server returned no code for a device", repeatable=False) from None
        complete = found.get("verification_uri_complete")
        kept = {"device_code": code}
        return DeviceAuthorization(where, user_code, expires, max(1.0, interval), kept, str(complete) if complete else None)

    def device_authorized(self, context: OpenContext, kept: Mapping[str, Any]) -> Grant | None:
        """Ask for the tokens of a device's code; None while nobody has approved.

        :raises RateLimited: if the server wants to be asked less often.
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

    def revoke(self, context: OpenContext) -> bool:
        """End the grant at the provider, if it has an endpoint for that (RFC 7009); return whether it has."""
        if self.revocation_url is None:
            return False
        value = _grants(context).find().value
        form = {"token": value.get("refreshToken") or value["accessToken"]}
        self._ask(context, "revocationUrl", self.revocation_url, form, step="revoke the approval")
        return True

    def _access_token(self, context: OpenContext, grants: Grants) -> Minted:
        """Refresh the access token. A rotated refresh token is stored before anything else, since it may exist nowhere else.

        That a refresh begins is recorded first. If this process ends before the answer is stored, the next one finds that record and sends
        the previous refresh token again, which many providers accept for a while.
        """
        used = grants.find()
        refresh = used.value.get("refreshToken")
        if refresh is None:  # a token that the provider does not renew
            return Minted({"token": used.value["accessToken"]}, None, used.secrets)
        if used.begun_at is not None:
            _LOG.warning("a refresh of %s got no answer: the previous refresh token is sent again", self.token_url)
        grants.begin(used)
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        try:
            found = self._ask(context, "tokenUrl", self.token_url, form, within=_REFRESH)
        except JackfieldError as error:
            self._unrefreshed(grants, used, error)
        rotated, said = found.get("refresh_token"), found.get("scope")
        kept = replace(used, scopes=_scopes_of(said)) if isinstance(said, str) else used  # a person may have taken some back
        if isinstance(rotated, str) and rotated and rotated != refresh:
            kept = replace(kept, value={**used.value, "refreshToken": rotated}, secrets=(rotated,))
        grants.replace(used, kept)
        lease = minted(context, found)
        return replace(lease, secrets=(*lease.secrets, refresh))

    def _unrefreshed(self, grants: Grants, used: Grant, error: JackfieldError) -> NoReturn:
        """Record the outcome of a failed refresh, unless it is unknown, or another process has rotated the token meanwhile."""
        if not isinstance(error, Unauthenticated) or error.provider is None or error.provider.code not in REFUSED_GRANT:
            if error.sent is not Sent.UNKNOWN:
                grants.replace(used, used)
            raise error
        if grants.find().value != used.value:
            raise Unavailable("the access token was refreshed by another process meanwhile", hint="Try again.") from None
        grants.end(used, _REFUSED if used.begun_at is None else _INTERRUPTED)
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
        given: dict[str, Any] = dict(form)
        login: SignIn = ANONYMOUS
        if self.client_secret is None:
            given["client_id"] = self.client_id
        elif self.client_authentication == "body":
            given |= {"client_id": self.client_id, "client_secret": self.client_secret}
        else:
            login = basic(quote_plus(self.client_id), quote_plus(self.client_secret), "/clientSecret")
        return ask(context, settings, server_url(url, place), given, login, step=step)

    def _announces_issuer(self, context: OpenContext, issuer: str) -> bool:
        """Return whether the provider's metadata say that its answers carry ``iss`` (RFC 9207 §3). A provider without metadata, or whose
        metadata cannot be read now, announces nothing."""
        place = self.places.get("issuer", "/issuer")
        for address in metadata_urls(issuer):
            settings = replace(self.settings(), guard_path=place, within=_METADATA)
            try:
                found = fetch_object(context, settings, server_url(address, place), step="read the provider's metadata")
            except JackfieldError:
                continue
            if found.get("issuer") == issuer:
                return found.get("authorization_response_iss_parameter_supported") is True
        return False

    def _granted(self, context: OpenContext, found: Mapping[str, Any], nonce: str | None) -> Grant:
        token = minted(context, found)
        if self._is_openid():
            check_id_token(found.get("id_token"), client_id=self.client_id, issuer=self.issuer, nonce=nonce, now=context.clock.time())
        refresh, said = found.get("refresh_token"), found.get("scope")
        scopes = _scopes_of(said) if isinstance(said, str) else self._scopes()
        if isinstance(refresh, str) and refresh:
            return Grant({"refreshToken": refresh}, scopes, (refresh,))
        return Grant({"accessToken": token.value["token"]}, scopes, token.secrets)

    def _scopes(self) -> tuple[str, ...]:
        return self.scopes

    def _is_openid(self) -> bool:
        return self.openid or "openid" in self._scopes()


class OpenIdConnect(OAuth2AuthorizationCode):
    """Account of a person at an OpenID Connect provider, whose ID token is checked."""

    key: ClassVar[str] = "openIdConnect"
    title: ClassVar[str] = "OpenID Connect"
    openid: ClassVar[bool] = True

    issuer: str = fields.url("Issuer", "The provider's identifier, which its answers and ID tokens must carry.")

    def _scopes(self) -> tuple[str, ...]:
        return self.scopes if "openid" in self.scopes else ("openid", *self.scopes)


def _grants(context: OpenContext) -> Grants:
    if context.grants is None:
        raise InvalidConnection(
            "this connection keeps no approval: it is given inline, in a file, or without a database",
            hint="Store it in the database, then connect it.",
        )
    return context.grants


def _scopes_of(said: str) -> tuple[str, ...]:
    """Return the scopes of an answer: separated by spaces (RFC 6749 §3.3), or by commas, as GitHub and Slack do."""
    return tuple(said.replace(",", " ").split())


def _finite(value: Any) -> float:
    found = float(value)
    if not isfinite(found):
        raise ValueError(value)
    return found


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:_WORDS])
