"""A private certificate authority, for code that calls hosts with TLS through the provider in between as its proxy."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)
_BUNDLES = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "HTTPLIB2_CA_CERTS",
)  # fmt: skip
"""Variables by which programs are told whom to believe."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


class Authority:
    """Issues certificates for any host. It is made anew for each proof, and believed only by what is run for it."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jackfield prove")])
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.bundle = folder / "authority.pem"
        self.bundle.write_bytes(self._own.public_bytes(serialization.Encoding.PEM))

    @cached_property
    def _own(self) -> x509.Certificate:
        usage = x509.KeyUsage(
            digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
            key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        made = self._begun(self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        return made.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        begun = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        return begun.serial_number(x509.random_serial_number()).not_valid_before(now - _DAY).not_valid_after(now + _DAY)

    def environment(self, url: str) -> Mapping[str, str]:
        """Return the variables by which programs call everybody through ``url``, and believe it."""
        return dict.fromkeys(_PROXIES, url) | dict.fromkeys(_BUNDLES, str(self.bundle)) | {"NO_PROXY": "", "no_proxy": ""}

    def serving(self, host: str) -> ssl.SSLContext:
        """Return what a server needs to be believed to be ``host``."""
        if host not in self._contexts:
            self._contexts[host] = self._made(host)
        return self._contexts[host]

    def _made(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._begun(x509.Name([]), key).add_extension(x509.SubjectAlternativeName([_named(host)]), critical=True)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = leaf.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        file, name = tempfile.mkstemp(suffix=".pem")
        try:
            with os.fdopen(file, "wb") as chain:
                chain.write(pem + signed.public_bytes(serialization.Encoding.PEM))
            context.load_cert_chain(name)
        finally:
            os.unlink(name)
        return context


def _named(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)
