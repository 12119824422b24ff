"""``schemas/manifest.schema.json``: what the binding of an action says of answers: refusals in a success, and the pages of a list."""

from __future__ import annotations

from typing import get_args

from generated.conditions import VALUES, condition
from generated.words import ACTION_KEY, Json, closed
from jackfield_http.paging import Kind

_TEXT: Json = {"type": "string", "minLength": 1}
_KEY: Json = {"type": "string", "pattern": ACTION_KEY}
_FIELD: Json = {"type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "maxLength": 200}
_POINTER: Json = {"type": "string", "pattern": "^/"}
_STATUS: Json = {"type": "integer", "minimum": 300, "maximum": 599}


def failed() -> Json:
    """The member ``failed`` of a table of errors."""
    return _one_or_more(_whole(), _in_header())


def failed_here() -> Json:
    """The member ``failed`` of an action. Its rules come before those of the table of errors."""
    return _one_or_more(_whole(), _outcomes(), _by_status(), _beside())


def _one_or_more(*rules: Json) -> Json:
    each = rules[0] if len(rules) == 1 else {"anyOf": list(rules)}
    return {
        "anyOf": [*rules, {"type": "array", "items": each, "minItems": 1}],
        "description": "What a response with a success status says of a failure: a rule, or several.",
    }


def _whole() -> Json:
    return closed(
        {
            **condition(),
            "code": {**_POINTER, "description": "Place of the provider's code, if it is not that of other errors."},
            "message": {**_POINTER, "description": "Place of its message, if it is not that of other errors."},
            "onlyWarns": {"const": True, "description": "It was carried out: something beside it failed."},
            "pending": {
                "const": True,
                "description": "The work has not ended: a read waits, and is 'timeout' in the end; a change succeeds with a warning.",
            },
            "absent": {"const": True, "description": "What was asked for does not exist: 'not_found'."},
        },
        ["member"],
        "The response reports a failure if this member has this value or text; without one, if it is there and not empty, false or 0.",
    )


def _in_header() -> Json:
    return closed(
        {"header": {**_TEXT, "description": "Header field that says it."}, "equals": VALUES, "contains": _TEXT},
        ["header"],
        "The response reports a failure if this header field has this value or text. A row says which, by the same field.",
        anyOf=[{"required": [name]} for name in ("equals", "contains")],
    )


def _by_status() -> Json:
    return closed(
        {
            "status": {"type": "integer", "minimum": 200, "maximum": 299},
            "pending": {"const": True, "description": "The work has not ended."},
            "absent": {"const": True, "description": "What was asked for does not exist."},
        },
        ["status"],
        "What this status of success says.",
        anyOf=[{"required": ["pending"]}, {"required": ["absent"]}],
    )


def _beside() -> Json:
    return closed(
        {
            "status": _STATUS,
            **condition(),
            "message": {**_POINTER, "description": "Place of its message."},
            "onlyWarns": {"const": True},
        },
        ["status", "onlyWarns"],
        "A refusal with this status and member says that the request was carried out: something beside it failed. Without a member, its "
        "status says that there was nothing to do.",
    )


def _outcomes() -> Json:
    return closed(
        {
            "items": {
                "type": "string",
                "pattern": "^(/|$)",
                "description": "List or object of outcomes; of refusals if there is no 'member'.",
            },
            **condition(),
            "code": {**_POINTER, "description": "The provider's code within an item."},
            "message": {**_POINTER, "description": "Its message."},
            "field": {**_POINTER, "description": "The name of the field at fault."},
            "input": {**_POINTER, "description": "The list among the inputs that the items answer to."},
            "beside": {**_POINTER, "description": "What was carried out, beside a list of refusals: if that is empty, nothing was."},
            "index": {**_POINTER, "description": "The place of an item in the list among the inputs."},
            "mixed": {"type": "array", "items": _STATUS, "description": "Statuses of refusals that may have been carried out in part."},
            "onlyWarns": {"const": True, "description": "An item with an error took effect: something beside it failed."},
        },
        ["items"],
        "Each item of a list has an outcome: if all are refused, the call is; if some are, it succeeds with a warning for each.",
    )


def _ends(about: str) -> Json:
    codes = {"type": "array", "items": _TEXT, "minItems": 1, "description": "The provider's codes."}
    named = closed({"status": _STATUS, "codes": codes}, ["status", "codes"], "A status that has other reasons, too.")
    return {"type": "array", "items": {"anyOf": [_STATUS, named]}, "description": about}


def paging() -> Json:
    """The member ``paging`` of an action."""
    return closed(
        {
            "kind": {"enum": list(get_args(Kind))},
            "confidence": {"enum": ["high", "medium", "low"]},
            "enabled": {"const": False, "description": "False: a suggestion only."},
            "input": {**_KEY, "description": "Input that takes the page."},
            "response": {**_POINTER, "description": "Member of the response that names the next page."},
            "items": {**_POINTER, "description": "The items in the output."},
            "size": {**_KEY, "description": "Input that takes the page's size."},
            "more": {**_POINTER, "description": "Member that says whether there are more pages."},
            "last": {**_POINTER, "description": "Member that says whether this is the last page, where there is no 'more'."},
            "header": {**_FIELD, "description": "Header field of the response that names the next page, in place of 'response'."},
            "first": {"type": "integer", "minimum": 0, "description": "Number of the first page, or of its first item; it is sent."},
            "ends": _ends(
                "Statuses of a page after the first that mean that the list has ended; of client errors other than 404, 410 "
                "and 416 with codes."
            ),
            "cuts": _ends("Statuses of a page after the first by which the provider shows no more of the list."),
            "totalEnds": {"const": True, "description": "The list ends once so many items were read as 'total' says; by offset."},
            "step": {**_POINTER, "description": "Number by which offsets grow, if pages may have fewer items; with 'totalEnds'."},
            "lastHeader": {**_FIELD, "description": "Header field with the number of the last page, or with true on it; of kind 'page'."},
            "emptyEnds": {"const": True, "description": "An empty page is the last, although it names a next one."},
            "absentEnds": {"const": True, "description": "A page without its list is empty; of kind 'page', 'offset' or 'url'."},
            "partial": {**_POINTER, "description": "Member that is true, or has a reason, if a page lacks items of the list."},
            "total": {**_POINTER, "description": "Number of items of the whole list."},
            "most": {"type": "integer", "minimum": 1, "description": "Items that the provider shows of a list at most; with 'total'."},
            "continue": {**_POINTER, "description": "Path of the pages after the first, if it is another one: they take the token alone."},
        },
        ["kind", "confidence"],
        "How the next page is found.",
    )
