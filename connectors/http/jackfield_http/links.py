"""Scanner of the header field ``Link`` (RFC 8288 §3): targets in angle brackets, each with parameters whose values may be quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TARGET = re.compile(r"[\s,]*<([^<>]*)>")
_PARAMETER = re.compile(r"\s*;\s*(?:([^\s=;,\"<>]+)\s*(?:=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"<>]*)))?)?")
_BLANK = " \t,;"
_ESCAPED = re.compile(r"\\(.)")
_REST = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\"|[^\",])*,?")
"""What is left of a link that is not well formed, up to the comma that ends it; a comma in a quoted string does not."""


def link_target(value: str, rel: str) -> str | None:
    """Return the target of the first link with a relation, in ASCII; None if there is none."""
    for target, relations in _links(value):
        if target is not None and rel in relations:
            return octets_encoded(target)
    return None


def is_malformed(value: str) -> bool:
    """Return whether a part of the field cannot be read, so that it may hide a relation."""
    return any(target is None for target, _ in _links(value))


def octets_encoded(address: str) -> str:
    """Percent-encode the octets outside ASCII of an address in a header field, as browsers do."""
    return "".join(one if one.isascii() else f"%{ord(one):02X}" for one in address)


def _links(value: str) -> Iterator[tuple[str | None, list[str]]]:
    """Yield the targets of a field with their relations; of several ``rel`` of one link, the first counts. None is no link."""
    at = 0
    while at < len(value):
        found = _TARGET.match(value, at)
        if found is None:
            before, at = at, max(_end(value, at), at + 1)
            if value[before:at].strip(_BLANK):
                yield None, []
            continue
        at, relations = found.end(), None
        while (parameter := _PARAMETER.match(value, at)) is not None:
            at = parameter.end()
            if relations is None and (parameter[1] or "").lower() == "rel":
                quoted, token = parameter[2], parameter[3]
                relations = (token or "") if quoted is None else _ESCAPED.sub(r"\1", quoted)
        yield found[1].strip(), (relations or "").lower().split()
        before, at = at, _end(value, at)
        if value[before:at].strip(_BLANK):
            yield None, []


def _end(value: str, at: int) -> int:
    """Return where the next link may begin."""
    found = _REST.match(value, at)
    return at if found is None else found.end()
