"""OAuth 2.0 client credentials: a token that is leased, so that threads and processes share it and one of them renews it for all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any, ClassVar, Literal
from urllib.parse import quote_plus

from jackfield.connector import Minted, OpenContext, Unauthenticated, Unavailable
from jackfield.dataclass import replace
from jackfield_http import connection_fields as fields
from jackfield_http.client import HttpClient
from jackfield_http.connection_types import HttpConnection
from jackfield_http.errors import HTTP_ERRORS, Row
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import ANONYMOUS, LeasedToken, SignIn, basic
from jackfield_http.urls import Url, server_url

REFUSED_GRANT = frozenset({"invalid_grant", "bad_refresh_token", "invalid_refresh_token"})
"""Codes by which a server says that it no longer accepts a refresh token: RFC 6749, GitHub, Slack."""


def _is_error(body: Any) -> bool:
    """Return True for an error that comes with status 200, as GitHub and Slack send all of theirs."""
    return isinstance(body, Mapping) and isinstance(body.get("error"), str) and "access_token" not in body


_REFUSED = Row(Unauthenticated, "Check the client ID, the client secret and the scopes.")
TOKEN_ERRORS = HTTP_ERRORS.extended(
    dict.fromkeys(
        (
            *REFUSED_GRANT,
            "invalid_client",
            "invalid_scope",
            "unauthorized_client",
            "unsupported_grant_type",
            "access_denied",
            "bad_verification_code",
            "incorrect_client_credentials",
            "bad_client_secret",
            "invalid_code",
        ),
        _REFUSED,
    ),
    code="/error",
    message="/error_description",
    failed=_is_error,
    details=False,
)
"""Meaning of a token endpoint's errors (RFC 6749 §5.2)."""
_BEARER = frozenset({"bearer", "bearertoken", "bot", "user"})
"""Names of bearer tokens: RFC 6750, Apigee, Slack. A token of an unknown type must not be used (RFC 6749 §7.1)."""
_LARGEST = 256 * 1024
_LIFETIME = 3600.0
"""Seconds for which a token is used whose lifetime is not stated."""
_LONGEST = 10 * 365 * 86_400.0
"""Limit of a stated lifetime: a moment that no calendar has cannot be stored."""


def fetch_token(context: OpenContext, settings: ClientSettings, url: Url, form: dict[str, Any], sign_in: SignIn = ANONYMOUS) -> Minted:
    """Request a token from a token endpoint. ``Minted.value`` is an object with the member ``token``.

    :raises JackfieldError: if there is none; the action's request was not sent then.
    """
    return minted(context, ask(context, settings, url, form, sign_in))


def ask(
    context: OpenContext,
    settings: ClientSettings,
    url: Url,
    form: Mapping[str, Any],
    sign_in: SignIn = ANONYMOUS,
    *,
    step: str = "request a token",
    expect: Collection[int] | None = None,
) -> dict[str, Any]:
    """Send a form to an endpoint of an authorization server; return its answer, an empty object if that has no body.

    :raises JackfieldError: for an error; it does not count as a request of the action.
    """
    api = HttpClient(context, replace(settings, server=url, announces=False, errors=TOKEN_ERRORS, largest=_LARGEST, headers={}), sign_in)
    answer = api.request("POST", url, form=form, step=step, expect=expect)
    found = answer.json() if answer.content else {}
    if not isinstance(found, dict):
        raise Unavailable(f"the authorization server answered '{step}' with no object", repeatable=False)
    return found


def fetch_object(context: OpenContext, settings: ClientSettings, url: Url, *, step: str) -> dict[str, Any]:
    """Fetch a JSON object of an authorization server.

    :raises JackfieldError: for an error; it does not count as a request of the action.
    """
    api = HttpClient(context, replace(settings, server=url, announces=False, largest=_LARGEST, headers={}))
    found = api.request("GET", url, step=step).json()
    if not isinstance(found, dict):
        raise Unavailable(f"the authorization server answered '{step}' with no object", repeatable=False)
    return found


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Return the addresses of a provider's metadata: OpenID Connect Discovery §4.1, RFC 8414 §3.1."""
    scheme, separator, rest = issuer.rstrip("/").partition("://")
    host, slash, path = rest.partition("/")
    return (
        f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        f"{scheme}{separator}{host}/.well-known/oauth-authorization-server{slash}{path}",
    )


def minted(context: OpenContext, found: Mapping[str, Any]) -> Minted:
    """Return the access token of a token endpoint's answer as a credential.

    :raises Unavailable: if it has none.
    """
    token = found.get("access_token")
    if not isinstance(token, str) or not token or str(found.get("token_type", "bearer")).lower() not in _BEARER:
        raise Unavailable("the token endpoint returned no bearer token", hint="Check 'tokenUrl'.", repeatable=False)
    secrets = tuple(str(found[name]) for name in ("access_token", "refresh_token", "id_token") if found.get(name))
    return Minted({"token": token}, _expiry(context, found.get("expires_in")), secrets)


def _expiry(context: OpenContext, seconds: Any) -> float:
    try:
        left = float(seconds)
    except (TypeError, ValueError, OverflowError):
        left = _LIFETIME
    return context.clock.time() + (min(left, _LONGEST) if isfinite(left) and left > 0 else _LIFETIME)


class OAuth2ClientCredentials(HttpConnection):
    """Client ID and client secret, exchanged for a token (RFC 6749 §4.4).

    ``client_authentication`` is how the secret is sent to the token endpoint: ``basic`` (RFC 6749's first choice) or in the ``body``.
    ``parameters`` are further form fields.
    """

    key: ClassVar[str] = "oauth2ClientCredentials"
    title: ClassVar[str] = "OAuth 2.0 Client Credentials"
    auth: ClassVar[str] = "oauth2"
    client_authentication: ClassVar[Literal["basic", "body"]] = "basic"
    parameters: ClassVar[dict[str, str]] = {}

    token_url: str = fields.token_url()
    client_id: str = fields.client_id()
    client_secret: str = fields.secret("Client Secret", "The secret of the application.")
    scopes: tuple[str, ...] = fields.scopes()

    def sign_in(self, context: OpenContext) -> SignIn:
        """Lease a token."""
        return LeasedToken(context, "oauth2", lambda: self._token(context))

    def _token(self, context: OpenContext) -> Minted:
        settings, url = replace(self.settings(), guard_path="/tokenUrl"), server_url(self.token_url, "/tokenUrl")
        form: dict[str, Any] = {"grant_type": "client_credentials", "scope": " ".join(self.scopes) or None, **self.parameters}
        if self.client_authentication == "body":
            return fetch_token(context, settings, url, {**form, "client_id": self.client_id, "client_secret": self.client_secret})
        login = basic(quote_plus(self.client_id), quote_plus(self.client_secret), "/clientSecret")
        return fetch_token(context, settings, url, form, login)
