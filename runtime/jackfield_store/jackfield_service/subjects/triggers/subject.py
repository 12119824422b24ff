"""Triggers that are enabled for a connection."""

from __future__ import annotations

from typing import Any

from jackfield_service.shell.http.query_parts import BY_KEY
from jackfield_service.shell.http.shape_parts import (
    ANY,
    GONE,
    MOMENT,
    NAME,
    NULLABLE,
    PROBLEM,
    STRING,
    Json,
    closed_with,
    object_of,
)
from jackfield_service.shell.resource.resource import Act, Field, InFiles, Is, Resource, Visit
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions

_THEN: Json = {
    **closed_with(
        ("connector", "action"),
        {**dict.fromkeys(("connector", "action", "connection"), STRING), "inputs": ANY},
    ),
    "description": (
        'The invocation that each event starts; {"$event": POINTER} among the inputs is a '
        "value of the event."
    ),
}
_EVERY: Json = {"type": "number", "description": "Seconds between two polls."}


def _open(visit: Visit) -> WorkspaceSubscriptions:
    return WorkspaceSubscriptions(visit.runtime, visit.caller, visit.actor, visit.base())


def _samples(subscriptions: WorkspaceSubscriptions, name: str) -> dict[str, Any]:
    return {"items": subscriptions.samples(name)}


SUBSCRIPTIONS = Resource(
    "Subscription",
    "/v1/subscriptions",
    _open,
    fields=(
        Field("id", STRING, Is.ALWAYS),
        Field("name", NAME, Is.ALWAYS | Is.NEEDED, title="Name"),
        Field(
            "trigger",
            {"type": "string", "description": "connector/trigger"},
            Is.ALWAYS | Is.NEEDED,
            title="Trigger",
        ),
        Field("connection", STRING, Is.GIVEN, title="Connection"),
        Field("every", _EVERY, Is.GIVEN | Is.CHANGED, title="Polled every"),
        Field("kind", {"enum": ["webhook", "poll"]}, Is.ALWAYS),
        Field(
            "status",
            {"enum": ["pending", "active", "degraded", "failing", "paused"]},
            Is.ALWAYS,
            title="Status",
        ),
        Field("reason", STRING),
        Field("fault", GONE),
        Field("problem", PROBLEM),
        Field("url", {"type": "string", "description": "Where the provider sends to."}),
        Field("inputs", ANY, Is.GIVEN | Is.CHANGED),
        Field(
            "from",
            {"type": "string", "description": "When a poll begins; default: now."},
            Is.GIVEN | Is.UNSEEN,
        ),
        Field(
            "secret", {"type": "string", "description": "What the provider signs with, shown once."}
        ),
        Field("checkpoint", ANY),
        Field("then", ANY, Is.GIVEN | Is.CHANGED, _THEN),
        Field(
            "guard",
            {
                "type": ["object", "null"],
                "description": "Guard of the connection; null: it has none.",
            },
            Is.GIVEN,
            {
                "type": ["boolean", "object"],
                "description": "The guard that the connection gets: the operator alone may set it.",
            },
            "Guard",
        ),
        Field("nextAt", MOMENT, title="Next poll"),
        Field("renewAt", MOMENT, title="Next renewal"),
        Field("lastSuccessAt", MOMENT, title="Last success"),
        Field("lastEventAt", MOMENT, title="Last event"),
        Field(
            "runsAs",
            object_of(("caller", "token"), caller=NULLABLE, token=NULLABLE),
            Is.ALWAYS,
            title="Runs as",
        ),
        Field("createdAt", MOMENT, Is.ALWAYS),
        Field("changedAt", MOMENT, Is.ALWAYS),
    ),
    acts=(
        Act(
            "list",
            WorkspaceSubscriptions.page,
            "List the subscriptions by name.",
            "read",
            verb="List the subscriptions.",
        ),
        Act(
            "create",
            WorkspaceSubscriptions.add,
            "Switch a trigger on for a connection, with the rights of this token.",
            problems=(403, 404, 409, 422),
        ),
        Act(
            "change",
            WorkspaceSubscriptions.change,
            "Change 'then', 'every', or a webhook's inputs; URL and secret stay. It has the "
            "rights of this token from then on.",
            problems=(403, 409, 422),
        ),
        Act(
            "show",
            WorkspaceSubscriptions.show,
            "Show a subscription, its URL and its checkpoint.",
            "read",
        ),
        Act("test", _samples, "Show samples of its events.", "read", answers={200: "SampleList"}),
        Act("disable", WorkspaceSubscriptions.disable, "Receive and poll nothing more, at once."),
        Act(
            "enable",
            WorkspaceSubscriptions.enable,
            "Receive or poll again. A poll goes on where it was.",
            verb="Receive or poll again; a poll goes on where it was.",
        ),
        Act(
            "remove",
            WorkspaceSubscriptions.remove,
            "Remove a subscription, and its registration at the provider. Its events stay.",
            verb="",
        ),
    ),
    shapes={
        "SubscriptionChange": closed_with(
            (), {"inputs": ANY, "every": _EVERY, "then": {"anyOf": [_THEN, {"type": "null"}]}}
        ),
        "Sample": {
            "type": "object",
            "description": "An example of the trigger, as its connector's manifest has it.",
        },
        # all in one
        "SampleList": object_of(
            ("items",), items={"type": "array", "items": {"$ref": "#/components/schemas/Sample"}}
        ),
    },
    cursor=BY_KEY,
    filters=("status", "kind", "trigger", "connection"),
    closed=False,
    waits="asking",
    stated=InFiles(
        without=("guard",), after="a process registers what the provider sends to, or polls"
    ),
    columns=("name", "status", "trigger", "connection", "lastEventAt", "reason"),
    listed=("name", "status", "trigger", "connection", "lastEventAt"),
)
RESOURCES = (SUBSCRIPTIONS,)
