"""A private certificate authority, for code that calls hosts with TLS through a provider on
loopback as its proxy.
"""

from __future__ import annotations

import json
import os
import ssl
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jackfield.wire.tls import ConnectedSocket

_DAY = timedelta(days=1)
_BUNDLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "HTTPLIB2_CA_CERTS",
)
"""Environment variables that name a file of trusted certificate authorities."""
_NODE = Path(__file__).parent / "node" / "proxied.cjs"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


class Authority:
    """Certificate authority for any names. ``bundle`` is the file with its own certificate, for
    programs that must trust it.
    """

    def __init__(self, folder: Path, name: str = "Authority of a test") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        made = self._begun(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        made = made.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
        )
        signed = made.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.bundle = folder / f"{name.replace(' ', '-')}.pem"
        self.bundle.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def environment(self, url: str) -> Mapping[str, str]:
        """Return the environment variables with which programs use ``url`` as their proxy, and
        trust its certificates.
        """
        node = f"{os.environ.get('NODE_OPTIONS', '')} --require={json.dumps(str(_NODE))}".strip()
        variables = dict.fromkeys(_PROXIES, url) | dict.fromkeys(_BUNDLES, str(self.bundle))
        return variables | {"NO_PROXY": "", "no_proxy": "", "NODE_OPTIONS": node}

    def serving(self, *names: str, days: int = 1) -> ssl.SSLContext:
        """Return the TLS context of a server with a certificate for ``names`` (host names or
        addresses), valid for ``days`` from now.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sslsocket_class = ConnectedSocket
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(self.pem(*names, days=days))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def pem(self, *names: str, days: int = 1) -> bytes:
        """Return a private key and its certificate for ``names``, for servers outside this
        process.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        leaf = self._begun(x509.Name([]), key, days).add_extension(alternatives, critical=True)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        leaf = leaf.add_extension(issuer, critical=False)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return pem + leaf.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _begun(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        begun = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
        )
        return (
            begun.serial_number(x509.random_serial_number())
            .not_valid_before(now - 9 * _DAY)
            .not_valid_after(now + days * _DAY)
        )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name)
