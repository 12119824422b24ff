"""``schemas/invocation.schema.json``: contract §2, with the runtime's own limits."""

from __future__ import annotations

from generated.words import Json, closed, document
from jackfield.invocation import DEFAULT_TIMEOUT, MAX_BYTES, MAX_DEPTH, MAX_TIMEOUT, MAX_VALUES
from jackfield.invocation.request import (
    DEFAULT_JOB_TIMEOUT,
    DEFAULT_PRIORITY,
    MAX_JOB_TIMEOUT,
    MAX_LABELS,
    MAX_OUTPUT_BYTES,
    MAX_PRIORITY,
)
from jackfield.invocation.selection import LONGEST as LONGEST_SELECTION

_MAX_KEY = 255
_NAME: Json = {"type": "string", "minLength": 1, "not": {"pattern": r"[\x00-\x1f\x7f]"}}


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _connection() -> Json:
    name = {
        **_NAME,
        "description": (
            "The name of a connection of the workspace: 1 to 100 letters, digits, dots, "
            "underscores or hyphens."
        ),
        "examples": ["acme-ses"],
    }
    inline = closed(
        {
            "type": {
                "type": "string",
                "description": "A connection type of the connector: its key, or its full name.",
                "examples": ["apiKeySecret", "aws/awsAssumeRole"],
            },
            "values": {
                "type": "object",
                "description": "The values that the connection type takes; its schema judges them.",
            },
        },
        ["type"],
        "A connection given in place. Its values are never stored and never logged.",
    )
    return {
        "description": "How to sign in: a name, or an inline connection, {'type', 'values'}. May "
        "be left out where the workspace has "
        "exactly one connection that fits, or none is needed.",
        "oneOf": [name, inline],
    }


def _context() -> Json:
    labels = {
        "type": "object",
        "description": "Names and values of the caller's own.",
        "additionalProperties": {"type": "string"},
        "maxProperties": MAX_LABELS,
    }
    return closed(
        {
            "traceparent": {
                "type": "string",
                "description": "The caller's trace, as in W3C Trace Context.",
            },
            "correlationId": {
                "type": "string",
                "description": "An id by which the caller finds this invocation again.",
            },
            "notify": {
                "type": "boolean",
                "description": (
                    "Tell of its end by an event. The end of a queued invocation is always one."
                ),
                "default": False,
            },
            "labels": labels,
        },
        description="What the caller wants kept with the invocation in journal, logs and spans: "
        "'traceparent', 'correlationId', 'labels' "
        f"(at most {MAX_LABELS} texts), and 'notify', which makes an event of its end.",
    )


