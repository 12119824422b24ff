"""Checks of OpenID Connect's ID tokens: their client, time, issuer and nonce."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from json import loads
from typing import Any

from jackfield.connector import InvalidConnection

LEEWAY = 60.0
"""Tolerance in seconds for a difference between the provider's clock and this machine's."""


def check_id_token(
    text: object, *, client_id: str, issuer: str | None, nonce: str | None, now: float
) -> Mapping[str, Any]:
    """Return the claims of an ID token from the token endpoint, after checking them.

    The token came over TLS, so its signature need not be checked (OpenID Connect Core 3.1.3.7).
    None for ``issuer`` or ``nonce`` skips that comparison.

    :raises InvalidConnection: if the token is not for this client, approval and time.
    """
    try:
        claims = _claims(text)
        fits: bool = _is_for(claims, client_id) and _is_of(claims, now)
        fits = (
            fits and isinstance(claims["sub"], str) and (issuer is None or claims["iss"] == issuer)
        )
        fits = fits and (nonce is None or claims.get("nonce") == nonce)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        fits = False
    if not fits:
        raise InvalidConnection(
            "the provider's ID token is not for this client and this approval",
            hint="Connect it again.",
        )
    return claims


def _claims(text: object) -> Mapping[str, Any]:
    payload = str(text).split(".")[1]
    found = loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if not isinstance(found, dict):
        raise TypeError
    return found


def _is_for(claims: Mapping[str, Any], client_id: str) -> bool:
    """Return whether the token is for the client. A token with several audiences must name the
    client as its authorized party.
    """
    given = claims["aud"]
    audience = given if isinstance(given, list) else [given]
    party = claims.get("azp")
    return client_id in audience and (
        party == client_id if party is not None or len(audience) > 1 else True
    )


def _is_of(claims: Mapping[str, Any], now: float) -> bool:
    """Return whether the token is valid at ``now``, a time in seconds since 1970."""
    issued, expires, begins = (
        float(claims["iat"]),
        float(claims["exp"]),
        float(claims.get("nbf", now)),
    )
    return issued <= now + LEEWAY and begins <= now + LEEWAY and expires > now - LEEWAY
