"""Pages of a list that grows while a poll reads it, in the form that the action's binding
declares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from jackfield_market.testing.fake_pages import put
from jackfield_market.testing.loopback_provider import Answer, Request
from jackfield_market.testing.playing import at

LARGEST = 10
"""Maximum number of items of a page, whatever number a request names: providers have limits of
their own.
"""
_BEGINS = "beginsAt"
"""Query parameter in the address of the next page, with the page's position."""

Json = Mapping[str, Any]


class PolledPages:
    """Pages of one list. ``http`` is the binding of the list's action; a binding without ``paging``
    has a single page of any length.
    """

    def __init__(self, http: Json) -> None:
        self._row: Json = http.get("paging") or {}
        self._kind = self._row.get("kind", "")
        self._within = http.get("graphql", {}).get("result", "")
        given = self._row.get("input")
        self._name = next(
            (row.get("name", given) for row in http.get("parameters", ()) if row["input"] == given),
            None,
        )
        self._member = http.get("body", {}).get("members", {}).get(given, "")

    def __bool__(self) -> bool:
        return bool(self._row)

    def begin(self, request: Request, identifiers: list[str]) -> int:
        """Return the position of the requested page in a list of items with these identifiers."""
        sent = self._sent(request)
        if sent is None:
            return 0
        if self._kind == "lastId":
            return identifiers.index(sent) + 1 if sent in identifiers else 0
        counted = (
            int(sent) - int(self._row.get("first", 1 if self._kind == "page" else 0))
            if self._kind in ("page", "offset")
            else int(sent)
        )
        return counted * LARGEST if self._kind == "page" else counted

    def _sent(self, request: Request) -> str | None:
        query = parse_qs(urlsplit(request.path).query)
        if self._kind in ("url", "linkHeader"):
            return query.get(_BEGINS, [None])[-1]
        if self._member:
            found = at(
                request.json(), self._member if self._member.startswith("/") else f"/{self._member}"
            )
            return None if found in (None, "") else str(found)
        return query.get(self._name or "", [None])[-1]

    def answer(self, request: Request, body: Any, end: int, total: int) -> Answer:
        """Return a response with a page, which states in the declared form whether items follow the
        position ``end``, and where.
        """
        row, goes_on = self._row, end < total
        for name, value in (
            ("more", goes_on),
            ("last", not goes_on),
            ("partial", False),
            ("total", total),
            ("step", LARGEST),
        ):
            if name in row and isinstance(body, dict):
                put(body, self._within + row[name], value)
        own = _after(request.path, end)
        headers = {row["lastHeader"]: str(-(-total // LARGEST))} if "lastHeader" in row else {}
        if self._kind == "linkHeader" and goes_on:
            headers["Link"] = f'<{own}>; rel="next"'
        elif "header" in row and goes_on:
            headers[row["header"]] = str(end)
        elif self._kind in ("url", "token") and "response" in row:
            put(
                body,
                self._within + row["response"],
                None if not goes_on else own if self._kind == "url" else str(end),
            )
        return Answer(body, headers=headers)


def _after(path: str, end: int) -> str:
    parts = urlsplit(path)
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name != _BEGINS
    ]
    return parts._replace(query=urlencode([*query, (_BEGINS, str(end))])).geturl()
