"""Pages of a list, declared in one line: the place of the next page's token, number, offset or URL,
and the place of the items.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

from jackfield.connector import Field, Inputs, Pagination, Sent, Unavailable, current_call, pointer
from jackfield.kernel.dataclass import dataclass
from jackfield_http import page_urls
from jackfield_http.answers import Answer
from jackfield_http.client import HttpClient
from jackfield_http.errors import HttpErrors
from jackfield_http.list_declarations import Declared
from jackfield_http.list_ends import is_named, refusal_of, statuses
from jackfield_http.page_ends import following, lacking
from jackfield_http.pointers import find
from jackfield_http.urls import Url, fill

_NO_VALUES: Mapping[str, Any] = {}
_LONGEST = 8_000
_LONGEST_PLACE = 200
"""Maximum number of characters of a list's place in an error."""


class PageInputs(Inputs):
    """Part of a list to fetch."""

    next_token: str | None = Field(
        None,
        title="Next Token",
        description="Where to continue: 'nextToken' of the last page.",
        schema={"maxLength": _LONGEST},
    )
    fetch_all: bool = Field(False, title="Fetch All", description="True to fetch every page.")


class NoList(Unavailable):
    """Error for a response with another value in place of its list of items.

    ``lists`` are JSON Pointers of the lists in the response; None if the response is no object.
    """

    def __init__(self, items: str, body: Any) -> None:
        super().__init__(
            f"the response has no list at '{items}'", sent=Sent.UNKNOWN, repeatable=False
        )
        self.lists = tuple(islice(_lists(body, ""), 5)) if isinstance(body, Mapping) else None


@dataclass(frozen=True, slots=True)
class Page:
    """Page of a list: its items, the token of the next page (None after the last), and the
    response.
    """

    items: list[Any]
    next: str | None
    answer: Answer


