"""Detection of pagination: an operation's input that selects a page, the response's member for the
next page, and a confidence.

The first matching rule decides: the vendor's declaration, a page token in both directions, a
declared ``Link`` header, the next page's address in the body. After these come the last item's id,
page numbers and offsets. Names are hints; the types of the document decide: a token is a string or
a number, never an object, and only a number is counted. ``high`` and ``medium`` take effect;
``low`` is only suggested.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.connector import pointer
from jackfield.kernel.pointers import names
from jackfield_http.list_declarations import Kind
from jackfield_openapi.composition import Composition
from jackfield_openapi.contents import Response
from jackfield_openapi.declared_pages import declared_pages
from jackfield_openapi.keywords import number
from jackfield_openapi.naming import words
from jackfield_openapi.operations import Operation
from jackfield_openapi.parameters import Drawn

_PLAIN = re.compile(r"[^a-z0-9]")
_TOKENS = frozenset(
    [
        "pagetoken",
        "nexttoken",
        "cursor",
        "nextcursor",
        "continue",
        "continuationtoken",
        "marker",
        "nextpagetoken",
        "paginationtoken",
        "startingtoken",
        "starttoken",
        "pagecursor",
        "after",
        "scrollid",
        "startcursor",
    ]
)
_TOKENS_OUT = _TOKENS - {"after"} | {
    "nextmarker",
    "endcursor",
    "nextcontinuationtoken",
    "aftercursor",
    "nextpagecursor",
    "cursornext",
    "next",
}
_LINKS_OUT = frozenset(
    [
        "nextlink",
        "odatanextlink",
        "nextpageurl",
        "nexturl",
        "nextpagelink",
        "nextpageuri",
        "nexthref",
        "nexturi",
        "nextrecordsurl",
    ]
)
_NEXT = frozenset(["next", "nextpage"])
"""Names of objects about the next page: a member named like an input has the input's value for the
next page.
"""
_ADDRESSES = frozenset(["href", "url", "uri", "link"])
_OF_ITEMS = "items|results|records|entries|rows|data|pages?"
_MORE = re.compile(
    rf"(?:has|is|are)?more(?:{_OF_ITEMS})?(?:available|incollection|remaining)?|hasnext(?:page)?|(?:is|was)?truncated"
)
"""Regular expression of the plain names of members that say whether the list continues."""
_LAST = re.compile(rf"(?:is)?last(?:page|batch)?|done|endof(?:list|{_OF_ITEMS})")
"""Regular expression of the plain names of members that say whether this is the last page."""
_IN_HEADER = re.compile(
    r"x?(?:pagination)?(?:next(?:page)?|continuation|pagination)(?:token|cursor|marker|offset)?"
)
"""Regular expression of the plain names of response header fields that name the next page."""
_DEEPEST = 3
_NAMES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
}
"""JSON Schema's names of the types of an example's members; null may stand for any type."""
_OF_NEXT = re.compile(r"next page|cursor", re.IGNORECASE)
_AMONG_LINKS = re.compile(r"/_?links/")
_IN_LINK = re.compile(r"`?link`? (?:response )?header|http header \(`?rel=next", re.IGNORECASE)
_BEGINS = re.compile(
    r"(?:start|begin)(?:s|ing|ning)? (?:at|from|with) ([01])\b|\b([01])[- ](?:based|indexed)",
    re.IGNORECASE,
)
_WITHIN = _NEXT | frozenset(
    [
        "pages",
        "meta",
        "metadata",
        "pagination",
        "paging",
        "links",
        "pageinfo",
        "responsemetadata",
        "page",
        "paginginfo",
        "cursors",
        "additionaldata",
    ]
)
_PAGES = frozenset(["page", "pagenumber", "pageno", "pagenum", "pageindex", "currentpage", "p"])
_SIZES = frozenset(
    [
        "perpage",
        "pagesize",
        "limit",
        "size",
        "count",
        "maxresults",
        "pagelimit",
        "max",
        "maxitems",
        "top",
        "itemsperpage",
        "first",
        "pagecount",
        "maxpagesize",
    ]
)
_OFFSETS = frozenset(["offset", "skip", "startat", "startindex", "pageoffset"])
_VAGUE = frozenset(["start", "from"])
_NUMERIC = frozenset(["integer", "number"])
_ITEMS = (
    "data",
    "items",
    "results",
    "values",
    "value",
    "entries",
    "records",
    "list",
    "content",
    "resources",
)

_ABSENT: Any = object()
_ONLY_SHOWN = "Shown by the document's example of a response; its schema lacks it."

NEXT_PAGE = "nextPage"
"""Name of the input and output member that the generator adds where the response has no page token
at its top level.
"""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Paging:
    """Pagination of an action: the binding's row, the member of the output with the items, and the
    inputs that it uses.
    """

    row: Json
    items: str | None
    token_input: str | None
    token_output: str
    size_input: str | None
    enabled: bool
    only_shown: Json
    """Schemas of output members that occur in the response's example only, by name."""


