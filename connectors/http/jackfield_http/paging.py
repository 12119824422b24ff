"""Pages of a list, declared in one line: where the next page's token, number, offset or URL is, and where the items are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal, NoReturn

from jackfield.connector import Detail, Field, Inputs, InvalidInput, Pagination, Sent, Unavailable, pointer
from jackfield.dataclass import dataclass
from jackfield_http.answers import Answer
from jackfield_http.client import HttpClient
from jackfield_http.pointers import find
from jackfield_http.urls import Url, UrlError, fill

_FOLLOWED = ("http://", "https://", "/", "?")
"""Beginnings of a next page that is a URL, also where a token is declared."""
_NO_VALUES: Mapping[str, Any] = {}
_LONGEST = 8_000
_LONGEST_PLACE = 200
"""Limit in characters for the place of a list that an error names."""
Kind = Literal["token", "page", "offset", "linkHeader", "url", "lastId"]
"""Kinds of pages, as manifests and overlays name them, too."""


class PageInputs(Inputs):
    """Part of a list to fetch."""

    next_token: str | None = Field(
        None, title="Next Token", description="Where to continue: 'nextToken' of the last page.", schema={"maxLength": _LONGEST}
    )
    fetch_all: bool = Field(False, title="Fetch All", description="True to fetch every page.")


class NoList(Unavailable):
    """A response has something else than a list where its items should be; ``lists`` are JSON Pointers of lists in it, None if it is no
    object."""

    def __init__(self, items: str, body: Any) -> None:
        super().__init__(f"the response has no list at '{items}'", sent=Sent.UNKNOWN, repeatable=False)
        self.lists = tuple(islice(_lists(body, ""), 5)) if isinstance(body, Mapping) else None


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its items, the token of the next one (None after the last), and the response."""

    items: list[Any]
    next: str | None
    answer: Answer


