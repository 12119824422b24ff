"""Parser of address fields in messages encoded by other programs: folding, comments, groups, empty
elements, routes (RFC 5322).
"""

import re
from collections.abc import Iterator

from .addresses import AddressError, Mailbox, parse_mailbox

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_MARK = re.compile(r'\\.|["(),:;<>]', re.DOTALL)
_BLANKS = re.compile(r"(?<!\s)\s*+([.@])\s*+")
_ROUTE = re.compile(r"\A@[^<>\"]*:")
_UNCLOSED = {'"': '"', "<": ">", "(": ")"}


def read_address_field(text: str) -> tuple[Mailbox, ...]:
    """Return the mailboxes of a To or Cc field without their display names; a group yields its
    members.

    Raises `AddressError` for text that cannot be read as separate mailboxes.
    """
    plain = _without_comments(_FOLD.sub("", text.strip()).replace("\t", " "))
    return tuple([_bare(part) for part in _parts(plain) if part])


def _without_comments(text: str) -> str:
    kept: list[str] = []
    start = depth = 0
    quoted = False
    for match in _MARK.finditer(text):
        mark = match[0]
        if mark == '"' and not depth:
            quoted = not quoted
        elif mark == "(" and not quoted:
            kept += () if depth else (text[start : match.start()], " ")
            depth += 1
        elif mark == ")" and depth:
            depth -= 1
            start = match.end()
    if depth or quoted:
        raise AddressError(
            "contains an opening quote or bracket without its "
            f"{_UNCLOSED['(' if depth else chr(34)]!r}",
            text,
        )
    return "".join(kept) + text[start:]


def _parts(text: str) -> Iterator[str]:
    """Yield the parts between commas, without the names of groups."""
    start = 0
    quoted = bracketed = grouped = False
    for match in _MARK.finditer(text):
        mark = match[0]
        if mark == '"':
            quoted = not quoted
        elif quoted or mark[0] == "\\":
            continue
        elif mark in "<>":
            bracketed = mark == "<"
        elif not bracketed and mark in ",;:":
            part = text[start : match.start()].strip()
            start = match.end()
            if mark != ":":
                yield part
            elif grouped or "@" in part:
                raise AddressError("is not the name of a group (RFC 5322)", part)
            grouped = mark == ":" or (grouped and mark == ",")
    if bracketed:
        raise AddressError("contains an opening quote or bracket without its '>'", text)
    yield text[start:].strip()


def _bare(part: str) -> Mailbox:
    name, bracket, address = part.rpartition("<")
    if bracket and address.endswith(">"):
        address = _closed_up(_ROUTE.sub("", address[:-1].strip(), count=1))
        part = f"{name}<{address}>"
    else:
        part = _closed_up(part)
    mailbox = parse_mailbox(part)
    return Mailbox("", mailbox.local, mailbox.domain)


def _closed_up(address: str) -> str:
    """Remove the blanks that old syntax allows around dots and ``@``."""
    return address if '"' in address else _BLANKS.sub(r"\1", address.strip())