@dataclass(frozen=True, slots=True)
class _Member:
    """Member of a response: its plain name and its types; no types if the document states none."""

    name: str
    types: set[str]

    @property
    def is_text(self) -> bool:
        return "string" in self.types or not self.types

    @property
    def is_token(self) -> bool:
        """True if the member may be a page token: its types are unknown, or include text or a
        number.
        """
        return not self.types or bool(self.types & {"string", "integer", "number"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """Inputs of an operation that may select a page, by plain names with their types, and the
    members of its response.
    """

    by_plain: Mapping[str, str]
    types: Mapping[str, set[str]]
    members: Mapping[str, _Member]
    texts: Mapping[str, str]
    """Descriptions of the inputs by their plain names."""

    @property
    def token(self) -> str | None:
        """Name of the input for a page token; None without one."""
        return next((key for name, key in self.by_plain.items() if name in _TOKENS), None)

    @property
    def flag(self) -> Json:
        """Pointer to the member that says whether more pages follow (``more``) or whether this page
        is the last (``last``); empty without one.

        The member is a boolean, or another value under an unambiguous name.
        """
        known = [
            (at, one)
            for at, one in self.members.items()
            if "boolean" in one.types or (one.name == "hasmore" and "object" not in one.types)
        ]
        for name, words_of_it in (("more", _MORE), ("last", _LAST)):
            if (
                at := next((at for at, one in known if words_of_it.fullmatch(one.name)), None)
            ) is not None:
                return {name: at}
        return {}

    def place(self, names: frozenset[str], *, is_text: bool = False) -> str | None:
        """Return the pointer to the first member with one of ``names`` that may be a token or, with
        ``is_text``, a string; None without one.
        """
        return next(
            (
                at
                for at, one in self.members.items()
                if one.name in names and (one.is_text if is_text else one.is_token)
            ),
            None,
        )

    def pair(self) -> tuple[str, str] | None:
        """Return the input for a page token and the token's place in the response; None without
        both.
        """
        for at, one in self.members.items():
            key = self.by_plain.get(one.name)
            if (
                key is not None
                and one.is_token
                and self.is_within_next(at)
                and not self.types.get(one.name, set()) & _NUMERIC
            ):
                return key, at
        if (token := self.token) is not None:
            asked = next(name for name, key in self.by_plain.items() if key == token)
            if f"use{asked}" in self.by_plain:  # a switch: without it, the API pages in another way
                return None
            own = (
                frozenset([asked])
                if _OF_NEXT.search(self.texts.get(asked, ""))
                else frozenset[str]()
            )
            out = (
                self.place(_TOKENS_OUT - {"next"})
                or self.place(frozenset(["next"]))
                or self.place(own)
            )
            # what is among links is an address
            return None if out is None or _AMONG_LINKS.search(out) else (token, out)
        return next(self._numbered(), None)

    def _numbered(self) -> Iterator[tuple[str, str]]:
        """Yield inputs for the number of a page or an item, each with the pointer to the response's
        next number.
        """
        for name, key in self.by_plain.items():
            if name not in _PAGES | _OFFSETS | _VAGUE:
                continue
            words_of_it = {
                f"next{name}",
                f"nextpage{name}",
                "nextpage" if name in _PAGES else "next" if name in _VAGUE else "",
            }
            is_text, is_number = (
                self.types.get(name) == {"string"},
                bool(self.types.get(name, set()) & _NUMERIC),
            )
            for at, one in self.members.items():
                fits = (
                    one.is_token
                    if is_text and name in _PAGES
                    else bool(one.types & _NUMERIC) and (is_number or name in _VAGUE)
                )
                if one.name in words_of_it and fits:
                    yield key, at

    def fits(self, key: str, at: str) -> bool:
        """Return whether an input accepts the value of a response's member by their types, such as
        no string for a number.
        """
        name = next((name for name, known in self.by_plain.items() if known == key), "")
        member = self.members.get(at)
        return (
            member is None
            or not self.types.get(name)
            or not member.types
            or bool(self.types[name] & member.types)
        )

    def bare_link(self) -> str | None:
        """Return the pointer to the next page's address: a string ``next``, or a link in an object
        of that name; None without one.
        """
        inside = (
            at
            for at, one in self.members.items()
            if one.name in _ADDRESSES and one.is_text and self.is_within_next(at)
        )
        return self.place(frozenset(["next"]), is_text=True) or next(inside, None)

    def in_header(self, headers: Iterable[str]) -> Json | None:
        """Return a response's header field with the input that accepts its value; None without
        one.
        """
        for header in headers:
            name = plain(header)
            page = (
                next((key for one, key in self.by_plain.items() if one in _PAGES), None)
                if name.endswith("nextpage")
                else self.token
            )
            key = self.by_plain.get(name) or (page if _IN_HEADER.fullmatch(name) else None)
            if key is not None:
                return {"input": key, "header": header}
        return None

    @property
    def is_paged(self) -> bool:
        """True if the operation has an input for pagination, such as a page size."""
        return any(name in _TOKENS | _PAGES | _SIZES | _OFFSETS for name in self.by_plain)

    @property
    def is_linked(self) -> bool:
        """True if a description in the document says that the header field ``Link`` has the page
        token.
        """
        return any(
            _IN_LINK.search(self.texts.get(name, "")) for name in self.by_plain if name in _TOKENS
        )

    @staticmethod
    def is_within_next(at: str) -> bool:
        """Return whether a member is in an object about the next page."""
        return plain(at.rpartition("/")[0].rpartition("/")[2]) in _NEXT


def plain(name: str) -> str:
    """Return a name in lower case and without punctuation."""
    return _PLAIN.sub("", name.lower())


class Pages:
    """Detector of pagination in one document."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition

    def of(self, operation: Operation, drawn: Drawn, response: Response) -> Paging | None:
        """Return the pagination of an operation that reads a list; None without pagination."""
        given = operation.extension.get("pagination")
        if given is False or (operation.method != "get" and not isinstance(given, dict)):
            return None
        members = {**dict(_example_members(response.example)), **dict(self._members(response.raw))}
        items = self._items(operation, response) or self._shown_items(response)
        about = {plain(parameter["name"]): parameter for parameter, _ in operation.parameters}
        times = {
            name for name, parameter in about.items() if self._is_time(parameter.get("schema"))
        }
        sent = {
            row["name"]: row["input"]
            for row in drawn.rows
            if row["in"] == "header" and row.get("name") in (response.headers or {})
        }
        by_plain = {
            plain(name): key
            for name, key in {**sent, **drawn.named}.items()
            if plain(name) not in times
        }
        size = next((key for name, key in by_plain.items() if name in _SIZES), None)
        texts = {name: str(parameter.get("description") or "") for name, parameter in about.items()}
        asked = _Asked(by_plain, self._types_of(operation), members, texts)
        found = (
            declared_pages(operation, given, drawn)
            if isinstance(given, dict)
            else self._rule(operation, asked, response, items)
        )
        is_known = items is not None or isinstance(given, dict) or self._lists(response)
        if found is None or not (is_known or (not members and size is not None)):
            return None
        kind, confidence, row = found
        enabled = confidence != "low" and (row.get("items") or items) is not None
        items = row.pop("items", None) or items
        made: Json = {"kind": kind, "confidence": confidence, **row}
        if items is not None:
            made["items"] = items
        if not enabled:
            made["enabled"] = False
        if size is not None:
            made["size"] = size
        top = row.get("response", "")
        is_plain = kind == "token" and "last" not in row
        direct = (
            is_plain
            and top.count("/") == 1
            and "~" not in top
            and not self._wraps(response)
            and asked.fits(row["input"], top)
        )
        token_input = row.get("input") if kind not in ("url", "linkHeader") else NEXT_PAGE
        shown = self._only_shown(
            response, [made[name] for name in ("response", "more", "last", "items") if name in made]
        )
        return Paging(
            made, items, token_input, top[1:] if direct else NEXT_PAGE, size, enabled, shown
        )

    def _rule(
        self, operation: Operation, asked: _Asked, response: Response, items: str | None
    ) -> tuple[Kind, str, Json] | None:
        if (said := _vendors(operation.raw.get("x-ms-pageable"))) is not None:
            return "url", "high", said
        link, hint = asked.place(_LINKS_OUT, is_text=True), asked.flag
        pair = asked.pair()
        if pair is not None and (link is None or asked.is_within_next(pair[1])):
            return "token", "high", {"input": pair[0], "response": pair[1], **hint}
        if any(name.lower() == "link" for name in response.headers or {}) and (
            asked.is_paged or items == "/items"
        ):
            return "linkHeader", "high", {}
        link = link or asked.bare_link()
        row = {"response": link} if link is not None else asked.in_header(response.headers or ())
        if row is not None:
            return "token" if link is None else "url", "high", {**row, **hint}
        if asked.token is not None and (
            asked.is_linked or (not asked.members and self._is_array(response))
        ):
            return "linkHeader", "medium", {}  # nothing else can name the next page
        return self._last(asked, response, items) or self._counted(operation, asked)

    def _last(
        self, asked: _Asked, response: Response, items: str | None
    ) -> tuple[Kind, str, Json] | None:
        """Return the pagination of a list that continues after its last item, by the ID in the
        response or in the item; None without one.
        """
        after = asked.by_plain.get("startingafter") or asked.by_plain.get("after")
        hint = asked.flag
        if after is None or "more" not in hint:
            return None
        named = asked.place(frozenset(["lastid"]), is_text=True)
        if named is not None:
            return "token", "high", {"input": after, "response": named, **hint}
        sure = "startingafter" in asked.by_plain or self._has_id(response, items)
        return ("lastId", "high", {"input": after, **hint}) if sure else None

    def _counted(self, operation: Operation, asked: _Asked) -> tuple[Kind, str, Json] | None:
        by_plain = asked.by_plain
        size = next((key for name, key in by_plain.items() if name in _SIZES), None)
        hint = asked.flag
        page, is_number = self._number(operation, asked, _PAGES)
        offset, is_counted = self._number(operation, asked, _OFFSETS)
        # it has one first item, and pages may begin at 0 or at 1
        is_offset = offset is not None and is_counted and size is not None
        # who counts from 1 where the API counts from 0 skips a page
        if page is not None and not is_offset:
            start = self._start(operation, _PAGES)
            sure = is_number and size is not None and start is not None
            return (
                "page",
                "medium" if sure else "low",
                {"input": page, **({"first": 0} if start == 0 else {}), **hint},
            )
        if offset is not None and not is_counted:
            return "token", "low", {"input": offset}
        if offset is not None:
            first = {"first": 1} if self._start(operation, _OFFSETS) == 1 else {}
            return "offset", "medium" if is_offset else "low", {"input": offset, **first, **hint}
        vague, _ = self._number(operation, asked, _VAGUE)
        if vague is not None and size is not None:
            return "offset", "low", {"input": vague, **hint}
        token = asked.token
        return ("token", "low", {"input": token}) if token is not None else None

    def _number(
        self, operation: Operation, asked: _Asked, names: frozenset[str]
    ) -> tuple[str | None, bool]:
        """Return the input with one of ``names`` and whether it accepts a number, by its type or
        its default; None without an input.
        """
        name = next((name for name in asked.by_plain if name in names), None)
        if name is None:
            return None, False
        types = asked.types.get(name, set())
        return asked.by_plain[name], not types or bool(types & _NUMERIC) or self._start(
            operation, names
        ) is not None

    def _types_of(self, operation: Operation) -> dict[str, set[str]]:
        """Return the types of the parameters by their plain names."""
        return {
            plain(parameter["name"]): self._types([parameter.get("schema")])
            for parameter, _ in operation.parameters
        }

    def _types(self, subs: Iterable[Any]) -> set[str]:
        found: set[str] = set()
        for part in (part for sub in subs for part in self._composition.parts(sub)):
            kind = part.get("type", "object" if "properties" in part else None)
            found |= {
                one for one in (kind if isinstance(kind, list) else [kind]) if isinstance(one, str)
            }
        return found

    def _has_id(self, response: Response, items: str | None) -> bool:
        """Return whether the items of a list have a member ``id``."""
        found: list[Any] = [response.raw]
        for name in names(items or ""):
            found = self._composition.members({"allOf": found}).get(name, [])
        parts = [part for sub in found for part in self._composition.parts(sub)]
        return any("id" in self._composition.members(part.get("items")) for part in parts)

    def _start(self, operation: Operation, names: frozenset[str]) -> int | None:
        """Return the first number, 0 or 1, of the parameter with one of ``names``; None if the
        document does not say.
        """
        for parameter, _ in operation.parameters:
            if parameter["in"] != "query" or plain(parameter["name"]) not in names:
                continue
            for part in self._composition.parts(parameter.get("schema")):
                found = next(
                    (
                        found
                        for name in ("default", "minimum")
                        if (found := number(part.get(name))) in (0, 1)
                    ),
                    None,
                )
                if found is not None:
                    return int(found)
            if (said := _BEGINS.search(str(parameter.get("description") or ""))) is not None:
                return int(said[1] or said[2])
        return None

    def _is_time(self, schema: Any) -> bool:
        return any(
            part.get("format") in {"date", "date-time"} for part in self._composition.parts(schema)
        )

    def _is_array(self, response: Response) -> bool:
        return any(part.get("type") == "array" for part in self._composition.parts(response.raw))

    def _shown_items(self, response: Response) -> str | None:
        """Return the pointer to the only list in a response's example whose schema declares no
        members; None otherwise.
        """
        if not isinstance(response.example, Mapping) or self._composition.members(response.raw):
            return None
        lists = [name for name, value in response.example.items() if isinstance(value, list)]
        return pointer(lists[0]) if len(lists) == 1 else None

    def _only_shown(self, response: Response, places: Iterable[str]) -> Json:
        """Return the schemas of the members at ``places`` that the response's example has and its
        schema lacks.
        """
        found: Json = {}
        for steps in map(names, places):
            if (value := _at(response.example, steps)) is _ABSENT or self._declares(
                response.raw, steps
            ):
                continue
            into = found
            for name in steps[:-1]:
                into = into.setdefault(name, {"type": "object", "properties": {}})["properties"]
            into[steps[-1]] = {
                **({"type": "array"} if isinstance(value, list) else {}),
                "description": _ONLY_SHOWN,
            }
        return found

    def _declares(self, raw: Any, steps: Iterable[str]) -> bool:
        declared = [raw]
        for name in steps:
            declared = self._composition.members({"allOf": declared}).get(name, [])
        return bool(declared)

    def _members(self, raw: Any, at: str = "") -> Iterator[tuple[str, _Member]]:
        """Yield the members of a response by pointer, including members of objects about
        pagination.
        """
        for name, subs in self._composition.members(raw).items():
            low, place, types = plain(name), at + pointer(name), self._types(subs)
            if low in _WITHIN and place.count("/") <= _DEEPEST:
                yield from self._members({"allOf": subs}, place)
            yield place, _Member(low, types)

    def _wraps(self, response: Response) -> bool:
        schema = response.schema
        return (
            isinstance(schema, dict)
            and schema.get("properties", {}).keys() in ({"items"}, {"value"})
            and "$ref" not in schema
        )

    def _lists(self, response: Response) -> bool:
        return any(self._is_list(subs) for subs in self._composition.members(response.raw).values())

    def _items(self, operation: Operation, response: Response) -> str | None:
        """Return the pointer to the items in the output; None if no list is the only one or has a
        typical name.
        """
        if response.raw is None:
            return None
        if self._is_array(response):
            return "/items"
        members = self._composition.members(response.raw)
        lists = [name for name, subs in members.items() if self._is_list(subs)]
        if len(lists) == 1:
            return pointer(lists[0])
        last = next(
            (
                word
                for word in reversed(operation.path.rstrip("/").split("/"))
                if word and "{" not in word
            ),
            "",
        )
        for name in lists:
            if name in _ITEMS or plain(name) in {plain(last), *map(plain, words(last)[-1:])}:
                return pointer(name)
        for name in ("data", "result", "response", "_embedded") if not lists else ():
            inner = [
                key
                for key, subs in self._composition.members({"allOf": members.get(name, [])}).items()
                if self._is_list(subs)
            ]
            if len(inner) == 1:
                return pointer(name, inner[0])
        return None

    def _is_list(self, subs: list[Any]) -> bool:
        return any(
            part.get("type") == "array" or "items" in part
            for sub in subs
            for part in self._composition.parts(sub)
        )


def _at(example: Any, steps: Iterable[str]) -> Any:
    """Return the value in an example at a path of names; ``_ABSENT`` if there is none."""
    for name in steps:
        example = example.get(name, _ABSENT) if isinstance(example, Mapping) else _ABSENT
    return example


def _example_members(example: Any, at: str = "") -> Iterator[tuple[str, _Member]]:
    """Yield the members of a response's example by pointer: schemas often lack members about
    pagination.
    """
    for name, value in example.items() if isinstance(example, Mapping) else ():
        low, place = plain(str(name)), at + pointer(str(name))
        if low in _WITHIN and place.count("/") <= _DEEPEST:
            yield from _example_members(value, place)
        yield place, _Member(low, {_NAMES[type(value)]} if type(value) in _NAMES else set())


def _vendors(said: Any) -> Json | None:
    """Return the pagination that ``x-ms-pageable`` of Azure's documents declares; None without
    one.
    """
    if not isinstance(said, dict) or not isinstance(said.get("nextLinkName"), str):
        return None
    row = {"response": pointer(said["nextLinkName"])}
    return (
        {**row, "items": pointer(said["itemName"])}
        if isinstance(said.get("itemName"), str)
        else row
    )
