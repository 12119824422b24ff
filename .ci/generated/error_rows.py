"""Error maps of bound connectors, as the schema of manifests describes them."""

from __future__ import annotations

from generated.conditions import TESTS, condition
from generated.words import Json, closed
from jackfield_http.bindings.error_rows import KINDS, SENT

_TEXT: Json = {"type": "string", "minLength": 1}
_TEXTS: Json = {"type": "array", "items": _TEXT}
_POINTER: Json = {"type": "string", "pattern": "^/"}


def errors(failed: Json) -> Json:
    """The member ``errors`` of ``http``; ``failed`` is the schema of its member of that name."""
    row = closed(
        {
            "status": {"type": "integer", "minimum": 100, "maximum": 599},
            "codes": {**_TEXTS, "minItems": 1, "description": "Codes of the provider; left out, the row is for the status."},
            "error": {"enum": list(KINDS), "description": "Code of the error."},
            "when": closed(
                {
                    "header": {**_TEXT, "description": "Header field, in place of a member of the body."},
                    **condition(),
                },
                [],
                "Member of the body by which this refusal differs from others of the status or the codes.",
                allOf=[{"anyOf": [{"required": [name]} for name in names]} for names in (("member", "header"), TESTS)],
            ),
            "message": {**_TEXT, "description": "Text that its message has, in whatever case, where others of the status have another."},
            "wait": closed(
                {
                    "member": {**_POINTER, "description": "Place of the seconds to wait in the body."},
                    "header": {**_TEXT, "description": "Header field of the provider's own that has the seconds to wait."},
                    "seconds": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds to wait where nothing says how many."},
                },
                [],
                "Wait before a repeat, where no usual header field says it.",
                anyOf=[{"required": [name]} for name in ("header", "member", "seconds")],
            ),
            "hint": {**_TEXT, "description": "What to do next."},
            "sent": {"enum": list(SENT), "description": "What the refusal implies, where its status does not: 'unknown' is in doubt."},
        },
        ["error"],
        "Meaning of a status, of codes, or of both together.",
    )
    done_before = closed(
        {
            "status": {"type": "integer", "minimum": 100, "maximum": 599},
            "codes": {**_TEXTS, "minItems": 1, "description": "Codes of the provider."},
            "message": {**_TEXT, "description": "Text that its message has, in whatever case."},
            "actions": {**_TEXTS, "minItems": 1, "description": "Actions that it is about; left out, all."},
        },
        [],
        "Refusal that says that the request had been carried out before. If an earlier attempt of the call may have taken effect, it is a"
        " success with a warning.",
        anyOf=[{"required": [name]} for name in ("status", "codes", "message")],
    )
    return closed(
        {
            "code": {
                "anyOf": [_POINTER, {"type": "array", "items": _POINTER, "minItems": 1}],
                "description": "Place of the provider's code in the body of an error, or places of which the first that is there counts.",
            },
            "message": {
                "anyOf": [_POINTER, {"type": "array", "items": _POINTER, "minItems": 1}],
                "description": "Place of its message, or places whose texts together are it.",
            },
            "messageHeader": {**_TEXT, "description": "Header field that has the message where the body has none."},
            "requestId": {**_TEXTS, "description": "Header fields with the provider's request ID."},
            "failed": failed,
            "rows": {"type": "array", "items": row},
            "doneBefore": {"type": "array", "items": done_before},
        },
        [],
        "Error map: what it lacks is taken from the meaning of the statuses of HTTP.",
    )
