"""AES-256-GCM that binds each value to its place (NIST SP 800-38D; nonces are 96 random bits)."""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jackfield_store.database.faults import SealBroken

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_VERSION = 1
_HEADER = struct.Struct(">B8s12s")  # format version, data key id, nonce
_TAG = 16
_NONCE = 12


def bound(parts: Iterable[str]) -> bytes:
    """Encode ``parts`` as additional authenticated data.

    Each part follows its length in bytes (4, big-endian), so that no two lists give the same bytes.
    """
    pieces: list[bytes] = []
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        pieces += (len(encoded).to_bytes(4, "big"), encoded)
    return b"".join(pieces)


def cipher(key: bytes) -> AESGCM:
    """Return the cipher for a key of 32 bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def seal(aead: AESGCM, key_id: str, place: tuple[str, ...], plaintext: bytes) -> bytes:
    """Seal ``plaintext`` for ``place``: format version (1 byte), data key id (8), nonce (12),
    ciphertext, tag (16).
    """
    header = _HEADER.pack(_VERSION, bytes.fromhex(key_id), os.urandom(_NONCE))
    return header + aead.encrypt(header[-_NONCE:], plaintext, _context(header, place))


def key_id_of(sealed: bytes | memoryview | object) -> str:
    """Return the id of the data key that ``sealed`` needs; ``sealed`` may be any content of a
    damaged row.

    :raises SealBroken: if it is not a sealed value.
    """
    if (
        not isinstance(sealed, bytes | bytearray | memoryview)
        or len(sealed) < _HEADER.size + _TAG
        or sealed[0] != _VERSION
    ):
        raise broken()
    return bytes(sealed[1:9]).hex()


def unseal(aead: AESGCM, place: tuple[str, ...], sealed: bytes) -> bytes:
    """Decrypt a value sealed for ``place``.

    :raises SealBroken: if it was changed or sealed for another place.
    """
    header = bytes(sealed[: _HEADER.size])
    return _decrypted(
        aead, header[-_NONCE:], bytes(sealed[_HEADER.size :]), _context(header, place)
    )


def wrap(master: AESGCM, context: bytes, data_key: bytes) -> bytes:
    """Wrap a data key with a master key: nonce (12), ciphertext, tag (16). ``context`` is
    authenticated (``bound``).
    """
    nonce = os.urandom(_NONCE)
    return nonce + master.encrypt(nonce, data_key, context)


def unwrap(master: AESGCM, context: bytes, wrapped: bytes) -> bytes:
    """Unwrap a data key.

    :raises SealBroken: if it was changed, or wrapped in another context.
    """
    return _decrypted(master, bytes(wrapped[:_NONCE]), bytes(wrapped[_NONCE:]), context)


def broken() -> SealBroken:
    """Return the error for a value that cannot be opened."""
    return SealBroken(
        "a sealed value cannot be decrypted: it was changed, or moved to another place",
        hint="Run 'jackfield db check'; restore a backup, or enter the connection's secrets again.",
    )


def _context(header: bytes, place: tuple[str, ...]) -> bytes:
    return header[:-_NONCE] + bound(("jackfield sealed", *place))


def _decrypted(aead: AESGCM, nonce: bytes, ciphertext: bytes, context: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        return aead.decrypt(nonce, ciphertext, context)
    except (InvalidTag, ValueError):
        raise broken() from None


def new_secret() -> str:
    """Return 256 random bits as text."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return the SHA-256 of a secret in hexadecimal, which is stored in place of the secret. For
    256 random bits, a slow hash is unnecessary.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
