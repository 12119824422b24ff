"""Connection types of the connector ``http``: its users choose the server and name the place of a
key, which other connectors fix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from jackfield.connector import (
    Account,
    Detail,
    Field,
    Guard,
    InvalidInput,
    OpenContext,
    Sent,
    Step,
    Unauthenticated,
)
from jackfield.kernel.dataclass import replace
from jackfield_http import connection_fields as fields
from jackfield_http.accounts import account_in, body_of
from jackfield_http.aws_sig_v4 import KEYS_TOGETHER, AwsSigV4
from jackfield_http.client import HttpClient
from jackfield_http.connection_types import (
    ApiKey,
    BasicLogin,
    BearerToken,
    Certified,
    HttpConnection,
    MutualTls,
)
from jackfield_http.errors import HTTP_ERRORS, HttpErrors, Row
from jackfield_http.oauth2 import ClientAuthentication, OAuth2ClientCredentials, TokenClient
from jackfield_http.oauth2_grants import OAuth2AuthorizationCode, OpenIdConnect
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import SignIn, Together, in_cookie, in_header, in_query, kept
from jackfield_http.urls import Url, UrlError, parse_target, parse_url

if TYPE_CHECKING:
    from jackfield_http.answers import Answer

T = TypeVar("T")
_SERVER = (
    "Enter the URL that the paths of all requests are appended to. Credentials are sent to "
    "this server only.\n\n"
)
_NO_CREDENTIALS = (
    "The connection has no credentials: use one of a type that signs in, such as http/bearer."
)
_NAME = {"pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "maxLength": 200}
_VALUE = {"minLength": 1, "maxLength": 2000}
_PLACE = {"pattern": "^/", "maxLength": 200}
_PAIRS = {"headerName": ["headerValue"], "headerValue": ["headerName"]}
_HEADER: dict[str, Any] = {"dependentRequired": _PAIRS}
_SIGNED: dict[str, Any] = {"dependentRequired": {**_PAIRS, **KEYS_TOGETHER["dependentRequired"]}}
_BOTH: dict[str, Any] = {
    "dependentRequired": {**_PAIRS, "certificate": ["privateKey"], "privateKey": ["certificate"]}
}


class _Tested(HttpConnection):
    """Connection whose test sends a request to the server, if the connection names a path for the
    test.
    """

    own_wire: ClassVar[bool] = True

    test_path: str | None = Field(
        None,
        title="Test Path",
        audience="platform",
        description="A path that a connection test GETs, such as /me: one that needs the credentials.",
        schema={"pattern": "^/", "maxLength": 1000},
    )
    fresh_connections: bool = Field(
        default=False,
        title="New Connection for Each Write",
        audience="operator",
        description=(
            "Set it for a server that sends responses nobody asked for: one could be taken "
            "for the answer to the next request."
        ),
    )

    def settings(self) -> ClientSettings:
        """Return the client's settings."""
        return replace(super().settings(), fresh_writes=self.fresh_connections)

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Test the connection by a GET of its test path."""
        client = self.open(context)
        if self.test_path is None or client.server is None:
            yield self.opened("The values were accepted; nothing was sent without a test path.")
            yield from self.accounts(context)
            return
        answer = client.get(self.test_path)
        yield Step("probe", "Sign in", passed=True, message="The server accepted the credentials.")
        yield from self.accounts(context, self.test_path, answer)


class _Headed(_Tested):
    """Connection that names the place of the account in the test's answer, and may have a second
    credential in a header field.
    """

    account_id_place: str | None = Field(
        None,
        title="Place of the Account's ID",
        schema=_PLACE,
        audience="platform",
        description="A JSON Pointer to the ID of the account in the answer to the test path, such "
        "as /data/id. Without it, the answer of "
        "a path such as /me is searched for the usual members.",
    )
    account_label_place: str | None = Field(
        None,
        title="Place of the Account's Name",
        schema=_PLACE,
        audience="platform",
        description="A JSON Pointer to what people know the account by, such as /data/email.",
    )
    header_name: str | None = Field(
        None,
        title="Further Header",
        audience="platform",
        description=(
            "The name of one more header field for each request, such as a subscription key's."
        ),
        schema={**_NAME, "minLength": 1},
    )
    header_value: str | None = Field(
        None,
        title="Further Header's Value",
        audience="platform",
        description="The value of that field.",
        secret=True,
        schema={"minLength": 1, "maxLength": 10_000},
    )

    def accounts(
        self, context: OpenContext, path: str = "", answer: Answer | None = None
    ) -> Sequence[Account]:
        """Return the account in the test's answer, at the places that the connection names or at
        the usual ones.
        """
        if self.account_id_place is None or answer is None:
            return super().accounts(context, path, answer)
        labels = [self.account_label_place] if self.account_label_place is not None else []
        found = account_in(body_of(answer), {"id": self.account_id_place, "label": labels})
        return [] if found is None else [found]

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return the credentials of the connection type, combined with the further header field."""
        found = super().sign_in(context)
        if self.header_name is None or self.header_value is None:
            return found
        return Together(
            (found, kept(context, in_header, self.header_name, self.header_value, "/headerValue"))
        )


