"""Signatures with an X.509 certificate's key for IAM Roles Anywhere (its user guide, signing
process): Signature Version 4 with the private key in place of a secret key.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jackfield.connector import Detail, InvalidConnection
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.secrecy import SecretHolder

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_CERTIFICATE, _KEY = "/certificate", "/privateKey"
_MOST = 6
"""Maximum certificates in a request: the signing certificate and the certificates between it and
the trust anchor.
"""
_SERVICE = "rolesanywhere"
_PEM = "Paste the file in PEM form, from '-----BEGIN' to '-----END …-----'."


@dataclass(frozen=True, slots=True, repr=False)
class SigningCertificate(SecretHolder):
    """Certificate with its private key; ``chain`` holds the certificates between it and the trust
    anchor.
    """

    certificate: Any
    chain: tuple[Any, ...]
    key: Any

    @classmethod
    def parse(cls, certificate: str, key: str, now: float) -> SigningCertificate:
        """Parse PEM texts: the certificate, followed by its chain up to the trust anchor, and its
        private key without a passphrase.

        :raises InvalidConnection: if they cannot be read, do not belong together, or the
            certificate is not valid at ``now``.
        """
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        first, *chain = _certificates(certificate)
        try:
            found = load_pem_private_key(key.encode(), None)
        except TypeError:
            raise _refusal(
                _KEY,
                "the private key is encrypted",
                "Remove its passphrase: openssl pkey -in key.pem.",
            ) from None
        except ValueError:
            raise _refusal(_KEY, "the private key is not in PEM form", _PEM) from None
        if not isinstance(found, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise _refusal(
                _KEY,
                "the private key is neither RSA nor EC",
                "IAM Roles Anywhere takes these two kinds of keys.",
            )
        if found.public_key() != first.public_key():
            raise _refusal(
                _KEY,
                "the private key does not belong to the certificate",
                "Give the key that the certificate was issued for.",
            )
        at = datetime.fromtimestamp(now, UTC)
        if at > first.not_valid_after_utc:
            text = f"the certificate expired on {first.not_valid_after_utc:%Y-%m-%d}"
            raise _refusal(
                _CERTIFICATE,
                text,
                "Have a new certificate issued, and replace the connection's values.",
            )
        if at < first.not_valid_before_utc:
            text = (
                "the certificate is not valid before "
                f"{first.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}"
            )
            raise _refusal(_CERTIFICATE, text, "Wait, or set this machine's clock (NTP).")
        return cls(first, tuple(chain), found)

    def headers(self, host: str, path: str, body: bytes, region: str, now: float) -> dict[str, str]:
        """Return the header fields of a signed POST of JSON, except ``Host``."""
        at = datetime.fromtimestamp(now, UTC)
        fields = {
            "Content-Type": "application/json",
            "X-Amz-Date": f"{at:%Y%m%dT%H%M%SZ}",
            "X-Amz-X509": _text(self.certificate),
        }
        if self.chain:
            fields["X-Amz-X509-Chain"] = ",".join(map(_text, self.chain))
        covered = {"host": host, **{name.lower(): value for name, value in fields.items()}}
        signed = ";".join(sorted(covered))
        lines = [f"{name}:{covered[name]}" for name in sorted(covered)]
        canonical = "\n".join(
            ["POST", path, "", *lines, "", signed, hashlib.sha256(body).hexdigest()]
        )
        scope = f"{at:%Y%m%d}/{region}/{_SERVICE}/aws4_request"
        text = "\n".join(
            [
                self._algorithm,
                fields["X-Amz-Date"],
                scope,
                hashlib.sha256(canonical.encode()).hexdigest(),
            ]
        )
        credential = f"{self.certificate.serial_number}/{scope}"
        signature = self._signature(text.encode()).hex()
        return {
            **fields,
            "Authorization": (
                f"{self._algorithm} Credential={credential}, SignedHeaders={signed}, "
                f"Signature={signature}"
            ),
        }

    @property
    def _is_rsa(self) -> bool:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

        return isinstance(self.key, RSAPrivateKey)

    @property
    def _algorithm(self) -> str:
        return f"AWS4-X509-{'RSA' if self._is_rsa else 'ECDSA'}-SHA256"

    def _signature(self, text: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import ec, padding
        from cryptography.hazmat.primitives.hashes import SHA256

        found: bytes = (
            self.key.sign(text, padding.PKCS1v15(), SHA256())
            if self._is_rsa
            else self.key.sign(text, ec.ECDSA(SHA256()))
        )
        return found


def common_name_of(certificate: str) -> str | None:
    """Return the common name of a certificate's subject, or None if it has none. The name
    distinguishes certificates of one authority in a trust policy.

    :raises InvalidConnection: if the certificate cannot be read.
    """
    from cryptography.x509.oid import NameOID

    found = _certificates(certificate)[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else None


def _certificates(text: str) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates

    try:
        found = load_pem_x509_certificates(text.encode())
    except ValueError:
        raise _refusal(_CERTIFICATE, "the certificate is not in PEM form", _PEM) from None
    if len(found) > _MOST:
        text = (
            f"the certificate is followed by {len(found) - 1} others; at most {_MOST - 1} are taken"
        )
        raise _refusal(
            _CERTIFICATE, text, "Leave out the certificate of the trust anchor and unrelated ones."
        )
    return found


def _text(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _refusal(path: str, text: str, hint: str) -> InvalidConnection:
    return InvalidConnection(
        f"the connection cannot be used: {text}", details=[Detail(path, text)], hint=hint
    )
