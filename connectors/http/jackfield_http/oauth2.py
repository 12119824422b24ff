"""OAuth 2.0 client credentials: a leased token that threads and processes share, and that one of
them renews for all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any, ClassVar, Literal
from urllib.parse import quote_plus

from jackfield.connector import (
    Detail,
    InvalidConnection,
    Minted,
    OpenContext,
    RateLimited,
    Sent,
    Step,
    Unauthenticated,
    Unavailable,
    pointer,
)
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.secrecy import SecretHolder
from jackfield_http import connection_fields as fields
from jackfield_http.answers import NOT_THE_API
from jackfield_http.client import HttpClient
from jackfield_http.connection_types import HttpConnection
from jackfield_http.errors import HTTP_ERRORS, Row
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import ANONYMOUS, LeasedToken, SignIn, basic
from jackfield_http.token_answers import is_bearer, read_answer, token_at
from jackfield_http.urls import Url, server_url

REFUSED_GRANT = frozenset({"invalid_grant", "bad_refresh_token", "invalid_refresh_token"})
"""Codes with which a server rejects a refresh token: RFC 6749, GitHub, Slack."""
REFUSED_CLIENT = frozenset(
    {
        "invalid_client",
        "unauthorized_client",
        "incorrect_client_credentials",
        "bad_client_secret",
        "invalid_client_id",
        "deleted_client",
        "disabled_client",
        "org_internal",
        "admin_policy_enforced",
        "invalid_resource",
    }
)
"""Codes with which a server rejects the client itself, or an administrator forbids it: RFC 6749
§5.2, GitHub, Slack, Google's "Authorization errors", Microsoft's "error codes" of its endpoints.
"""


def _is_error(body: Any) -> bool:
    """Return whether an answer with status 200 is an error, as all errors of GitHub and Slack
    are.
    """
    return (
        isinstance(body, Mapping)
        and isinstance(body.get("error"), str)
        and "access_token" not in body
    )


_REFUSED = Row(Unauthenticated, "Check the client ID, the client secret and the scopes.")
_APPLICATION = Row(
    Unauthenticated,
    "This concerns the application, not the person who approved: check its client ID and secret, "
    "and at the provider whether it is switched on and allowed. Nobody has to connect again.",
)
_LIMITED = Row(RateLimited, "Wait: the authorization server is asked too often.")
TOKEN_ERRORS = HTTP_ERRORS.extended(
    {
        **dict.fromkeys(
            (
                *REFUSED_GRANT,
                "invalid_scope",
                "unsupported_grant_type",
                "access_denied",
                "bad_verification_code",
                "invalid_code",
            ),
            _REFUSED,
        ),
        **dict.fromkeys(REFUSED_CLIENT, _APPLICATION),
        **dict.fromkeys(("rate_limit_exceeded", "ratelimited"), _LIMITED),
    },
    code="/error",
    message="/error_description",
    failed=_is_error,
    details=False,
    read=read_answer,
)
"""Meaning of a token endpoint's errors (RFC 6749 §5.2)."""
ClientAuthentication = Literal["basic", "body", "none"]
_LARGEST = 256 * 1024
_LIFETIME = 3600.0
"""Assumed lifetime, in seconds, of a token without a stated one."""
_LONGEST = 10 * 365 * 86_400.0
"""Maximum accepted lifetime in seconds: a longer lifetime may end beyond the calendar, which cannot
be stored.
"""


_OWN = frozenset(
    {
        "grant_type",
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "redirect_uri",
        "refresh_token",
        "device_code",
        "scope",
    }
)
"""Members of a token request that the grant sets."""


@dataclass(frozen=True, slots=True, repr=False)
class TokenClient(SecretHolder):
    """Client of a token endpoint: its authentication, and the further members of its requests.

    - ``authentication``: place of the secret: ``basic`` (the header field, RFC 6749's first
      choice), in the ``body``, or ``none``.
    - ``parameters``: further members of each token request. ``place``: JSON Pointer to the object
      with the token in an answer.
    - ``as_json``: token requests are JSON instead of a form.
    """

    id: str
    secret: str | None = None
    authentication: ClientAuthentication = "basic"
    parameters: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    as_json: bool = False

    def request(
        self, form: Mapping[str, Any], *, extended: bool = True
    ) -> tuple[dict[str, Any], SignIn]:
        """Return the whole form of a request and its sign-in. With ``extended``, the form includes
        the client's parameters.

        :raises InvalidConnection: if the parameters have a member that the grant sets.
        """
        wrong = next((name for name in self.parameters if name in _OWN), None)
        if wrong is not None:
            detail = Detail(pointer("tokenParameters", wrong), "is set by the grant")
            raise InvalidConnection(
                "the connection's token parameters are not valid", details=[detail]
            )
        given: dict[str, Any] = {**(self.parameters if extended else {}), **form}
        if self.secret is None or self.authentication == "none":
            return {**given, "client_id": self.id}, ANONYMOUS
        if self.authentication == "body":
            return {**given, "client_id": self.id, "client_secret": self.secret}, ANONYMOUS
        return given, basic(quote_plus(self.id), quote_plus(self.secret), "/clientSecret")


def fetch_token(
    context: OpenContext,
    settings: ClientSettings,
    url: Url,
    form: dict[str, Any],
    client: TokenClient,
) -> Minted:
    """Request a token from a token endpoint. ``Minted.value`` is an object with the member
    ``token``.

    :raises JackfieldError: if the endpoint issues no token; the action's request was not sent then.
    """
    whole, sign_in = client.request(form)
    return minted(
        context,
        token_at(ask(context, settings, url, whole, sign_in, as_json=client.as_json), client.place),
    )


