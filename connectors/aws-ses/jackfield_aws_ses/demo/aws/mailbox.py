"""Addresses as SES judges them. Error texts as seen in public reports of SES, where one is known."""

from __future__ import annotations

import re

from jackfield_aws_ses.demo.aws.refusals import invalid

__all__ = ["address_of", "check_mailboxes", "split_mailboxes"]

_DOMAIN = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f.:A-Za-z]+\]")
_LOCAL = re.compile(r"[!-~]+")


def split_mailboxes(text: str) -> list[str]:
    """Return the mailboxes of an address list: commas count outside quotes and angle brackets only."""
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


def check_mailboxes(text: str) -> int:
    """Check every mailbox of one value and count them.

    :raises Refusal: InvalidParameterValue (BadRequestException in version 2) for an address that SES does not take.
    """
    mailboxes = split_mailboxes(text)
    for mailbox in mailboxes:
        _check_address(address_of(mailbox))
    return len(mailboxes)


def _check_address(address: str) -> None:
    local, _, domain = address.rpartition("@")
    if not local or not domain:
        raise invalid("Missing final '@domain'")
    if local.startswith('"') and local.endswith('"'):
        local = local.strip('"').replace(" ", "")
    if not _LOCAL.fullmatch(local):
        raise invalid("Local address contains control or whitespace")
    if ".." in domain:
        raise invalid("Domain contains dot-dot")
    if domain.startswith(".") or domain.endswith("."):
        raise invalid(f"Domain {'starts' if domain.startswith('.') else 'ends'} with dot")
    if not _DOMAIN.fullmatch(domain):
        raise invalid("Domain contains illegal character")
