"""``schemas/result.schema.json``: contract §3, with the codes of the error tree."""

from __future__ import annotations

import typing

from generated.words import Json, closed, document
from jackfield.invocation import Status
from jackfield.kernel.errors import CODES, IdempotencyConflict, InDoubt

_UUID7 = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"

_EVIDENCE: Json = {
    "type": "object",
    "required": ["verdict", "kind", "source"],
    "properties": {
        "verdict": {"enum": ["took", "refused", "absent"]},
        "kind": {"enum": ["object", "event", "record", "answer"]},
        "source": {"type": "string", "description": "What was asked, or has told."},
        "at": {
            "type": "string",
            "format": "date-time",
            "description": "Of what contradicts: when it was found.",
        },
        "connection": {"type": ["string", "null"]},
        "looks": {
            "type": "integer",
            "minimum": 1,
            "description": "Number of looks until then, each of one source.",
        },
        "matched": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "The beginning of what was found.",
        },
    },
    "additionalProperties": False,
}
_REQUEST: Json = {
    "method": {"type": "string"},
    "server": {
        "type": "string",
        "description": "There where it is not the connection's: scheme, host and port.",
    },
    "path": {"type": "string"},
    "query": {"type": "string"},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    "contentType": {"type": "string"},
    "body": {
        "description": (
            "JSON, a text, or an object that says how large another body is, or of which parts."
        )
    },
}


def _meta() -> Json:
    name = {"type": "string"}
    return closed(
        {
            "invocationId": {
                "type": "string",
                "pattern": _UUID7,
                "description": "A UUIDv7 (RFC 9562).",
            },
            "connector": {**name, "description": "The connector's key, once known."},
            "connectorVersion": {
                **name,
                "description": "The version of the connector that ran, once known.",
            },
            "action": {**name, "description": "The action's key, once known."},
            "attempts": {
                "type": "integer",
                "minimum": 0,
                "description": (
                    "Number of attempts started. Authentication and successful pages after "
                    "the first are not counted."
                ),
            },
            "durationMs": {
                "type": "number",
                "minimum": 0,
                "description": "Milliseconds from the invocation to this Result.",
            },
            "requestId": {**name, "description": "The provider's id of the last request."},
            "replayed": {
                "type": "boolean",
                "description": "Whether this is the recorded Result of an earlier invocation.",
            },
            "twinOf": {
                **name,
                "description": (
                    "The id of an equal write without a key that was open: this is its "
                    "Result, and nothing was sent again."
                ),
            },
            "dryRun": {
                "type": "boolean",
                "enum": [True],
                "description": (
                    "There where the action was not called, as asked. An output is then the "
                    "action's preview."
                ),
            },
            "request": {
                **closed(
                    {
                        **_REQUEST,
                        "before": {
                            "type": "array",
                            "items": closed(_REQUEST, ["method", "path"]),
                            "minItems": 1,
                            "description": (
                                "Requests that go first, in order. 'STEP_1' in a later one: "
                                "what the first one's answer gives."
                            ),
                        },
                        "evidence": {
                            "type": "object",
                            "description": (
                                "What is read if its answer is lost, as the caller has given it."
                            ),
                        },
                    },
                    ["method", "path"],
                ),
                "description": "The request that a call would send, of a dry run: without sign-in "
                "and server, with secrets masked. Files "
                "are {'file', 'bytes'}. 'before' lists requests that go first; 'STEP_1' stands "
                "for what the first one's answer gives.",
            },
            "selected": {
                "type": "boolean",
                "enum": [True],
                "description": (
                    "There where 'select' was applied: the output's member 'selected' is "
                    "what it selected."
                ),
            },
            "truncated": closed(
                {
                    "bytes": {
                        "type": "integer",
                        "minimum": 1,
                        "description": "Bytes of JSON that the output would have had.",
                    },
                    "file": {
                        "type": "string",
                        "description": "ID of the stored file that has the whole output.",
                    },
                },
                ["bytes"],
            )
            | {
                "description": (
                    "There where the output had more than 'maxBytes': its member 'truncated' "
                    "says the same, and its 'shape'."
                )
            },
            "complete": {
                "type": "boolean",
                "description": "Of a paginated action: false where the output's token gives more.",
            },
            "next": {
                "type": "object",
                "description": "Where complete is false: inputs to merge into the next call.",
            },
            "warnings": {
                "type": "array",
                "minItems": 1,
                "items": closed(
                    {
                        "path": {"type": "string", "format": "json-pointer"},
                        "message": {"type": "string"},
                        "code": {
                            "const": "partial",
                            "description": "The provider carried out only a part.",
                        },
                        "failed": {
                            "type": "integer",
                            "minimum": 1,
                            "description": "With 'partial': how many entries failed.",
                        },
                        "entries": {
                            "type": "array",
                            "items": closed(
                                {
                                    "path": {"type": "string"},
                                    "message": {"type": "string"},
                                    "input": {
                                        "type": "string",
                                        "description": "Where in the inputs, if that is known.",
                                    },
                                },
                                ["path", "message"],
                            ),
                            "description": (
                                "With 'partial': pointers into the output to the first 1,000 "
                                "of them."
                            ),
                        },
                        "file": {
                            "type": "object",
                            "description": (
                                "The body of an answer that could not be read, as it was "
                                "sent: a stored file."
                            ),
                        },
                    },
                    ["path", "message"],
                ),
                "description": "What a caller should know of a success, where the output differs "
                "from a schema that only describes it, "
                "and which secrets '***' stands for. Of any outcome that the database did not "
                "take by the deadline: that it is recorded "
                "later.",
            },
            "approval": closed(
                {
                    "id": {
                        "type": "string",
                        "pattern": _UUID7,
                        "description": "Of the approval: the invocation's own id.",
                    },
                    "expiresAt": {
                        "type": "string",
                        "format": "date-time",
                        "description": "When it ends as cancelled.",
                    },
                },
                ["id", "expiresAt"],
                "There where the status is 'waiting': what a person decides on.",
            ),
            "resolution": _resolution(),
            "settling": closed(
                {
                    "next": {
                        "type": "string",
                        "format": "date-time",
                        "description": "When the provider is asked next, if it is.",
                    },
                    "looks": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "Number of looks so far, each of one source.",
                    },
                },
                ["looks"],
                "There where evidence may still settle a doubt by itself. Else a person has to. "
                "It is not recorded.",
            ),
            "line": {
                "type": "integer",
                "minimum": 1,
                "description": "Of a file of invocations: the line, blank ones counted.",
            },
            "idempotencyKey": {
                **name,
                "description": "Of a line that did not succeed: its own key.",
            },
            "correlationId": {
                **name,
                "description": "Of a line that did not succeed: its own id, from its context.",
            },
        },
        ["invocationId", "attempts", "durationMs", "replayed"],
        "What is known of the run.",
    )


