"""Connection types of bound connectors, made from the manifest: the server with its variables, and
the credentials of each request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import ConfigDict

from jackfield.connector import (
    Account,
    Detail,
    Field,
    InvalidConnection,
    Minted,
    OpenContext,
    Step,
    pointer,
)
from jackfield.kernel.dataclass import replace
from jackfield.kernel.secrecy import SecretHolder
from jackfield_http.bindings.probing import owner_read, probed
from jackfield_http.client import HttpClient
from jackfield_http.connection_types import HttpConnection
from jackfield_http.oauth2 import TokenClient, fetch_token
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import (
    ANONYMOUS,
    LeasedToken,
    SignIn,
    Together,
    basic,
    bearer,
    in_cookie,
    in_header,
    in_query,
)
from jackfield_http.signing import SignedRequests, find_signer
from jackfield_http.urls import Url, server_url
from jackfield_http.words import KEY, PLACES, POINTER, TABLE, TEXT, TEXTS, WEB, closed, some, word

Json = Mapping[str, Any]


class BoundConnection(HttpConnection):
    """Connection of a bound connector. The manifest's schema validates its values."""

    model_config = ConfigDict(extra="allow")

    own_wire: ClassVar[bool] = True
    servers: ClassVar[Sequence[Json]] = ()
    credentials: ClassVar[Sequence[Json]] = ()
    test_request: ClassVar[str | Json | None] = None

    server: str | None = Field(None, destination=True)  # type: ignore[assignment]  # the manifest has a server for connections without one

    @property
    def checks_addresses(self) -> bool:
        """True if the client checks addresses. Not for signed requests: the library that assumes
        the role has its own client.
        """
        return super().checks_addresses and all(
            row["kind"] != "awsSigV4" for row in self.credentials
        )

    def open(self, context: OpenContext) -> BoundClient:  # type: ignore[override]  # a client for each server of the manifest
        """Return the clients of an attempt. Opening sends nothing."""
        return BoundClient(context, self.settings(), self.sign_in(context), self.url_of, self.value)

    def value(self, name: str) -> str:
        """Return a value of the connection that requests contain.

        :raises InvalidConnection: if the value is missing.
        """
        found = (self.__pydantic_extra__ or {}).get(name)
        if found in (None, ""):
            reason = f"'{name}' of the connection is missing: it is part of the request"
            raise InvalidConnection(
                "the connection is not complete",
                details=[Detail(pointer(name), reason)],
                hint="Add it.",
            )
        return str(found).strip()

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Send the test request of the manifest, which changes nothing, then return the account if
        the answer names it.
        """
        clients = self.open(context)
        if self.test_request is None:
            yield self.opened("The values were accepted; nothing was sent.")
            yield from self.accounts(context)
            return
        answer = probed(clients.of, clients.value, self.test_request)
        yield Step("probe", "Sign in", passed=True, message="The server accepted the credentials.")
        if self.owner is not None and "path" in self.owner:
            yield from owner_read(clients.of(0), self.owner)
        else:
            path = (
                self.test_request
                if isinstance(self.test_request, str)
                else self.test_request["path"]
            )
            yield from self.accounts(context, path, answer)

    def settings(self) -> ClientSettings:
        """Return the settings of the client for the first server."""
        given = self.server
        filled = self.model_copy(update={"server": given or str(self.url_of(0))})
        return super(BoundConnection, filled).settings()

    def url_of(self, number: int) -> Url:
        """Return the URL of a server of the manifest; the connection's own server takes precedence.

        :raises InvalidConnection: if the connection has no server, or an invalid one.
        """
        row = self.servers[number] if number < len(self.servers) else {}
        if self.server:
            found = server_url(self.server)
            return (
                found.under(row["path"]) if "path" in row and not found.path.strip("/") else found
            )
        url = row.get("url")
        if url is None:
            raise InvalidConnection(
                "the connection names no server",
                hint="Set 'server' of the connection to the URL of the API.",
            )
        for name, about in row.get("variables", {}).items():
            value = (self.__pydantic_extra__ or {}).get(about["input"], about.get("default"))
            url = _filled(url, name, str(value if value is not None else ""), about["input"])
        return server_url(url)

    def sign_in(self, context: OpenContext) -> SignIn:
        """Return the credentials that each request carries."""
        values = self.__pydantic_extra__ or {}
        parts = [
            _KINDS[row["kind"]](row, values) for row in self.credentials if row["kind"] in _KINDS
        ]
        parts += self.further(context)
        return parts[0] if len(parts) == 1 else Together(tuple(parts))

    def further(self, context: OpenContext) -> list[SignIn]:
        """Lease the credentials that expire: tokens of an authorization server, and sessions of a
        role that signs the requests.
        """
        values = self.__pydantic_extra__ or {}
        leased = [
            self._leased(row, values, context)
            for row in self.credentials
            if row["kind"] == "oauth2ClientCredentials"
        ]
        return [
            *leased,
            *(
                _signature(row, values, context)
                for row in self.credentials
                if row["kind"] == "awsSigV4"
            ),
        ]

    def _leased(self, row: Json, values: Json, context: OpenContext) -> SignIn:
        """Lease a token for the client's credentials."""
        more = {**row.get("tokenParameters", {}), **targets_of(row)}
        client = TokenClient(
            value_of(row, values, "clientId"),
            value_of(row, values, "clientSecret"),
            row.get("clientAuthentication", "basic"),
            more,
            row.get("tokenPlace", ""),
            row.get("tokenRequest") == "json",
        )
        scopes = row.get("separator", " ").join(value_of(row, values, "scopes").split())
        form = {"grant_type": "client_credentials", "scope": scopes or None}

        def mint() -> Minted:
            url = row.get("tokenUrl") or value_of(row, values, "tokenUrl")
            settings = replace(
                self.settings(),
                guard_path="" if "tokenUrl" in row else f"/{name_of(row, 'tokenUrl')}",
            )
            return fetch_token(
                context, settings, server_url(url, settings.guard_path), form, client
            )

        return LeasedToken(
            context, f"oauth2 {row['scheme']}", mint, prefix=row.get("prefix", "Bearer ")
        )

    def client_certificate(self) -> tuple[str | None, str | None]:
        """Return the certificate and its key; None for each if the type has none."""
        row = next((row for row in self.credentials if row["kind"] == "mutualTls"), None)
        values = self.__pydantic_extra__ or {}
        return (
            (None, None)
            if row is None
            else (value_of(row, values, "certificate"), value_of(row, values, "privateKey"))
        )


