"""Derivation of the SMTP password from an access key (AWS, "Obtaining Amazon SES SMTP
credentials").
"""

from __future__ import annotations

import base64
import hashlib
import hmac

_VERSION = b"\x04"
_DATE = "11111111"  # fixed: the password does not expire


def smtp_password(secret_access_key: str, region: str) -> str:
    """Derive the SMTP password of an access key for one region: 44 characters of base64.

    The password is Signature Version 4's signing key for a fixed date and operation. AWS accepts it
    only for keys of IAM users, not for temporary keys.
    """
    signature = f"AWS4{secret_access_key}".encode()
    for part in (_DATE, region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.new(signature, part.encode(), hashlib.sha256).digest()
    return base64.b64encode(_VERSION + signature).decode("ascii")
