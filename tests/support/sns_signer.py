"""A topic of Amazon SNS as its receivers see it: messages that it has signed, and the certificate
that it signs with.
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:eu-west-1:123456789012:receipts"
PATH = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
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
_RSA = rsa.generate_private_key(65537, 2048)


def certificate(
    name: str = "sns.amazonaws.com",
    *,
    key: Any = _RSA,
    since: int = -1,
    until: int = 30,
    now: float | None = None,
) -> bytes:
    """A certificate for a name, valid from so many days from now until so many."""
    at = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begun = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
    )
    begun = (
        begun.serial_number(1)
        .not_valid_before(at + timedelta(days=since))
        .not_valid_after(at + timedelta(days=until))
    )
    named = begun.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return named.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def weak_keys() -> list[Any]:
    """Keys that SNS does not use: too short, and of another kind."""
    return [rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256R1())]


def stamp(at: float) -> str:
    """A time as SNS writes it."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}.{int(at % 1 * 1000):03d}Z"


def note(
    text: str,
    at: float,
    *,
    topic: str = TOPIC,
    origin: str = "https://sns.eu-west-1.amazonaws.com",
    version: str = "2",
    **more: Any,
) -> Any:
    """A message of a topic, signed. Members of ``more`` are signed, too; those of None are left
    out.
    """
    members = {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": topic,
        "Message": text,
        "Timestamp": stamp(at),
        "SignatureVersion": version,
        "SigningCertURL": f"{origin}{PATH}",
        "UnsubscribeURL": f"{origin}/?Action=Unsubscribe",
        **more,
    }
    return signed({name: value for name, value in members.items() if value is not None})


def signed(members: dict[str, Any]) -> dict[str, Any]:
    """Members with the signature that SNS makes over them."""
    text = "".join(f"{name}\n{members[name]}\n" for name in _ORDER if name in members)
    kind = hashes.SHA256() if members.get("SignatureVersion") == "2" else hashes.SHA1()
    return {
        **members,
        "Signature": base64.b64encode(_RSA.sign(text.encode(), padding.PKCS1v15(), kind)).decode(),
    }


def asking(at: float, token: str = "t-4711", **more: Any) -> Any:
    """A message that asks for the confirmation of a subscription."""
    url = "http://169.254.169.254/latest/meta-data/"
    about = {"Type": "SubscriptionConfirmation", "Token": token, "SubscribeURL": url}
    return note("You have chosen to subscribe", at, **{**about, **more})


def body(members: Any) -> bytes:
    """The body of a request."""
    return json.dumps(members).encode()
