"""Bodies and attachments of a message (RFC 2045 to 2049)."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message

from jackfield.kernel.dataclass import dataclass
from jackfield_imap.headers import decoded, raw_of, read

_MOST_PARTS = 500
"""Maximum number of a message's parts that are read: a long message could have many thousands."""


@dataclass(frozen=True, slots=True)
class Part:
    """Attachment of a message."""

    name: str
    content_type: str
    content: bytes
    content_id: str | None


def texts_of(message: Message) -> tuple[str | None, str | None]:
    """Return the first plain-text and the first HTML part that is no attachment; None for a missing
    one.
    """
    found: dict[str, str] = {}
    for part in _leaves(message):
        kind = part.get_content_type()
        if kind in {"text/plain", "text/html"} and kind not in found and not _is_attached(part):
            found[kind] = _text(part)
    return found.get("text/plain"), found.get("text/html")


def attachments_of(message: Message) -> list[Part]:
    """Return all parts other than the bodies."""
    taken: set[str] = set()
    found = []
    for part in _leaves(message):
        kind = part.get_content_type()
        if kind in {"text/plain", "text/html"} and kind not in taken and not _is_attached(part):
            taken.add(kind)
            continue
        found.append(
            Part(
                _name(part),
                kind,
                _content(part),
                raw_of(part, "Content-ID").strip().strip("<>") or None,
            )
        )
    return found


def _leaves(message: Message) -> Iterator[Message]:
    """Yield the parts without parts of their own. An attached message is yielded whole."""
    waiting, seen = [message], 0
    while waiting and seen < _MOST_PARTS:
        part, seen = waiting.pop(0), seen + 1
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            waiting = [*inner, *waiting]
        else:
            yield part


def _is_attached(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(_name(part))


def _name(part: Message) -> str:
    try:
        found = part.get_filename()
    except (LookupError, ValueError):
        return ""
    return decoded(found or "").replace("/", "_").replace("\\", "_").strip()[:255]


def _content(part: Message) -> bytes:
    inner = part.get_payload()
    if isinstance(inner, list):  # a message that is attached
        return b"".join(one.as_bytes() for one in inner if isinstance(one, Message))
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _text(part: Message) -> str:
    return read(_content(part), part.get_content_charset()).replace("\r\n", "\n")
