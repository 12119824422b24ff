"""Mailboxes of address lists, as SES reads them."""

from __future__ import annotations

from collections.abc import Iterable


def split_mailboxes(text: str) -> list[str]:
    """Return the mailboxes of an address list. Commas inside quotes and angle brackets do not
    separate.
    """
    parts, start, quoted, angle, escaped = [], 0, False, False, False
    for position, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\" and quoted:
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "<>":
            angle = char == "<"
        elif char == "," and not quoted and not angle:
            parts.append(text[start:position])
            start = position + 1
    return [part.strip() for part in (*parts, text[start:])]


def address_of(mailbox: str) -> str:
    """Return the bare address: between the last angle brackets, or the whole text."""
    text = mailbox.strip()
    return text[text.rfind("<") + 1 : -1].strip() if text.endswith(">") and "<" in text else text


def addresses_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the bare addresses of address lists."""
    return tuple(address_of(mailbox) for text in texts for mailbox in split_mailboxes(text))
