"""Display of a message that the local AWS simulator accepted, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jackfield_aws_ses.demo.aws.messages import SentMessage, decoded

__all__ = ["message_json", "message_rows"]


def message_json(message: SentMessage) -> dict[str, Any]:
    """Return the message without its texts and the attachments' bytes."""
    members: dict[str, Any] = {
        "MessageId": message.message_id,
        "form": message.kind.title(),
        "from": decoded(message.source),
        "to": _decoded(message.to),
        "cc": _decoded(message.cc),
        "bcc": _decoded(message.bcc),
        "replyTo": _decoded(message.reply_to),
        "subject": message.subject,
        "parts": [{"contentType": kind, "bytes": size} for kind, size in _texts(message)],
        "attachments": [
            {"name": item.name, "contentType": item.content_type.partition(";")[0], "bytes": item.size} for item in message.attachments
        ],
    }
    return {name: value for name, value in members.items() if value != []}


def message_rows(message: SentMessage) -> Iterable[tuple[str, str]]:
    """Return labels and non-empty values."""
    shown = message_json(message)
    bcc = "; ".join(shown.get("bcc", ()))
    rows = (
        ("From", shown["from"]),
        ("To", "; ".join(shown.get("to", ()))),
        ("Cc", "; ".join(shown.get("cc", ()))),
        ("Bcc", bcc and f"{bcc}  (envelope only)"),
        ("Reply-To", "; ".join(shown.get("replyTo", ()))),
        ("Subject", message.subject),
        *(("Part", f"{part['contentType']}, {part['bytes']:,} bytes") for part in shown.get("parts", ())),
        *(("Attachment", f"{item['name']}, {item['contentType']}, {item['bytes']:,} bytes") for item in shown.get("attachments", ())),
        ("MessageId", message.message_id),
    )
    return ((label, value) for label, value in rows if value)


def _decoded(values: Iterable[str]) -> list[str]:
    return [decoded(value) for value in values]


def _texts(message: SentMessage) -> Iterable[tuple[str, int]]:
    found = (("text/plain", message.text), ("text/html", message.html))
    return ((kind, len(text.encode("utf-8", "replace"))) for kind, text in found if text is not None)