@dataclass(frozen=True, slots=True)
class Pages:
    """How a list is divided into pages. Use one of the class methods.

    ``items`` is the JSON Pointer of the array in a response ("" if the response is the array). ``size`` is the query parameter for the
    page size, ``largest`` its maximum. ``more`` points at a member that is false on the last page.
    """

    kind: Kind
    items: str
    parameter: str = ""
    next: str = ""
    more: str | None = None
    size: str | None = None
    largest: int | None = None
    first: int = 0
    under: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would end a list after its first page, or never."""
        for name, at in (("items", self.items), ("next", self.next), ("more", self.more)):
            if at and not at.startswith("/"):
                raise ValueError(f"'{name}' is not a JSON Pointer: it must begin with a slash")
        if self.kind not in {"linkHeader", "url"} and not self.parameter:
            raise ValueError(f"pages of the kind '{self.kind}' need a 'parameter'")
        if self.kind in {"token", "url"} and not self.next:
            raise ValueError(f"pages of the kind '{self.kind}' need 'next'")

    @classmethod
    def token(cls, parameter: str, next: str, items: str, **options: Any) -> Pages:
        """Pages by a token: ``next`` points at it in the response, ``parameter`` takes it. It may also be the next page's URL."""
        return cls("token", items, parameter, next, **options)

    @classmethod
    def number(cls, parameter: str, items: str, *, first: int = 1, **options: Any) -> Pages:
        """Pages by number, counted from ``first``. An empty page is the last: a short one may only be the server's own limit."""
        return cls("page", items, parameter, first=first, **options)

    @classmethod
    def offset(cls, parameter: str, items: str, **options: Any) -> Pages:
        """Pages by the number of items to skip; an empty page is the last."""
        return cls("offset", items, parameter, **options)

    @classmethod
    def link(cls, items: str = "", **options: Any) -> Pages:
        """Pages by the header field ``Link`` with ``rel="next"`` (RFC 8288)."""
        return cls("linkHeader", items, **options)

    @classmethod
    def url(cls, next: str, items: str, **options: Any) -> Pages:
        """Pages by the URL of the next page, at the pointer ``next``."""
        return cls("url", items, next=next, **options)

    @classmethod
    def last_id(cls, parameter: str, items: str, *, next: str = "/id", **options: Any) -> Pages:
        """Pages by the ID of the last item, at the pointer ``next`` within it."""
        return cls("lastId", items, parameter, next, **options)

    def pagination(self, items: str) -> Pagination:
        """Return the ``pagination`` of an action whose inputs extend ``PageInputs`` and whose output has ``items`` and ``nextToken``.

        With ``largest``, the inputs also have a ``pageSize``.
        """
        size = "pageSize" if self.size is not None and self.largest is not None else None
        wire = {"kind": self.kind, "response": self.next, "items": self.items} | ({} if self.more is None else {"more": self.more})
        return Pagination("nextToken", "nextToken", items, "fetchAll", size, self.largest if size else None, wire=wire)

    def fetch(
        self,
        api: HttpClient,
        path: str,
        asked: PageInputs,
        values: Mapping[str, Any] = _NO_VALUES,
        query: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Page:
        """Fetch the page that ``asked`` asks for; ``options`` are those of ``HttpClient.request``.

        :raises InvalidInput: if its token cannot come from this list.
        """
        return self.fetch_url(api, api.url(path, values), asked, query, **{"step": f"GET {path}", **options})

    def fetch_url(self, api: HttpClient, url: Url, asked: PageInputs, query: Mapping[str, Any] | None = None, **options: Any) -> Page:
        """Fetch a page of the list at ``url``."""
        token = asked.next_token
        if token is not None and (self.kind in {"linkHeader", "url"} or (self.kind == "token" and token.startswith(_FOLLOWED))):
            answer = api.request("GET", self._followed(api, token, url), **options)
        else:
            answer = api.request("GET", url, query={**(query or {}), **self._query(asked)}, **options)
        items = answer.json(self.items)
        if items is not None and not isinstance(items, list):
            raise NoList(self.items, answer.json())
        found = items or []
        return Page(found, self._next(api, answer, found, token), answer)

    def _query(self, asked: PageInputs) -> Mapping[str, Any]:
        size = getattr(asked, "page_size", None)
        query: dict[str, Any] = {} if self.size is None or size is None else {self.size: size}
        if self.kind in {"page", "offset"}:
            query[self.parameter] = self._count(asked.next_token)
        elif asked.next_token is not None:
            query[self.parameter] = asked.next_token
        return query

    def _count(self, token: str | None) -> int:
        if token is None:
            return self.first
        if not (token.isascii() and token.isdigit() and len(token) < 16):
            _refuse("is not a token of this list")
        return int(token)

    def _next(self, api: HttpClient, answer: Answer, items: list[Any], token: str | None) -> str | None:
        if self.more is not None and answer.json(self.more) in (False, 0, ""):
            return None
        if self.kind in {"page", "offset"}:
            return str(self._count(token) + (1 if self.kind == "page" else len(items))) if items else None
        if self.kind == "lastId":
            return last_id(find(items[-1], self.next)) if items else None
        found = answer.headers.link("next") if self.kind == "linkHeader" else page_token(answer.json(self.next))
        if found is None or (self.kind == "token" and not found.startswith(_FOLLOWED)):
            return found
        try:
            following = answer.url.joined(found)
        except UrlError as error:
            raise Unavailable(f"the URL of the next page {error}", sent=Sent.UNKNOWN, repeatable=False) from None
        if following.origin != (api.server or answer.url).origin:
            raise Unavailable("the next page is on another server, to which no credentials are sent", sent=Sent.UNKNOWN, repeatable=False)
        return api.unsigned(following).target

    def _followed(self, api: HttpClient, token: str, own: Url) -> Url:
        """Return the URL of a page. A token may come from anybody, so it must not lead to another server or resource."""
        try:
            url = own.joined(token)
        except UrlError:
            _refuse("is not a token of this list")
        allowed = own.path if self.under is None or api.server is None else api.server.under(fill(self.under, {})).path
        fits = url.path == allowed if self.under is None else url.path == allowed or url.path.startswith(f"{allowed.rstrip('/')}/")
        if url.origin != own.origin or not fits:
            _refuse("leads to another resource than this list")
        return url


def page_token(value: Any) -> str | None:
    """Return a token as text; null, false and whatever is empty end a list.

    :raises Unavailable: if it is no token.
    """
    if value is None or value is False or value in ("", [], {}):
        return None
    if isinstance(value, dict | list) or value is True:
        raise _endless("what should name the next page is no token")
    return value if isinstance(value, str) else json.dumps(value)


def last_id(value: Any) -> str:
    """Return the ID of a page's last item as a token.

    :raises Unavailable: if it has none.
    """
    found = page_token(value)
    if found is None:
        raise _endless("the last item has no ID")
    return found


def is_absent(items: str, body: Any) -> bool:
    """Return whether a response has no member at a JSON Pointer; a null stands for an empty list."""
    parent, _, name = items.rpartition("/")
    found = find(body, parent)
    return (
        bool(items)
        and find(body, items) is None
        and not (isinstance(found, Mapping) and name.replace("~1", "/").replace("~0", "~") in found)
    )


def _lists(body: Any, place: str) -> Iterator[str]:
    """Yield the JSON Pointers of the lists among the members of an object, and among theirs."""
    for name, value in body.items() if isinstance(body, Mapping) else ():
        own = place + pointer(name)
        if isinstance(value, list) and len(own) <= _LONGEST_PLACE:
            yield own
        elif not place:
            yield from _lists(value, own)


def _endless(text: str) -> Unavailable:
    """Return the error for a list of which nobody can say whether it goes on: to end it would lose the rest in silence."""
    hint = "Check how the pages of the list are declared: where a response names the next one."
    return Unavailable(text, hint=hint, sent=Sent.UNKNOWN, repeatable=False)


def _refuse(text: str) -> NoReturn:
    raise InvalidInput("1 input is not valid", details=[Detail("/nextToken", text)], hint="Use 'nextToken' of a page.", sent=Sent.NOTHING)
