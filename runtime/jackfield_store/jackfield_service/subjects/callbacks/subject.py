"""Callbacks, to whose URLs events are sent, and deliveries of events to them: of a workspace, and
of a platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.callers import Scope
from jackfield.kernel.errors import JackfieldError
from jackfield_service.shell.http.query_parts import BY_ID, TEXT
from jackfield_service.shell.http.shape_parts import (
    MOMENT,
    PROBLEM,
    STRING,
    Json,
    closed_with,
    object_of,
)
from jackfield_service.shell.resource.meanings import as_set
from jackfield_service.shell.resource.resource import (
    Act,
    Field,
    InFiles,
    Is,
    Resource,
    Visit,
    document_of,
)
from jackfield_service.subjects.callbacks.callback import Callback
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.deliveries import STATES, Deliveries

_ATTEMPT: Mapping[str, Json] = {
    "at": MOMENT,
    "durationMs": {"type": "number"},
    "status": {"type": "integer"},
    "error": STRING,
    "answer": {"type": "string", "description": "The beginning of the receiver's answer."},
}
_SECRET: Mapping[str, Json] = {
    "secret": {"type": "string", "description": "Shown once."},
    "publicKey": {"type": "string", "description": "Of an Ed25519 key."},
}
_UNRULED = "a token with rules cannot manage callbacks, which get events of the whole workspace"
_SET = Is.GIVEN | Is.CHANGED


def _open(visit: Visit) -> Callbacks:
    storage = visit.storage
    return Callbacks(
        storage.database,
        storage.vault,
        visit.workspace,
        visit.clock,
        visit.actor,
        origin=visit.origin,
        guard=visit.outgoing,
    )


def _open_deliveries(visit: Visit) -> Deliveries:
    return Deliveries(visit.storage.database, visit.storage.vault, visit.workspace, visit.clock)


def _changed(callbacks: Callbacks, identifier: str, given: Mapping[str, Any]) -> Callback:
    callbacks.find(identifier)  # is asked for before what is given
    return callbacks.change(identifier, given)


def _invalid(error: JackfieldError) -> int | None:
    return 422 if error.details else None


def _callbacks(path: str, scope: Scope, of: str = "", whose: str = "") -> Resource[Callbacks]:
    return Resource(
        "Callback",
        f"{path}/callbacks",
        _open,
        fields=(
            Field("id", STRING, Is.ALWAYS),
            Field(
                "workspaces",
                {
                    **STRING,
                    "description": "Of a platform's callback: the pattern of its workspaces.",
                },
            ),
            Field(
                "url",
                {
                    "type": "string",
                    "maxLength": 2000,
                    "description": "https, and a public host unless the operator allows it.",
                },
                Is.ALWAYS | Is.NEEDED | Is.CHANGED,
                title="URL",
            ),
            Field(
                "types",
                {
                    "type": "array",
                    "items": STRING,
                    "maxItems": 50,
                    "description": (
                        "Types and patterns such as invocation.*; none: all but those of the "
                        "audit log."
                    ),
                },
                Is.ALWAYS | _SET,
                title="Types",
            ),
            Field(
                "filter",
                {
                    "type": ["object", "null"],
                    "description": "Values, or arrays of values, that members of the data must "
                    "have: "
                    "connector, action, connection, status, errorCode, correlationId, labels.",
                },
                _SET,
                title="Filter",
            ),
            Field("include", {"type": "array", "items": {"enum": ["output"]}}, _SET),
            Field(
                "thin",
                {"type": "boolean", "description": "Leave the payload out."},
                _SET,
                title="Data",
            ),
            Field("signing", {"enum": ["hmac", "ed25519"]}, _SET, title="Signed with"),
            Field("description", {"type": "string", "maxLength": 200}, _SET, title="Callback"),
            Field("status", {"enum": ["active", "paused"]}, Is.ALWAYS | Is.CHANGED, title="Status"),
            Field("reason", STRING),
            Field("failingSince", MOMENT, title="Failing since"),
            Field("createdAt", MOMENT, Is.ALWAYS, title="Created"),
            Field("updatedAt", MOMENT),
            Field("problem", PROBLEM),
            *(Field(name, schema, Is.ONCE) for name, schema in _SECRET.items()),
        ),
        acts=(
            Act("list", Callbacks.page, "List the callbacks, without their secrets.", scope),
            Act(
                "create",
                Callbacks.create,
                f"Send the events that happen from now on{whose} to a URL. Only this response "
                "contains the secret.",
                scope,
                problems=(422,),
            ),
            Act("show", Callbacks.find, "Show a callback.", scope, verb="Print a callback."),
            Act(
                "change",
                _changed,
                "Change the members given; 'status' pauses and resumes it.",
                scope,
                problems=(422,),
                body="CallbackUpdate",
            ),
            Act("remove", Callbacks.remove, "Delete a callback and its deliveries.", scope),
            Act(
                "rotate",
                Callbacks.rotate,
                "Make a new secret; the present one stays valid for a day, or for "
                "'overlapSeconds'.",
                scope,
                problems=(422,),
                body="CallbackRotation",
                answers={200: "RotatedCallback"},
            ),
            Act(
                "test",
                Callbacks.test,
                "Send a test event now, once, and return what became of it.",
                scope,
                problems=(409,),
                answers={200: "CallbackTest"},
            ),
            Act(
                "recover",
                Deliveries.recover,
                "Send all events since a time that were not delivered.",
                scope,
                body="CallbackRecovery",
                answers={202: "Recovery"},
            ),
        ),
        shapes={
            "RotatedCallback": closed_with(
                ("id", "previousUntil"), {"id": STRING, **_SECRET, "previousUntil": MOMENT}
            ),
            "CallbackRotation": object_of(
                (), overlapSeconds={"type": "number", "minimum": 0, "maximum": 2_592_000}
            ),
            "CallbackRecovery": object_of(
                ("since",),
                since={
                    "type": "string",
                    "maxLength": 40,
                    "description": "An RFC 3339 time, a date, or a duration before now: 2d.",
                },
            ),
            "Recovery": object_of(
                ("recovered",),
                recovered={
                    "type": "integer",
                    "description": "Number of events that are sent again.",
                },
            ),
            "CallbackTest": closed_with(
                ("delivered", "at", "durationMs"), {"delivered": {"type": "boolean"}, **_ATTEMPT}
            ),
        },
        columns=("id", "url", "types", "status", "reason", "failingSince"),
        listed=("description", "status", "types", "url", "failingSince"),
        cursor=BY_ID,
        key="id",
        argument=("id", "ID"),
        filters=("status", "url"),
        row=document_of,
        waits="briefly",
        judged=_invalid,
        unruled=_UNRULED,
        of=of,
        stated=InFiles("url", meanings={"types": as_set, "include": as_set, "quotas": as_set}),
    )


def _deliveries(path: str, scope: Scope, of: str = "") -> Resource[Deliveries]:
    return Resource(
        "Delivery",
        f"{path}/deliveries",
        _open_deliveries,
        fields=(
            Field("id", STRING, Is.ALWAYS),
            Field("callback", STRING, Is.ALWAYS),
            Field("url", STRING, title="Callback"),
            Field("eventId", STRING, Is.ALWAYS),
            Field("sequence", {"type": "integer"}, Is.ALWAYS),
            Field("type", STRING, Is.ALWAYS, title="Event"),
            Field(
                "workspace",
                {**STRING, "description": "To a platform's callback: the workspace of the event."},
                title="Workspace",
            ),
            Field("status", {"enum": [*STATES]}, Is.ALWAYS, title="Status"),
            Field("attempts", {"type": "integer"}, Is.ALWAYS, title="Attempts"),
            Field("nextAt", MOMENT, Is.UNSORTED, title="Next or ended"),
            Field("endedAt", MOMENT),
            Field("createdAt", MOMENT, Is.ALWAYS),
            Field("lastStatus", {"type": "integer"}, title="Last answer"),
            Field("lastError", STRING),
            Field("problem", PROBLEM),
            Field(
                "log",
                {
                    "type": "array",
                    "items": closed_with(("at", "durationMs"), _ATTEMPT),
                    "description": "The last ten attempts, the newest last.",
                },
            ),
            Field(
                "request",
                {
                    **object_of(
                        ("headers", "body"),
                        headers={"type": "object", "additionalProperties": STRING},
                        body={"type": "object"},
                    ),
                    "description": (
                        "Of a single delivery: the request of its last attempt without its "
                        "signature, as event and callback make it."
                    ),
                },
            ),
        ),
        acts=(
            Act(
                "list",
                Deliveries.page,
                "List deliveries to callbacks, newest first.",
                scope,
                operation=f"list{of}Deliveries",
                verb="List deliveries, newest first.",
                query={
                    "callback": {**TEXT, "description": "only to this callback"},
                    "status": {
                        "type": "string",
                        "enum": [*STATES],
                        "description": "only this status; dead ones are not attempted any more",
                    },
                },
            ),
            Act(
                "show",
                Deliveries.find,
                "Show a delivery with its last attempts.",
                scope,
                verb="Print a delivery with its last attempts.",
            ),
            Act(
                "resend",
                Deliveries.resend,
                "Send a delivery again, with a fresh count of attempts.",
                scope,
                answers={202: "Delivery"},
                verb="",
            ),
        ),
        cursor=BY_ID,
        key="id",
        argument=("id", "ID"),
        row=document_of,
        waits="briefly",
        unruled=_UNRULED,
        kept="callbacks",
        of=of,
        listed=("type", "url", "status", "attempts", "lastStatus", "nextAt"),
        columns=(
            "id",
            "type",
            "status",
            "attempts",
            "lastStatus",
            "lastError",
            "url",
            "createdAt",
            "nextAt",
        ),
    )


CALLBACKS = _callbacks("/v1", "manage")
DELIVERIES = _deliveries("/v1", "manage")
PLATFORM_CALLBACKS = _callbacks(
    "/v1/platform", "platform", "Platform", ", in all workspaces of the platform,"
)
PLATFORM_DELIVERIES = _deliveries("/v1/platform", "platform", "Platform")
RESOURCES = (CALLBACKS, DELIVERIES)
