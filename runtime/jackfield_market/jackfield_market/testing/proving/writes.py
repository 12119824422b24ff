"""Requests as writes: whether a request changes something, which write of the first run it is, and
whether it repeats an earlier one.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jackfield.wire.graphql import effect_of
from jackfield_market.testing.loopback_provider import Request

_GRANT = re.compile(r"authorization_code|refresh_token|password|\w+_credentials|urn:\S+")
"""Regular expression of OAuth's grant types (RFC 6749, RFC 8693), with those of providers such as
Zoom's ``account_credentials``.
"""
_REPEATABLE = frozenset({"PUT", "DELETE"})
"""HTTP methods that are idempotent: a repeated request changes nothing more."""
_CONDITIONS = ("if-match", "if-unmodified-since")
"""Header fields with which a provider refuses a write of a changed object."""
_KEY = "idempotencykey"
"""Suffix, without punctuation, of names of idempotency keys that every provider is assumed to
know.
"""
_DIGITS = 3
"""Number of digits from which a word may be an ID, a key or a time."""
_MADE = re.compile(r"(made-\d+)|[\w.:+-]{8,}")
"""Regular expression of words that each run generates: ids, times, random words."""
_NUMBER = re.compile(r"(-?)\d+(\.\d+)?([eE][+-]?\d+)?")
_LIKE = 0.9
"""Likeness of two different values that runs may have generated, where 1 means equal; 0.5 for two
numbers.
"""
_SAME = 0.5
_SHOWN = 200
"""Maximum number of displayed characters of a body."""

Pairs = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Shape:
    """Features that distinguish writes: method, host and segments of the path, and the single
    values of query and body.

    ``rows`` are the objects of the longest list in the body, or the body itself, and ``around`` the
    values outside that list, since a batch may be sent again in parts.
    """

    method: str
    path: tuple[str, ...]
    values: Pairs
    rows: frozenset[str]
    around: Pairs

    def is_part(self, whole: Shape) -> bool:
        """Return whether the request contains some or all rows of a batch, and nothing else."""
        mine, others = dict(self.around), dict(whole.around)
        beside = not mine or (
            mine.keys() == others.keys()
            and all(_alike(text, others[place]) for place, text in mine.items())
        )
        return (
            bool(self.rows)
            and len(whole.rows) > 1
            and beside
            and self.rows <= whole.rows
            and self.is_at(whole)
        )

    def is_at(self, other: Shape) -> bool:
        """Return whether method, domain and path equal those of ``other``, except for parts that
        each run generates.
        """
        mine, others = (
            (shape.method, _domain(shape.path[0]), *map(_plain, shape.path[1:]))
            for shape in (self, other)
        )
        return mine == others


def address(request: Request) -> tuple[str, str, str]:
    """Return host (empty without a proxy), path and query of a request."""
    parts = urlsplit(
        request.path
        if "://" in request.path[:8]
        else f"//{request.path}"
        if request.path.startswith("//")
        else request.path
    )
    return parts.netloc, parts.path or "/", parts.query


def line(request: Request) -> str:
    """Return a request in one line, without its query."""
    host, path, _ = address(request)
    return f"{request.method} {host}{path}"


def excerpt(request: Request) -> str:
    """Return the beginning of a request's body on one line."""
    return " ".join(_content(request)[: _SHOWN * 4].decode("utf-8", "replace").split())[:_SHOWN]


def is_write(request: Request, reads: Sequence[str]) -> bool:
    """Return whether a request may change something: not a request for a token, a GraphQL query, or
    one of ``reads`` ("POST /search").
    """
    _, path, _ = address(request)
    if not request.changes or f"{request.method} {path}" in reads:
        return False
    return not (_is_for_token(request, path) or _is_query(request, path))


def _is_for_token(request: Request, path: str) -> bool:
    """Return whether a request asks for an access token: at the address of one, with a grant type
    among the members of its body itself.
    """
    body = body_of(request) if path.rstrip("/").lower().endswith("token") else None
    grant = body.get("grant_type") if isinstance(body, dict) else None
    return isinstance(grant, str) and _GRANT.fullmatch(grant) is not None


def _is_query(request: Request, path: str) -> bool:
    """Return whether a request executes only queries of GraphQL; in a batch, each of its
    operations.
    """
    body = body_of(request) if path.rstrip("/").endswith("graphql") else None
    asked = body if isinstance(body, list) else [body]
    return bool(asked) and all(
        isinstance(one, dict) and effect_of(one.get("query"), one.get("operationName")) == "read"
        for one in asked
    )


def body_of(request: Request) -> Any:
    """Return a body as JSON, or a form as an object; None if it is neither."""
    content = _content(request)
    if "urlencoded" in request.header("content-type"):
        return dict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        return json.loads(content)
    except ValueError:
        return None


def _content(request: Request) -> bytes:
    """Return a body without its compression, which contains a time."""
    if request.header("content-encoding").lower() != "gzip":
        return request.body
    try:
        return gzip.decompress(request.body)
    except (OSError, EOFError, zlib.error):
        return request.body


def key_of(request: Request, headers: Sequence[str], members: Sequence[str]) -> str | None:
    """Return the idempotency key of a request, from a header field, the query, or a member of the
    body; None without a key.

    Names that end with "idempotency key", in any spelling, are known by default.
    """
    body = body_of(request)
    fields = [(name.lower(), value) for name, value in request.headers.items()]
    given = [*parse_qsl(address(request)[2]), *(body.items() if isinstance(body, dict) else ())]
    found = (*_keys(fields, {name.lower() for name in headers}), *_keys(given, set(members)))
    return next(iter(found), None)


