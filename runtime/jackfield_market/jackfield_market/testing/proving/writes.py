"""Requests as writes: which request changes something, which write of the first run it is, and whether it is the same one again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jackfield_market.testing.loopback_provider import Request

_GRANT = re.compile(rb"(^|[&\"{,\s])grant_type[\"=]")
_REPEATABLE = frozenset({"PUT", "DELETE"})
"""Methods of which HTTP says that the same request again changes nothing more."""
_HALF = 0.5
_SHOWN = 200
"""Characters of a body that are shown."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Marks by which writes are told apart: method, segments of the path, and the single values of query and body."""

    method: str
    path: tuple[str, ...]
    values: frozenset[tuple[str, str]]


def address(request: Request) -> tuple[str, str, str]:
    """Return host (empty without a proxy), path and query of a request."""
    parts = urlsplit(request.path if "://" in request.path[:8] else f"//{request.path}" if request.path.startswith("//") else request.path)
    return parts.netloc, parts.path or "/", parts.query


def line(request: Request) -> str:
    """Return a request in one line, without its query."""
    host, path, _ = address(request)
    return f"{request.method} {host}{path}"


def excerpt(request: Request) -> str:
    """Return the beginning of a request's body, in one line."""
    return " ".join(request.body[: _SHOWN * 4].decode("utf-8", "replace").split())[:_SHOWN]


def is_write(request: Request, reads: Sequence[str]) -> bool:
    """Return whether a request may change something: not one for a token, a GraphQL query, or one of ``reads`` ("POST /search")."""
    if not request.changes or _GRANT.search(request.body[:2000]):
        return False
    _, path, _ = address(request)
    return f"{request.method} {path}" not in reads and not _is_query(request, path)


def _is_query(request: Request, path: str) -> bool:
    body = body_of(request) if path.rstrip("/").endswith("graphql") else None
    text = body.get("query") if isinstance(body, dict) else None
    return isinstance(text, str) and not re.search(r"^\s*(mutation|subscription)\b", text, re.MULTILINE)


def body_of(request: Request) -> Any:
    """Return a body as JSON; a form as an object; None if it is neither."""
    if "urlencoded" in _header(request, "content-type"):
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        return request.json()
    except ValueError:
        return None


def _header(request: Request, name: str) -> str:
    return next((value for key, value in request.headers.items() if key.lower() == name), "")


def key_of(request: Request, headers: Sequence[str], members: Sequence[str]) -> str | None:
    """Return the idempotency key of a request: of a header field, or a member of its body."""
    named = next((value for name in headers if (value := _header(request, name.lower()))), None)
    body = body_of(request) if named is None and members else None
    return named if not isinstance(body, dict) else next((str(body[name]) for name in members if body.get(name)), None)


def shape(request: Request) -> Shape:
    """Return what tells a write from others."""
    _, path, query = address(request)
    body = body_of(request)
    values = {(f"?{name}", value) for name, value in parse_qsl(query, keep_blank_values=True)}
    rows = (((), part.decode("latin-1")) for part in request.body.splitlines() if not part.startswith(b"--")) if body is None else ()
    values |= {("/".join(map(str, place)), text) for place, text in (*_leaves(body, ()), *rows)}
    return Shape(request.method, tuple(path.strip("/").split("/")), frozenset(values))


def _leaves(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the single values of JSON with their places; None has none."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if pairs is None:
        if value is not None:
            yield place, json.dumps(value)
        return
    for name, member in pairs:
        yield from _leaves(member, (*place, name))


def likeness(one: Shape, other: Shape) -> float:
    """Return how much a request is like a write: 2 if they are equal, 0 if it is another one."""
    if one.method != other.method or len(one.path) != len(other.path):
        return 0.0
    way = sum(a == b for a, b in zip(one.path, other.path, strict=True)) / len(one.path)
    either = one.values | other.values
    same = len(one.values & other.values) / len(either) if either else 1.0
    return way + same if way == 1 or (way >= _HALF and not either) or (same >= _HALF and either) else 0.0


def repeats_by_itself(request: Request, before: Request) -> bool:
    """Return whether HTTP says that a request changes nothing more after an equal one."""
    return request.method in _REPEATABLE and (request.method, request.path, request.body) == (before.method, before.path, before.body)
