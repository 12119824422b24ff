"""Attestations: a publisher's signed statement of a wheel's bytes. The file
``WHEEL.attestation.json`` stands next to the wheel.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jackfield.kernel.canonical import canonical
from jackfield.kernel.errors import Detail, InvalidInvocation, NotAllowed
from jackfield.kernel.pointers import pointer
from jackfield_market.files import write_file
from jackfield_market.publishers import Publisher, SigningKey
from jackfield_market.wheels import Wheel, read_bounded

SUFFIX = ".attestation.json"
"""Suffix of the file next to the wheel."""
TYPE = "jackfield/attestation/1"
"""Type of the statement. It is signed too, so that a signature cannot be used for another kind of
document.
"""
MAX_BYTES = 64 * 1024
"""Maximum size of an attestation, in bytes."""
_MEMBERS = ("type", "name", "version", "wheel", "sha256", "publisher", "keyId", "signedAt")


class NotVerified(NotAllowed):
    """Failed verification: a wheel does not match its attestation, or its publisher is not
    accepted. ``rule`` names the mismatch.
    """

    def __init__(self, rule: str, message: str, place: str = "") -> None:
        super().__init__(
            message,
            details=[Detail(place, message, rule)],
            hint="Do not install it. Get wheel and attestation anew from the publisher.",
        )
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Verified:
    """Statement that matches its wheel. ``trusted`` is False if only the attestation itself vouches
    for the publisher's key.
    """

    publisher: Publisher
    statement: Mapping[str, str]
    trusted: bool

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``jackfield verify``."""
        about = {name: self.statement[name] for name in _MEMBERS if name != "type"}
        return {"verified": True, "trusted": self.trusted, **about}


def attest(wheel: Wheel, key: SigningKey, at: datetime | None = None) -> dict[str, Any]:
    """Return the attestation of ``wheel`` by the publisher of ``key``; ``at`` is the time of
    signing (default: now).
    """
    signed = (at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    publisher = key.publisher
    values = (
        TYPE,
        wheel.name,
        wheel.version,
        wheel.file,
        wheel.sha256,
        publisher.name,
        publisher.key_id,
        signed,
    )
    statement = dict(zip(_MEMBERS, values, strict=True))
    signature = base64.b64encode(key.sign(_signed_bytes(statement))).decode("ascii")
    return {
        "statement": statement,
        "publicKey": publisher.to_json()["publicKey"],
        "signature": signature,
    }


def sign_wheel(path: str, wheel: Wheel, key: SigningKey) -> Mapping[str, Any]:
    """Write the attestation of ``wheel``, which is at ``path``, next to the wheel, and return it.

    An attestation of the same key for the same bytes stays unchanged, so that signing again changes
    no file.

    :raises InvalidInvocation: if the attestation cannot be written.
    """
    beside = f"{path}{SUFFIX}"
    try:
        attestation = read_attestation(read_bounded(beside, MAX_BYTES))
        verify(wheel, attestation, [key.publisher])
    except (InvalidInvocation, NotVerified):
        attestation = attest(wheel, key)
        write_file(beside, (json.dumps(attestation, indent=2) + "\n").encode())
    return attestation


def read_attestation(content: bytes) -> Mapping[str, Any]:
    """Parse an attestation file.

    :raises NotVerified: if the file is not an attestation.
    """
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = None
    statement = data.get("statement") if isinstance(data, dict) else None
    if (
        not isinstance(data, dict)
        or not isinstance(statement, dict)
        or set(data) != {"statement", "publicKey", "signature"}
    ):
        raise NotVerified(
            "attestation",
            "the attestation must have the members statement, publicKey and signature",
        )
    if (
        set(statement) != set(_MEMBERS)
        or not all(isinstance(value, str) for value in statement.values())
        or statement["type"] != TYPE
    ):
        raise NotVerified(
            "attestation",
            f"the attestation's statement must be of type '{TYPE}' with its members",
            "/statement",
        )
    return data


def verify(
    wheel: Wheel, attestation: Mapping[str, Any], publishers: Sequence[Publisher] = ()
) -> Verified:
    """Verify that one of ``publishers`` attested exactly this wheel. Without publishers, the
    attestation's own key is used, and the result is untrusted.

    :raises NotVerified: if the signature, the publisher or a member of the statement does not
        match; the error names it.
    """
    found = verify_digest(wheel.file, wheel.sha256, attestation, publishers)
    _compare(found.statement, {"name": wheel.name, "version": wheel.version})
    return found


def verify_digest(
    file: str, sha256: str, attestation: Mapping[str, Any], publishers: Sequence[Publisher] = ()
) -> Verified:
    """Verify an attestation by a file's name and hash, so that no archive is opened before an
    accepted publisher has signed it.

    :raises NotVerified: if the attestation does not match, as for ``verify``.
    """
    statement = attestation["statement"]
    publisher = _claimed(attestation)
    if not publisher.accepts(_decoded(attestation["signature"]), _signed_bytes(statement)):
        raise NotVerified(
            "signature",
            "the attestation was altered: its signature does not fit its statement",
            "/signature",
        )
    if publishers and publisher not in publishers:
        accepted = ", ".join(f"'{one.name}' ({one.key_id})" for one in publishers)
        message = (
            f"the wheel is signed by '{publisher.name}' ({publisher.key_id}), not by {accepted}"
        )
        raise NotVerified("publisher", message, "/statement/publisher")
    _compare(statement, {"sha256": sha256, "wheel": file})
    return Verified(publisher, statement, trusted=bool(publishers))


def _compare(statement: Mapping[str, str], actual: Mapping[str, str]) -> None:
    for member, value in actual.items():
        if statement[member] != value:
            message = (
                f"the wheel does not match its attestation: {member} is '{value}', attested "
                f"is '{statement[member][:200]}'"
            )
            raise NotVerified(member, message, pointer("statement", member))


def _claimed(attestation: Mapping[str, Any]) -> Publisher:
    statement = attestation["statement"]
    about = {
        "publisher": statement["publisher"],
        "keyId": statement["keyId"],
        "publicKey": attestation["publicKey"],
    }
    try:
        return Publisher.from_json(about)
    except ValueError as error:
        raise NotVerified(
            "publisher",
            f"the attestation's publisher is not valid: {error}",
            "/statement/publisher",
        ) from None


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _signed_bytes(statement: Mapping[str, str]) -> bytes:
    return b"".join(canonical(statement))
