"""Inputs that several actions share, and names of flags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jackfield.connector import Field

TEXT: dict[str, Any] = {
    "minLength": 1,
    "maxLength": 1000,
    "pattern": "^[^\\u0000-\\u001f\\u007f]+$",
}
MOST_UIDS = 1000
UID: dict[str, Any] = {"minimum": 1, "maximum": 2**32 - 1}
KEYWORD: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9$_.-]{1,64}$"}
_SYSTEM = {
    "seen": b"\\Seen",
    "answered": b"\\Answered",
    "flagged": b"\\Flagged",
    "draft": b"\\Draft",
    "deleted": b"\\Deleted",
}
"""System flags (RFC 9051, section 2.3.2) by their names in inputs and outputs."""
_NAMES = {flag.lower(): name for name, flag in _SYSTEM.items()}


def mailbox_field(
    description: str = "The mailbox's name, as the server writes it.", default: Any = "INBOX"
) -> Any:
    """Declare the input for a mailbox."""
    return Field(
        default,
        title="Mailbox",
        description=description,
        blank="absent" if default is not ... else None,
        examples=["INBOX", "Archive/2026"],
        schema=TEXT,
    )


def uids_field(what: str) -> Any:
    """Declare the input for messages' UIDs."""
    return Field(
        title="UIDs",
        description=f"UIDs of the messages {what}. Those that are not there are listed in the output.",
        examples=[[4711]],
        schema={"minItems": 1, "maxItems": MOST_UIDS, "items": {"type": "integer", **UID}},
    )


def validity_field() -> Any:
    """Declare the input for the UID validity of the search that found the UIDs."""
    return Field(
        None,
        title="UID Validity",
        blank="absent",
        schema=UID,
        description=(
            "'uidValidity' of the search that found the UIDs: if the server has numbered "
            "messages anew since, nothing is done."
        ),
    )


def flags_of(names: Iterable[str]) -> list[bytes]:
    """Convert names in inputs to IMAP flags; any name but a system flag's is a keyword."""
    return [_SYSTEM.get(name) or name.encode("ascii") for name in names]


def names_of(flags: Iterable[bytes]) -> tuple[str, ...]:
    """Convert IMAP flags to their names in outputs, sorted."""
    return tuple(
        sorted(_NAMES.get(flag.lower()) or flag.decode("ascii", "replace") for flag in flags)
    )
