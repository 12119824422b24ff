"""Parser of the header field ``Link`` (RFC 8288 §3): targets in angle brackets, each with
parameters whose values may be quoted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_TARGET = re.compile(r"[\s,]*+<([^<>]*+)>")
_PARAMETER = re.compile(
    r"\s*+;\s*+(?:([^\s=;,\"<>]++)\s*+(?:=\s*+(?:\"((?>(?:[^\"\\]|\\.)*))\"|([^\s;,\"<>]*+)))?)?"
)
_BLANK = " \t,;"
_ESCAPED = re.compile(r"\\(.)")
_REST = re.compile(r"(?>(?:\"(?>(?:[^\"\\]|\\.)*)(?:\"|\\?\Z)|[^\",])*)(?:,[\s,]*+)?")
"""Regular expression of the rest of a malformed link, up to the commas that end the link; commas in
quoted strings are skipped, and an unterminated string takes the rest.

Each expression here goes on where the one before has ended, so that the time is linear.
"""


def link_target(value: str, rel: str, is_own: Callable[[str], bool] | None = None) -> str | None:
    """Return the target of the first link with the relation ``rel``, in ASCII; None without such a
    link.

    A link with an ``anchor`` describes the resource at the anchor (§3.2). It counts only if
    ``is_own`` accepts the anchor, or the anchor is a fragment of the response.
    """
    for target, relations, anchor in _links(value):
        context = (anchor or "").partition("#")[0]
        if (
            target
            and rel in relations
            and (not context or (is_own is not None and is_own(context)))
        ):
            return octets_encoded(target)
    return None


def is_malformed(value: str | None) -> bool:
    """Return whether a part of the field cannot be parsed, and may hide a relation; True for None,
    the value of a field that is too long.
    """
    return value is None or any(not target for target, _, _ in _links(value))


def octets_encoded(address: str) -> str:
    """Percent-encode the octets outside ASCII of an address in a header field, and spaces, as
    browsers do.
    """
    return "".join(one if one.isascii() and one != " " else f"%{ord(one):02X}" for one in address)


def _links(value: str) -> Iterator[tuple[str | None, list[str], str | None]]:
    """Yield each link's target with its relations and anchor; the target is None for a malformed
    link. The first of repeated parameters counts.

    Sentry adds a link to the next page even on the last page, with ``results="false"``: such a link
    yields no relation.
    """
    at = 0
    while at < len(value):
        found = _TARGET.match(value, at)
        if found is None:
            before, at = at, max(_end(value, at), at + 1)
            if value[before:at].strip(_BLANK):
                yield None, [], None
            continue
        at, known = found.end(), dict[str, str]()
        while (parameter := _PARAMETER.match(value, at)) is not None:
            at, (name, quoted, token) = parameter.end(), parameter.groups()
            known.setdefault(
                (name or "").lower(),
                (token or "").strip("'") if quoted is None else _ESCAPED.sub(r"\1", quoted),
            )
        relations = [] if known.get("results") == "false" else known.get("rel", "").lower().split()
        yield found[1].strip(), relations, known.get("anchor")
        before, at = at, _end(value, at)
        if value[before:at].strip(_BLANK):
            yield None, [], None


def _end(value: str, at: int) -> int:
    """Return the position at which the next link may begin."""
    found = _REST.match(value, at)
    return at if found is None else found.end()
