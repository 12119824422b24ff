"""Verification of Amazon SNS messages: signature, certificate, topic and age. Only
``fetch_certificate`` calls AWS.

SNS signs the names and values of some members, each followed by a line break, without their
lengths. Text could therefore be moved from one member to the next. Strict forms of the members
prevent that: no line break except in ``Message``, and exact forms of type, topic and ID. Source:
its developer guide, verifying the signatures of messages.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jackfield.connector import Forged, HookRequest, Malformed, Needs
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.regions import partition_of

if TYPE_CHECKING:
    from jackfield_aws.clients import AwsClients

NOTIFICATION, CONFIRMATION, ENDED = (
    "Notification",
    "SubscriptionConfirmation",
    "UnsubscribeConfirmation",
)
LARGEST_CERTIFICATE = 16 * 1024
_SIGNED: Mapping[str, tuple[str, ...]] = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
    ENDED: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
"""Signed members by type, in the order of the signed text. Only ``Subject`` may be missing."""
_FORMS = {
    "MessageId": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "Timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII),
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOPIC = re.compile(
    r"arn:(aws[a-z-]*):sns:([a-z0-9-]{5,30}):([0-9]{12}):([A-Za-z0-9_-]{1,256}(\.fifo)?)"
)
_PATH = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem")
_SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-us-gov": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
}
"""DNS suffixes of the partitions (``dnsSuffix`` of botocore's ``partitions.json``)."""
_SIGNERS = re.compile(
    r"sns(-[a-z0-9-]+)?(\.[a-z0-9-]+)?\.(amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|[a-z.]+\.(gov|uk))"
)
_OLDEST, _NEWEST = 75 * 60.0, 15 * 60.0
"""Maximum age of a message, and maximum lead of the sender's clock, in seconds. SNS repeats a
message over HTTP for up to an hour.
"""
_LEAST_BITS = 2048
_HEADERS = {
    "x-amz-sns-message-type": "Type",
    "x-amz-sns-message-id": "MessageId",
    "x-amz-sns-topic-arn": "TopicArn",
}


@dataclass(frozen=True, slots=True)
class Topic:
    """Parts of a topic's ARN."""

    arn: str
    partition: str
    region: str
    account: str
    name: str

    @property
    def origin(self) -> str:
        """Origin of AWS's certificates for messages of this topic."""
        return f"https://sns.{self.region}.{_SUFFIXES[self.partition]}"


def parse_topic(arn: str) -> Topic | None:
    """Parse a topic's ARN; None if the text is no ARN of a topic, or its region is not in its
    partition.
    """
    found = _TOPIC.fullmatch(arn)
    if found is None or found[1] not in _SUFFIXES or partition_of(found[2]) != found[1]:
        return None
    return Topic(arn, found[1], found[2], found[3], found[4])


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected topic of a message. ``origin`` is the origin of its certificates: AWS's own, or the
    connection's endpoint; ``versions`` are the accepted signature versions.
    """

    topic: Topic
    origin: str
    versions: tuple[str, ...] = ("1", "2")

    @classmethod
    def of(
        cls, topic_arn: str, endpoint: str | None = None, versions: tuple[str, ...] = ("1", "2")
    ) -> Expected:
        """Return the expectation for a topic, and for a connection's endpoint in place of AWS's
        own.

        :raises Forged: if the ARN names no topic.
        """
        topic = parse_topic(topic_arn)
        if topic is None:
            raise Forged("the topic has no valid ARN")
        return cls(topic, topic.origin if endpoint is None else endpoint.rstrip("/"), versions)

    @property
    def is_aws(self) -> bool:
        """True if the certificates are AWS's own."""
        return self.origin == self.topic.origin


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """Verified message of a topic."""

    type: str
    id: str
    text: str
    at: float
    token: str = ""


def verify_request(request: HookRequest, expected: Expected, found: Mapping[str, bytes]) -> Message:
    """Verify an SNS message in an HTTPS request; ``found`` holds the fetched certificates by URL.

    :raises Needs: with the URL of a certificate that was not fetched yet.
    :raises Forged: if SNS has not signed it, it is another topic's, or too old.
    :raises Malformed: if it is no JSON object.
    """
    if request.headers.get("x-amz-sns-rawdelivery", "").lower() == "true":
        raise Forged(
            "raw deliveries are not signed: set RawMessageDelivery of the subscription to false"
        )
    note = request.json()
    if not isinstance(note, Mapping):
        raise Malformed("the body is no JSON object")
    for header, member in _HEADERS.items():
        if request.headers.get(header, note.get(member)) != note.get(member):
            raise Forged(f"the header {header} differs from the body")
    message = verify_message(note, expected, found, request.at)
    if not -_NEWEST <= request.at - message.at <= _OLDEST:
        raise Forged("the message is too old, or from the future")
    return message


def verify_message(
    note: Mapping[str, Any], expected: Expected, found: Mapping[str, bytes], at: float | None = None
) -> Message:
    """Verify a message of any age. The certificate must be valid at the time ``at``, by default the
    message's own.

    :raises Needs: as ``verify_request``.
    :raises Forged: as ``verify_request``.
    """
    kind = note.get("Type")
    if not isinstance(kind, str) or kind not in _SIGNED:
        raise Forged("the type of the message is none of SNS's")
    members = (
        {name: note[name] for name in _SIGNED[kind] if name in note or name != "Subject"}
        if _has(note, kind)
        else {}
    )
    if not members or not all(isinstance(value, str) for value in members.values()):
        raise Forged("a signed member is missing, or no text")
    if any(_CONTROL.search(value) for name, value in members.items() if name != "Message"):
        raise Forged("a member has a control character")
    if (
        any(not form.fullmatch(members[name]) for name, form in _FORMS.items())
        or members["TopicArn"] != expected.topic.arn
    ):
        raise Forged("the message is none of the topic's")
    version = note.get("SignatureVersion")
    if version not in expected.versions:
        raise Forged("the message has another signature version than the topic")
    sent = _moment(members["Timestamp"])
    pem = _certificate(note.get("SigningCertURL"), expected, found)
    _check(_key(pem, expected, sent if at is None else at), members, note.get("Signature"), version)
    return Message(kind, members["MessageId"], members["Message"], sent, members.get("Token", ""))


def fetch_certificate(url: str, aws: AwsClients, region: str | None = None) -> bytes:
    """Fetch the certificate that ``verify_message`` requires, over the connection.

    :raises JackfieldError: if it cannot be fetched.
    """
    return aws.public_file("sns", url, LARGEST_CERTIFICATE, region)


def _has(note: Mapping[str, Any], kind: str) -> bool:
    return all(name in note for name in _SIGNED[kind] if name != "Subject")


def _certificate(url: object, expected: Expected, found: Mapping[str, bytes]) -> bytes:
    """Return the certificate under a URL in exactly SNS's form, without port, user, query or
    another host.

    :raises Needs: if it was not fetched yet.
    :raises Forged: for another form of URL.
    """
    if (
        not isinstance(url, str)
        or not url.startswith(f"{expected.origin}/")
        or not _PATH.fullmatch(url[len(expected.origin) :])
    ):
        raise Forged("the certificate is not at the place where SNS publishes it")
    if urlsplit(url).scheme not in ("https", "http") or (
        expected.is_aws and not url.startswith("https://sns.")
    ):
        raise Forged("the certificate is not at the place where SNS publishes it")
    pem = found.get(url)
    if pem is None:
        raise Needs(url)
    return pem


def _key(pem: bytes, expected: Expected, at: float) -> Any:
    """Return the public key of a certificate, which must be single, RSA, SNS's own and valid at the
    time ``at``.

    :raises Forged: otherwise.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509 import load_pem_x509_certificates

    try:
        certificates = load_pem_x509_certificates(pem) if len(pem) <= LARGEST_CERTIFICATE else []
        certificate = certificates[0] if len(certificates) == 1 else None
        key = None if certificate is None else certificate.public_key()
    except ValueError:
        certificate = key = None
    if certificate is None or not isinstance(key, rsa.RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise Forged("the certificate is none that SNS uses")
    now = datetime.fromtimestamp(at, UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Forged("the certificate is not valid at this time")
    if expected.is_aws and not any(_SIGNERS.fullmatch(name) for name in _names(certificate)):
        raise Forged("the certificate is another service's")
    return key


def _names(certificate: Any) -> list[str]:
    from cryptography.x509 import DNSName, ExtensionNotFound, SubjectAlternativeName

    try:
        found: list[str] = certificate.extensions.get_extension_for_class(
            SubjectAlternativeName
        ).value.get_values_for_type(DNSName)
    except (ExtensionNotFound, ValueError):
        return []
    return found


def _check(key: Any, members: Mapping[str, str], signature: object, version: object) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    kinds = {"1": SHA1, "2": SHA256}
    text = "".join(f"{name}\n{value}\n" for name, value in members.items())
    try:
        given = base64.b64decode(signature if isinstance(signature, str) else "", validate=True)
        key.verify(given, text.encode(), PKCS1v15(), kinds[str(version)]())
    except (InvalidSignature, binascii.Error, ValueError):
        raise Forged("the signature does not fit") from None


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise Forged("the time of the message is none") from None