def _resolution() -> Json:
    return closed(
        {
            "by": {
                "type": "string",
                "description": (
                    "The token, or the user of the command line; 'evidence' for looks, "
                    "'answer' for the call's own late answer."
                ),
            },
            "at": {"type": "string", "format": "date-time"},
            "note": {"type": "string", "description": "How they know."},
            "error": {"type": "object", "description": "The error that had put it in doubt."},
            "because": {
                "type": "object",
                "description": "The look that shows it, with its 'number'.",
            },
            "evidence": {**_EVIDENCE, "description": "What was found that proves it."},
            "overruled": {
                "type": "object",
                "description": "The resolution by evidence that a person has overruled.",
            },
            "contradictedBy": {
                **_EVIDENCE,
                "description": (
                    "What says otherwise: evidence, or the call's own late answer, which counts."
                ),
            },
        },
        ["by", "at"],
        "There where a person or evidence settled a doubt: who decided, and what had put it in "
        "doubt.",
    )


def _detail() -> Json:
    return closed(
        {
            "path": {
                "type": "string",
                "format": "json-pointer",
                "description": (
                    "Where (RFC 6901): in the inputs, in the connection's values, or in the "
                    "invocation, as the code says."
                ),
            },
            "message": {"type": "string", "description": "What is wrong there."},
            "keyword": {
                "type": "string",
                "description": "The JSON Schema keyword that failed, where one did.",
            },
        },
        ["path", "message"],
    )