class _PlacedKey(ApiKey):
    """API key whose place is a connection value."""

    place: Literal["header", "query", "cookie"] = Field(
        "header",
        title="Place",
        description="Where the server expects the key.",
        audience="platform",
    )
    key_name: str = Field(
        "X-Api-Key",
        title="Name",
        description="The name of the header, query parameter or cookie.",
        audience="platform",
        schema={**_NAME, "minLength": 1},
    )

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return the key at its place."""
        if self.place == "query":
            return kept(context, in_query, self.key_name, self.api_key)
        return kept(
            context,
            in_cookie if self.place == "cookie" else in_header,
            self.key_name,
            self.api_key,
            "/apiKey",
        )


class AnyApiKey(_Headed, Certified, _PlacedKey, json_schema_extra=_BOTH):
    """Server and an API key for it."""

    setup: ClassVar[str] = (
        _SERVER
        + "Create an API key at the provider, and look up in its documentation where it belongs."
    )


class AnyBasic(_Headed, Certified, BasicLogin, json_schema_extra=_BOTH):
    """Server, and a user name and password for it."""

    setup: ClassVar[str] = _SERVER + "Enter the user name and the password that the server expects."


class AnyBearer(_Headed, Certified, BearerToken, json_schema_extra=_BOTH):
    """Server and a bearer token for it."""

    setup: ClassVar[str] = (
        _SERVER
        + "Create an access token at the provider, with no more permissions than the requests need."
    )


class _TokenSettings(HttpConnection):
    """Connection that sets the form of the authorization server's token requests and answers."""

    authentication: ClientAuthentication = Field(
        "basic",
        alias="clientAuthentication",
        title="Client Authentication",
        audience="platform",
        description=(
            "Where the client secret is sent: in the header field Authorization (basic), in "
            "the body, or nowhere (none)."
        ),
    )
    audience: str | None = Field(
        None,
        title="Audience",
        description="What the token is for, if the provider wants an audience, as Auth0 does.",
        audience="platform",
        schema=_VALUE,
    )
    resource: str | None = Field(
        None,
        title="Resource",
        description=(
            "The URI of the resource that the token is for, if the provider wants one (RFC 8707)."
        ),
        audience="platform",
        schema=_VALUE,
    )
    further_parameters: dict[str, str] | None = Field(
        None,
        alias="tokenParameters",
        title="Token Parameters",
        audience="platform",
        description="Further parameters of each token request, by name.",
        schema={"maxProperties": 20, "additionalProperties": {"type": "string", "maxLength": 2000}},
    )
    answer_place: str | None = Field(
        None,
        alias="tokenPlace",
        title="Token Place",
        schema=_PLACE,
        audience="platform",
        description=(
            "A JSON Pointer to the object with the token in the answer, such as "
            "/authed_user, if it is not the whole answer."
        ),
    )

    def asking(self, client: TokenClient, more: Mapping[str, str]) -> TokenClient:
        """Return the client with the connection's settings."""
        parameters = {**(self.further_parameters or {}), **more}
        return replace(
            client,
            authentication=self.authentication,
            parameters=parameters,
            place=self.answer_place or "",
        )

    def named(self) -> dict[str, str]:
        """Return the parameters that name the token's resource, such as ``audience``."""
        found = {"audience": self.audience, "resource": self.resource}
        return {name: value for name, value in found.items() if value is not None}


class AnyClientCredentials(
    _Headed, Certified, _TokenSettings, OAuth2ClientCredentials, json_schema_extra=_BOTH
):
    """Server, and an application of its authorization server."""

    setup: ClassVar[str] = _SERVER + (
        "Register an application that may use the grant *client credentials*, and copy "
        "its ID and secret."
    )

    def client(self) -> TokenClient:
        """Return the client of the token endpoint."""
        return self.asking(super().client(), self.named())


