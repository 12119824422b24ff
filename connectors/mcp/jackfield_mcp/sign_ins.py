"""Connections that a person approves at the server's provider: OAuth 2.1 with discovery,
registration and ``resource``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import PrivateAttr

from jackfield.connector import (
    Authorization,
    Grant,
    Guard,
    InvalidConnection,
    JackfieldError,
    OpenContext,
)
from jackfield.kernel.dataclass import replace
from jackfield_http.oauth2 import REFUSED_CLIENT
from jackfield_http.oauth2_grants import OAuth2AuthorizationCode
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import SignIn
from jackfield_http.urls import Url
from jackfield_mcp.connections import McpConnection
from jackfield_mcp.discovery import abroad, client_of, discovered

ABOUT = "discovered"
"""Member of a grant with the provider's data at the time of the approval. It is sealed with the
tokens, and stays when they rotate.
"""
_NOT_SENT = "none"

Json = Mapping[str, Any]


def _public() -> Guard:
    """Return the guard of a sign-in without further limits.

    This is a function, since pydantic would inspect the signature of a class at each call.
    """
    return Guard()


class _Account(OAuth2AuthorizationCode):
    """Account at a provider that a server has named; its hosts are reached as untrusted."""

    places: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("authorizationUrl", "tokenUrl", "deviceUrl", "revocationUrl", "issuer"), ""
    )
    _guard: Guard = PrivateAttr(default_factory=_public)

    def settings(self) -> ClientSettings:
        """Return the settings of requests to the provider."""
        return replace(super().settings(), guard=self._guard)

    def guarded(self, guard: Guard) -> _Account:
        """Return this account with ``guard``."""
        self._guard = guard
        return self


class McpAccount(McpConnection):
    """MCP server at which a person signs in."""

    key: ClassVar[str] = "oauth2Discovered"
    authorizes: ClassVar[tuple[Literal["redirect", "device"], ...]] = ("redirect",)

    def sign_in(self, context: OpenContext) -> SignIn:
        """Lease an access token for the approval.

        :raises InvalidConnection: if no person has approved, or the approval was for another
            server.
        """
        if context.grants is None:
            raise InvalidConnection(
                "a connection that a person approves has to be stored",
                hint="Store the connection, and connect it.",
            )
        about = context.grants.find().value.get(ABOUT)
        if not isinstance(about, Mapping) or about.get("server") != str(self.url_of(0)):
            raise InvalidConnection(
                "the approval is for another server", hint="Connect the connection again."
            )
        return self._account(context, about).sign_in(context)

    def authorize(self, context: OpenContext, redirect_uri: str, state: str) -> Authorization:
        """Discover the provider, obtain a client there, and return the address at which a person
        approves.
        """
        server, values = self.url_of(0), self.__pydantic_extra__ or {}
        provider = discovered(
            context, self.settings(), tuple(values.get("scopes") or ()), _earlier(context, server)
        )
        if values.get("clientId"):
            client = {
                "id": str(values["clientId"]),
                "authentication": _entered(values, provider.methods),
            }
            client |= {"secret": str(values["clientSecret"])} if values.get("clientSecret") else {}
        else:
            client = client_of(context, provider, server, redirect_uri)
        about = {
            "server": str(server),
            "issuer": provider.issuer,
            "authorizationUrl": provider.authorization_url,
            "tokenUrl": provider.token_url,
            "client": client,
            "scopes": list(provider.scopes),
            "iss": provider.names_issuer,
            "resource": None
            if values.get("resource") == _NOT_SENT
            else values.get("resource") or provider.resource,
        }
        begun = self._account(context, about).authorize(context, redirect_uri, state)
        return replace(begun, kept={**begun.kept, ABOUT: about})

    def authorized(
        self,
        context: OpenContext,
        kept: Mapping[str, Any],
        redirect_uri: str,
        answer: Mapping[str, str],
    ) -> Grant:
        """Exchange the provider's code for tokens, at the endpoint that was discovered before the
        approval.
        """
        about = kept[ABOUT]
        if about["server"] != str(self.url_of(0)):
            raise InvalidConnection(
                "the connection's server has changed since the person was asked",
                hint="Connect it again.",
            )
        try:
            grant = self._account(context, about).authorized(context, kept, redirect_uri, answer)
        except JackfieldError as error:
            if (
                context.registrations is not None
                and error.provider is not None
                and error.provider.code in REFUSED_CLIENT
            ):
                context.registrations.drop(about["issuer"], about["server"], about["client"]["id"])
            raise
        secret = about["client"].get("secret")
        secrets = grant.secrets if secret is None else (*grant.secrets, secret)
        return replace(grant, value={**grant.value, ABOUT: about}, secrets=secrets)

    def _account(self, context: OpenContext, about: Json) -> OAuth2AuthorizationCode:
        client, server = about["client"], self.url_of(0)
        settings = {
            "__doc__": _Account.__doc__,
            "client_authentication": client["authentication"],
            "answers_issuer": about["iss"],
            "token_targets": {} if about["resource"] is None else {"resource": about["resource"]},
        }
        kind: type[_Account] = type("McpProvider", (_Account,), settings)
        values = {
            "server": str(server),
            "authorizationUrl": about["authorizationUrl"],
            "tokenUrl": about["tokenUrl"],
            "issuer": about["issuer"],
            "clientId": client["id"],
            "scopes": about["scopes"],
            **({"clientSecret": client["secret"]} if "secret" in client else {}),
        }
        return kind.model_validate(values).guarded(abroad(context, server))


def _earlier(context: OpenContext, server: Url) -> dict[str, tuple[str, ...]]:
    """Return the scopes of an earlier approval for this server, and scopes that it has required
    since, by issuer; empty without one.
    """
    try:
        about = {} if context.grants is None else context.grants.find().value.get(ABOUT, {})
    except InvalidConnection:
        return {}
    if context.grants is None or about.get("server") != str(server):
        return {}
    return {str(about.get("issuer")): context.grants.wanted()}


def _entered(values: Json, methods: tuple[str, ...]) -> str:
    """Return the authentication method at the provider for a client that a person has entered."""
    if not values.get("clientSecret"):
        return "none"
    return (
        "body"
        if "client_secret_post" in methods and "client_secret_basic" not in methods
        else "basic"
    )
