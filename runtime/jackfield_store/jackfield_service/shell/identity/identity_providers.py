"""Settings of identity providers: one whose JWTs callers may use, and one at which people sign in
to the console.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from jackfield.callers.roles import read_grants
from jackfield.kernel.errors import InvalidInvocation

_ROLES = "JACKFIELD_ROLES"


@dataclass(frozen=True, slots=True)
class Jwt:
    """An identity provider whose JWTs are accepted in addition to jackfield's tokens;
    ``workspace_claim`` and ``scope_claim`` name its claims.
    """

    jwks_url: str
    issuer: str
    audience: str
    workspace_claim: str = "workspace"
    scope_claim: str = "scope"


@dataclass(frozen=True, slots=True)
class Oidc:
    """An identity provider at which people sign in to the console. ``client_secret`` is empty for a
    public client; ``groups_claim`` names the claim with a person's groups, and ``scopes`` are the
    requested scopes.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    groups_claim: str = "groups"
    scopes: str = "openid profile"


def oidc_of(environment: Mapping[str, str]) -> Oidc | None:
    """Return the identity provider of the variables; None if they name none.

    :raises InvalidInvocation: if they name one in part, or its secret cannot be read.
    """
    issuer, client = (
        environment.get("JACKFIELD_OIDC_ISSUER", ""),
        environment.get("JACKFIELD_OIDC_CLIENT_ID", ""),
    )
    secret = _client_secret(environment)
    if not (issuer or client or secret):
        _require_none(environment)
        return None
    if not issuer or not client:
        raise InvalidInvocation(
            "JACKFIELD_OIDC_ISSUER and JACKFIELD_OIDC_CLIENT_ID go together",
            hint="Set both, or neither.",
        )
    parts = urlsplit(issuer)
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or parts.query
        or parts.fragment
        or parts.username is not None
    ):
        hint = "Write it as the provider does: https://id.example.com."
        raise InvalidInvocation("JACKFIELD_OIDC_ISSUER is not the address of an issuer", hint=hint)
    scopes = environment.get("JACKFIELD_OIDC_SCOPES", "") or "openid profile"
    if "openid" not in scopes.split():
        raise InvalidInvocation(
            "JACKFIELD_OIDC_SCOPES has no 'openid'", hint="Write it as 'openid profile groups'."
        )
    return Oidc(
        issuer,
        client,
        secret,
        environment.get("JACKFIELD_OIDC_GROUPS_CLAIM", "") or "groups",
        scopes,
    )


def check_people(environment: Mapping[str, str]) -> Oidc | None:
    """Check the variables by which people sign in to the console, roles included; return the
    identity provider, as ``oidc_of`` does.

    :raises InvalidInvocation: if one is not valid.
    """
    try:
        read_grants(environment.get(_ROLES, ""))
    except InvalidInvocation as error:
        raise InvalidInvocation(f"{_ROLES}: {error.message}", hint=error.hint) from None
    return oidc_of(environment)


def _require_none(environment: Mapping[str, str]) -> None:
    """Refuse variables that have no effect without an issuer: otherwise sign-ins would fail without
    a visible reason.
    """
    given = [
        name
        for name in (
            "JACKFIELD_OIDC_CLIENT_SECRET_FILE",
            "JACKFIELD_OIDC_SCOPES",
            "JACKFIELD_OIDC_GROUPS_CLAIM",
        )
        if environment.get(name)
    ]
    if given:
        raise InvalidInvocation(
            f"{given[0]} has no effect without JACKFIELD_OIDC_ISSUER",
            hint=f"Set JACKFIELD_OIDC_ISSUER, or unset {given[0]}.",
        )


def _client_secret(environment: Mapping[str, str]) -> str:
    given, path = (
        environment.get("JACKFIELD_OIDC_CLIENT_SECRET", ""),
        environment.get("JACKFIELD_OIDC_CLIENT_SECRET_FILE", ""),
    )
    if not path:
        return given
    if given:
        text = "JACKFIELD_OIDC_CLIENT_SECRET and JACKFIELD_OIDC_CLIENT_SECRET_FILE are both set"
        raise InvalidInvocation(text, hint="Set one of them.")
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise InvalidInvocation(
            "the file of JACKFIELD_OIDC_CLIENT_SECRET_FILE cannot be read",
            hint="Check its path and its mode.",
        ) from None
    if not secret:
        raise InvalidInvocation(
            "the file of JACKFIELD_OIDC_CLIENT_SECRET_FILE is empty",
            hint="Write the client's secret into it.",
        )
    return secret
