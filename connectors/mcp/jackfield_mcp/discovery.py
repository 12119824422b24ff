"""Sign-in by discovery: the server's protected-resource metadata (RFC 9728) name a provider, which
publishes metadata (RFC 8414).

The server may be hostile: providers are reached at public addresses only, over https, and never by
a redirect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jackfield.connector import Guard, InvalidConnection, JackfieldError, OpenContext, Unavailable
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.wire.guard import allowed_hosts
from jackfield_http.answers import Answer
from jackfield_http.client import HttpClient
from jackfield_http.errors import HTTP_ERRORS
from jackfield_http.oauth2 import TOKEN_ERRORS
from jackfield_http.settings import ClientSettings
from jackfield_http.urls import Url, UrlError, parse_url
from jackfield_mcp.messages import MODERN, Message, Session
from jackfield_mcp.texts import one_line

_WITHIN = 5.0
"""Timeout for fetching one document, in seconds."""
_LARGEST = 256 * 1024
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY = (*range(200, 207), *range(300, 309), 400, 401, 403, 404, 405, 406, 410)
"""Statuses of readable responses: redirects are not followed, and missing metadata are fetched from
the next address.
"""
_FOUND = 200
_METADATA = re.compile(r'resource_metadata="([^"\\]{1,2000})"')
_SCOPE = re.compile(r'(?:^|[\s,])scope="([^"\\]{1,2000})"')
_HINT = "Use another connection type, with a token, or tell whoever runs the server."
_METHODS = {"none": "none", "client_secret_post": "body", "client_secret_basic": "basic"}
"""Client authentication methods by their registered names, in order of preference.