_IN_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?")
_IN_PATH = re.compile(r"[A-Za-z0-9._~/-]*")


def _filled(url: str, name: str, value: str, key: str) -> str:
    """Put a variable into the URL of a server. In a host, the value is part of a name; in a path,
    it is a path. It cannot lead to another server.

    :raises InvalidConnection: if the value does not fit.
    """
    place = f"{{{name}}}"
    before = url.partition(place)[0]
    if "://" in before:
        in_path = "/" in before.partition("://")[2]
        fits = (
            _IN_PATH.fullmatch(value) and ".." not in value.split("/")
            if in_path
            else _IN_HOST.fullmatch(value)
        )
        if not fits:
            reason = (
                "stands for "
                f"{'a part of a path' if in_path else 'a host or a part of its name'} in "
                f"{url[:200]}"
            )
            raise InvalidConnection(
                "the connection's server is not valid",
                details=[Detail(pointer(key), reason)],
                hint="Use 'server' for the whole URL of another server.",
            )
    return url.replace(place, value)


class BoundClient(SecretHolder):
    """Clients of one attempt, one per server."""

    def __init__(
        self,
        context: OpenContext,
        settings: ClientSettings,
        sign_in: SignIn,
        url_of: Callable[[int], Url],
        value: Callable[[str], str] = lambda _name: "",
    ) -> None:
        self.value = value
        self._context = context
        self._settings = settings
        self._sign_in = sign_in
        self._url_of = url_of
        self._main = HttpClient(context, settings, sign_in)

    def of(self, number: int) -> HttpClient:
        """Return the client of a server of the manifest."""
        url = self._url_of(number)
        if url == self._settings.server:
            return self._main
        return HttpClient(self._context, replace(self._settings, server=url), self._sign_in)

    def renew(self) -> None:
        """Drop leased credentials that the provider reported as expired."""
        self._main.renew()


def name_of(row: Json, name: str) -> str:
    """Return the name of the connection value that holds a part of a credential."""
    found: str = row.get("fields", {}).get(name, name)
    return found


def value_of(row: Json, values: Json, name: str) -> str:
    """Return a part of a credential from the connection's values; empty if the connection lacks
    that value.
    """
    return str(values.get(name_of(row, name), ""))


