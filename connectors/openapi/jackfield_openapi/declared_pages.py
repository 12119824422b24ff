"""Pagination that an overlay declares: an invalid declaration is an error here, since it would end
lists after their first page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import InvalidInput
from jackfield_http.list_declarations import PAGING, Declared
from jackfield_http.words import PLACE, POINTER, closed, word
from jackfield_openapi.judging import Judge
from jackfield_openapi.naming import input_name
from jackfield_openapi.operations import Operation
from jackfield_openapi.parameters import Drawn

_ADDED = ("confidence", "enabled")
"""Words of a manifest that the generator adds."""
PAGINATION = closed(
    {
        **{name: shape for name, shape in PAGING["properties"].items() if name not in _ADDED},
        **{name: {**PAGING["properties"][name], "pattern": "."} for name in ("input", "size")},
        "items": {**PAGING["properties"]["items"], **PLACE},
        "also": word(
            {"type": "array", "items": POINTER}, "Lists beside 'items' that are joined, too."
        ),
    },
    ["kind"],
    "How a list goes on.",
)
_JUDGE = Judge(PAGINATION)

Json = dict[str, Any]


def declared_pages(
    operation: Operation, given: Mapping[str, Any], drawn: Drawn
) -> tuple[Any, str, Json]:
    """Return the overlay's declaration of pagination: its kind, its confidence and its row.

    :raises InvalidInput: if the declaration is not valid.
    """
    # the answer itself is the list
    pages = {name: value for name, value in given.items() if name != "items" or value != ""}
    fault = _JUDGE.fault(pages)
    if fault is None and "input" in pages:
        pages["input"] = _input(pages["input"], drawn)
        if pages["input"] not in list(drawn.properties):
            fault = (
                "'input' must be one of "
                f"{', '.join(drawn.properties) or 'its inputs, of which it has none'}"
            )
    if (fault := fault or _binding_fault(pages) or _place_fault(operation, pages)) is not None:
        raise InvalidInput(
            f"the 'pagination' of {operation.name} is not valid: {fault}",
            hint="Correct the overlay.",
        )
    pages.pop("size", None)  # the document says it
    return pages.pop("kind"), "high", pages


def _binding_fault(pages: Json) -> str | None:
    try:
        Declared.bound(pages)
    except ValueError as error:
        return str(error)
    return None


def _input(named: str, drawn: Drawn) -> str:
    """Return the key of an input that an overlay names by its key, or by the document's name for
    the parameter or body member.
    """
    return drawn.named.get(named, named if named in drawn.properties else input_name(named))


def _place_fault(operation: Operation, pages: Json) -> str | None:
    """Return the fault in the method or path of requests for later pages; None if both are
    valid.
    """
    kind = pages["kind"]
    if operation.method != "get" and kind in ("url", "linkHeader"):
        return (
            f"pages of the kind '{kind}' are fetched by GET, and this is a "
            f"{operation.method.upper()}"
        )
    if "continue" in pages and (kind != "token" or "{" in pages["continue"]):
        return (
            "'continue' must be a path without parameters, such as /items/continue, of the "
            "kind 'token'"
        )
    return None
