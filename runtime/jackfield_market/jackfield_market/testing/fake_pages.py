"""Pages of a fake's lists: three items, two on the first page, in the form that the action's
binding declares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any, cast

from jackfield.kernel.pointers import names as steps_of
from jackfield.kernel.walk import Nodes, below, nodes
from jackfield_market.testing.loopback_provider import Request
from jackfield_market.testing.playing import at

ITEMS = 3
"""Number of items of each list."""
_FIRST = 2
"""Number of items of the first page."""
_NAMING = (
    "name",
    "title",
    "subject",
    "displayname",
    "fullname",
    "summary",
    "label",
    "username",
    "email",
)
"""Names of members by which people recognise items, in order of preference, without capitals and
underscores; also suffixes of such names.
"""
_PLAIN = frozenset({"type", "description", "title", "examples", "maxLength"})
"""Keywords of string schemas that accept any short string."""
_SHORTEST = 30
"""Smallest ``maxLength`` for which a generated name is not too long."""
_SECOND = "2"
"""Token of the second page: a string, also a number for providers that count."""
_THIRD = "3"
"""Token of the page after the last, for providers that name one."""

Json = Mapping[str, Any]


def put(body: dict[str, Any], place: str, value: Any) -> None:
    """Write a member at a JSON Pointer; create missing objects on the way, and lists of one
    item.
    """
    names, here = place.removeprefix("/").split("/"), cast("Any", body)
    for name, following in pairwise(names):
        empty: Any = [{}] if following == "0" else {}
        if isinstance(here, list):
            here = here[0]
            continue
        if not isinstance(here.get(name), type(empty)) or not here[name]:
            here[name] = empty
        here = here[name]
    here[0 if isinstance(here, list) else names[-1]] = value


def naming(manifest: Json, output: Json, items: str) -> list[str]:
    """Return the members, at most two, that name an item to people, by the output schema of the
    items at ``items``.
    """
    root = {"$defs": manifest.get("$defs", {}), **output}
    applying = nodes(root, root)
    for step in steps_of(items):
        applying = below(root, applying, step)
    members = {name for node in below(root, applying, 0) for name in node.get("properties", {})}
    texts = {
        _plain(name): name
        for name in sorted(members)
        if _is_text(below(root, below(root, applying, 0), name))
    }
    found = [texts[word] for word in _NAMING if word in texts]
    return (
        found or [name for word in _NAMING for plain, name in texts.items() if plain.endswith(word)]
    )[:2]


def _plain(name: str) -> str:
    return name.replace("_", "").casefold()


def _is_text(about: Nodes) -> bool:
    """Return whether schemas allow a generated text as a member."""
    kinds = [node["type"] for node in about if "type" in node]
    free = all(
        node.keys() <= _PLAIN and node.get("maxLength", _SHORTEST) >= _SHORTEST for node in about
    )
    return (
        free
        and bool(kinds)
        and all("string" in ([kind] if isinstance(kind, str) else kind) for kind in kinds)
    )


class Pages:
    """Pages of one action. ``named`` are members that name an item to people and that examples may
    lack.
    """

    def __init__(self, action: Json, url: str, named: Iterable[str] = ()) -> None:
        self._named = tuple(named)
        self._row: Json = action["http"]["paging"]
        self._binding: Json = action["http"]
        self._url = url
        self._items = self._row.get("items", "/items")

    def fill(self, body: dict[str, Any], request: Request, given: Json) -> dict[str, str]:
        """Write the requested page's items and the token of the next page into a body; return
        header fields for that token.
        """
        begin = self._begin(request, given)
        listed = at(body, self._items)
        model = listed[0] if isinstance(listed, list) and listed else {}
        mark = self._row.get("response", "/id") if self._row["kind"] == "lastId" else "/id"
        items = [_numbered(model, number, mark, self._named) for number in range(1, ITEMS + 1)]
        end = _FIRST if begin == 0 else ITEMS
        put(body, self._items, items[begin:end])
        return self._lead_on(body, request, is_last=begin > 0, items=items[begin:end])

    def _begin(self, request: Request, given: Json) -> int:
        kind, value = self._row["kind"], self._sent(request, given)
        if kind in ("url", "linkHeader"):
            return {_SECOND: _FIRST, _THIRD: ITEMS}.get(str(given.get("page")), 0)
        if value in (None, ""):
            return 0
        if kind == "page":
            return min((int(value) - int(self._row.get("first", 1))) * _FIRST, ITEMS)
        if kind == "offset":
            return min(int(value) - int(self._row.get("first", 0)), ITEMS)
        if kind == "lastId":
            return (
                next((number for number in range(1, ITEMS + 1) if str(value) == f"{number}"), 0)
                or _FIRST
            )
        return _FIRST

    def _sent(self, request: Request, given: Json) -> Any:
        """Return the value of the page's input in a request, from a parameter or a member of the
        body; None if the request lacks it.
        """
        wanted = self._row.get("input")
        for row in self._binding.get("parameters", ()):
            if row["input"] == wanted:
                return given.get(row.get("name", wanted))
        members = self._binding.get("body", {}).get("members", {})
        if wanted in members:
            name = members[wanted]
            return at(
                request.json() if request.body else {}, name if name.startswith("/") else f"/{name}"
            )
        return None

    def _lead_on(
        self, body: dict[str, Any], request: Request, *, is_last: bool, items: list[Any]
    ) -> dict[str, str]:
        kind, path = self._row["kind"], request.path
        names_more = not is_last or self._row.get("emptyEnds") is True
        for name, value in (
            ("more", not is_last),
            ("last", is_last),
            ("partial", False),
            ("total", ITEMS),
            ("step", _FIRST),
        ):
            if name in self._row:
                put(body, self._row[name], value)
        if "lastHeader" in self._row:
            return {self._row["lastHeader"]: _SECOND}
        address = (
            f"{self._url}{path}{'&' if '?' in path else '?'}page={_THIRD if is_last else _SECOND}"
        )
        if kind == "linkHeader":
            return {"Link": f'<{address}>; rel="next"'} if names_more else {}
        if kind in ("token", "url") and "response" in self._row:
            put(
                body,
                self._row["response"],
                None if not names_more else address if kind == "url" else _token(self._row, items),
            )
        if "header" in self._row and not is_last:
            return {self._row["header"]: _SECOND}
        return {}


def _token(row: Json, items: list[Any]) -> str:
    """Return the token of the next page: the ID of the last item if the declaration says so, else a
    fixed token.
    """
    return (
        str(items[-1].get("id", _SECOND))
        if row["response"].endswith("last_id") and isinstance(items[-1], dict)
        else _SECOND
    )


def _numbered(model: Any, number: int, mark: str, named: Iterable[str]) -> Any:
    """Return a copy of an item with its own ID and ``mark``, and with names for the members that it
    lacks.
    """
    if not isinstance(model, dict):
        return model
    found = {
        "id": None,
        **{name: f"{name[:1].upper()}{name[1:].replace('_', ' ')} {number}" for name in named},
        **deepcopy(model),
    }
    for place in ("/id", mark):
        put(found, place, number if isinstance(at(found, place), int) else str(number))
    return found