def _keys(pairs: Iterable[tuple[str, Any]], names: set[str]) -> Iterator[str]:
    for name, value in pairs:
        if (
            value
            and isinstance(value, str | int)
            and (name in names or re.sub(r"[^a-z]", "", name.lower()).endswith(_KEY))
        ):
            yield str(value)


def shape(request: Request) -> Shape:
    """Return the features that distinguish a write from others."""
    host, path, query = address(request)
    body = body_of(request)
    asked = {(f"?{name}", value) for name, value in parse_qsl(query, keep_blank_values=True)}
    lines = (
        [part for part in _content(request).splitlines() if not part.startswith(b"--")]
        if body is None
        else []
    )
    pairs = [
        *_leaves(body, ()),
        *(((number,), part.decode("latin-1")) for number, part in enumerate(lines)),
    ]
    place, rows = max(
        _lists(body, ()),
        key=lambda found: len(found[1]),
        default=(None, [body] if isinstance(body, dict) else []),
    )
    around = {
        ("/".join(map(str, way)), text)
        for way, text in pairs
        if place is not None and way[: len(place)] != place
    }
    values = {("/".join(map(str, way)), text) for way, text in pairs}
    return Shape(
        request.method,
        (host, *path.strip("/").split("/")),
        frozenset(values | asked),
        frozenset(json.dumps(row, sort_keys=True) for row in rows),
        frozenset(around),
    )


def _leaves(
    value: Any, place: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the scalar values of JSON with their places, without null."""
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else None
    )
    if pairs is None:
        if value is not None:
            yield place, json.dumps(value)
        return
    for name, member in pairs:
        yield from _leaves(member, (*place, name))


def _lists(
    value: Any, place: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], list[Any]]]:
    """Yield the outermost lists of objects in JSON, with their places."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        yield place, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _lists(member, (*place, name))


def _domain(host: str) -> list[str]:
    """Return the last two labels of a host's name: hosts of a provider may replace one another."""
    return host.rsplit(".", 2)[-2:]


def _plain(text: str) -> str:
    """Return a text with placeholders for values that each run generates."""
    return _MADE.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    is_made = found[1] or sum(letter.isdecimal() for letter in found[0]) >= _DIGITS
    return "#" if is_made else found[0]


def likeness(one: Shape, other: Shape, *, content: bool = True) -> float:
    """Return the similarity of a request to a write: 2 if they are equal, 0 if they differ. Without
    ``content``, contents are not required to match.
    """
    if not one.is_at(other):
        return 0.0
    way = sum(a == b for a, b in zip(one.path, other.path, strict=True)) / len(one.path)
    same = (
        1.0
        if not one.values and not other.values
        else _LIKE
        if one.is_part(other)
        else _content_likeness(one, other)
    )
    return way + same if same > _SAME or not content else 0.0


def _content_likeness(one: Shape, other: Shape) -> float:
    """Return the share of equal or similar single values, or 0.

    Another word in the same place makes another write; another id, time or number may be generated.
    """
    equal = len(one.values & other.values)
    mine, others = dict(one.values - other.values), dict(other.values - one.values)
    both = mine.keys() & others.keys()
    alike = [_alike(mine[place], others[place]) for place in both]
    return (equal + sum(alike)) / (equal + len(mine.keys() | others.keys())) if all(alike) else 0.0


def _alike(one: str, other: str) -> float:
    if one == other:
        return 1.0
    numbers = [_NUMBER.fullmatch(text) for text in (one, other)]
    if all(numbers):
        return _SAME if len({number and number[1] for number in numbers}) == 1 else 0.0
    return _LIKE if _plain(one) == _plain(other) else 0.0


def is_sent_otherwise(request: Request, before: Request) -> bool:
    """Return whether a request repeats an earlier write in another form.

    The request has the same values, of another type or with something added to a name. Its path is
    the same, has the same end (another version), or is that of a POST where a PUT named the object.
    """
    one, other = shape(request), shape(before)
    if request.method == "DELETE" or before.method == "DELETE" or not one.values:
        return False
    mine, others = one.path[1:], other.path[1:]
    is_near = mine[-1:] == others[-1:] or (
        request.method == "POST" and before.method == "PUT" and mine == others[:-1]
    )
    left, right = (
        {place: text.strip('"') for place, text in one_of.values} for one_of in (one, other)
    )
    return (
        is_near
        and left.keys() == right.keys()
        and all(_is_renamed(text, right[place]) for place, text in left.items())
    )


def _is_renamed(one: str, other: str) -> bool:
    """Return whether a word equals another one with something added before or after; a number must
    be equal.
    """
    if (
        one == other
        or _NUMBER.fullmatch(one)
        or _NUMBER.fullmatch(other)
        or re.search(r"\s", one + other)
    ):
        return one == other
    return (
        bool(other)
        and re.fullmatch(rf"(\w+[-_.:/#])?{re.escape(other)}([-_.:/#]\w+)?", one) is not None
    )


def times(took: Sequence[Shape], write: Shape) -> int:
    """Return the number of times that a write took effect, by the shapes of the effective requests;
    parts of a batch count together.
    """
    rows = Counter(
        row for part in took for row in (part.rows if part.is_part(write) else write.rows or ("",))
    )
    return max(rows.values(), default=0)


def repeats_by_itself(request: Request, before: Request) -> bool:
    """Return whether a repeated request changes nothing more, by the rules of HTTP for its
    method.
    """
    return request.method in _REPEATABLE and shape(request) == shape(before)


def is_refused(request: Request, before: Request) -> bool:
    """Return whether a provider refuses a write after an earlier one, since the object has changed
    or exists already.
    """
    if request.header("if-none-match") == "*":
        return address(request) == address(before) and before.method != "DELETE"
    return any(request.header(name) == before.header(name) != "" for name in _CONDITIONS) and shape(
        request
    ) == shape(before)
