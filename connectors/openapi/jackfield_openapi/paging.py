"""Detection of pagination: how an operation takes a page and where its response names the next one, each with a confidence.

Rules in order, the first that fits: what the vendor says, a page token in both directions, a declared ``Link`` header, the next page's
address in the body, the last item's id, page numbers, offsets. ``high`` and ``medium`` are switched on; ``low`` stays a suggestion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from jackfield.connector import InvalidInput, pointer
from jackfield_http.paging import Kind
from jackfield_openapi.composition import Composition
from jackfield_openapi.contents import Response
from jackfield_openapi.keywords import number
from jackfield_openapi.naming import words
from jackfield_openapi.operations import Operation
from jackfield_openapi.parameters import Drawn

_KINDS = get_args(Kind)
_POINTERS = ("response", "items", "more")
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
    ["nextlink", "odatanextlink", "nextpageurl", "nexturl", "nextpagelink", "nextpageuri", "nexthref", "nexturi", "nextrecordsurl"]
)
_WITHIN = frozenset(["meta", "metadata", "pagination", "paging", "links", "pageinfo", "responsemetadata", "page", "paginginfo", "cursors"])
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
_ITEMS = ("data", "items", "results", "values", "value", "entries", "records", "list", "content", "resources")

NEXT_PAGE = "nextPage"
"""Input and output member that the generator adds where the API has no page token at the top of its response."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Paging:
    """Pagination of an action: the binding's row, the member of the output with the items, and the inputs that it uses."""

    row: Json
    items: str | None
    token_input: str | None
    token_output: str
    size_input: str | None
    enabled: bool


def plain(name: str) -> str:
    """Return a name without case and punctuation."""
    return _PLAIN.sub("", name.lower())