_AFTER = closed(
    {
        "get": word(WEB, "URL of the request, which carries the new token."),
        "items": word(
            POINTER,
            "The list of accounts in its answer; left out, the answer is the account, or the list.",
        ),
        "values": word(PLACES, "Values of the connection in the account, by name."),
        "by": word(
            {"type": "array", "items": POINTER}, "Members by which a person names an account."
        ),
        "choose": word(KEY, "Value of the connection that says which account is meant."),
    },
    ["get", "values"],
    "One further GET after the approval, for values that the answer lacks.",
)
TOKEN_SETTINGS = {
    "clientAuthentication": word(
        {"enum": ["basic", "body", "none"]}, "How the token endpoint gets the client's secret."
    ),
    "tokenParameters": word(
        {"type": "object", "additionalProperties": {"type": "string"}},
        "Further parameters of each token request.",
    ),
    "tokenPlace": word(
        POINTER, "Place of the object with the token in an answer; left out, it is the answer."
    ),
    "audience": word(
        TEXT, "What the token is for: part of the approval's address and of each token request."
    ),
    "resource": word(
        TEXT, "URI of the resource that the token is for (RFC 8707), sent as the audience is."
    ),
    "authorize": word(TABLE, "Further parameters of the address at which a person approves."),
    "tokenRequest": word(
        {"enum": ["form", "json"]}, "How token requests are written.", default="form"
    ),
    "separator": word(TEXT, "What scopes are joined by.", maxLength=3, default=" "),
    "pkce": word(
        {"type": "boolean"}, "False: the provider refuses the parameters of PKCE.", default=True
    ),
    "answer": word(
        PLACES, "Values of the connection in the answer of the token endpoint, by name."
    ),
    "callback": word(
        TABLE,
        "Values of the connection among the parameters with which the browser returns, by name.",
    ),
    "after": _AFTER,
    "hosts": word(
        TEXTS, "Hosts that a 'server' in 'answer' may have, exactly or as '*.example.com'."
    ),
    "prefix": word(
        {"type": "string", "maxLength": 40},
        "What is before a key or a token; 'Bearer ' before a token if left out.",
    ),
    "refreshUrl": word(TEXT, "Where tokens are renewed, if that is not where they are issued."),
    "refusedGrants": word(
        some(TEXT),
        "Codes by which a refresh token is no longer accepted, beside the usual ones: the "
        "approval has ended.",
    ),
}
"""Members of a credential that concern the token request and its answer."""


def targets_of(row: Json) -> dict[str, str]:
    """Return the parameters that name the resource of a credential's tokens, such as
    ``audience``.
    """
    return {name: row[name] for name in ("audience", "resource") if name in row}


def _signature(row: Json, values: Json, context: OpenContext) -> SignIn:
    names = ("accessKeyId", "secretAccessKey", "sessionToken", "roleARN", "externalId", "region")
    given = {name: found for name in names if (found := value_of(row, values, name).strip())}
    service = value_of(row, values, "service") or "execute-api"
    return SignedRequests(
        find_signer("awsSigV4", "jackfield-aws")(context, {**given, "service": service})
    )


def _api_key(row: Json, values: Json) -> SignIn:
    value, path = value_of(row, values, "value"), f"/{name_of(row, 'value')}"
    if row["in"] == "path":  # the actions put it there
        return ANONYMOUS
    prefix = row.get("prefix", "")
    if row["in"] == "header":
        return in_header(row["name"], value, path, prefix)
    return (
        in_query(row["name"], prefix + value.strip())
        if row["in"] == "query"
        else in_cookie(row["name"], prefix + value.strip(), path)
    )


def _basic(row: Json, values: Json) -> SignIn:
    username, password = (_fixed(row, values, name) for name in ("username", "password"))
    return basic(username, password)


def _fixed(row: Json, values: Json, name: str) -> str:
    """Return a part of a login: the connection's value, or the manifest's fixed text with values of
    the connection.
    """
    template = row.get("fixed", {}).get(name)
    if template is None:
        return value_of(row, values, name)
    return _VALUE.sub(lambda found: value_of(row, values, found[1]).strip(), template)


_VALUE = re.compile(r"\{([A-Za-z0-9]+)\}")


def _bearer(row: Json, values: Json) -> SignIn:
    return bearer(
        value_of(row, values, "token"), f"/{name_of(row, 'token')}", row.get("prefix", "Bearer ")
    )


_KINDS: Mapping[str, Callable[[Json, Json], SignIn]] = {
    "apiKey": _api_key,
    "basic": _basic,
    "bearer": _bearer,
}
