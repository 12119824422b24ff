"""Public keys that verify webhooks whose provider signs with its own private key: ECDSA with
SHA-256, and Ed25519.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from jackfield.connector.models import DeclarationError

_LONGEST = 2000
_PEM = re.compile(r"-----(BEGIN|END) PUBLIC KEY-----")
_BYTES = 32

Algorithm = Literal["ecdsa", "ed25519"]


def check_public_key(algorithm: str, text: str) -> None:
    """Check a public key as entered: base64 or PEM of X.509's form; of Ed25519, also its 32 bytes
    in hex or base64.

    :raises DeclarationError: if the text is not a public key of the algorithm.
    """
    if _read(algorithm, text) is None:
        raise DeclarationError("it must be the provider's public key, as the provider shows it")


def fits(algorithm: str, key: str, signature: bytes, text: bytes) -> bool:
    """Return whether a signature of a text was made with the private key that belongs to a public
    key.
    """
    public = _read(algorithm, key)
    try:
        if isinstance(public, EllipticCurvePublicKey):
            public.verify(signature, text, ECDSA(SHA256()))
        elif isinstance(public, Ed25519PublicKey):
            public.verify(signature, text)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def sign_from(algorithm: str, seed: str, text: bytes) -> bytes:
    """Sign a sample with the private key that is derived from a seed."""
    return (
        _elliptic(seed).sign(text, ECDSA(SHA256()))
        if algorithm == "ecdsa"
        else _edwards(seed).sign(text)
    )


def public_key_from(algorithm: str, seed: str, encoding: str) -> str:
    """Return the public key of the private key that is derived from a seed, in the form of
    providers: Ed25519's as ``hex`` or ``base64``.
    """
    if algorithm == "ecdsa":
        return b64encode(
            _elliptic(seed)
            .public_key()
            .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode()
    raw = _edwards(seed).public_key().public_bytes_raw()
    return raw.hex() if encoding == "hex" else b64encode(raw).decode()


def _read(algorithm: str, text: str) -> object | None:
    """Return a public key; None if the text is not a key of the algorithm."""
    plain = "".join(_PEM.sub("", text[:_LONGEST]).split())
    try:
        octets = (
            bytes.fromhex(plain) if len(plain) == 2 * _BYTES else b64decode(plain, validate=True)
        )
        found = (
            Ed25519PublicKey.from_public_bytes(octets)
            if len(octets) == _BYTES
            else load_der_public_key(octets)
        )
    except (NotBase64, ValueError, UnsupportedAlgorithm):
        return None
    return (
        found
        if isinstance(found, EllipticCurvePublicKey if algorithm == "ecdsa" else Ed25519PublicKey)
        else None
    )


def _elliptic(seed: str) -> EllipticCurvePrivateKey:

    return derive_private_key(
        int.from_bytes(hashlib.sha256(seed.encode()).digest()[:31], "big") + 1, SECP256R1()
    )


def _edwards(seed: str) -> Ed25519PrivateKey:

    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())