class _AnyAccount(_Headed, Certified, _TokenSettings, OAuth2AuthorizationCode):
    """Account whose authorization server gets requests in the form that the connection states."""

    def client(self) -> TokenClient:
        """Return the client of the provider's endpoints."""
        return self.asking(super().client(), {})

    def targets(self) -> Mapping[str, str]:
        """Return the parameters that name the token's resource, such as ``audience``."""
        return self.named()


_CONNECT = (
    "Register an application at the provider, with jackfield's redirect URI, and copy its ID and "
    "secret. Then connect the connection: a "
    "person approves in a browser, or on another device.\n"
)


class AnyAuthorizationCode(_AnyAccount, json_schema_extra=_BOTH):
    """Server, and the account of a person who approves at its authorization server."""

    setup: ClassVar[str] = _SERVER + _CONNECT


class AnyOpenIdConnect(_AnyAccount, OpenIdConnect, json_schema_extra=_BOTH):
    """Server, and the account of a person at its OpenID Connect provider."""

    setup: ClassVar[str] = _SERVER + _CONNECT


class AnyMutualTls(_Headed, MutualTls, json_schema_extra=_HEADER):
    """Server, and a certificate by which it knows the client."""

    setup: ClassVar[str] = (
        _SERVER + "Have a client certificate issued by an authority that the server trusts."
    )


class AnyAwsSigV4(_Headed, AwsSigV4, json_schema_extra=_SIGNED):
    """Server on AWS, and an identity that signs the requests to it: an access key, a role, or this
    machine's own.
    """

    setup: ClassVar[str] = _SERVER + (
        "Create an access key, or a role with a trust policy for the identity that assumes it. "
        "Allow it the requests: for API Gateway the "
        "action `execute-api:Invoke`. The package `jackfield-aws` must be installed.\n"
    )


class Anonymous(_Tested):
    """No credentials: requests to one server, or to any public one."""

    own_wire: ClassVar[bool] = True
    key: ClassVar[str] = "anonymous"
    title: ClassVar[str] = "No Credentials"
    auth: ClassVar[str] = "none"
    errors: ClassVar[HttpErrors] = HTTP_ERRORS.extended(
        {401: Row(Unauthenticated, _NO_CREDENTIALS)}
    )
    setup: ClassVar[str] = (
        "Enter a server to limit requests to it. Without one, requests name whole URLs and reach "
        "public addresses only; an operator's "
        "connection may list hosts of its own network under **Allowed Hosts**."
    )

    server: str | None = fields.url(  # type: ignore[assignment]  # other types need one, since their credentials are for it
        "Server",
        "The URL that all paths are appended to; without it, requests name whole URLs.",
        "https://api.example.com/v1",
        default=None,
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        title="Allowed Hosts",
        description=(
            "Hosts, addresses or networks that are not public and may be reached all the same."
        ),
        audience="operator",
    )

    def open(self, context: OpenContext) -> HttpClient:
        """Return a client. The caller names the host, so even an operator's connection reaches
        public addresses and listed hosts only.
        """
        settings = self.settings()
        if settings.server is None and context.guard.internal:
            settings = replace(settings, guard=Guard(allowed=self.allowed_hosts))
        return HttpClient(context, settings)

    def settings(self) -> ClientSettings:
        """Return the client's settings."""
        if self.server is not None:
            return super().settings()
        known = super(
            Anonymous, self.model_copy(update={"server": "https://unused.invalid"})
        ).settings()
        return replace(known, server=None, guard_path="/allowedHosts")


def target(api: HttpClient, text: str) -> Url:
    """Return the URL of a request: a path on the connection's server, or a whole URL on it.

    :raises InvalidInput: if the text is neither, or names another server, to which the connection's
        credentials are not sent.
    """
    server = api.server
    if server is None:
        return _parsed(text, parse_url)
    if not text.startswith("/") or text.startswith("//"):
        url = _parsed(text, parse_url)
        inside = url.path == server.path or url.path.startswith(server.path.rstrip("/") + "/")
        if url.origin != server.origin or not inside:
            raise _refusal("is not on the connection's server")
        return url
    return server.under(*_parsed(text, parse_target))


def _parsed(text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text.partition("#")[0])
    except UrlError as error:
        raise _refusal(str(error)) from None


def _refusal(reason: str) -> InvalidInput:
    hint = (
        "Use a path on the connection's server, such as /parcels, or a whole URL over a "
        "connection without a server."
    )
    return InvalidInput(
        "1 input is not valid", details=[Detail("/url", reason)], hint=hint, sent=Sent.NOTHING
    )
