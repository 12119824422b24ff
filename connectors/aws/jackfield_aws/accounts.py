"""AWS account behind an access key, read without a request: newer key IDs contain its number."""

from __future__ import annotations

import base64
import binascii

_NEWER = 1 << 47
"""Bit that is set in key IDs since 2019; older key IDs do not contain their account."""
_UNUSED_BITS = 7
_KEY_LENGTH = 20


def account_of_key(access_key_id: str) -> str:
    """Return the account number in an access key ID; for an older ID, a name unique to the key."""
    if len(access_key_id) == _KEY_LENGTH:
        try:
            found = int.from_bytes(base64.b32decode(access_key_id[4:])[:6], "big")
        except (binascii.Error, ValueError):
            found = 0
        if found & _NEWER:
            return f"{(found & (_NEWER - 1)) >> _UNUSED_BITS:012d}"
    return f"key {access_key_id}"
