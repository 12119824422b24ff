"""Lists that a made-up provider holds, in the shapes in which public APIs page, with what may go
wrong with one of their pages.

A shape is how the provider numbers, names and ends its pages; a fault spoils one page. Neither
lies: no fault is what the shape declares as its end. So the provider's items are known, and a list
that is called complete must have them all.
"""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jackfield.testing import CLOSE, Answer, Request
from openapi_rig import document

Json = dict[str, Any]
Row = Mapping[str, Any]

BASE = "/v1"
_TEXT, _NUMBER, _FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_LIST: Json = {"type": "array", "items": {"type": "object", "properties": {"id": _TEXT}}}
_AGAIN = 100
"""Added to the place in a token that names a page for the second time."""
_ENDLESS = 60
"""Requests of one list, after which the provider fails: no runtime should need them."""


def _object(**members: Any) -> Json:
    return {"type": "object", "properties": members}


@dataclass(frozen=True)
class Held:
    """A page that the provider holds: its items, where the next one begins (None after the last),
    and how many items there are.
    """

    items: list[Json]
    next: int | None
    total: int

    @property
    def more(self) -> bool:
        """True if another page follows."""
        return self.next is not None


@dataclass(frozen=True)
class Shape:
    """Shape of a list. ``pages`` declares it to ``http.request`` and to authors, ``overlay`` to the
    generator where that must be told.

    ``named`` is where a body names the next page, ``flag`` where it says that there is more;
    ``wide``: an address is named.
    """

    name: str
    body: Callable[[Held, str | None], Any]
    pages: Row
    schema: Json
    parameters: tuple[tuple[str, Json], ...] = ()
    overlay: Json | None = None
    items: str = "/data"
    named: str | None = None
    flag: str | None = None
    token: Callable[[int], Any] = lambda at: f"t{at}"
    wide: str | None = None
    """How an address is written: ``whole``, ``path``, ``query``."""
    after: Callable[[int], Answer] | None = None
    """Response to the request for a page after the last; by default an empty page."""
    ends_truly: bool = True
    """False if the provider never says that the list has ended, in any word that is known as
    one.
    """
    link: str | None = None
    """Form of the header field ``Link``, with ``{}`` for the address."""
    header: str = ""
    """Header field that names the next page."""
    by_post: bool = False

    @property
    def is_headed(self) -> bool:
        """True if a header field names the next page."""
        return bool(self.link or self.header)


def _data(held: Held, **more: Any) -> Json:
    return {"data": held.items, **more}


def _without(held: Held, name: str, token: Any, **more: Any) -> Json:
    return _data(held, **more) if token is None else _data(held, **{name: token}, **more)


def _base64(at: int) -> str:
    return ("/", "?", "//", "https:", "")[at % 5] + b64encode(f"{at}".encode()).decode()


_CURSOR = (("cursor", _TEXT), ("limit", _NUMBER))
_PAGED = (("page", {"type": "integer", "default": 1}), ("per_page", _NUMBER))
_SKIPPED = (("offset", {"type": "integer", "default": 0}), ("limit", _NUMBER))
_TOKEN: Row = {"kind": "token", "parameter": "cursor", "next": "/next_cursor", "items": "/data"}
_COUNTED: Row = {"kind": "page", "parameter": "page", "items": "/data"}
_OFFSET: Row = {"kind": "offset", "parameter": "offset", "items": "/data"}
_NAMED = _object(data=_LIST, next_cursor=_TEXT)
_OVER = {"kind": "page", "input": "page", "items": "/data"}

