"""Settings of identity providers: one whose JWTs callers may have, and one at which people sign in to the console."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from jackfield.kernel.errors import InvalidInvocation


@dataclass(frozen=True, slots=True)
class Jwt:
    """An identity provider whose JWTs are accepted besides jackfield's tokens; ``workspace_claim`` and ``scope_claim`` name its claims."""

    jwks_url: str
    issuer: str
    audience: str
    workspace_claim: str = "workspace"
    scope_claim: str = "scope"


@dataclass(frozen=True, slots=True)
class Oidc:
    """An identity provider at which people sign in to the console. ``client_secret`` is empty for a public client; ``groups_claim`` names
    the claim with a person's groups, and ``scopes`` are those that are asked for."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    groups_claim: str = "groups"
    scopes: str = "openid profile"


def oidc_of(environment: Mapping[str, str]) -> Oidc | None:
    """Return the identity provider of the variables; None if they name none.

    :raises InvalidInvocation: if they name one in part, or its secret cannot be read.
    """
    issuer, client = environment.get("JACKFIELD_OIDC_ISSUER", ""), environment.get("JACKFIELD_OIDC_CLIENT_ID", "")
    secret = _client_secret(environment)
    if not (issuer or client or secret):
        return None
    if not issuer or not client:
        raise InvalidInvocation("JACKFIELD_OIDC_ISSUER and JACKFIELD_OIDC_CLIENT_ID go together", hint="Set both, or neither.")
    parts = urlsplit(issuer)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        hint = "Write it as the provider does: https://id.example.com."
        raise InvalidInvocation("JACKFIELD_OIDC_ISSUER is not the address of an issuer", hint=hint)
    scopes = environment.get("JACKFIELD_OIDC_SCOPES", "") or "openid profile"
    if "openid" not in scopes.split():
        raise InvalidInvocation("JACKFIELD_OIDC_SCOPES has no 'openid'", hint="Write it as 'openid profile groups'.")
    return Oidc(issuer, client, secret, environment.get("JACKFIELD_OIDC_GROUPS_CLAIM", "") or "groups", scopes)


def _client_secret(environment: Mapping[str, str]) -> str:
    given, path = environment.get("JACKFIELD_OIDC_CLIENT_SECRET", ""), environment.get("JACKFIELD_OIDC_CLIENT_SECRET_FILE", "")
    if not path:
        return given
    if given:
        text = "JACKFIELD_OIDC_CLIENT_SECRET and JACKFIELD_OIDC_CLIENT_SECRET_FILE are both set"
        raise InvalidInvocation(text, hint="Set one of them.")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise InvalidInvocation(
            "the file of JACKFIELD_OIDC_CLIENT_SECRET_FILE cannot be read", hint="Check its path and its mode."
        ) from None
