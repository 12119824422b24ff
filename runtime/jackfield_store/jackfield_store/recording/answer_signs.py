"""Signs that the answer to a read comes from the right source: not from a cache, a gateway or
another server, and as a plain success.

The signs are in the exchanges of a look. A read that does not use HTTP has none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jackfield.connector.meanings import (
    FROM_CACHE,
    MISSING,
    NOT_OK,
    UNSOUND,
    Response,
    meaning_of,
)
from jackfield.kernel.codings import decoded
from jackfield.wire.head import field_of

if TYPE_CHECKING:
    from jackfield.wire.exchanges import Exchange

_LONGEST = 1024 * 1024
"""Maximum bytes of a decoded body in which a failure is searched."""
_REDIRECTS = range(300, 400)
_PASSING = (b"retry-after", b"www-authenticate")
"""Header fields that attribute a refusal to the caller, or to the present time."""
_STORED = frozenset({"GET", "HEAD"})
"""Methods of HTTP whose answers caches store."""
_APART = 60.0
"""Minimum difference in seconds between the times of two answers, by their servers' clocks, that
shows that one was cached: a look takes 15.
"""


def strays(seen: Sequence[Exchange]) -> str | None:
    """Return a text if a read was redirected to another server, whose data prove nothing; None if
    it was not.
    """
    moved = any(one.status in _REDIRECTS for one in seen)
    return (
        "its answer came from another server, to which it was redirected"
        if moved and len({*map(_origin, seen)}) > 1
        else None
    )


def unsound_success(seen: Sequence[Exchange]) -> str | None:
    """Return the reason why the answers to a read are no plain success; None if they are plain
    successes.
    """
    read = [_response(one) for one in seen]
    for one in read:
        if (sign := meaning_of(one, NOT_OK)) is not None:
            return sign.says.format(status=one.status)
    found = (sign for one in read if (sign := meaning_of(one, UNSOUND)) is not None)
    return next((sign.says for sign in found), None)


def is_new(seen: Sequence[Exchange], fresh: str) -> bool:
    """Return whether no cache can have answered a read. Each of its requests has a text in its
    address that no request had before, or a method whose answers are not stored (RFC 9111 §4).
    """
    return all(one.method not in _STORED or fresh in one.url for one in seen)


def unsound_absence(missing: Sequence[Exchange], canary: Sequence[Exchange]) -> str | None:
    """Return the reason why the answer that the object does not exist may come from another API
    than the canary's answer; None without such a reason.
    """
    if not (missing and canary):
        return None
    said, known = missing[-1], canary[-1]
    moved = len({*map(_origin, (*missing, *canary))}) > 1 or any(
        one.status in _REDIRECTS for one in missing
    )
    names = {name.lower() for name, _ in said.fields}
    odd = next((name.decode() for name in _PASSING if name in names), None)
    signs = (
        (moved, "it came from another server than the canary's answer"),
        (meaning_of(_response(said), FROM_CACHE) is not None, "a cache has answered"),
        (
            _are_apart(said, known),
            "its answer is of another time than the canary's, so that one was kept",
        ),
        (odd is not None, f"its answer has the field {odd}, so it is about now, or about who asks"),
        (
            said.answer.size > 0 and _kind(said) != _kind(known),
            "its answer has another content type than the canary's",
        ),
        (
            _software(said) != _software(known),
            "its answer came from other software than the canary's",
        ),
    )
    return next((told for found, told in signs if found), None)


def _origin(one: Exchange) -> tuple[str, str]:
    parts = urlsplit(one.url)
    return parts.scheme, parts.netloc


def _software(one: Exchange) -> tuple[str | None, int]:
    """Return the server, and the number of proxies that the answer has passed; their names may
    differ from answer to answer.
    """
    via = field_of(one.fields, b"via")
    return field_of(one.fields, b"server"), 0 if not via else via.count(",") + 1


def _are_apart(one: Exchange, other: Exchange) -> bool:
    """Return whether two answers of one look were made at different times; False if either has no
    time.
    """
    times = [moment for moment in (_made_at(one), _made_at(other)) if moment is not None]
    return len(times) > 1 and abs(times[0] - times[1]) > _APART


def _made_at(one: Exchange) -> float | None:
    try:
        return parsedate_to_datetime(field_of(one.fields, b"date") or "").timestamp()
    except (ValueError, OverflowError):
        return None


def _kind(one: Exchange) -> str:
    """Return the media type; all types of JSON count as one."""
    found = (field_of(one.fields, b"content-type") or "").partition(";")[0].strip().lower()
    return "json" if found.endswith(("/json", "+json")) else found


def _response(one: Exchange) -> Response:
    fields = [
        (name.decode("latin-1").lower(), value.decode("latin-1").strip())
        for name, value in one.fields
    ]
    return Response(one.status, fields, body=_json(one))


def _json(one: Exchange) -> Any:
    """Return the body as JSON; ``MISSING`` if it is not JSON, or too long to have been stored."""
    kept = one.answer.beginning
    plain = (
        None
        if kept is None or one.answer.size > len(kept)
        else decoded(kept, field_of(one.fields, b"content-encoding") or "", _LONGEST)
    )
    try:
        return json.loads(plain) if plain else MISSING
    except (ValueError, RecursionError):
        return MISSING
