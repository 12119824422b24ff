"""Pagination that an overlay declares: an invalid declaration is an error here, since it would end lists after their first page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from jackfield.connector import InvalidInput
from jackfield_http.headers import is_token
from jackfield_http.list_ends import NEEDS_CODE, ends_of, is_vague
from jackfield_http.paging import Kind
from jackfield_openapi.naming import input_name
from jackfield_openapi.operations import Operation
from jackfield_openapi.parameters import Drawn

_KINDS = get_args(Kind)
_POINTERS = ("response", "items", "more", "last", "partial", "total", "step")
NAMES = (
    "input",
    *_POINTERS,
    "header",
    "first",
    "ends",
    "cuts",
    "emptyEnds",
    "absentEnds",
    "most",
    "totalEnds",
    "lastHeader",
    "continue",
    "also",
)

Json = dict[str, Any]


def declared_pages(operation: Operation, given: Mapping[str, Any], drawn: Drawn) -> tuple[Any, str, Json]:
    """Return the overlay's declaration of pagination: its kind, its confidence and its row.

    :raises InvalidInput: if the declaration is not valid.
    """
    kind, pages = given.get("kind"), {name: given[name] for name in NAMES if name in given}
    fault = None
    if pages.get("items") == "":  # the answer itself is the list
        del pages["items"]
    if kind not in _KINDS:
        fault = f"'kind' must be one of {', '.join(_KINDS)}"
    fault = _pointer_fault(pages) or fault
    if "input" in pages:
        pages["input"] = _input(pages["input"], drawn)
        if pages["input"] not in list(drawn.properties):
            fault = f"'input' must be one of {', '.join(drawn.properties) or 'its inputs, of which it has none'}"
    elif kind not in ("url", "linkHeader"):
        fault = fault or f"pages of the kind '{kind}' need an 'input'"
    if kind in ("token", "url") and "response" not in pages and "header" not in pages:
        fault = fault or f"pages of the kind '{kind}' need a 'response'"
    fault = _fetching_fault(operation, kind, pages) or fault
    if fault is not None:
        raise InvalidInput(f"the 'pagination' of {operation.name} is not valid: {fault}", hint="Correct the overlay.")
    return kind, "high", pages


def _input(named: Any, drawn: Drawn) -> Any:
    """Return the key of an input that an overlay names by its key, or by the document's name for the parameter or body member."""
    if not isinstance(named, str) or named in drawn.properties:
        return drawn.named.get(named, named) if isinstance(named, str) else named
    return drawn.named.get(named, input_name(named))


def _fetching_fault(operation: Operation, kind: object, pages: Json) -> str | None:
    """Return the fault in a declaration's members about requests for pages; None if they are valid."""
    header = pages.get("header")
    if type(pages.get("first", 0)) is not int:
        return "'first' must be a whole number"
    if "header" in pages and not (kind == "token" and "response" not in pages and isinstance(header, str) and is_token(header)):
        return "'header' must be the name of a header field with the token, of the kind 'token' and in place of 'response'"
    if "more" in pages and "last" in pages:
        return "'more' and 'last' say the same thing: declare one of them"
    return _end_fault(kind, pages) or _last_fault(kind, pages) or _place_fault(operation, kind, pages)


def _pointer_fault(pages: Json) -> str | None:
    """Return the fault in the places of an overlay's declaration; None without a fault."""
    if not all(isinstance(one, str) and one.startswith("/") for one in pages.get("also", ())):
        return "'also' must be a list of JSON Pointers of further lists, such as [/prefixes]"
    wrong = next((name for name in _POINTERS if name in pages and not str(pages[name]).startswith("/")), None)
    return None if wrong is None else f"'{wrong}' must be a JSON Pointer, such as /meta/next"


def _end_fault(kind: object, pages: Json) -> str | None:
    """Return the fault in an overlay's declaration of a list's end; None without a fault."""
    for name in ("ends", "cuts"):
        given = pages.get(name, [])
        if not isinstance(given, list) or not all(map(_is_end, given)):
            return f"'{name}' must be a list of statuses from 300 to 599, such as [404], or of objects with 'status' and 'codes'"
        if name == "ends" and any(map(is_vague, ends_of(given))):
            return f"'ends' has a status alone: {NEEDS_CODE}"
    most, has_use = pages.get("most", 1), not pages.keys().isdisjoint(("most", "totalEnds"))
    if has_use is not ("total" in pages) or type(most) is not int or most < 1:
        return "'most' is a number of items, and needs 'total', the place of the number of all items; 'total' needs 'most' or 'totalEnds'"
    if "totalEnds" in pages and not (pages["totalEnds"] is True and kind == "offset"):
        return "'totalEnds' may be true, for the kind 'offset': of the others, nobody knows how many items were read"
    if "emptyEnds" in pages and not (pages["emptyEnds"] is True and kind in ("url", "linkHeader")):
        return "'emptyEnds' may be true, for the kinds 'url' and 'linkHeader'; pages that are counted end so without it"
    return None


def _last_fault(kind: object, pages: Json) -> str | None:
    """Return the fault in an overlay's declaration of a last page in ``step``, ``lastHeader`` or ``absentEnds``; None without a fault."""
    if "absentEnds" in pages and not (pages["absentEnds"] is True and kind in ("page", "offset", "url")):
        return "'absentEnds' may be true, for the kinds 'page', 'offset' and 'url'; of the others, an empty page may leave out its list"
    if "step" in pages and not {"totalEnds", "more"} & pages.keys():
        return "'step' needs 'totalEnds' or 'more': an empty page does not end a list whose offsets have gaps"
    if "lastHeader" in pages and not (kind == "page" and is_token(str(pages["lastHeader"]))):
        return "'lastHeader' must be the name of a header field with the number of the last page, or with true on it, of the kind 'page'"
    return None


def _is_end(given: object) -> bool:
    if not isinstance(given, Mapping):
        return type(given) is int and 300 <= given <= 599
    codes = given.get("codes")
    is_named = isinstance(codes, list) and bool(codes) and all(isinstance(code, str) and code for code in codes)
    return given.keys() == {"status", "codes"} and is_named and _is_end(given["status"]) and not isinstance(given["status"], Mapping)


def _place_fault(operation: Operation, kind: object, pages: Json) -> str | None:
    """Return the fault in the method or path of requests for later pages; None if both are valid."""
    if operation.method != "get" and kind in ("url", "linkHeader"):
        return f"pages of the kind '{kind}' are fetched by GET, and this is a {operation.method.upper()}"
    further = pages.get("continue")
    if "continue" in pages and not (kind == "token" and isinstance(further, str) and further.startswith("/") and "{" not in further):
        return "'continue' must be a path without parameters, such as /items/continue, of the kind 'token'"
    return None
