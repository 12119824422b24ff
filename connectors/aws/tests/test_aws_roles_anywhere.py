"""IAM Roles Anywhere: a certificate's key signs for a session, which a loopback server verifies as
AWS's user guide describes.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from aws_opening import ROLE_ARN, Opener
from fake_aws import refused_url
from jackfield.connector import JackfieldError, Sent, Step
from jackfield.testing import Answer, Provider, Request
from jackfield_aws import AwsRolesAnywhere

ANCHOR = (
    "arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/a1b2c3d4-5678-90ab-cdef-000000000001"
)
PROFILE = (
    "arn:aws:rolesanywhere:eu-west-1:123456789012:profile/a1b2c3d4-5678-90ab-cdef-000000000002"
)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def certificate(key: Key, days: int = 30, name: str = "acme-mailer") -> x509.Certificate:
    """Return a certificate that is valid for some days from yesterday on."""
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(4711)
    )
    made = made.not_valid_before(now - timedelta(days=max(1, 1 - days))).not_valid_after(
        now + timedelta(days=days)
    )
    return made.sign(key, SHA256())


def pem(found: x509.Certificate) -> str:
    """Return a certificate as text."""
    return found.public_bytes(Encoding.PEM).decode()


def key_text(key: Key, passphrase: bytes | None = None) -> str:
    """Return a private key as text."""
    how = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()


class Authority(Provider):
    """CreateSession: verifies each signature with the public key of the certificate that the
    request brings.
    """

    def __init__(self) -> None:
        super().__init__(self._session)
        self.asked: list[dict[str, Any]] = []
        self.refusal: tuple[int, bytes] | None = None

    def _session(self, _number: int, request: Request) -> Answer:
        problem = self._problem(request)
        status, content = self.refusal or (201, self._granted(request))
        return (
            Answer({"message": problem}, 403) if problem else Answer(status=status, content=content)
        )

    def _problem(self, request: Request) -> str:
        kind, _, rest = request.header("Authorization").partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        found = x509.load_der_x509_certificate(b64decode(request.header("X-Amz-X509")))
        serial, _, scope = parts["Credential"].partition("/")
        names = parts["SignedHeaders"].split(";")
        if (
            serial != str(found.serial_number)
            or request.path != "/sessions"
            or not {"host", "x-amz-date", "x-amz-x509"} <= set(names)
        ):
            return "the request is not signed as required"
        fields = "".join(f"{name}:{request.header(name)}\n" for name in names)
        canonical = f"POST\n/sessions\n\n{fields}\n{parts['SignedHeaders']}\n{hashlib.sha256(request.body).hexdigest()}"
        text = f"{kind}\n{request.header('X-Amz-Date')}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode()
        key, signature = found.public_key(), bytes.fromhex(parts["Signature"])
        if isinstance(key, rsa.RSAPublicKey):
            assert kind == "AWS4-X509-RSA-SHA256"
            key.verify(signature, text, padding.PKCS1v15(), SHA256())
        else:
            assert isinstance(key, ec.EllipticCurvePublicKey)
            assert kind == "AWS4-X509-ECDSA-SHA256"
            key.verify(signature, text, ec.ECDSA(SHA256()))
        assert scope.split("/")[1:] == ["eu-west-1", "rolesanywhere", "aws4_request"]
        return ""

    def _granted(self, request: Request) -> bytes:
        self.asked.append(request.json() | {"chain": request.header("X-Amz-X509-Chain") or None})
        until = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        keys = {
            "accessKeyId": "ASIAANYWHERE",
            "secretAccessKey": "anywhere-secret",
            "sessionToken": "anywhere-token",
            "expiration": until,
        }
        return json.dumps(
            {"credentialSet": [{"credentials": keys, "roleArn": ROLE_ARN}], "subjectArn": "arn"}
        ).encode()


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    """IAM Roles Anywhere on loopback."""
    with Authority() as server:
        yield server


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    """A private key."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def values(authority: Authority, rsa_key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """Values of a connection that works."""
    authority.asked.clear()
    authority.refusal = None
    return {
        "certificate": pem(certificate(rsa_key)),
        "privateKey": key_text(rsa_key),
        "trustAnchorArn": ANCHOR,
        "profileArn": PROFILE,
        "roleARN": ROLE_ARN,
        "rolesAnywhereEndpoint": authority.url,
    }


def _open(opener: Opener, values: dict[str, Any], **inputs: Any) -> Any:
    return AwsRolesAnywhere.model_validate(values).open(opener.context(**inputs))


def _refusal(opener: Opener, values: dict[str, Any]) -> JackfieldError:
    with pytest.raises(JackfieldError) as raised:
        _open(opener, values)
    assert raised.value.sent is not Sent.UNKNOWN
    assert "PRIVATE KEY" not in f"{raised.value} {raised.value.to_json()}"
    return raised.value


def test_a_session_is_created_once(
    opener: Opener, authority: Authority, values: dict[str, Any]
) -> None:
    """Ten opens cost one CreateSession; calls go to the trust anchor's region unless the action
    names one.
    """
    for _ in range(10):
        clients = _open(opener, values | {"durationSeconds": 900})
    assert authority.asked == [
        {
            "durationSeconds": 900,
            "profileArn": PROFILE,
            "roleArn": ROLE_ARN,
            "trustAnchorArn": ANCHOR,
            "chain": None,
        }
    ]
    assert (clients.region, _open(opener, values, awsRegion="us-east-1").region) == (
        "eu-west-1",
        "us-east-1",
    )
    (minted,) = opener.leases.held.values()
    assert (minted.value["access_key_id"], minted.secrets) == (
        "ASIAANYWHERE",
        ("anywhere-secret", "anywhere-token"),
    )
    assert minted.expires_at is not None
    assert 3500 < minted.expires_at - datetime.now(UTC).timestamp() <= 3600


def test_an_ec_key_and_a_chain(
    opener: Opener, authority: Authority, values: dict[str, Any], rsa_key: rsa.RSAPrivateKey
) -> None:
    """The chain's certificates go along, and an EC key signs by its own algorithm."""
    key, between = ec.generate_private_key(ec.SECP256R1()), certificate(rsa_key, name="between")
    _open(
        opener,
        values | {"certificate": pem(certificate(key)) + pem(between), "privateKey": key_text(key)},
    )
    assert [found["chain"] for found in authority.asked] == [
        b64encode(between.public_bytes(Encoding.DER)).decode()
    ]