The body precedes the header field: servers of the Python SDK list both, and refuse a form without
the client's ID.
"""
_NOTHING: Mapping[str, tuple[str, ...]] = {}

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Provider:
    """Provider that signs people in for an MCP server.

    ``resource`` is the server's identifier as it publishes it. ``methods`` are the authentication
    methods of clients, ``scopes`` the scopes to request. With ``names_issuer``, the provider's
    answers name their issuer; with ``reads_documents``, a client's ID may be the URL of its
    metadata.
    """

    resource: str
    issuer: str
    authorization_url: str
    token_url: str
    registration_url: str
    methods: tuple[str, ...]
    scopes: tuple[str, ...]
    names_issuer: bool
    reads_documents: bool = False


def discovered(
    context: OpenContext,
    settings: ClientSettings,
    wanted: tuple[str, ...],
    further: Mapping[str, tuple[str, ...]] = _NOTHING,
) -> Provider:
    """Return the provider of sign-ins for a server. ``wanted`` are the scopes to request, by
    default the server's.

    ``further`` are additional scopes by issuer: those of an earlier approval, and those that the
    server has required since.

    :raises InvalidConnection: if the provider cannot be found, or its metadata are inconsistent.
    """
    server = _server(settings)
    about, challenged = _resource(context, settings, server)
    resource = about.get("resource")
    if not isinstance(resource, str) or not _holds(resource, server):
        raise _refused(
            f"the server's metadata are for another resource, '{one_line(resource, 200)}'"
        )
    listed = about.get("authorization_servers")
    issuer = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(issuer, str):
        raise _refused("the server's metadata name nobody who signs people in")
    found = _metadata(context, abroad(context, server), issuer, server)
    scopes = tuple(
        dict.fromkeys(
            (*(wanted or challenged or _texts(about, "scopes_supported")), *further.get(issuer, ()))
        )
    )
    if (
        scopes
        and "offline_access" in _texts(found, "scopes_supported")
        and "offline_access" not in scopes
    ):
        scopes = (*scopes, "offline_access")
    if "S256" not in _texts(found, "code_challenge_methods_supported"):
        raise _refused("the provider does not support PKCE with S256")
    endpoints = [
        _endpoint(found, name, server) for name in ("authorization_endpoint", "token_endpoint")
    ]
    registration = (
        _endpoint(found, "registration_endpoint", server)
        if "registration_endpoint" in found
        else ""
    )
    names_issuer = found.get("authorization_response_iss_parameter_supported") is True
    methods = _texts(found, "token_endpoint_auth_methods_supported") or ("client_secret_basic",)
    documents = found.get("client_id_metadata_document_supported") is True
    return Provider(
        resource,
        issuer,
        endpoints[0],
        endpoints[1],
        registration,
        methods,
        scopes,
        names_issuer,
        documents,
    )


def client_of(
    context: OpenContext, provider: Provider, server: Url, redirect_uri: str
) -> dict[str, Any]:
    """Return the client of this installation at a server's provider.

    The client is this installation's document if the provider reads such documents, else an earlier
    registration for the server, else a new one.

    :raises InvalidConnection: if the provider registers no clients.
    """
    known = context.registrations
    if known is None:
        return registered(context, provider, server, redirect_uri)
    if provider.reads_documents and known.document:
        return {"id": known.document, "authentication": "none"}
    found = known.find(provider.issuer, str(server))
    return found or known.keep(
        provider.issuer, str(server), registered(context, provider, server, redirect_uri)
    )


def registered(
    context: OpenContext, provider: Provider, server: Url, redirect_uri: str
) -> dict[str, Any]:
    """Register a client (RFC 7591); return its ``id``, its ``secret`` if it has one, the secret's
    expiry, and its ``authentication``.

    :raises InvalidConnection: if the provider registers no clients.
    """
    if not provider.registration_url:
        raise _refused(
            "the provider registers no clients by itself",
            "Register jackfield there, and enter 'clientId'.",
        )
    method = next((one for one in _METHODS if one in provider.methods), "client_secret_basic")
    body = {
        "client_name": "jackfield",
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
        "application_type": "web",
    }
    url = parse_url(provider.registration_url)
    settings = ClientSettings(
        url,
        TOKEN_ERRORS,
        announces=False,
        within=_WITHIN,
        largest=_LARGEST,
        guard=abroad(context, server),
    )
    found = (
        HttpClient(context, settings)
        .request("POST", url, json=body, step="register a client")
        .json()
    )
    identifier = found.get("client_id") if isinstance(found, Mapping) else None
    if not isinstance(identifier, str) or not identifier:
        raise Unavailable("the provider registered no client", repeatable=False)
    secret, said = found.get("client_secret"), found.get("token_endpoint_auth_method", method)
    made: dict[str, Any] = {"id": identifier, "authentication": _METHODS.get(str(said), "basic")}
    ends = found.get("client_secret_expires_at")
    made |= (
        {"expiresAt": ends}
        if isinstance(ends, int | float) and not isinstance(ends, bool) and ends > 0
        else {}
    )
    return (
        {**made, "secret": secret}
        if isinstance(secret, str) and secret
        else {**made, "authentication": "none"}
    )


def abroad(context: OpenContext, server: Url) -> Guard:
    """Return the guard for hosts that a server names: even the operator's connections get no wider
    access than other connections.
    """
    guard = context.guard
    if not guard.internal:
        return guard
    return Guard(loopback=server.host in _LOCAL, allowed=allowed_hosts((), context.environment))


def _server(settings: ClientSettings) -> Url:
    if settings.server is None:
        raise InvalidConnection(
            "the connection names no server",
            hint="Set 'server' of the connection to the server's URL.",
        )
    return settings.server


def _resource(
    context: OpenContext, settings: ClientSettings, server: Url
) -> tuple[Json, tuple[str, ...]]:
    """Return the server's protected-resource metadata, and the scopes of its challenge."""
    quiet = replace(settings, announces=False, within=_WITHIN, largest=_LARGEST, errors=HTTP_ERRORS)
    session = Session(MODERN)
    message = Message.request(session.ids, "server/discover", {})
    client = HttpClient(context, quiet)
    options: dict[str, Any] = {
        "json": message.body(session),
        "headers": message.headers(session),
        "safe": True,
        "expect": _ANY,
    }
    challenge = client.request(
        "POST", replace(server, query=""), step="ask for a sign-in", **options
    ).headers.get("www-authenticate", "")
    scopes, named = _SCOPE.search(challenge), _METADATA.search(challenge)
    asked = tuple(scopes[1].split()) if scopes else ()
    for url in [_own(named[1], server)] if named else _well_known(server):
        found = _document(context, replace(quiet, server=url), url, "read the server's metadata")
        if found is not None:
            return found, asked
    raise _refused("the server does not say who signs people in for it")


