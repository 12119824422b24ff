"""Header fields: names and values that cannot break out of their line, and a look-up that ignores
case.
"""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import Any

from jackfield.connector import InvalidInput, Sent, parsable_field
from jackfield_http import rate_limits
from jackfield_http.links import link_target

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Header fields that frame a message or belong to one hop; only the client sets them (RFC 9110
§7.6.1, §11.7; RFC 7540 §3.2.1).
"""


class Headers(Mapping[str, str]):
    """Header fields of a response; names ignore case, repeated fields are joined by commas."""

    def __init__(self, fields: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._fields: dict[str, str] = {}
        for raw_name, raw_value in fields:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            self._fields[name] = f"{self._fields[name]}, {value}" if name in self._fields else value

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a field for a parser: ``default`` if the field is missing, or too
        long to be parsed.
        """
        found = self._fields.get(name.lower())
        if found is not None:  # most fields that are asked for are missing
            found = parsable_field(found)
        return default if found is None else found

    def items(self) -> ItemsView[str, str]:
        """Return the names, in lower case, and the values."""
        return self._fields.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def first(self, *names: str) -> str | None:
        """Return the value of the first of these fields that is neither missing nor empty; None if
        all are.
        """
        for name in names:
            value = self._fields.get(name.lower())
            if value and parsable_field(value):
                return value
        return None

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait: ``Retry-After`` as seconds or as a date, otherwise the reset of an
        exhausted rate limit. A day at most; None if no field states a time.
        """
        return rate_limits.wait(self.get, is_throttled=False)

    @property
    def retry_after_throttle(self) -> float | None:
        """Seconds to wait after a response whose status reports an exhausted limit. A reset without
        a count belongs to that limit. None if no field states a time.
        """
        return rate_limits.wait(self.get, is_throttled=True)

    @property
    def rate_limit_remaining(self) -> int | None:
        """Number of requests left in the current window, of the limit with the fewest
        (docs/reference/rate-limits.md); None if no field states it.
        """
        found = rate_limits.remaining(self.get)
        return None if found is None else int(found)

    @property
    def rate_limit_reset(self) -> float | None:
        """Seconds until the current window ends, a day at most; None if no field states it."""
        return rate_limits.reset(self.get)

    def link(self, rel: str) -> str | None:
        """Return the target of the ``Link`` with this relation (RFC 8288); None if the response has
        no such link.
        """
        return link_target(self.get("link", ""), rel)


def field(name: str, value: str) -> tuple[bytes, bytes]:
    """Return a header field as bytes.

    :raises InvalidInput: if the name is not a token, or the value contains a line break or another
        control character.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"'{name[:80]}' is not a valid header name", sent=Sent.NOTHING)
    if _UNFIT.search(value):
        raise InvalidInput(
            f"the header '{name[:80]}' contains a line break or a control character",
            sent=Sent.NOTHING,
        )
    try:
        return name.encode("ascii"), value.strip(" \t").encode("latin-1")
    except UnicodeEncodeError:
        raise InvalidInput(
            f"the header '{name[:80]}' contains characters outside Latin-1", sent=Sent.NOTHING
        ) from None


def is_fit(text: str) -> bool:
    """Return whether a text has no line break and no other control character."""
    return _UNFIT.search(text) is None


def is_token(text: str) -> bool:
    """Return whether a text can name a header field (RFC 9110 §5.6.2)."""
    return _NAME.fullmatch(text) is not None


def folded(name: str) -> str:
    """Return a header name as servers compare it: some treat ``_`` and ``-`` as equal (RFC 3875
    §4.1.18).
    """
    return name.lower().replace("_", "-")


def merged(*parts: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of all parts; a later field replaces an earlier one of the same name, in
    any case.
    """
    return dict(
        {name.lower(): (name, value) for part in parts for name, value in part.items()}.values()
    )


def together(
    fields: list[tuple[bytes, bytes]], own: list[tuple[bytes, bytes]], given: frozenset[str]
) -> list[tuple[bytes, bytes]]:
    """Join the fields of a request with the sign-in's, which replace the client's defaults. All
    cookies are in one field.

    ``given`` are the folded names of the fields that the caller set.

    :raises InvalidInput: if the caller set a field or a cookie that the sign-in sets: servers may
        read either.
    """
    if not own:
        return fields
    names = {
        name.decode("latin-1").lower().replace("_", "-"): name.decode("latin-1") for name, _ in own
    }
    if taken := sorted(given.intersection(names) - {"cookie"}):
        raise set_by_connection(f"the header '{names[taken[0]]}'")
    kept = [
        one for one in fields if one[0].decode("latin-1").lower().replace("_", "-") not in names
    ]
    if "cookie" not in names:
        return kept + own
    theirs, ours = _cookies(fields), _cookies(own)
    if both := {_cookie_name(one) for one in theirs} & {_cookie_name(one) for one in ours}:
        raise set_by_connection(f"the cookie '{min(both).decode('latin-1')}'")
    return [
        *kept,
        *(one for one in own if one[0].lower() != b"cookie"),
        (b"Cookie", b"; ".join([*theirs, *ours])),
    ]


def _cookies(fields: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    return [
        part.strip()
        for name, value in fields
        if name.lower() == b"cookie"
        for part in value.split(b";")
        if part.strip()
    ]


def _cookie_name(cookie: bytes) -> bytes:
    return cookie.partition(b"=")[0].strip()


def set_by_connection(what: str) -> InvalidInput:
    """Return the error for a part of a request that only the connection may set."""
    return InvalidInput(
        f"{what} is set by the connection, and cannot be an input",
        hint="Leave it out.",
        sent=Sent.NOTHING,
    )
