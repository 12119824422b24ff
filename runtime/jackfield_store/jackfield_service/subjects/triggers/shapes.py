"""Shapes of what the HTTP API takes and shows of subscriptions."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield_service.shell.http.shape_parts import ANY, GONE, MOMENT, NAME, NULLABLE, PROBLEM, STRING, Json, closed_with, object_of

_WATCHED: Mapping[str, Json] = {
    "name": NAME, "trigger": {"type": "string", "description": "connector/trigger"}, "connection": STRING,
    "every": {"type": "number", "description": "Seconds between two polls."},
}  # fmt: skip
_THEN: Json = {
    **closed_with(("connector", "action"), {**dict.fromkeys(("connector", "action", "connection"), STRING), "inputs": {"type": "object"}}),
    "description": 'The invocation that each event starts; {"$event": POINTER} among the inputs is a value of the event.',
}
_SINCE: Json = {"type": "string", "description": "When a poll begins; default: now."}
_WISH: Json = {"type": ["boolean", "object"], "description": "The guard that the connection gets: the operator alone may set it."}
_WATCH_GUARD: Json = {"type": ["object", "null"], "description": "Guard of the connection; null: it has none."}
SHAPES: dict[str, Json] = {
    "NewSubscription": closed_with(
        ("name", "trigger"),
        {**_WATCHED, "inputs": {"type": "object"}, "from": _SINCE, "then": _THEN, "guard": _WISH},
    ),
    "SubscriptionChange": closed_with((), {"inputs": ANY, "every": _WATCHED["every"], "then": {"anyOf": [_THEN, {"type": "null"}]}}),
    "Subscription": object_of(
        ("id", "name", "trigger", "kind", "status", "runsAs", "createdAt", "changedAt"), closed=False,
        id=STRING, **_WATCHED, kind={"enum": ["webhook", "poll"]},
        status={"enum": ["pending", "active", "degraded", "failing", "paused"]}, reason=STRING, fault=GONE,
        problem=PROBLEM,
        url={"type": "string", "description": "Where the provider sends to."}, inputs=ANY,
        secret={"type": "string", "description": "What the provider signs with, shown once."}, checkpoint={"type": "object"},
        then={"type": "object"}, guard=_WATCH_GUARD, nextAt=MOMENT, renewAt=MOMENT, lastSuccessAt=MOMENT, lastEventAt=MOMENT,
        runsAs=object_of(("caller", "token"), caller=NULLABLE, token=NULLABLE), createdAt=MOMENT, changedAt=MOMENT,
    ),
    "Sample": {"type": "object", "description": "An example of the trigger, as its connector's manifest has it."},
    "SampleList": object_of(("items",), items={"type": "array", "items": {"$ref": "#/components/schemas/Sample"}}),  # all in one
}  # fmt: skip