def _provider() -> Json:
    return closed(
        {
            "code": {"type": "string", "description": "The provider's own error code."},
            "message": {
                "type": "string",
                "description": "The provider's own words, secrets masked.",
            },
            "httpStatus": {"type": "integer", "minimum": 100, "maximum": 599},
            "requestId": {"type": "string", "description": "The provider's id of the request."},
            "details": {
                "type": "object",
                "minProperties": 1,
                "description": (
                    "Further members of the provider's error, under its own names, secrets "
                    "masked; at most 16 KiB."
                ),
            },
        },
        description="What the provider said; there only where it answered.",
    )


def _retryable() -> list[Json]:
    """One rule for each answer to "may I simply try again?"; a code that has both answers is in
    neither.
    """
    rules = []
    for answer in (True, False):
        codes = sorted(
            code
            for code, kind in CODES.items()
            if kind.retryable is answer and kind is not IdempotencyConflict
        )
        condition = {"required": ["code"], "properties": {"code": {"enum": codes}}}
        rules.append({"if": condition, "then": {"properties": {"retryable": {"const": answer}}}})
    return rules


def _error() -> Json:
    return closed(
        {
            "code": {
                "type": "string",
                "enum": sorted(CODES),
                "description": "What kind of failure this is, for programs.",
            },
            "message": {"type": "string", "description": "What happened, for people."},
            "retryable": {
                "type": "boolean",
                "description": "Whether the same invocation may simply be sent again later.",
            },
            "details": {
                "type": "array",
                "minItems": 1,
                "items": _detail(),
                "description": "Every fault, each with its place.",
            },
            "hint": {"type": "string", "minLength": 1, "description": "What to do next."},
            "provider": _provider(),
            "retryAfterSeconds": {
                "type": "number",
                "minimum": 0,
                "description": "After how many seconds the provider wants to be asked again, or a "
                "paced call has its turn, where that is "
                "known.",
            },
        },
        ["code", "message", "retryable"],
        "Why there is no output.",
        allOf=_retryable(),
    )


def _has_status(value: str) -> Json:
    return {"required": ["status"], "properties": {"status": {"const": value}}}


def _with_error(code: Json) -> Json:
    error = {"properties": {"code": code}}
    return {"required": ["error"], "not": {"required": ["output"]}, "properties": {"error": error}}


def _rules() -> list[Json]:
    dry = {"required": ["meta"], "properties": {"meta": {"required": ["dryRun"]}}}
    unknown = {
        "required": ["meta"],
        "properties": {
            "meta": {"required": ["warnings"], "properties": {"warnings": {"minItems": 1}}}
        },
    }
    with_output = {
        "not": {"required": ["error"]},
        "anyOf": [{"required": ["output"]}, dry, unknown],
    }
    preview = {"minProperties": 1}  # a dry run has no output unless its action gives a preview
    not_run = {
        "properties": {"output": preview, "meta": {"properties": {"attempts": {"const": 0}}}}
    }
    doubt = {"const": InDoubt.code}
    return [
        {"if": _has_status("succeeded"), "then": with_output},
        {"if": dry, "then": not_run},
        {"if": _has_status("failed"), "then": _with_error({"not": doubt})},
        {"if": _has_status("in_doubt"), "then": _with_error(doubt)},
        {
            "if": _has_status("waiting"),
            "then": {
                "not": {"anyOf": [{"required": ["output"]}, {"required": ["error"]}]},
                "properties": {"meta": {"required": ["approval"]}},
            },
        },
    ]


def schema() -> Json:
    """The schema of a Result."""
    members = {
        "status": {
            "type": "string",
            "enum": [*typing.get_args(Status), "waiting"],
            "description": "'in_doubt': the request may have taken effect, and nobody here can "
            "know. 'waiting' is no end: a person has "
            "to approve the invocation first, and nothing was sent.",
        },
        "output": {
            "type": "object",
            "description": (
                "What the action gave back, under the provider's own names; its own schema "
                "describes it."
            ),
        },
        "error": _error(),
        "meta": _meta(),
    }
    about = (
        "What an invocation came to: succeeded with an output (none on a dry run, or with a "
        "warning that says why), or failed or in doubt."
    )
    return document(
        "result", "Result", about, {**closed(members, ["status", "meta"]), "allOf": _rules()}
    )