class Pages:
    """Detector for one document."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition

    def of(self, operation: Operation, drawn: Drawn, response: Response) -> Paging | None:
        """Return the pagination of an operation that reads a list; None if it has none."""
        given = operation.extension.get("pagination")
        if given is False or (operation.method != "get" and not isinstance(given, dict)):
            return None
        members = dict(self._members(response.raw))
        items = self._items(operation, response)
        by_plain = {plain(name): key for name, key in drawn.named.items()}
        size = next((key for name, key in by_plain.items() if name in _SIZES), None)
        found = _curated(operation, given, drawn) if isinstance(given, dict) else self._rule(operation, by_plain, members, response)
        if found is None or (items is None and not isinstance(given, dict) and not self._lists(response)):
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
        direct = kind == "token" and top.count("/") == 1 and "~" not in top and not self._wraps(response)
        token_input = row.get("input") if kind not in ("url", "linkHeader") else NEXT_PAGE
        return Paging(made, items, token_input, top[1:] if direct else NEXT_PAGE, size, enabled)

    def _rule(self, operation: Operation, by_plain: Mapping[str, str], members: Json, response: Response) -> tuple[Kind, str, Json] | None:
        vendor = operation.raw.get("x-ms-pageable")
        if isinstance(vendor, dict) and isinstance(vendor.get("nextLinkName"), str):
            row: Json = {"response": pointer(vendor["nextLinkName"])}
            return "url", "high", {**row, "items": pointer(vendor["itemName"])} if isinstance(vendor.get("itemName"), str) else row
        token = next((key for name, key in by_plain.items() if name in _TOKENS), None)
        out = next((at for at, name in members.items() if name in _TOKENS_OUT and plain(at.rpartition("/")[2]) != "next"), None)
        bare = next((at for at in members if plain(at.rpartition("/")[2]) == "next"), None)
        link = next((at for at, name in members.items() if name in _LINKS_OUT), None)
        if token is not None and (out or bare) and link is None:
            return "token", "high", {"input": token, "response": out or bare}
        if any(name.lower() == "link" for name in response.headers or {}):
            return "linkHeader", "high", {}
        if link is not None or (bare is not None and self._is_text(response, bare)):
            return "url", "high", {"response": link or bare}
        more = next((at for at, name in members.items() if name == "hasmore"), None)
        last = by_plain.get("startingafter")
        if last is not None and more is not None:
            return "lastId", "high", {"input": last, "more": more}
        return self._counted(operation, by_plain, token, more)

    def _counted(
        self, operation: Operation, by_plain: Mapping[str, str], token: str | None, more: str | None
    ) -> tuple[Kind, str, Json] | None:
        size = next((key for name, key in by_plain.items() if name in _SIZES), None)
        page = next((key for name, key in by_plain.items() if name in _PAGES), None)
        hint = {"more": more} if more else {}
        if page is not None:  # who counts from 1 where the API counts from 0 skips a page
            start = self._start(operation, _PAGES)
            sure = size is not None and start is not None
            return "page", "medium" if sure else "low", {"input": page, **({} if start == 1 else {"first": start or 0}), **hint}
        offset = next((key for name, key in by_plain.items() if name in _OFFSETS), None)
        if offset is not None:
            first = {"first": 1} if self._start(operation, _OFFSETS) == 1 else {}
            return "offset", "medium" if size is not None else "low", {"input": offset, **first, **hint}
        vague = next((key for name, key in by_plain.items() if name in _VAGUE), None)
        if vague is not None and size is not None:
            return "offset", "low", {"input": vague, **hint}
        return ("token", "low", {"input": token}) if token is not None else None

    def _start(self, operation: Operation, names: frozenset[str]) -> int | None:
        """Return where the parameter with one of these names begins to count, 0 or 1; None if the document does not say it."""
        for parameter, _ in operation.parameters:
            if parameter["in"] != "query" or plain(parameter["name"]) not in names:
                continue
            for part in self._composition.parts(parameter.get("schema")):
                found = next((found for name in ("default", "minimum") if (found := number(part.get(name))) in (0, 1)), None)
                if found is not None:
                    return int(found)
        return None

    def _members(self, raw: Any) -> Iterator[tuple[str, str]]:
        """Yield the members of a response that may name the next page, with their plain names; also those one level down."""
        for name, subs in self._composition.members(raw).items():
            low = plain(name)
            if low in _WITHIN:
                for inner in self._composition.members({"allOf": subs}):
                    yield pointer(name, inner), plain(inner)
            yield pointer(name), low

    def _is_text(self, response: Response, at: str) -> bool:
        found: list[Any] = [response.raw]
        for token in at.split("/")[1:]:
            found = self._composition.members({"allOf": found}).get(token.replace("~1", "/").replace("~0", "~"), [])
        kinds = [part.get("type") for sub in found for part in self._composition.parts(sub) if "type" in part]
        return all(kind == "string" or (isinstance(kind, list) and "string" in kind) for kind in kinds)

    def _wraps(self, response: Response) -> bool:
        schema = response.schema
        return isinstance(schema, dict) and schema.get("properties", {}).keys() in ({"items"}, {"value"}) and "$ref" not in schema

    def _lists(self, response: Response) -> bool:
        return any(self._is_list(subs) for subs in self._composition.members(response.raw).values())

    def _items(self, operation: Operation, response: Response) -> str | None:
        """Return the pointer to the items in the output; None if several members are lists and none has a telling name."""
        if response.raw is None:
            return None
        if any(part.get("type") == "array" for part in self._composition.parts(response.raw)):
            return "/items"
        members = self._composition.members(response.raw)
        lists = [name for name, subs in members.items() if self._is_list(subs)]
        if len(lists) == 1:
            return pointer(lists[0])
        last = [plain(word) for word in operation.path.rstrip("/").split("/") if "{" not in word][-1:]
        for name in lists:
            if name in _ITEMS or plain(name) in last or (last and words(last[0])[-1:] == [plain(name)]):
                return pointer(name)
        for name in ("data", "result", "response", "_embedded") if not lists else ():
            inner = [key for key, subs in self._composition.members({"allOf": members.get(name, [])}).items() if self._is_list(subs)]
            if len(inner) == 1:
                return pointer(name, inner[0])
        return None

    def _is_list(self, subs: list[Any]) -> bool:
        return any(part.get("type") == "array" or "items" in part for sub in subs for part in self._composition.parts(sub))


def _curated(operation: Operation, given: Mapping[str, Any], drawn: Drawn) -> tuple[Any, str, Json]:
    """Return what an overlay says about the pages of an operation.

    :raises InvalidInput: if it is not valid: a list would end after its first page.
    """
    kind, pages = given.get("kind"), {name: given[name] for name in ("input", *_POINTERS, "first") if name in given}
    fault = None
    if kind not in _KINDS:
        fault = f"'kind' must be one of {', '.join(_KINDS)}"
    for name in _POINTERS:
        if name in pages and not (isinstance(pages[name], str) and pages[name].startswith("/")):
            fault = f"'{name}' must be a JSON Pointer, such as /meta/next"
    if "input" in pages:
        pages["input"] = drawn.named.get(str(pages["input"]), pages["input"])
        if pages["input"] not in list(drawn.properties):
            fault = f"'input' must be one of {', '.join(drawn.properties) or 'its inputs, of which it has none'}"
    elif kind not in ("url", "linkHeader"):
        fault = fault or f"pages of the kind '{kind}' need an 'input'"
    if kind in ("token", "url") and "response" not in pages:
        fault = fault or f"pages of the kind '{kind}' need a 'response'"
    if type(pages.get("first", 0)) is not int:
        fault = "'first' must be a whole number"
    if fault is not None:
        raise InvalidInput(f"the 'pagination' of {operation.name} is not valid: {fault}", hint="Correct the overlay.")
    return kind, "high", pages
