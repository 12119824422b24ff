"""Responses of a provider with a next page, with no items, or as the last page: the same response
with another token and other items.

A binding or the declaration of the pages (``Pagination.wire``) gives the places of the token and
the items. For other connectors, the token of the recorded response is searched for, or the places
that providers use are tried.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from jackfield.kernel import pointers
from jackfield_market.testing.loopback_provider import Answer
from jackfield_market.testing.playing import at, place, placed

Turn = Callable[[Answer, str | None, bool], Answer]
"""Function that returns a response with another token of the next page (None on the last page), and
without items if the flag is set.
"""
COUNTED = frozenset({"page", "offset", "lastId"})
"""Kinds of pages without a token, which are counted or continue after the last item."""
_NAMES = (
    "after",
    "continuation",
    "continuationToken",
    "cursor",
    "marker",
    "next",
    "nextCursor",
    "nextPage",
    "nextPageToken",
    "nextToken",
    "next_cursor",
    "next_page",
    "next_page_token",
    "next_token",
    "NextMarker",
    "NextToken",
    "pageToken",
)
"""Names of members in which a provider may return a page token under another name than the
output's.
"""
_AROUND = (
    "",
    "/meta",
    "/metadata",
    "/paging",
    "/pagination",
    "/page",
    "/page_info",
    "/pageInfo",
    "/links",
    "/_links",
    "/cursors",
    "/paging/cursors",
    "/response_metadata",
    "/data",
    "/result",
)
"""Pointers of objects that may contain these members; members of the response itself come first."""


def known_turn(wire: Mapping[str, Any]) -> Turn:
    """Return the turn of a declared list: ``kind``, place of the token (``response``, ``header``),
    ``items``, ``more`` or ``last``.
    """

    def turn(answer: Answer, token: str | None, empty: bool) -> Answer:
        if answer.content is not None:
            return answer
        body = (
            placed(answer.body, wire["items"], [])
            if empty and _fits(answer.body, wire["items"])
            else answer.body
        )
        if wire["kind"] == "linkHeader":
            headers = {
                name: value for name, value in answer.headers.items() if name.lower() != "link"
            }
            return replace(
                answer,
                body=body,
                headers=headers | ({"Link": f'<{token}>; rel="next"'} if token else {}),
            )
        if "more" in wire:
            body = placed(body, wire["more"], token is not None)
        if "last" in wire:
            body = placed(body, wire["last"], token is None)
        if "header" in wire:
            return replace(
                answer, body=body, headers={**answer.headers, wire["header"]: token or ""}
            )
        return replace(answer, body=placed(body, wire["response"], token))

    return turn


def possible_turns(body: Any, token: str | None, output_name: str) -> Iterator[Turn]:
    """Yield the possible turns of an undeclared list; ``body`` is a response, ``token`` the token
    that the action has read from it.
    """
    found = [pointer for pointer, value in _texts(body, "") if token is not None and value == token]
    if found:
        yield _turn(tuple(found))
    names = (output_name, *_NAMES)
    yield _turn(tuple(f"/{name}" for name in names))
    yield _turn(tuple(f"{place}/{name}" for place in ("", *_objects(body, "")) for name in names))
    yield _turn(tuple(f"{place}/{name}" for place in _AROUND for name in names))


def _turn(pointers: tuple[str, ...]) -> Turn:
    def turn(answer: Answer, token: str | None, empty: bool) -> Answer:
        if answer.content is not None or not isinstance(answer.body, dict):
            return answer
        body: Any = _emptied(answer.body) if empty else copy.deepcopy(answer.body)
        for pointer in pointers:
            if _is_free(body, pointer):
                place(body, pointer, token)
        return replace(answer, body=body)

    return turn


def _fits(body: Any, pointer: str) -> bool:
    """Return whether a response can have its items at a pointer."""
    return isinstance(body, dict) if pointer else isinstance(body, list)


def _emptied(value: Any) -> Any:
    """Return a copy of a response whose outermost lists are empty."""
    if isinstance(value, dict):
        return {name: _emptied(member) for name, member in value.items()}
    return [] if isinstance(value, list) else value


def _objects(value: Any, path: str) -> Iterator[str]:
    """Yield the pointers of the objects in a response, except for objects in lists."""
    for name, member in value.items() if isinstance(value, dict) else ():
        if isinstance(member, dict):
            yield pointers.child(path, name)
            yield from _objects(member, pointers.child(path, name))


def _texts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, member in value.items() if isinstance(value, dict) else ():
        if isinstance(member, dict):
            yield from _texts(member, pointers.child(path, name))
        else:
            yield pointers.child(path, name), member


def _is_free(body: Any, pointer: str) -> bool:
    """Return whether a token may be written at a pointer: neither an object nor a list is there,
    and its parent is an object or missing.
    """
    around = at(body, pointer.rpartition("/")[0])
    return (around is None or isinstance(around, dict)) and not isinstance(
        at(body, pointer), dict | list
    )
