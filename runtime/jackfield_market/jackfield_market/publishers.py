"""Publishers' Ed25519 keys: a private key file for signing, and a public key file that operators
trust.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.wheels import read_bounded

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_NAME = 64
_MAX_FILE = 64 * 1024
_KEY_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publisher's name and public key (32 bytes). ``key_id`` is derived from the key, so that
    nobody can claim another's.
    """

    name: str
    public_key: bytes

    @property
    def key_id(self) -> str:
        """First 32 hexadecimal digits of the public key's SHA-256."""
        return hashlib.sha256(self.public_key).hexdigest()[:32]

    def to_json(self) -> dict[str, str]:
        """Return the content of a public key file."""
        return {
            "publisher": self.name,
            "keyId": self.key_id,
            "publicKey": base64.b64encode(self.public_key).decode("ascii"),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Publisher:
        """Read the members of a public key file.

        :raises ValueError: if a member is missing or wrong, or the key id does not belong to the
            key.
        """
        name = data.get("publisher")
        if not isinstance(name, str) or not is_publisher_name(name):
            raise ValueError("'publisher' must be kebab-case, such as acme-labs")
        found = Publisher(name, _key_bytes(data, "publicKey"))
        if data.get("keyId") != found.key_id:
            raise ValueError("'keyId' does not belong to 'publicKey'")
        return found

    def accepts(self, signature: bytes, content: bytes) -> bool:
        """Return whether this key made ``signature`` over ``content``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, content)
        except (InvalidSignature, ValueError):  # ValueError: not a point of the curve
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Publisher with its private key, which ``repr`` omits."""

    publisher: Publisher
    _private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.publisher.name!r}, {self.publisher.key_id!r})"

    def sign(self, content: bytes) -> bytes:
        """Return the Ed25519 signature over ``content``."""
        return self._private.sign(content)


def is_publisher_name(name: str) -> bool:
    """Return whether ``name`` can name a publisher: kebab-case, at most 64 characters."""
    return len(name) <= _MAX_NAME and _NAME.fullmatch(name) is not None


def new_publisher(name: str, path: str) -> Publisher:
    """Generate a key, and write it to ``path`` (mode 0600) and its public part to ``path``.pub;
    overwrite nothing.

    :raises InvalidInvocation: if the name is not valid, or a file exists or cannot be written.
    """
    if not is_publisher_name(name):
        raise InvalidInvocation(
            f"'{name[:80]}' cannot name a publisher",
            hint="Use kebab-case of at most 64 characters, such as acme-labs.",
        )
    if os.path.lexists(f"{path}.pub"):
        raise _exists(f"{path}.pub")
    private = Ed25519PrivateKey.generate()
    found = Publisher(name, private.public_key().public_bytes_raw())
    secret = base64.b64encode(private.private_bytes_raw()).decode("ascii")
    _write_new(path, {**found.to_json(), "privateKey": secret}, 0o600)
    _write_new(f"{path}.pub", found.to_json(), 0o644)
    return found


def read_signing_key(path: str) -> SigningKey:
    """Read a private key file.

    :raises InvalidInvocation: if the file cannot be read, is not valid, or can be read by other
        users.
    """
    data = _load_document(path, "key file")
    if os.name == "posix" and os.stat(path).st_mode & _OTHERS:
        raise InvalidInvocation(
            f"the key file '{path}' can be read by other users", hint=f"Run: chmod 600 '{path}'"
        )
    try:
        publisher = Publisher.from_json(data)
        private = Ed25519PrivateKey.from_private_bytes(_key_bytes(data, "privateKey"))
    except ValueError as error:
        raise _invalid(path, "key file", str(error)) from None
    if private.public_key().public_bytes_raw() != publisher.public_key:
        raise _invalid(path, "key file", "'publicKey' does not belong to 'privateKey'")
    return SigningKey(publisher, private)


def read_publisher(path: str) -> Publisher:
    """Read a public key file, which ``new_publisher`` writes next to the private one.

    :raises InvalidInvocation: if the file cannot be read or is not valid.
    """
    try:
        return Publisher.from_json(_load_document(path, "public key file"))
    except ValueError as error:
        raise _invalid(path, "public key file", str(error)) from None


def _key_bytes(data: Mapping[str, Any], name: str) -> bytes:
    text = data.get(name)
    try:
        found = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != _KEY_BYTES:
        raise ValueError(f"'{name}' must be {_KEY_BYTES} bytes in base64")
    return found


def _load_document(path: str, noun: str) -> Mapping[str, Any]:
    try:
        data = json.loads(read_bounded(path, _MAX_FILE))
    except (ValueError, RecursionError):
        raise _invalid(path, noun, "it is not JSON") from None
    if not isinstance(data, dict):
        raise _invalid(path, noun, "it is not a JSON object")
    return data


def _write_new(path: str, value: Mapping[str, str], mode: int) -> None:
    try:
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8"
        ) as file:
            file.write(json.dumps(value, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise _exists(path) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidInvocation(f"the file '{path}' cannot be written: {reason}") from None


def _exists(path: str) -> InvalidInvocation:
    return InvalidInvocation(
        f"the file '{path}' exists, and keys are never overwritten",
        hint="Choose another name with --out.",
    )


def _invalid(path: str, noun: str, reason: str) -> InvalidInvocation:
    return InvalidInvocation(
        f"the {noun} '{path}' is not valid: {reason}",
        hint="Make one with 'jackfield publisher new NAME --out KEYFILE'.",
    )