def _options() -> Json:
    return {
        "idempotencyKey": {
            "type": "string",
            "description": "1 to 255 printable ASCII characters. The same key and request give "
            "the recorded Result again: of a success, "
            "and of a failure in part, for 24 hours, of a doubt until it is resolved. All tokens "
            "of a workspace share its keys; without "
            "a database one is refused.",
            "minLength": 1,
            "maxLength": _MAX_KEY,
            "pattern": "[!-~]",
            "not": {"pattern": "[^ -~]"},
            "examples": ["order-4711-mail"],
        },
        "timeoutSeconds": {
            "type": "number",
            "description": "How long it may take in all: waiting, for a database too, signing in, "
            "retries and further pages. It begins "
            "when the request has arrived; a queued one's time starts when a worker begins it.",
            "exclusiveMinimum": 0,
            "maximum": _number(MAX_TIMEOUT),
            "default": _number(DEFAULT_TIMEOUT),
        },
        "jobTimeoutSeconds": {
            "type": "number",
            "description": (
                "Jobs only: how long the job may take in all, while 'timeoutSeconds' limits "
                "each of its steps."
            ),
            "exclusiveMinimum": 0,
            "maximum": _number(MAX_JOB_TIMEOUT),
            "default": _number(DEFAULT_JOB_TIMEOUT),
        },
        "notBefore": {
            "type": "string",
            "description": (
                "Queued invocations only: do not begin it earlier (RFC 3339), by the "
                "database's clock."
            ),
            "format": "date-time",
            "examples": ["2026-01-31T08:30:00Z"],
        },
        "notAfter": {
            "type": "string",
            "description": (
                "Queued invocations only: where it has not begun by then it fails with "
                "'timeout', and is never sent."
            ),
            "format": "date-time",
            "examples": ["2026-01-31T09:00:00Z"],
        },
        "priority": {
            "type": "integer",
            "description": "Queued invocations only: within a workspace, higher ones are begun "
            "first, then the oldest; lower ones wait "
            "as long as higher ones are due.",
            "minimum": 0,
            "maximum": MAX_PRIORITY,
            "default": DEFAULT_PRIORITY,
        },
        "dryRun": {
            "type": "boolean",
            "description": "Do everything up to the action, and not the action. Credentials may "
            "be leased; the idempotency key is "
            "ignored. Without a connection, the inputs are checked alone, with a warning.",
            "default": False,
        },
        "connectorVersion": {
            "type": "string",
            "description": "A version specifier (PEP 440) that the installed connector must fit.",
            "maxLength": 200,
            "pattern": r"\S",
            "examples": [">=1.2,<2"],
        },
        "onDoubt": {
            "type": "string",
            "description": "What to do if the request may have taken effect: 'report' it; "
            "'settle' it by evidence, if that is found "
            "before the deadline; or 'retry' if a duplicate is better than a miss.",
            "enum": ["report", "settle", "retry"],
            "default": "report",
        },
        "partial": {
            "type": "string",
            "description": "What to do if the provider carried out only a part, such as 7 of 10 "
            "entries of a batch: 'warn' of it beside "
            "a success, or 'fail' with the code 'rejected'. Such a failure is not retryable, and "
            "keeps its idempotency key like a "
            "success.",
            "enum": ["warn", "fail"],
            "default": "warn",
        },
        "select": {
            "type": "string",
            "description": "A JMESPath expression: the output has only what it selects, as its "
            "member 'selected'. The journal keeps all "
            "of it. Not for queued invocations.",
            "minLength": 1,
            "maxLength": LONGEST_SELECTION,
            "examples": ["items[?status == 'open'].{id: id, name: name}"],
        },
        "maxBytes": {
            "type": "integer",
            "description": "Of an output with more bytes of JSON, its member 'truncated' has size "
            "and shape, and a stored file the "
            "whole. Over MCP it is 40,000 by default. Not for queued invocations.",
            "minimum": 1,
            "maximum": MAX_OUTPUT_BYTES,
        },
        "repeat": {
            "type": "boolean",
            "description": "Run a write without an idempotency key although an equal one of this "
            "caller is running or in doubt. Without "
            "it, the call gets that one's Result where such twins are joined. Not beside a key.",
            "default": False,
        },
        "trace": {
            "type": "boolean",
            "description": "Keep the provider's exchanges with their bodies, masked, however the "
            "call ends. Over HTTP it needs the scope "
            "'manage', else the call fails with 'not_allowed'.",
            "default": False,
        },
    }


def schema() -> Json:
    """The schema of an invocation. Size, values and depth have no keyword, so the description says
    them.
    """
    members = {
        "connector": {
            **_NAME,
            "description": "The key of an installed connector.",
            "examples": ["aws-ses"],
        },
        "action": {
            **_NAME,
            "description": "The key of an action of the connector.",
            "examples": ["sendEmail"],
        },
        "connection": _connection(),
        "inputs": {
            "type": "object",
            "description": (
                "What the action takes; its own schema judges it ('jackfield schema "
                "CONNECTOR ACTION')."
            ),
            "default": {},
        },
        **_options(),
        "context": _context(),
    }
    limits = (
        f"At most {MAX_BYTES:,} bytes of JSON with {MAX_VALUES:,} values, nested at most "
        f"{MAX_DEPTH} levels deep."
    )
    about = f"One request to run an action; answered by one Result. {limits}"
    example = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": "acme-ses",
        "inputs": {
            "awsRegion": "eu-west-1",
            "to": ["ada@example.com"],
            "sender": "noreply@example.com",
            "subject": "Hello",
            "text": "Hello Ada",
        },
        "timeoutSeconds": 30,
    }
    return document(
        "invocation",
        "Invocation",
        about,
        {**closed(members, ["connector", "action"]), "examples": [example]},
    )