def ask(
    context: OpenContext,
    settings: ClientSettings,
    url: Url,
    form: Mapping[str, Any],
    sign_in: SignIn = ANONYMOUS,
    *,
    step: str = "request a token",
    expect: Collection[int] | None = None,
    as_json: bool = False,
) -> dict[str, Any]:
    """Send a form, or JSON, to an endpoint of an authorization server; return its answer, or an
    empty object for an empty body.

    :raises JackfieldError: for an error, which does not count as a request of the action.
    """
    api = HttpClient(
        context,
        replace(
            settings, server=url, announces=False, errors=TOKEN_ERRORS, largest=_LARGEST, headers={}
        ),
        sign_in,
    )
    given = {name: value for name, value in form.items() if value is not None}
    answer = (
        api.request("POST", url, json=given, step=step, expect=expect)
        if as_json
        else api.request("POST", url, form=form, step=step, expect=expect)
    )
    try:
        found = read_answer(answer.content, answer.headers.get("content-type", ""))
    except ValueError:
        about = f"status {answer.status}, {answer.media_type or 'no media type'}"
        text = f"the response to '{step}' is neither JSON nor a form ({about})"
        raise Unavailable(text, hint=NOT_THE_API, sent=Sent.UNKNOWN) from None
    if not isinstance(found, dict):
        raise Unavailable(
            f"the authorization server answered '{step}' with no object", repeatable=False
        )
    return found


def fetch_object(
    context: OpenContext, settings: ClientSettings, url: Url, *, step: str
) -> dict[str, Any]:
    """Fetch a JSON object of an authorization server.

    :raises JackfieldError: for an error, which does not count as a request of the action.
    """
    api = HttpClient(
        context, replace(settings, server=url, announces=False, largest=_LARGEST, headers={})
    )
    found = api.request("GET", url, step=step).json()
    if not isinstance(found, dict):
        raise Unavailable(
            f"the authorization server answered '{step}' with no object", repeatable=False
        )
    return found


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Return the addresses of a provider's metadata: OpenID Connect Discovery §4.1, RFC 8414
    §3.1.
    """
    scheme, separator, rest = issuer.rstrip("/").partition("://")
    host, slash, path = rest.partition("/")
    return (
        f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        f"{scheme}{separator}{host}/.well-known/oauth-authorization-server{slash}{path}",
    )


def minted(context: OpenContext, found: Mapping[str, Any]) -> Minted:
    """Return the access token in a token endpoint's answer as a credential.

    :raises Unavailable: if the answer has no access token.
    """
    token = found.get("access_token")
    if not isinstance(token, str) or not token.strip() or not is_bearer(found.get("token_type")):
        hint = (
            "Check 'tokenUrl', and 'tokenPlace' if the provider puts the token into another "
            "object of its answer."
        )
        raise Unavailable(
            "the token endpoint returned no bearer token", hint=hint, repeatable=False
        )
    secrets = tuple(
        str(found[name])
        for name in ("access_token", "refresh_token", "id_token")
        if found.get(name)
    )
    return Minted({"token": token}, _expiry(context, found.get("expires_in")), secrets)


def _expiry(context: OpenContext, seconds: Any) -> float:
    try:
        left = float(seconds)
    except (TypeError, ValueError, OverflowError):
        left = _LIFETIME
    return context.clock.time() + (
        min(left, _LONGEST) if isfinite(left) and left > 0 else _LIFETIME
    )


class OAuth2ClientCredentials(HttpConnection):
    """Client ID and client secret, exchanged for a token (RFC 6749 §4.4).

    ``client_authentication`` is the place of the secret in token requests: ``basic`` (the header
    field, RFC 6749's first choice), the ``body``, or ``none``. ``parameters`` are further form
    fields. ``token_place`` is a JSON Pointer to the object with the token in the answer.
    """

    key: ClassVar[str] = "oauth2ClientCredentials"
    title: ClassVar[str] = "OAuth 2.0 Client Credentials"
    auth: ClassVar[str] = "oauth2"
    client_authentication: ClassVar[ClientAuthentication] = "basic"
    parameters: ClassVar[Mapping[str, str]] = {}
    token_place: ClassVar[str] = ""

    token_url: str = fields.token_url()
    client_id: str = fields.client_id()
    client_secret: str = fields.secret("Client Secret", "The secret of the application.")
    scopes: tuple[str, ...] = fields.scopes()

    def sign_in(self, context: OpenContext) -> SignIn:
        """Lease a token."""
        return LeasedToken(context, "oauth2", lambda: self._token(context))

    def opened(self, message: str) -> Step:
        """Return a successful step of a test: the server has issued a token for the credentials."""
        return Step(
            "token", "Sign in", passed=True, message="The authorization server issued a token."
        )

    def client(self) -> TokenClient:
        """Return the client of the token endpoint."""
        return TokenClient(
            self.client_id,
            self.client_secret,
            self.client_authentication,
            self.parameters,
            self.token_place,
        )

    def _token(self, context: OpenContext) -> Minted:
        settings, url = (
            replace(self.settings(), guard_path="/tokenUrl"),
            server_url(self.token_url, "/tokenUrl"),
        )
        form: dict[str, Any] = {
            "grant_type": "client_credentials",
            "scope": " ".join(self.scopes) or None,
        }
        return fetch_token(context, settings, url, form, self.client())
