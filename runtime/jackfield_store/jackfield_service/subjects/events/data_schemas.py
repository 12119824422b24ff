"""JSON Schemas of the data of each type of event, for readers and receivers. Members are only ever
added, so the objects are open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer"}
_MOMENT: Json = {"type": "string", "format": "date-time"}
_VERDICT: Json = {"enum": ["took", "refused", "absent"]}
_ENDS: Json = {"enum": ["succeeded", "failed", "in_doubt"]}


def _data(required: Iterable[str], **members: Json) -> Json:
    return {"type": "object", "required": list(required), "properties": members}


_CALL: Mapping[str, Json] = {
    "connector": _TEXT,
    "action": _TEXT,
    "effect": {"enum": ["read", "idempotent", "write"]},
    "connection": _TEXT,
}
_INVOCATION: Mapping[str, Json] = {
    "invocationId": _TEXT,
    "status": _ENDS,
    "errorCode": _TEXT,
    **_CALL,
    "connectorVersion": _TEXT,
    "attempts": _COUNT,
    "idempotencyKey": _TEXT,
    "requestId": _TEXT,
    "dryRun": {"enum": [True]},
    "createdAt": _MOMENT,
    "settledAt": _MOMENT,
    "correlationId": _TEXT,
    "labels": {"type": "object", "additionalProperties": _TEXT},
    "output": {"description": "Only for callbacks that include it."},
    "outputOmitted": {"enum": [True]},
}
_CONNECTION: Mapping[str, Json] = {
    "connection": _TEXT,
    "type": _TEXT,
    "version": _COUNT,
    "status": {"enum": ["untested", "ok", "failing", "expired"]},
    "previousStatus": _TEXT,
    "accountId": _TEXT,
    "accountLabel": _TEXT,
}
_HEALTH = _data(("connection", "type", "version", "status", "previousStatus"), **_CONNECTION)
_PAUSE = _data(
    ("connection", "at"),
    connection=_TEXT,
    at=_MOMENT,
    **dict.fromkeys(("messages", "bounces", "complaints"), _COUNT),
)
_ENDED = ("invocationId", "status", "connector", "action")
_ATTEMPT: Mapping[str, Json] = {"callback": _TEXT, "error": _TEXT}
_REASON = _data(("callback",), callback=_TEXT, reason=_TEXT)
_SESSION: Mapping[str, Json] = {
    "session": _TEXT,
    "mode": {"enum": ["connect", "reauth", "manage"]},
    "verify": {"enum": ["confirm", "browser", "link"]},
    "user": _TEXT,
    "connection": _TEXT,
    "connectionType": _TEXT,
    "reason": _TEXT,
}
_DISCONNECTED: Json = {
    "type": "boolean",
    "description": "True if the account was disconnected, and its connection removed; else missing.",
}
_WATCHED: Mapping[str, Json] = {
    "subscription": _TEXT,
    "connector": _TEXT,
    "trigger": _TEXT,
    "connection": _TEXT,
}
_OF = ("subscription", "connector", "trigger")
_ASKED: Mapping[str, Json] = {
    "invocationId": _TEXT,
    **_CALL,
    "caller": _TEXT,
    "expiresAt": _MOMENT,
    "by": {"type": "object"},
}
_ABOUT_CALL = ("invocationId", "connector", "action")
_WORKSPACE = _data(("workspace",), workspace=_TEXT)

DATA: Mapping[str, tuple[str, Json]] = {
    "invocation.finished": (
        "A queued invocation, or one with 'notify', has ended for the first time.",
        _data(_ENDED, **_INVOCATION),
    ),
    "invocation.resolved": (
        "The outcome of an invocation that had ended was decided or corrected.",
        _data(_ENDED, **_INVOCATION, previousStatus=_TEXT, resolvedBy=_TEXT, verdict=_VERDICT),
    ),
    "invocation.contradicted": (
        (
            "Evidence, or the call's own late answer, says another outcome than the one by which "
            "a doubt was resolved."
        ),
        _data(
            (*_ENDED, "verdict"),
            **{
                name: _INVOCATION[name]
                for name in ("invocationId", "status", "connector", "action")
            },
            resolvedBy=_TEXT,
            verdict=_VERDICT,
        ),
    ),
    "connection.failing": ("A test of a connection has failed.", _HEALTH),
    "connection.recovered": ("A connection that failed or had expired works again.", _HEALTH),
    "connection.expired": (
        "The provider refuses an approval or credentials that only a person can renew.",
        _HEALTH,
    ),
    "connection.changed": (
        "Values, name or account of a connection have changed.",
        _data(
            ("connection", "type", "version"),
            **_CONNECTION,
            previousAccountId=_TEXT,
            previousName=_TEXT,
        ),
    ),
    "connection.paused": (
        "Too many messages over a connection bounced or drew complaints: its guard has paused it.",
        _PAUSE,
    ),
    "connection.resumed": ("A connection that its guard had paused runs again.", _PAUSE),
    "connection.declined": (
        "A person, or the provider, has declined the approval of a connection.",
        _data(
            ("connection", "type", "reason"),
            connection=_TEXT,
            type=_TEXT,
            authorization=_TEXT,
            reason=_TEXT,
        ),
    ),
    "approval.requested": (
        "A call waits until a person approves it.",
        _data((*_ABOUT_CALL, "expiresAt"), **_ASKED),
    ),
    "approval.approved": (
        "A person has approved a call: the workers begin it.",
        _data((*_ABOUT_CALL, "by"), **_ASKED),
    ),
    "approval.declined": (
        "A person has declined a call: nothing was sent.",
        _data((*_ABOUT_CALL, "by"), **_ASKED),
    ),
    "approval.expired": (
        "Nobody has approved a call in time: nothing was sent.",
        _data(_ABOUT_CALL, **_ASKED),
    ),
    "quota.low": (
        "A tenth of a provider's daily quota is left, or it refuses calls for it.",
        _data(
            ("connector", "budget"),
            connector=_TEXT,
            connection=_TEXT,
            budget=_TEXT,
            perDay={"type": "number"},
            used={"type": "number"},
        ),
    ),
    "callback.failing": (
        "A callback has failed for four days, and will be paused a day later.",
        _data(
            ("callback", "error", "failingSince", "pausesAt"),
            **_ATTEMPT,
            failingSince=_MOMENT,
            pausesAt=_MOMENT,
        ),
    ),
    "callback.exhausted": (
        "The last attempt of a delivery has failed.",
        _data(
            ("callback", "delivery", "eventId"),
            **_ATTEMPT,
            delivery=_TEXT,
            eventId=_TEXT,
            eventType=_TEXT,
            attempts=_COUNT,
        ),
    ),
    "callback.paused": ("A callback was paused for its failures, or for a 410.", _REASON),
    "callback.resumed": ("A callback that was paused for its failures answers again.", _REASON),
    "schedule.missed": (
        "Slots of a schedule did not run.",
        _data(
            ("schedule", "slots", "reason"),
            schedule=_TEXT,
            **_CALL,
            firstSlot=_MOMENT,
            lastSlot=_MOMENT,
            slots=_COUNT,
            reason=_TEXT,
        ),
    ),
    "schedule.stopped": (
        "The token whose rights a schedule runs with was revoked or has expired.",
        _data(("schedule", "reason"), schedule=_TEXT, **_CALL, reason=_TEXT),
    ),
    "workspace.suspended": ("The workspace was suspended.", _WORKSPACE),
    "workspace.resumed": ("The workspace was resumed.", _WORKSPACE),
    "connect.completed": (
        "A connect session was confirmed, and its connection made or removed.",
        _data(("session", "mode", "verify"), **_SESSION, disconnected=_DISCONNECTED),
    ),
    "connect.blocked": (
        (
            "A user cannot go on in a connect session, because of something that the platform "
            "has to mend."
        ),
        _data(
            ("session", "mode", "verify", "reference", "code"),
            **_SESSION,
            reference=_TEXT,
            code=_TEXT,
            step=_TEXT,
        ),
    ),
    "connect.failed": (
        "A connect session ended without a connection.",
        _data(("session", "mode", "verify"), **_SESSION),
    ),
    "subscription.failing": (
        "The work on a subscription has failed three times in a row.",
        _data((*_OF, "reason"), **_WATCHED, reason=_TEXT),
    ),
    "subscription.recovered": (
        "The work on a subscription that was failing succeeds again.",
        _data(_OF, **_WATCHED),
    ),
    "subscription.late": (
        "A poll was made more than two intervals after its time.",
        _data((*_OF, "lateSeconds"), **_WATCHED, lateSeconds=_COUNT),
    ),
    "subscription.restarted": (
        "A subscription has begun again without its checkpoint.",
        _data((*_OF, "reason"), **_WATCHED, reason=_TEXT, accountId=_TEXT, previousAccountId=_TEXT),
    ),
    "subscription.gap": (
        "Events may not have come, since the registration at the provider had ended.",
        _data(
            (*_OF, "since", "until", "reason"),
            **_WATCHED,
            since=_MOMENT,
            until=_MOMENT,
            reason=_TEXT,
        ),
    ),
    "subscription.withheld": (
        "So many items of a list are gone that their deletions are not told.",
        _data((*_OF, "items", "gone"), **_WATCHED, items=_COUNT, gone=_COUNT),
    ),
    "subscription.refused": (
        "The invocation that an event was to start was refused.",
        _data(
            (*_OF, "eventId", "errorCode"),
            **_WATCHED,
            eventId=_TEXT,
            errorCode=_TEXT,
            paths={"type": "array", "items": _TEXT},
        ),
    ),
    "audit.*": (
        "An entry of the audit log; the type ends with the entry's event.",
        _data((), event=_TEXT, object=_TEXT, actor={"type": "object"}, details={"type": "object"}),
    ),
    "callback.test": (
        "A test of this callback, which is in no feed.",
        _data(("callback",), callback=_TEXT),
    ),
}
"""Description of the event, and the schema of its data, by type."""