SHAPES = (
    Shape(
        "null",
        lambda held, at: _data(held, next_cursor=at),
        _TOKEN,
        _NAMED,
        _CURSOR,
        named="/next_cursor",
    ),
    Shape(
        "absent",
        lambda held, at: _without(held, "next_cursor", at),
        _TOKEN,
        _NAMED,
        _CURSOR,
        named="/next_cursor",
    ),
    Shape(
        "empty",
        lambda held, at: _data(held, next_cursor="" if at is None else at),
        _TOKEN,
        _NAMED,
        _CURSOR,
        named="/next_cursor",
    ),
    Shape(
        "base64",
        lambda held, at: _data(held, next_cursor=at),
        _TOKEN,
        _NAMED,
        _CURSOR,
        named="/next_cursor",
        token=_base64,
    ),
    Shape(
        "integers",
        lambda held, at: _data(held, next_cursor=at),
        _TOKEN,
        _object(data=_LIST, next_cursor=_NUMBER),
        _CURSOR,
        named="/next_cursor",
        token=lambda at: at,
    ),
    Shape(
        "omitted",
        lambda held, at: {
            **({"data": held.items} if held.items else {}),
            **({} if at is None else {"next_cursor": at}),
        },
        _TOKEN,
        _NAMED,
        _CURSOR,
        named="/next_cursor",
    ),
    Shape(
        "flagged",
        lambda held, at: _data(held, next_cursor=at, has_more=held.more),
        {**_TOKEN, "more": "/has_more"},
        _object(data=_LIST, next_cursor=_TEXT, has_more=_FLAG),
        _CURSOR,
        named="/next_cursor",
        flag="/has_more",
    ),
    Shape(
        "flag as text",
        lambda held, at: _without(held, "next_cursor", at, has_more=str(held.more).lower()),
        {**_TOKEN, "more": "/has_more"},
        _object(data=_LIST, next_cursor=_TEXT, has_more=_TEXT),
        _CURSOR,
        named="/next_cursor",
        flag="/has_more",
    ),
    Shape(
        "nested",
        lambda held, at: _data(held, meta={"pagination": {"next_cursor": at, "total": held.total}}),
        {**_TOKEN, "next": "/meta/pagination/next_cursor"},
        _object(data=_LIST, meta=_object(pagination=_object(next_cursor=_TEXT))),
        _CURSOR,
        named="/meta/pagination/next_cursor",
    ),
    Shape(
        "hubspot",
        lambda held, at: (
            {"results": held.items}
            | ({"paging": {"next": {"after": at, "link": "/x"}}} if at is not None else {})
        ),
        {"kind": "token", "parameter": "after", "next": "/paging/next/after", "items": "/results"},
        _object(results=_LIST, paging=_object(next=_object(after=_TEXT, link=_TEXT))),
        (("after", _TEXT), ("limit", _NUMBER)),
        items="/results",
        named="/paging/next/after",
    ),
    Shape(
        "graphql",
        lambda held, at: _data(
            held, pageInfo={"hasNextPage": held.more, "endCursor": "end" if at is None else at}
        ),
        {
            "kind": "token",
            "parameter": "after",
            "next": "/pageInfo/endCursor",
            "more": "/pageInfo/hasNextPage",
            "items": "/data",
        },
        _object(data=_LIST, pageInfo=_object(hasNextPage=_FLAG, endCursor=_TEXT)),
        (("after", _TEXT), ("first", _NUMBER)),
        named="/pageInfo/endCursor",
        flag="/pageInfo/hasNextPage",
    ),
    Shape(
        "offset as text",
        lambda held, at: _data(
            held, next_page={"offset": at, "path": "/x"} if at is not None else None
        ),
        {"kind": "token", "parameter": "offset", "next": "/next_page/offset", "items": "/data"},
        _object(data=_LIST, next_page=_object(offset=_TEXT, path=_TEXT)),
        (("offset", _TEXT), ("limit", _NUMBER)),
        named="/next_page/offset",
    ),
    Shape(
        "whole address",
        lambda held, at: _data(held, next_cursor=at),
        _TOKEN,
        _NAMED,
        _CURSOR,
        named="/next_cursor",
        wide="whole",
    ),
    Shape(
        "own path",
        lambda held, at: _data(held, next_cursor=at),
        _TOKEN,
        _NAMED,
        _CURSOR,
        named="/next_cursor",
        wide="path",
    ),
    Shape(
        "url",
        lambda held, at: _data(held, next=at),
        {"kind": "url", "next": "/next", "items": "/data"},
        _object(data=_LIST, next=_TEXT),
        _PAGED,
        named="/next",
        wide="whole",
    ),
    Shape(
        "url without host",
        lambda held, at: _data(held, next_url="" if at is None else at),
        {"kind": "url", "next": "/next_url", "items": "/data"},
        _object(data=_LIST, next_url=_TEXT),
        (),
        named="/next_url",
        wide="path",
    ),
    Shape(
        "url of a query",
        lambda held, at: _without(held, "nextLink", at),
        {"kind": "url", "next": "/nextLink", "items": "/data"},
        _object(data=_LIST, nextLink=_TEXT),
        (),
        named="/nextLink",
        wide="query",
    ),
    Shape(
        "hal",
        lambda held, at: _data(
            held,
            _links={"self": {"href": "/x"}, **({"next": {"href": at}} if at is not None else {})},
        ),
        {"kind": "url", "next": "/_links/next", "items": "/data"},
        _object(data=_LIST, _links=_object(next=_object(href=_TEXT))),
        _PAGED,
        named="/_links/next/href",
        wide="path",
    ),
    Shape(
        "links of pages",
        lambda held, at: _data(
            held, links={"pages": {"last": "x", "next": at}} if at is not None else {}
        ),
        {"kind": "url", "next": "/links/pages/next", "items": "/data"},
        _object(data=_LIST, links=_object(pages=_object(next=_TEXT))),
        _PAGED,
        named="/links/pages/next",
        wide="whole",
    ),
    Shape(
        "link",
        lambda held, _: held.items,
        {"kind": "linkHeader"},
        _LIST,
        _PAGED,
        items="",
        link='<{}>; rel="next"',
        wide="whole",
    ),
    Shape(
        "link as RFC 8288 allows",
        lambda held, _: held.items,
        {"kind": "linkHeader"},
        _LIST,
        _PAGED,
        items="",
        wide="path",
        link='</v1/first>; title="a; rel=next, <x>"; rel=first,<{}> ; REL = "last next"; title="b"',
    ),
    Shape("page", lambda held, _: _data(held), _COUNTED, _object(data=_LIST), _PAGED),
    Shape(
        "page from zero",
        lambda held, _: _data(held, total=held.total),
        {**_COUNTED, "first": 0},
        _object(data=_LIST, total=_NUMBER),
        (("page", {"type": "integer", "default": 0}), ("per_page", _NUMBER)),
    ),
    Shape(
        "page with a flag",
        lambda held, _: _data(held, has_more=held.more),
        {**_COUNTED, "more": "/has_more"},
        _object(data=_LIST, has_more=_FLAG),
        _PAGED,
        flag="/has_more",
    ),
    Shape(
        "page with a number as flag",
        lambda held, _: _data(held, has_more=int(held.more)),
        {**_COUNTED, "more": "/has_more"},
        _object(data=_LIST, has_more=_FLAG),
        _PAGED,
        flag="/has_more",
    ),
    Shape(
        "not found at the end",
        lambda held, _: _data(held),
        {**_COUNTED, "ends": [404]},
        _object(data=_LIST),
        _PAGED,
        overlay={**_OVER, "ends": [404]},
        after=lambda _: Answer({"detail": "Invalid page."}, 404),
    ),
    Shape(
        "not found, undeclared",
        lambda held, _: _data(held),
        _COUNTED,
        _object(data=_LIST),
        _PAGED,
        after=lambda _: Answer({"detail": "Invalid page."}, 404),
        ends_truly=False,
    ),
    Shape(
        "no content at the end",
        lambda held, _: _data(held),
        _COUNTED,
        _object(data=_LIST),
        _PAGED,
        after=lambda _: Answer(status=204),
    ),
    Shape(
        "no body at the end",
        lambda held, _: _data(held),
        _COUNTED,
        _object(data=_LIST),
        _PAGED,
        after=lambda _: Answer(content=b""),
        ends_truly=False,
    ),
    Shape("offset", lambda held, _: _data(held), _OFFSET, _object(data=_LIST), _SKIPPED),
    Shape(
        "offset with a flag",
        lambda held, _: _data(held, meta={"has_more": held.more}),
        {**_OFFSET, "more": "/meta/has_more"},
        _object(data=_LIST, meta=_object(has_more=_FLAG)),
        _SKIPPED,
        flag="/meta/has_more",
    ),
    Shape(
        "last item",
        lambda held, _: _data(held, has_more=held.more),
        {
            "kind": "lastId",
            "parameter": "starting_after",
            "next": "/id",
            "more": "/has_more",
            "items": "/data",
        },
        _object(data=_LIST, has_more=_FLAG),
        (("starting_after", _TEXT), ("limit", _NUMBER)),
        flag="/has_more",
    ),
    Shape(
        "last ID",
        lambda held, _: _data(
            held, has_more=held.more, last_id=held.items[-1]["id"] if held.items else None
        ),
        {
            "kind": "token",
            "parameter": "after",
            "next": "/last_id",
            "more": "/has_more",
            "items": "/data",
        },
        _object(data=_LIST, has_more=_FLAG, last_id=_TEXT),
        (("after", _TEXT), ("limit", _NUMBER)),
        flag="/has_more",
        named="/last_id",
    ),
    Shape(
        "last page",
        lambda held, at: _data(
            held, next_cursor="spent" if at is None else at, isLast=not held.more
        ),
        {**_TOKEN, "last": "/isLast"},
        _object(data=_LIST, next_cursor=_TEXT, isLast=_FLAG),
        _CURSOR,
        named="/next_cursor",
        flag="/isLast",
    ),
    Shape(
        "last page by number",
        lambda held, _: _data(held, page={"last": not held.more}),
        {**_COUNTED, "last": "/page/last"},
        _object(data=_LIST, page=_object(last=_FLAG)),
        _PAGED,
        flag="/page/last",
        after=lambda _: Answer({"error": "no such page"}, 400),
    ),
    Shape(
        "cursor in the header",
        lambda held, _: held.items,
        {"kind": "token", "parameter": "cursor", "header": "X-Next-Cursor"},
        _LIST,
        _CURSOR,
        items="",
        header="X-Next-Cursor",
    ),
    Shape(
        "number of the next page",
        lambda held, at: _data(held, meta={"next_page": at}),
        {"kind": "token", "parameter": "page", "next": "/meta/next_page", "items": "/data"},
        _object(data=_LIST, meta=_object(next_page=_NUMBER)),
        _PAGED,
        named="/meta/next_page",
        token=lambda at: at,
    ),
    Shape(
        "search by POST",
        lambda held, at: _data(held, next_cursor=at),
        {},
        _NAMED,
        (("cursor", _TEXT),),
        named="/next_cursor",
        overlay={"kind": "token", "input": "cursor", "response": "/next_cursor", "items": "/data"},
        by_post=True,
    ),
)


