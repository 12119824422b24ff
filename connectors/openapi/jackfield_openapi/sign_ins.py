"""Credentials for a security scheme: the connection's fields for each kind, and the values that the
document fixes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

ACCOUNTS = frozenset({"oauth2AuthorizationCode", "openIdConnect"})
"""Kinds of credentials that a person approves at the provider."""
_DISCOVERY = "/.well-known/openid-configuration"

Json = dict[str, Any]


def text_field(
    title: str, about: str = "", *, secret: bool = False, multiline: bool = False
) -> Json:
    """Return the schema of a connection's string that must not be empty; ``multiline`` allows line
    breaks.
    """
    found: Json = {"type": "string", "minLength": 1, "title": title}
    if about:
        found["description"] = about
    found |= {"x-jackfield": {"multiline": True}} if multiline else {}
    return found | ({"writeOnly": True, "format": "password"} if secret else {})


_PLATFORMS: Json = {"x-jackfield": {"audience": "platform"}}
"""Mark of fields that the platform fills in."""


@dataclass(frozen=True, slots=True)
class Part:
    """One credential of a connection type: its kind, the fields that hold its values, and the
    binding's additions.
    """

    kind: str
    title: str
    auth: str
    fields: Json
    required: tuple[str, ...]
    row: Json = field(default_factory=dict)


def bearer(title: str, about: str) -> Part:
    """Return the credential of a token that a person has obtained elsewhere."""
    return Part(
        "bearer", title, "bearer", {"token": text_field(title, about, secret=True)}, ("token",)
    )


def signature(about: str) -> Part:
    """Return the credential of an AWS signature, for API Gateway. The connection has its keys: the
    machine's identity is not used.
    """
    fields: Json = {
        "accessKeyId": text_field("Access Key ID", about),
        "secretAccessKey": text_field("Secret Access Key", secret=True),
        "sessionToken": {
            **text_field("Session Token", "Only for temporary keys.", secret=True),
            **_PLATFORMS,
        },
        "roleARN": text_field("Role ARN", "A role to assume and to sign with."),
        "externalId": text_field(
            "External ID", "The External ID that the role's trust policy demands."
        ),
        "region": {**text_field("AWS Region", "The region of the server."), **_PLATFORMS},
        "service": {
            **text_field("Service", "The name of the service in signatures."),
            "default": "execute-api",
            **_PLATFORMS,
        },
    }
    return Part(
        "awsSigV4", "AWS signature", "aws", fields, ("accessKeyId", "secretAccessKey", "region")
    )


def flow_parts(scheme: Json, about: str) -> Iterator[Part]:
    """Yield the credentials of an OAuth 2.0 scheme: the client's own, then a person's. ``implicit``
    serves only for its authorization URL.
    """
    flows = scheme.get("flows")
    flows = (
        {name: flow for name, flow in flows.items() if isinstance(flow, dict)}
        if isinstance(flows, dict)
        else {}
    )
    if "clientCredentials" in flows:
        yield _client(flows["clientCredentials"], about)
    person = flows.get("authorizationCode") or flows.get("implicit")
    if person is not None:
        yield _account(person, about)


def _client(flow: Json, about: str) -> Part:
    fixed, fields, required = _endpoints(flow, ("tokenUrl",))
    own = {
        "clientId": text_field("Client ID"),
        "clientSecret": text_field("Client secret", about, secret=True),
        "scopes": _scopes(flow),
    }
    return Part(
        "oauth2ClientCredentials",
        "OAuth 2 client",
        "oauth2",
        {**own, **fields},
        ("clientId", "clientSecret", *required),
        fixed,
    )


def _account(flow: Json, about: str) -> Part:
    fixed, fields, required = _endpoints(flow, ("authorizationUrl", "tokenUrl"))
    own = {**_application(about), "scopes": _scopes(flow), **fields, **_further()}
    return Part(
        "oauth2AuthorizationCode", "OAuth 2 account", "oauth2", own, ("clientId", *required), fixed
    )


def provider_part(scheme: Json, about: str) -> Part:
    """Return the credential of an account at an OpenID Connect provider.

    A person copies its endpoints from the discovery document: a generator that fetched them would
    not be reproducible.
    """
    given = scheme.get("openIdConnectUrl")
    url = given if isinstance(given, str) and given.startswith("https://") else ""
    _, fields, required = _endpoints({}, ("authorizationUrl", "tokenUrl"))
    if url:
        fields = {
            name: {**about_field, "description": f"As in {url}."}
            for name, about_field in fields.items()
        }
    issuer = url.removesuffix(_DISCOVERY) if url.endswith(_DISCOVERY) else ""
    further = (
        _further()
        if issuer
        else {
            **_further(),
            "issuer": _url_field(
                "Issuer", "The provider's identifier, which its answers must carry."
            ),
        }
    )
    own = {**_application(about), "scopes": _scopes({}), **fields, **further}
    needed = ("clientId", *required) if issuer else ("clientId", *required, "issuer")
    return Part(
        "openIdConnect",
        "OpenID Connect account",
        "openIdConnect",
        own,
        needed,
        {"issuer": issuer} if issuer else {},
    )


def _application(about: str) -> Json:
    secret = text_field(
        "Client secret", "The secret of the application, unless it is a public one.", secret=True
    )
    return {
        "clientId": {**text_field("Client ID", about), **_PLATFORMS},
        "clientSecret": {**secret, **_PLATFORMS},
    }


def _further() -> Json:
    return {
        "deviceUrl": _url_field(
            "Device Authorization URL",
            "The endpoint that issues codes for devices, if there is one.",
        ),
        "revocationUrl": _url_field(
            "Revocation URL", "The endpoint that ends an approval, if there is one."
        ),
    }


_URLS = {
    "authorizationUrl": ("Authorization URL", "The page on which a person approves."),
    "tokenUrl": ("Token URL", "The endpoint that issues tokens."),
}


def _endpoints(flow: Json, names: tuple[str, ...]) -> tuple[Json, Json, list[str]]:
    """Return the endpoints that the document fixes, required fields for the other endpoints, and
    those fields' names.
    """
    fixed = {
        name: flow[name]
        for name in names
        if isinstance(flow.get(name), str) and flow[name].startswith("https://")
    }
    fields = {name: _url_field(*_URLS[name]) for name in names if name not in fixed}
    return fixed, fields, list(fields)


def _url_field(title: str, about: str) -> Json:
    return {**text_field(title, about), "format": "uri", "x-jackfield": {"destination": True}}


def _scopes(flow: Json) -> Json:
    listed = flow.get("scopes")
    names = (
        [name for name in listed if isinstance(name, str) and name]
        if isinstance(listed, dict)
        else []
    )
    known = (
        f" The document names {', '.join(names[:20])}{' and others' if len(names) > 20 else ''}."
        if names
        else ""
    )
    titles = {
        name: words
        for name in names
        if isinstance(listed, dict)
        and (words := " ".join(str(listed[name] or "").split()).rstrip("."))
    }
    marks = {"x-jackfield": {**_PLATFORMS["x-jackfield"], **({"titles": titles} if titles else {})}}
    return {
        "type": "string",
        "title": "Scopes",
        "description": f"The permissions to ask for, separated by spaces.{known}",
        **marks,
    }
