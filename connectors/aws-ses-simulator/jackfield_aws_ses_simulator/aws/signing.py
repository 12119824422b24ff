"""Signing of messages as Amazon SNS does it. The simulator serves its certificate at a path like
that of SNS.
"""

from __future__ import annotations

import base64
import functools
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

PATH = f"/SimpleNotificationService-{uuid.uuid4().hex}.pem"
"""Path of the certificate, different in each process since receivers cache certificates."""
_ORDER = (
    "Message",
    "MessageId",
    "Subject",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)
_NAME = "sns.amazonaws.com"
_HASHES = {"1": SHA1, "2": SHA256}
"""Hash functions of the signature versions."""


@functools.cache
def _key() -> Any:
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def certificate() -> bytes:
    """Return the certificate as PEM, signed by its own key."""
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)]), datetime.now(UTC)
    begun = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key().public_key())
        .serial_number(1)
    )
    dated = begun.not_valid_before(now - timedelta(days=365)).not_valid_after(
        now + timedelta(days=3650)
    )
    named = dated.add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), critical=False)
    return named.sign(_key(), SHA256()).public_bytes(Encoding.PEM)


def signed(members: Mapping[str, str], version: str, origin: str) -> dict[str, str]:
    """Return a message's members with a signature of version 1 or 2, and the certificate's URL."""
    text = "".join(f"{name}\n{members[name]}\n" for name in _ORDER if name in members)
    signature = _key().sign(text.encode(), PKCS1v15(), _HASHES[version]())
    encoded = base64.b64encode(signature).decode()
    return {
        **members,
        "SignatureVersion": version,
        "Signature": encoded,
        "SigningCertURL": f"{origin}{PATH}",
    }