@dataclass(frozen=True, slots=True)
class Pages(Declared):
    """Division of a list into pages. Use one of the class methods.

    ``items`` is the JSON Pointer of the array in a response ("" if the response is the array).
    ``size`` is the query parameter for the page size, ``largest`` its maximum. ``more`` points at a
    member that is false on the last page, ``last`` at a member that is true there. ``header`` names
    the response header field with the token. ``ends`` are statuses of a later page that end the
    list, with the provider's code for an ambiguous status: ``(404, (400, "no_such_page"))``.
    ``cuts`` are statuses by which a provider refuses to return more of the list, which is then
    incomplete. With ``empty_ends``, an empty page is the last, even if it names a next page; with
    ``absent_ends``, a counted page without its list is empty. ``partial`` points at a member that
    is true, or has a reason, if a page lacks items. ``total`` points at the number of items of the
    whole list, of which the provider returns at most ``most``; with ``total_ends``, a list by
    offset ends after that number. ``step`` points at the number by which offsets grow, if a page
    may have fewer items. ``last_header`` names the header field with the number of the last page,
    or with "true" on the last page: an earlier empty page does not end the list. ``under`` is the
    path that contains pages, if it differs from the list's own. With ``is_assumed``, paging by
    ``Link`` is assumed, so a response without ``Link`` may not be the last.
    """

    @classmethod
    def token(cls, parameter: str, next: str, items: str, **options: Any) -> Pages:
        """Declare pages by a token: ``next`` points at the token in the response, ``parameter``
        sends it. The token may also be the next page's URL.

        With the option ``header``, the token is in that header field of the response, and ``next``
        is empty.
        """
        return cls("token", items, parameter, next, **options)

    @classmethod
    def number(cls, parameter: str, items: str, *, first: int = 1, **options: Any) -> Pages:
        """Declare pages by number, counted from ``first``. An empty page is the last: a short page
        may only reach the server's own limit.
        """
        return cls("page", items, parameter, first=first, **options)

    @classmethod
    def offset(cls, parameter: str, items: str, **options: Any) -> Pages:
        """Declare pages by the number of items to skip; an empty page is the last."""
        return cls("offset", items, parameter, **options)

    @classmethod
    def link(cls, items: str = "", **options: Any) -> Pages:
        """Declare pages by the header field ``Link`` with ``rel="next"`` (RFC 8288)."""
        return cls("linkHeader", items, **options)

    @classmethod
    def url(cls, next: str, items: str, **options: Any) -> Pages:
        """Declare pages by the URL of the next page, at the pointer ``next``."""
        return cls("url", items, next=next, **options)

    @classmethod
    def last_id(cls, parameter: str, items: str, *, next: str = "/id", **options: Any) -> Pages:
        """Declare pages by the ID of the last item, at the pointer ``next`` within the item."""
        return cls("lastId", items, parameter, next, **options)

    def pagination(self, items: str) -> Pagination:
        """Return the ``pagination`` of an action whose inputs extend ``PageInputs`` and whose
        output has ``items`` and ``nextToken``.

        With ``size`` and ``largest``, callers choose the size of a page: the inputs declare
        ``page_size`` then, an optional integer.
        """
        size = "pageSize" if self.size is not None and self.largest is not None else None
        told = {"more": self.more, "last": self.last, "header": self.header or None}
        wire = {
            "kind": self.kind,
            "response": self.next,
            "items": self.items,
            **{name: at for name, at in told.items() if at is not None},
        }
        return Pagination(
            "nextToken",
            "nextToken",
            items,
            "fetchAll",
            size,
            self.largest if size else None,
            wire=wire,
        )

    def fetch(
        self,
        api: HttpClient,
        path: str,
        asked: PageInputs,
        values: Mapping[str, Any] = _NO_VALUES,
        query: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Page:
        """Fetch the page that ``asked`` selects; ``options`` are the options of
        ``HttpClient.request``.

        :raises InvalidInput: if the token cannot come from this list.
        """
        return self.fetch_url(
            api, api.url(path, values), asked, query, **{"step": f"GET {path}", **options}
        )

    def fetch_url(
        self,
        api: HttpClient,
        url: Url,
        asked: PageInputs,
        query: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Page:
        """Fetch the page of the list at ``url`` that ``asked`` selects; ``options`` are the options
        of ``HttpClient.request``.
        """
        token, later = asked.next_token, self.later(options.get("expect"), asked.next_token)
        if later:
            options["expect"] = later
        if token is not None and self.is_address(token, url):
            answer = api.request("GET", self.address(api, token, url), **options)
        else:
            answer = api.request(
                "GET", url, query={**(query or {}), **self.query(asked)}, **options
            )
        if later and self.is_over(answer, api.errors):
            return Page([], None, answer)
        # the first page must be there
        body = answer.json() if answer.content or token is None else None
        items = find(body, self.items)
        if items is not None and not isinstance(items, list):
            raise NoList(self.items, body)
        return Page(
            items or [],
            self.token_after(api, answer, body, self._count(token) if self._is_counted else 0),
            answer,
        )

    def later(self, expected: Collection[int] | None, token: object) -> Collection[int] | None:
        """Return the statuses to expect of a page after the first, if some statuses end the list;
        None otherwise. The first page must exist.
        """
        over = statuses((*self.ends, *self.cuts))
        is_first = token is None or (self._is_counted and str(token) == str(self.first))
        return None if not over or is_first else {*(expected or range(200, 300)), *over}

    def is_over(self, answer: Answer, errors: HttpErrors) -> bool:
        """Return whether a later page's response is a refusal that ends the list.

        If the provider only refuses to return more of the list, the caller gets a warning.

        :raises JackfieldError: if the response has the same status with another code.
        """
        if answer.status not in statuses((*self.ends, *self.cuts)):
            return False
        error, call = refusal_of(answer, errors), current_call()
        if is_named(answer, self.ends, error):
            return True
        if not is_named(answer, self.cuts, error):
            raise error
        if call is not None:
            call.unfinished(
                (
                    "the list may go on: the provider shows no further pages of it (status "
                    f"{answer.status}): {error.message}"
                )[:500]
            )
        return True

    def is_address(self, token: object, own: Url) -> bool:
        """Return whether a token of the list at ``own`` is an address to follow."""
        return self.kind in {"linkHeader", "url"} or (
            self.kind == "token" and page_urls.is_address(token, own)
        )

    def address(self, api: HttpClient, token: str, own: Url) -> Url:
        """Return the URL of the page that a token names.

        :raises InvalidInput: if the URL leads to another server or resource.
        """
        under = (
            None
            if self.under is None or api.server is None
            else api.server.under(fill(self.under, {})).path
        )
        return page_urls.followed(own, token, api.server or own, root=_root(api), under=under)

    def token_after(self, api: HttpClient, answer: Answer, body: Any, position: int) -> str | None:
        """Return the token of the page after a response; None after the last. If the list's end is
        unknown, the caller gets a warning.

        :raises Unavailable: if the next page's token is unusable.
        :raises Elsewhere: if the next page's address must not be followed.
        """
        found = following(self, answer, body, position)
        call = current_call()
        reason = found.unknown or lacking(self, body, found)
        if reason is not None and call is not None:
            call.unfinished(reason)
        if found.next is None or not (
            self.kind in {"linkHeader", "url"}
            or (self.kind == "token" and page_urls.is_whole(found.next))
        ):
            return found.next
        url = api.unsigned(
            page_urls.given(answer.url, found.next, api.server or answer.url, root=_root(api))
        )
        return str(url) if self.kind == "token" else url.target

    @property
    def _is_counted(self) -> bool:
        return self.kind in {"page", "offset"}

    def query(self, asked: PageInputs) -> Mapping[str, Any]:
        """Return the query parameters of a request for a page."""
        size = getattr(asked, "page_size", None)
        query: dict[str, Any] = {} if self.size is None or size is None else {self.size: size}
        if self._is_counted:
            query[self.parameter] = self._count(asked.next_token)
        elif asked.next_token is not None:
            query[self.parameter] = asked.next_token
        return query

    def _count(self, token: str | None) -> int:
        if token is None:
            return self.first
        if not (token.isascii() and token.isdigit() and len(token) < 16):
            page_urls.refuse("is not a token of this list")
        return int(token)


def _root(api: HttpClient) -> str:
    return "/" if api.server is None else api.server.path


def _lists(body: Any, place: str) -> Iterator[str]:
    """Yield the JSON Pointers of the lists among an object's members and the members of its
    objects.
    """
    for name, value in body.items() if isinstance(body, Mapping) else ():
        own = place + pointer(name)
        if isinstance(value, list) and len(own) <= _LONGEST_PLACE:
            yield own
        elif not place:
            yield from _lists(value, own)
