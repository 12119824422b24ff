"""Connection types of HTTP connectors: the server and its credentials. A connector subclasses the
type that fits its API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jackfield.connector import (
    MAX_ANSWER,
    Account,
    ConnectionType,
    Detail,
    Field,
    InvalidConnection,
    OpenContext,
    Proxy,
    Step,
    Target,
)
from jackfield_http import connection_fields as fields
from jackfield_http.accounts import account_of, body_of, usual_account
from jackfield_http.client import HttpClient
from jackfield_http.errors import HTTP_ERRORS, HttpErrors
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import (
    ANONYMOUS,
    SignIn,
    basic,
    bearer,
    in_cookie,
    in_header,
    in_query,
    kept,
)
from jackfield_http.tls import tls_context
from jackfield_http.urls import UrlError, parse_url, server_url

if TYPE_CHECKING:
    from jackfield_http.answers import Answer


class HttpConnection(ConnectionType):
    """Server over HTTP.

    Subclasses add the credentials and set these class attributes:

    - ``errors``: meaning of error responses. ``headers``: fields of every request.
    - ``idempotency_header``: name of the field for idempotency keys.
    - ``http2``: offer HTTP/2, which needs the extra ``http2``. If the deadline passes for one of
      its requests, the others on the same connection end, too.
    - ``fresh_writes``: send each write over a new connection, to servers that send unrequested
      responses.
    - ``probe``: path that a connection test GETs; None: the test sends nothing.
    - ``owner``: JSON Pointers to the account in the answer to it, such as ``{"id": "/id", "label":
      ["/email", "/name"]}``. Without it, the answer at a path of the person's own, such as ``/me``,
      is searched for the usual members.
    - ``largest``: maximum size of a response in bytes.
    - ``own_wire``: the type reaches servers only by clients of this package, through ``proxy`` if
      set. A subclass with ``open`` or ``settings`` of its own counts as not doing so, unless it
      declares the attribute.
    """

    reports_begin: ClassVar[bool] = True
    errors: ClassVar[HttpErrors] = HTTP_ERRORS
    headers: ClassVar[Mapping[str, str]] = {}
    idempotency_header: ClassVar[str] = "Idempotency-Key"
    http2: ClassVar[bool] = False
    fresh_writes: ClassVar[bool] = False
    probe: ClassVar[str | None] = None
    owner: ClassVar[Mapping[str, Any] | None] = None
    largest: ClassVar[int] = MAX_ANSWER
    own_wire: ClassVar[bool] = True

    server: str = fields.url(
        "Server", "The URL that all paths are appended to.", "https://api.example.com/v1"
    )
    proxy: str | None = fields.url(
        "Proxy",
        "The HTTP proxy to connect through, such as http://proxy.example.com:3128.",
        default=None,
        audience="operator",
    )
    proxy_username: str | None = Field(
        None,
        title="Proxy User Name",
        description="The user name for the proxy.",
        audience="operator",
    )
    proxy_password: str | None = Field(
        None,
        title="Proxy Password",
        description="The password for the proxy.",
        secret=True,
        audience="operator",
    )
    ca_certificate: str | None = Field(
        None,
        title="CA Certificate",
        description="The certificate authority of the server, as PEM, if it is a private one.",
        multiline=True,
        destination=True,
        audience="operator",
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Mark a subclass with its own ``open`` or ``settings`` as one that may use other
        clients.
        """
        super().__pydantic_init_subclass__(**options)
        if not {"open", "settings"}.isdisjoint(vars(cls)) and "own_wire" not in vars(cls):
            cls.own_wire = False

    @property
    def checks_addresses(self) -> bool:
        """True unless a proxy resolves the names, another client may be in use, or a library speaks
        HTTP/2.
        """
        return self.own_wire and self.proxy is None and not self.http2

    def open(self, context: OpenContext) -> HttpClient:
        """Return a client; opening sends nothing to the server."""
        return HttpClient(
            context, context.cached("jackfield_http settings", self.settings), self.sign_in(context)
        )

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """GET the path ``probe``; nothing is changed."""
        client = self.open(context)
        if self.probe is None:
            yield self.opened("The values were accepted; nothing was sent.")
            yield from self.accounts(context)
            return
        answer = client.get(self.probe)
        yield Step("probe", "Sign in", passed=True, message="The server accepted the credentials.")
        yield from self.accounts(context, self.probe, answer)

    def accounts(
        self, context: OpenContext, path: str = "", answer: Answer | None = None
    ) -> Sequence[Account]:
        """Return the account that the answer to a test's request names; empty if it names none."""
        if answer is None:
            return []
        found = (
            usual_account(path, body_of(answer))
            if self.owner is None
            else account_of(answer, self.owner)
        )
        return [] if found is None else [found]

    def opened(self, message: str) -> Step:
        """Return the step of a test that cannot request anything: a note, which passes no test."""
        return Step("open", "Open the connection", passed=False, mandatory=False, message=message)

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return the credentials for each request to the server."""
        return ANONYMOUS

    def settings(self) -> ClientSettings:
        """Return the client's settings.

        :raises InvalidConnection: if the URL of the server or the proxy is invalid, or a proxy
            login lacks its proxy.
        """
        if self.proxy_username is not None and self.proxy is None:
            raise _without("/proxy", "is missing: 'proxyUsername' is for it")
        if self.proxy_password is not None and self.proxy_username is None:
            raise _without("/proxyUsername", "is missing: 'proxyPassword' is for it")
        login = (
            None
            if self.proxy_username is None
            else (self.proxy_username, self.proxy_password or "")
        )
        certificate, key = self.client_certificate()
        return ClientSettings(
            server_url(self.server),
            self.errors,
            self.headers,
            self.idempotency_header,
            tls=lambda: tls_context(self.ca_certificate, certificate, key),
            has_certificate=certificate is not None,
            proxy=None if self.proxy is None else Proxy(_proxy_at(self.proxy), login, guarded=True),
            http2=self.http2,
            fresh_writes=self.fresh_writes,
            largest=self.largest,
        )

    def client_certificate(self) -> tuple[str | None, str | None]:
        """Return the client's certificate and private key as PEM; None for each if there are
        none.
        """
        return None, None


class ApiKey(HttpConnection):
    """API key in a header field, a query parameter or a cookie, whose name the connector sets in
    ``location`` and ``name``.
    """

    key: ClassVar[str] = "apiKey"
    title: ClassVar[str] = "API Key"
    auth: ClassVar[str] = "apiKey"
    location: ClassVar[Literal["header", "query", "cookie"]] = "header"
    name: ClassVar[str] = "X-Api-Key"

    api_key: str = fields.secret("API Key", "The key that the provider issued.")

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return the API key for its place in requests."""
        if self.location == "query":
            return kept(context, in_query, self.name, self.api_key)
        return kept(
            context,
            in_cookie if self.location == "cookie" else in_header,
            self.name,
            self.api_key,
            "/apiKey",
        )