def listing_document() -> Json:
    """Return an OpenAPI document with a list of each shape."""
    return document(
        {
            f"/{number}": {"post" if shape.by_post else "get": _operation(number, shape)}
            for number, shape in enumerate(SHAPES)
        },
        servers=[{"url": f"https://api.example.com{BASE}"}],
        components={"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        security=[{"key": []}],
    )


def _operation(number: int, shape: Shape) -> Json:
    headers = {
        name: {"schema": _TEXT} for name in ("Link" if shape.link else "", shape.header) if name
    }
    answer = {
        "description": "",
        "headers": headers,
        "content": {"application/json": {"schema": shape.schema}},
    }
    made: Json = {"operationId": f"list{number}", "responses": {"200": answer}}
    if shape.by_post:
        body = _object(**dict(shape.parameters))
        made |= {"requestBody": {"content": {"application/json": {"schema": body}}}}
    else:
        made |= {
            "parameters": [
                {"name": name, "in": "query", "schema": schema} for name, schema in shape.parameters
            ]
        }
    if shape.overlay is not None:
        made["x-jackfield"] = {"pagination": shape.overlay} | (
            {"effect": "read"} if shape.by_post else {}
        )
    return made


@dataclass
class Listed:
    """A list of a provider at ``url``, and a fault of the page that has the item ``at``;
    ``elsewhere`` is the URL of another server.
    """

    number: int
    total: int
    size: int
    fault: str
    at: int
    url: str
    elsewhere: str
    requests: int = 0
    astray: list[str] = field(default_factory=list)
    """Paths of requests that the list does not have."""
    failed: set[int | None] = field(default_factory=set)
    begun: int = 0
    """Place of the page that is being sent."""
    hollow: bool = False
    stuck: Answer | None = None

    @property
    def shape(self) -> Shape:
        """Shape of the list."""
        return SHAPES[self.number]

    @property
    def items(self) -> list[Json]:
        """The items that the provider holds."""
        return [{"id": f"i{number}"} for number in range(self.total)]

    def answer(self, request: Request) -> Answer | Any:
        """Answer a request for a page."""
        self.requests += 1
        path, query = (
            urlsplit(request.path).path,
            {name: found[0] for name, found in parse_qs(urlsplit(request.path).query).items()},
        )
        if path != f"{BASE}/{self.number}" or self.requests > _ENDLESS:
            self.astray.append(request.path)
            return Answer({"data": [{"id": "astray"}]})
        if self.shape.by_post:
            query = request.json() if request.body else {}
        begin = self._begin(query)
        if begin is None:
            return Answer({"error": "invalid page"}, 400)
        if self.stuck is not None:
            return self.stuck
        found, self.begun = self.items[begin : begin + self.size], begin
        end = begin + len(found)
        held = Held(found, end if end < self.total else None, self.total)
        honest = self.page(held, self.named(held.next))
        if not found and begin and self.shape.after is not None:
            honest = self.shape.after(begin)
        is_spoilt = self.fault != "" and (begin <= self.at < end or begin == end == self.at)
        return FAULTS[self.fault](self, held, honest) if is_spoilt else honest

    def _begin(self, query: Row) -> int | None:
        """Return the place of the first item of the page that a request asks for; None if its token
        is none of the list's.
        """
        if "at" in query:
            return int(query["at"])
        kind, name = (
            self.shape.pages.get("kind", "token"),
            self.shape.pages.get("parameter", "cursor"),
        )
        if kind in {"linkHeader", "url"} or name not in query:
            return 0
        value = query[name]
        if kind == "page":
            first: int = self.shape.pages.get("first", 1)
            return self.size * (int(value) - first)
        if kind == "offset":
            return int(value)
        if kind == "lastId" or self.shape.name == "last ID":
            return int(value[1:]) + 1
        known = (place for place in range(2 * _AGAIN) if str(self.shape.token(place)) == str(value))
        return next((place % _AGAIN for place in known), None)

    def page(self, held: Held, named: Any) -> Answer:
        """Return a page that names the next one so."""
        headers = (
            {"Link": self.shape.link.format(named)} if self.shape.link and named is not None else {}
        )
        headers |= (
            {self.shape.header: "" if named is None else str(named)} if self.shape.header else {}
        )
        return Answer(self.shape.body(held, named), headers=headers)

    def named(self, at: int | None, *, again: bool = False) -> Any:
        """Return what names the page at a place: a token or an address; another one than before, if
        it is named ``again``.
        """
        if at is None:
            return None
        if self.shape.wide is None:
            return self.shape.token(at + _AGAIN if again else at)
        begins = {
            "whole": f"{self.url}/{self.number}",
            "path": f"{BASE}/{self.number}",
            "query": "",
        }[self.shape.wide]
        return f"{begins}?at={at}{'&again=1' if again else ''}"


Fault = Callable[[Listed, Held, Answer], Any]


def _once(answer: Any) -> Fault:
    def fault(listed: Listed, held: Held, honest: Answer) -> Any:
        first = held.next not in listed.failed
        listed.failed.add(held.next)
        return answer if first else honest

    return fault


def _always(answer: Any) -> Fault:
    return lambda _listed, _held, _honest: answer


def _flagged(*values: Any) -> Fault:
    """Replace what says whether there is more by something that is neither yes nor no; ``...``
    leaves it out.
    """

    def fault(listed: Listed, _held: Held, honest: Answer) -> Any:
        if listed.shape.flag is None or not honest.body:
            return honest
        return Answer(
            _set(honest.body, listed.shape.flag, values[listed.at % len(values)]),
            headers=honest.headers,
        )

    return fault


def _name_fault(make: Callable[[Listed], Any]) -> Fault:
    """Name the next page otherwise, where there is one."""

    def fault(listed: Listed, held: Held, honest: Answer) -> Any:
        if held.next is None or (listed.shape.named is None and not listed.shape.is_headed):
            return honest
        name = make(listed)
        return (
            honest
            if listed.shape.is_headed and not isinstance(name, str)
            else listed.page(held, name)
        )

    return fault


def _linked(value: str) -> Fault:
    """Send a ``Link`` that is not well formed where there is a next page."""

    def fault(listed: Listed, held: Held, honest: Answer) -> Any:
        return (
            honest
            if listed.shape.link is None or held.next is None
            else Answer(honest.body, headers={"Link": value})
        )

    return fault


def _hollow(listed: Listed, held: Held, honest: Answer) -> Any:
    """Send an empty page before this one, of a list whose pages name the next one."""
    if (
        listed.hollow
        or held.next is None
        or listed.shape.name == "last ID"
        or not (listed.shape.named or listed.shape.is_headed)
    ):
        return honest
    listed.hollow = True
    return listed.page(Held([], listed.at, listed.total), listed.named(listed.begun, again=True))


def _itemless(listed: Listed, _held: Held, honest: Answer) -> Any:
    """Leave out the list of items of a counted page."""
    if listed.shape.pages.get("kind") not in {"page", "offset", "lastId"}:
        return honest
    return Answer(
        {name: value for name, value in honest.body.items() if f"/{name}" != listed.shape.items}
    )


def _clamped(listed: Listed, held: Held, honest: Answer) -> Any:
    """Send this page whatever is asked for from now on, as servers do that clamp to a last page."""
    listed.stuck = honest if held.items else None
    return honest


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _set(body: Any, place: str, value: Any) -> Any:
    name, _, rest = place[1:].partition("/")
    if not isinstance(body, dict):
        return body
    if rest:
        return {**body, name: _set(body.get(name, {}), f"/{rest}", value)}
    return (
        {key: one for key, one in body.items() if key != name}
        if value is ...
        else {**body, name: value}
    )


FAULTS: Mapping[str, Fault] = {
    "unavailable once": _once(Answer({}, 503)),
    "throttled once": _once(Answer({}, 429, {"Retry-After": "0"})),
    "closed once": _once(CLOSE),
    "cut once": _once(Answer({"data": []}, missing=9)),
    "unavailable": _always(Answer({"message": "down"}, 503)),
    "refused": _always(Answer({"message": "no"}, 400)),
    "not authorized": _always(Answer({"message": "no"}, 403)),
    "another page than JSON": _always(
        Answer(content=b"<html>down for maintenance</html>", headers={"Content-Type": "text/html"})
    ),
    "half of the JSON": _always(
        Answer(content=b'{"data": [{"id":', headers={"Content-Type": "application/json"})
    ),
    "an error with status 200": _always(
        Answer({"error": {"code": "overloaded", "message": "try again"}})
    ),
    "errors with status 200": _always(Answer({"errors": [{"message": "try again"}], "data": None})),
    "a text": _always(Answer("later")),
    "null": lambda listed, _held, honest: Answer(None) if listed.shape.items else honest,
    "flag left out": _flagged(...),
    "flag of another type": _flagged(None, "maybe", 2, [], {}),
    "token is an object": _name_fault(lambda _: {"other": 1}),
    "token is true": _name_fault(lambda _: True),
    "token is zero": _name_fault(lambda _: 0),
    "foreign address": _name_fault(lambda listed: f"{listed.elsewhere}/v1/{listed.number}?at=1"),
    "foreign host without scheme": _name_fault(
        lambda listed: f"//{_host(listed.elsewhere)}/v1/{listed.number}?at=1"
    ),
    "name before the host": _name_fault(
        lambda listed: f"http://{_host(listed.url)}@{_host(listed.elsewhere)}/v1?at=1"
    ),
    "outside the base": _name_fault(lambda listed: f"{listed.url.removesuffix(BASE)}/admin?at=1"),
    "a path outside the base": _name_fault(lambda _: "/admin?at=1"),
    "beside the base": _name_fault(lambda listed: f"{listed.url}2/{listed.number}?at=1"),
    "out of the base by dots": _name_fault(lambda listed: f"{listed.url}/../admin?at=1"),
    "out of the base by coded dots": _name_fault(lambda listed: f"{listed.url}/%2e%2e/admin?at=1"),
    "backslashes": _name_fault(lambda listed: f"\\\\{_host(listed.elsewhere)}\\v1"),
    "another scheme": _name_fault(lambda _: "ftp://127.0.0.1/v1?at=1"),
    "malformed link": _linked("/v1/x?at=1; rel=next"),
    "malformed second link": _linked('</v1/x>; rel="first", v1/x; rel="next"'),
    "items left out": _itemless,
    "an empty page before it": _hollow,
    "this page again and again": _clamped,
}
"""Faults of a page by name. None is an end that the provider's shape declares."""

HARMLESS = frozenset(
    {"", "unavailable once", "throttled once", "closed once", "cut once", "an empty page before it"}
)
"""Faults that a list survives whole."""


def drawn(choose: random.Random, url: str, elsewhere: str, number: int) -> Listed:
    """Draw a list of a shape."""
    total = choose.choice([0, 1, 2, 3, 5, 7, 8])
    fault = choose.choice(["", "", *FAULTS])
    return Listed(
        number,
        total,
        choose.choice([1, 2, 3, 4]),
        fault,
        choose.randrange(total + 1),
        url,
        elsewhere,
    )


def shown(listed: Listed, result: Any) -> str:
    """Describe a list and what was made of it, for a failed test."""
    return json.dumps(
        [
            listed.shape.name,
            listed.fault,
            listed.total,
            listed.size,
            listed.at,
            listed.astray,
            result.to_json(),
        ],
        default=str,
    )
