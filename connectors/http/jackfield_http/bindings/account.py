"""Connections of bound connectors that a person approves at the provider: OAuth 2.0 authorization
code, and OpenID Connect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jackfield.connector import (
    Account,
    Authorization,
    DeviceAuthorization,
    Grant,
    InvalidConnection,
    OpenContext,
)
from jackfield_http.bindings.connection import (
    TOKEN_SETTINGS,
    BoundClient,
    BoundConnection,
    name_of,
    targets_of,
    value_of,
)
from jackfield_http.connection_types import Certified
from jackfield_http.learned_values import NOTHING_LEARNED, Learned
from jackfield_http.oauth2_grants import OAuth2AuthorizationCode, OpenIdConnect, person_of
from jackfield_http.sign_in import SignIn
from jackfield_http.urls import server_url

if TYPE_CHECKING:
    from jackfield_http.answers import Answer

ACCOUNTS = frozenset({"oauth2AuthorizationCode", "openIdConnect"})
_FIELDS = (
    "authorizationUrl",
    "tokenUrl",
    "deviceUrl",
    "revocationUrl",
    "issuer",
    "clientId",
    "clientSecret",
)

Json = Mapping[str, Any]


@cache
def _kind(
    is_openid: bool, places: tuple[tuple[str, str], ...], settings: str
) -> type[OAuth2AuthorizationCode]:
    """Return the account class; its authorization server also receives the connection's client
    certificate, if there is one.
    """
    base, row = OpenIdConnect if is_openid else OAuth2AuthorizationCode, json.loads(settings)
    about = {
        "__doc__": base.__doc__,
        "places": dict(places),
        "client_authentication": row.get("clientAuthentication", "basic"),
        "token_parameters": row.get("tokenParameters", {}),
        "token_place": row.get("tokenPlace", ""),
        "token_targets": targets_of(row),
        "parameters": row.get("authorize", {}),
        "asks_in_json": row.get("tokenRequest") == "json",
        "separator": row.get("separator", " "),
        "pkce": row.get("pkce", True),
        "learned": _learned(row),
        "prefix": row.get("prefix", "Bearer "),
        "refresh_url": row.get("refreshUrl"),
        "refused_grants": frozenset(row.get("refusedGrants", ())),
    }
    return type(base.__name__, (Certified, base), about)


def _learned(row: Json) -> Learned:
    """Return the values to learn from the provider's answers; ``NOTHING_LEARNED`` itself if there
    are none.
    """
    if not learns(row):
        return NOTHING_LEARNED
    chosen = row.get("chosen", "")
    return Learned(
        row.get("answer", {}),
        row.get("callback", {}),
        row.get("after", {}),
        tuple(row.get("hosts", ())),
        chosen,
    )


def learns(row: Json) -> bool:
    """Return whether the approval of a credential sets public values of the connection."""
    return not row.keys().isdisjoint(("answer", "callback", "after"))


def account_of(
    row: Json, values: Json, server: str, certificate: tuple[str | None, str | None]
) -> OAuth2AuthorizationCode:
    """Return the account that a row of a manifest and a connection's values describe."""
    given = {name: row.get(name) or value_of(row, values, name) for name in _FIELDS}
    given |= dict(zip(("certificate", "privateKey"), certificate, strict=True))
    places = tuple((name, "" if name in row else f"/{name_of(row, name)}") for name in _FIELDS[:5])
    scopes = tuple(value_of(row, values, "scopes").split())
    filled = {name: value for name, value in given.items() if value}
    settings = {name: row[name] for name in TOKEN_SETTINGS if name in row}
    if chosen := str(values.get(row.get("after", {}).get("choose", ""), "")):
        settings["chosen"] = chosen
    kind = _kind(row["kind"] == "openIdConnect", places, json.dumps(settings))
    return kind.model_validate({**filled, "server": server, "scopes": scopes})


def _placed(learned: str, row: Json) -> str:
    """Join a server that the provider named with the path of the manifest's server. Providers name
    the host alone: Salesforce in ``instance_url``, Zoho in ``api_domain``.
    """
    url, path = server_url(learned), row.get("url", "").partition("://")[2].partition("/")[2]
    return learned if url.path.strip("/") or not path or "{" in path else str(url.under(f"/{path}"))


class BoundAccount(BoundConnection):
    """Connection whose credentials include the approval of a person."""

    own_wire: ClassVar[bool] = True
    authorizes: ClassVar[tuple[Literal["redirect", "device"], ...]] = ("redirect", "device")

    def open(self, context: OpenContext) -> BoundClient:  # type: ignore[override]  # as its base
        """Return the clients of an attempt. Their server is the server that the provider named at
        the approval, if any.
        """
        row = next(row for row in self.credentials if row["kind"] in ACCOUNTS)
        if not learns(row) or context.grants is None:
            return super().open(context)
        known = context.grants.find().value.get("values", {})
        given = {
            name: value for name, value in known.items() if name != "server" or not self.server
        }
        if "server" in given:
            given["server"] = _placed(given["server"], self.servers[0] if self.servers else {})
        return BoundConnection.open(self.model_copy(update=given), context)

    def account(self) -> OAuth2AuthorizationCode:
        """Return the credential that a person approves."""
        row = next(row for row in self.credentials if row["kind"] in ACCOUNTS)
        return account_of(
            row, self.__pydantic_extra__ or {}, self._known_server(row), self.client_certificate()
        )

    def _known_server(self, row: Json) -> str:
        """Return the connection's server; the token endpoint's server if only the approval will
        name the connection's.

        :raises InvalidConnection: if the server is not valid.
        """
        try:
            return self.server or str(self.url_of(0))
        except InvalidConnection:
            if not learns(row) or "tokenUrl" not in row:
                raise
            return str(row["tokenUrl"])

    def further(self, context: OpenContext) -> list[SignIn]:
        """Lease an access token for the approval."""
        return [*super().further(context), self.account().sign_in(context)]

    def accounts(
        self, context: OpenContext, path: str = "", answer: Answer | None = None
    ) -> Sequence[Account]:
        """Return the account in the test's answer; if it names none, the person of the ID token."""
        return super().accounts(context, path, answer) or person_of(context)

    def authorize(self, context: OpenContext, redirect_uri: str, state: str) -> Authorization:
        """Return the URL at which a person approves."""
        return self.account().authorize(context, redirect_uri, state)

    def authorized(
        self,
        context: OpenContext,
        kept: Mapping[str, Any],
        redirect_uri: str,
        answer: Mapping[str, str],
    ) -> Grant:
        """Exchange the provider's code for tokens."""
        return self.account().authorized(context, kept, redirect_uri, answer)

    def authorize_device(self, context: OpenContext) -> DeviceAuthorization:
        """Request a code that a person enters on another device."""
        return self.account().authorize_device(context)

    def device_authorized(self, context: OpenContext, kept: Mapping[str, Any]) -> Grant | None:
        """Request the tokens of a device code; None until a person has approved."""
        return self.account().device_authorized(context, kept)

    def adopt(self, tokens: Mapping[str, Any]) -> Grant:
        """Return the grant for tokens that a person approved elsewhere."""
        return self.account().adopt(tokens)

    def revoke(self, context: OpenContext) -> bool:
        """End the grant at the provider; return False if its revocation endpoint is unknown."""
        return self.account().revoke(context)