def test_values_that_cannot_sign_are_named(
    opener: Opener, authority: Authority, values: dict[str, Any], rsa_key: rsa.RSAPrivateKey
) -> None:
    """Each fault is found before anything is sent, at the value that has it."""
    other = ec.generate_private_key(ec.SECP256R1())
    for wrong, path, told in (
        ({"privateKey": key_text(other)}, "/privateKey", "does not belong to the certificate"),
        ({"privateKey": key_text(rsa_key, b"secret")}, "/privateKey", "is encrypted"),
        ({"privateKey": "x"}, "/privateKey", "not in PEM form"),
        ({"certificate": "x"}, "/certificate", "not in PEM form"),
        ({"certificate": pem(certificate(rsa_key, days=-2))}, "/certificate", "expired on"),
        ({"certificate": values["certificate"] * 7}, "/certificate", "at most 5"),
        ({"profileArn": PROFILE.replace("eu-west-1", "us-east-1")}, "/profileArn", "is in"),
        ({"roleARN": ROLE_ARN.replace("123456789012", "999999999999")}, "/roleARN", "is in"),
    ):
        error = _refusal(opener, values | wrong)
        assert (error.code, error.details[0].path, told in error.details[0].message) == (
            "invalid_connection",
            path,
            True,
        ), error
    assert authority.asked == []


def test_refusals_are_explained_and_never_in_doubt(
    opener: Opener, authority: Authority, values: dict[str, Any]
) -> None:
    """AWS's own words come first; what is to be checked follows. An endpoint that is not reached or
    answers nonsense has sent nothing.
    """
    authority.refusal = 403, b'{"message": "Untrusted certificate. Insufficient certificate"}'
    error = _refusal(opener, values)
    assert (
        error.code,
        "Untrusted certificate" in error.message,
        "trust anchor" in (error.hint or ""),
    ) == ("unauthenticated", True, True)
    for status, body, code in (
        (
            404,
            b'{"__type": "ResourceNotFoundException", "message": "no profile"}',
            "invalid_connection",
        ),
        (500, b"<html>", "unavailable"),
        (201, b"{}", "unavailable"),
        (201, b"<p>", "unavailable"),
    ):
        authority.refusal = status, body
        assert _refusal(opener, values).code == code
    with refused_url() as nowhere:
        assert _refusal(opener, values | {"rolesAnywhereEndpoint": nowhere}).code == "unavailable"


def test_a_test_of_the_connection_tells_the_account_and_the_certificates_end(
    opener: Opener, authority: Authority, values: dict[str, Any]
) -> None:
    """A session is created anew each time; a refusal is the step that failed."""
    kind = AwsRolesAnywhere.model_validate(values)
    for _ in range(2):
        step, account = kind.test(opener.context())
    assert isinstance(step, Step)
    assert (step.passed, "The certificate expires on" in step.message, account.id) == (  # type: ignore[union-attr]
        True,
        True,
        "123456789012",
    )
    assert len(authority.asked) == 2
    authority.refusal = 403, b"{}"
    (failed,) = kind.test(opener.context())
    assert isinstance(failed, Step)
    assert not failed.passed


def test_policies_trust_one_anchor_and_one_name(values: dict[str, Any]) -> None:
    """The trust policy names the service, the trust anchor and the certificate's common name."""
    kind = AwsRolesAnywhere.model_validate(values)
    found = kind.policies(["ses:SendEmail"])
    (statement,) = found["trustPolicy"]["Statement"]
    assert statement["Principal"] == {"Service": "rolesanywhere.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": ANCHOR},
        "StringEquals": {"aws:PrincipalTag/x509Subject/CN": "acme-mailer"},
    }
    assert found["identityPolicy"]["Statement"][0]["Action"] == ["ses:SendEmail"]
    assert not kind.reads_host
    assert "PRIVATE KEY" not in f"{kind!r} {kind}"
