"""Signatures of Standard Webhooks (1.0.0): symmetric ``v1`` and Ed25519 ``v1a``, with as many
secrets as are valid.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SYMMETRIC, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
_BYTES = 32


def new_secret(kind: Literal["hmac", "ed25519"]) -> str:
    """Return a new secret: 32 random bytes, or an Ed25519 private key."""
    return f"{SYMMETRIC if kind == 'hmac' else PRIVATE}{b64encode(os.urandom(_BYTES)).decode()}"


def public_key(secret: str) -> str:
    """Return the public key of an Ed25519 secret, in the form for receivers."""
    return PUBLIC + b64encode(_private(secret).public_key().public_bytes_raw()).decode()


def signatures(secrets: Iterable[str], identifier: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``: one signature for each secret, the newest
    first.
    """
    signed = f"{identifier}.{timestamp}.".encode() + body
    return " ".join(_signature(secret, signed) for secret in secrets)


def _signature(secret: str, signed: bytes) -> str:
    if secret.startswith(PRIVATE):
        return "v1a," + b64encode(_private(secret).sign(signed)).decode()
    key = b64decode(secret.removeprefix(SYMMETRIC))
    return "v1," + b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _private(secret: str) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(b64decode(secret.removeprefix(PRIVATE)))
