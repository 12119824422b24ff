"""Pages of a fake's lists: three items, two on the first page, as the binding of the action says that its provider has them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any, cast

from jackfield_market.testing.loopback_provider import Request
from jackfield_market.testing.playing import at

ITEMS = 3
"""Items of each list."""
_FIRST = 2
"""Items of its first page."""
_SECOND = "2"
"""Where the second page begins: a text, and a number for those providers that count."""

Json = Mapping[str, Any]


def put(body: dict[str, Any], place: str, value: Any) -> None:
    """Write a member at a JSON Pointer; objects on the way are made, and lists of one item."""
    names, here = place.removeprefix("/").split("/"), cast("Any", body)
    for name, below in pairwise(names):
        empty: Any = [{}] if below == "0" else {}
        if isinstance(here, list):
            here = here[0]
            continue
        if not isinstance(here.get(name), type(empty)) or not here[name]:
            here[name] = empty
        here = here[name]
    here[0 if isinstance(here, list) else names[-1]] = value


class Pages:
    """Pages of one action."""

    def __init__(self, action: Json, url: str) -> None:
        self._row: Json = action["http"]["paging"]
        self._binding: Json = action["http"]
        self._url = url
        self._items = self._row.get("items", "/items")

    def fill(self, body: dict[str, Any], request: Request, given: Json) -> dict[str, str]:
        """Write the items of the page that a request asks for into a body, and where the next one begins; return header fields for it."""
        begin = self._begin(request, given)
        listed = at(body, self._items)
        model = listed[0] if isinstance(listed, list) and listed else {}
        mark = self._row.get("response", "/id") if self._row["kind"] == "lastId" else "/id"
        items = [_numbered(model, number, mark) for number in range(1, ITEMS + 1)]
        end = _FIRST if begin == 0 else ITEMS
        put(body, self._items, items[begin:end])
        return self._lead_on(body, request, is_last=begin > 0, items=items[begin:end])

    def _begin(self, request: Request, given: Json) -> int:
        kind, value = self._row["kind"], self._sent(request, given)
        if kind in ("url", "linkHeader"):
            return _FIRST if given.get("page") == _SECOND else 0
        if value in (None, ""):
            return 0
        if kind == "page":
            return min((int(value) - int(self._row.get("first", 1))) * _FIRST, ITEMS)
        if kind == "offset":
            return min(int(value) - int(self._row.get("first", 0)), ITEMS)
        if kind == "lastId":
            return next((number for number in range(1, ITEMS + 1) if str(value) == f"{number}"), 0) or _FIRST
        return _FIRST

    def _sent(self, request: Request, given: Json) -> Any:
        """Return the value of the page's input in a request: a parameter, or a member of its body."""
        wanted = self._row.get("input")
        for row in self._binding.get("parameters", ()):
            if row["input"] == wanted:
                return given.get(row.get("name", wanted))
        members = self._binding.get("body", {}).get("members", {})
        if wanted in members:
            name = members[wanted]
            return at(request.json() if request.body else {}, name if name.startswith("/") else f"/{name}")
        return None

    def _lead_on(self, body: dict[str, Any], request: Request, *, is_last: bool, items: list[Any]) -> dict[str, str]:
        kind, path = self._row["kind"], request.path
        for name, value in (("more", not is_last), ("last", is_last)):
            if name in self._row:
                put(body, self._row[name], value)
        address = f"{self._url}{path}{'&' if '?' in path else '?'}page={_SECOND}"
        if kind == "linkHeader":
            return {} if is_last else {"Link": f'<{address}>; rel="next"'}
        if kind in ("token", "url") and "response" in self._row:
            put(body, self._row["response"], None if is_last else address if kind == "url" else _token(self._row, items))
        if "header" in self._row and not is_last:
            return {self._row["header"]: _SECOND}
        return {}


def _token(row: Json, items: list[Any]) -> str:
    """Return the token of the next page: the ID of the last item, where the rule says that it is one."""
    return str(items[-1].get("id", _SECOND)) if row["response"].endswith("last_id") and isinstance(items[-1], dict) else _SECOND


def _numbered(model: Any, number: int, mark: str) -> Any:
    """Return a copy of an item with an ID of its own, and the mark after which its list can go on."""
    if not isinstance(model, dict):
        return model
    found = deepcopy(model)
    for place in ("/id", mark):
        put(found, place, number if isinstance(at(found, place), int) else str(number))
    return found