def _own(address: str, server: Url) -> Url:
    """Return the address of metadata, which are read with the server's own guard.

    :raises InvalidConnection: if the address is not on the server's own origin.
    """
    url = _url(address)
    if url.origin != server.origin:
        raise _refused(f"the server's metadata are on another host, '{one_line(url.host, 200)}'")
    return url


def _well_known(server: Url) -> list[Url]:
    place = "/.well-known/oauth-protected-resource"
    paths = [f"{place}{server.path.rstrip('/')}", place]
    return [replace(server, path=path, query="") for path in dict.fromkeys(paths)]


def _metadata(context: OpenContext, guard: Guard, issuer: str, server: Url) -> Json:
    """Return the metadata of a provider, after checking that their issuer equals ``issuer``
    exactly.

    :raises InvalidConnection: if it differs, or the metadata cannot be read.
    """
    url = _safe(issuer, server)
    path = url.path.rstrip("/")
    places = [
        f"/.well-known/oauth-authorization-server{path}",
        f"/.well-known/openid-configuration{path}",
    ]
    places += [f"{path}/.well-known/openid-configuration"] if path else []
    for place in places:
        at = replace(url, path=place, query="")
        settings = ClientSettings(
            at, announces=False, within=_WITHIN, largest=_LARGEST, guard=guard, guard_path=""
        )
        found = _document(context, settings, at, "read the provider's metadata")
        if found is None:
            continue
        if found.get("issuer") != issuer:
            raise _refused("the provider's metadata are those of another issuer")
        return found
    raise _refused(f"the provider '{one_line(url.host, 200)}' has no metadata")


def _document(context: OpenContext, settings: ClientSettings, url: Url, step: str) -> Json | None:
    answer: Answer = HttpClient(context, settings).request("GET", url, expect=_ANY, step=step)
    if answer.status != _FOUND:
        return None
    try:
        found = answer.json()
    except JackfieldError:
        return None
    return found if isinstance(found, Mapping) else None


def _holds(resource: str, server: Url) -> bool:
    """Return whether a resource identifies the server or a folder above it."""
    try:
        url = parse_url(resource)
    except UrlError:
        return False
    folder = url.path.rstrip("/")
    return (
        url.origin == server.origin
        and not url.query
        and (server.path.rstrip("/") == folder or server.path.startswith(f"{folder}/"))
    )


def _endpoint(found: Json, name: str, server: Url) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise _refused(f"the provider's metadata have no '{name}'")
    return str(_safe(value, server))


def _safe(address: str, server: Url) -> Url:
    """Return a URL of the provider, which must be https; http is accepted on this machine if the
    server is local, too.

    :raises InvalidConnection: for any other URL.
    """
    url = _url(address)
    if url.scheme != "https" and not (url.host in _LOCAL and server.host in _LOCAL):
        raise _refused(f"the provider's address '{one_line(url.host, 200)}' is not https")
    return url


def _url(address: str) -> Url:
    try:
        return parse_url(address)
    except UrlError as error:
        raise _refused(f"an address in the metadata {error}") from None


def _texts(found: Json, name: str) -> tuple[str, ...]:
    value = found.get(name)
    return (
        tuple(one for one in value if isinstance(one, str))[:200] if isinstance(value, list) else ()
    )


def _refused(reason: str, hint: str = _HINT) -> InvalidConnection:
    return InvalidConnection(f"people cannot sign in at this server: {reason}", hint=hint)