class BasicLogin(HttpConnection):
    """User name and password (RFC 7617)."""

    key: ClassVar[str] = "basic"
    title: ClassVar[str] = "User Name and Password"
    auth: ClassVar[str] = "basic"

    username: str = fields.name("User Name", "The user to sign in as.")
    password: str = fields.secret("Password", "The password of the user.")

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return the header field with user name and password."""
        return kept(context, basic, self.username, self.password, "/password")


class BearerToken(HttpConnection):
    """Token in the header field ``Authorization`` (RFC 6750)."""

    key: ClassVar[str] = "bearer"
    title: ClassVar[str] = "Bearer Token"
    auth: ClassVar[str] = "bearer"

    token: str = fields.secret("Token", "The access token that the provider issued.")

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return the header field with the token."""
        return kept(context, bearer, self.token, "/token")


class MutualTls(HttpConnection):
    """Client certificate. The server identifies the client in the TLS handshake."""

    key: ClassVar[str] = "mutualTls"
    title: ClassVar[str] = "Client Certificate"
    auth: ClassVar[str] = "mutualTls"

    certificate: str = Field(
        title="Certificate",
        description="The client's certificate as PEM, with its chain.",
        multiline=True,
        schema={"minLength": 1},
    )
    private_key: str = fields.secret(
        "Private Key", "The certificate's key as PEM, not encrypted.", multiline=True
    )

    def client_certificate(self) -> tuple[str | None, str | None]:
        """Return the certificate and the private key."""
        return self.certificate, self.private_key


def _proxy_at(text: str) -> Target:
    """Return the address of the connection's proxy.

    :raises InvalidConnection: if the text is not a proxy's URL.
    """
    hint = (
        "Enter a URL such as http://proxy.example.com:3128, and its login as 'proxyUsername' "
        "and 'proxyPassword'."
    )
    try:
        found = parse_url(text.strip())
    except UrlError as error:
        reason = f"the URL {error}"
    else:
        if found.scheme == "http" and found.target == "/":
            return Target(*found.origin)
        reason = (
            "must begin with http://; connections to https servers are encrypted through it "
            "all the same"
        )
        if found.target != "/":
            reason = (
                "has a path, as a file of rules (PAC) has, which is not read: name the proxy itself"
            )
    if text.strip().lower().startswith("socks"):
        reason = "is a SOCKS proxy, which is not spoken: it must begin with http://"
    raise InvalidConnection(
        "the connection's proxy is not valid", details=[Detail("/proxy", reason)], hint=hint
    )


def _without(path: str, reason: str) -> InvalidConnection:
    return InvalidConnection(
        "the connection's proxy is not complete",
        details=[Detail(path, reason)],
        hint="Add it, or leave out both.",
    )


def url_fault(text: str) -> str | None:
    """Return the fault of a URL; None for a valid URL."""
    try:
        parse_url(text)
    except UrlError as error:
        return str(error)
    return None


class Certified(HttpConnection):
    """Connection with a client certificate in addition to its credentials."""

    certificate: str | None = Field(
        None,
        title="Certificate",
        description="A client certificate as PEM, with its chain, if the server wants one, too.",
        multiline=True,
        audience="operator",
    )
    private_key: str | None = Field(
        None,
        title="Private Key",
        description="The certificate's key as PEM, not encrypted.",
        secret=True,
        multiline=True,
        audience="operator",
    )

    def client_certificate(self) -> tuple[str | None, str | None]:
        """Return the certificate and the private key; None for each if there are none."""
        return self.certificate, self.private_key
