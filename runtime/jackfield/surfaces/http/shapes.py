"""JSON Schemas of the API's requests and responses, by name, including the published Invocation and Result schemas."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jackfield.access.settings import LIMITS

Json = dict[str, Any]

_FOLDER = Path(__file__).parent / "schemas"
_NAME: Json = {"type": "string", "pattern": "^[._-]*[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 100}
_MOMENT: Json = {"type": "string", "format": "date-time"}
_STRING: Json = {"type": "string"}
_ANY: Json = {"type": "object"}
_NULLABLE: Json = {"type": ["string", "null"]}


def shapes() -> dict[str, Json]:
    """Return all schemas as OpenAPI components."""
    result = _published("result")
    found = {
        "Invocation": _published("invocation"),
        "Result": result,
        "Entry": _entry(result),
        **_CATALOGUE,
        **_INSTALLATIONS,
        **_CONNECTIONS,
        **_SCHEDULES,
        **_SUBSCRIPTIONS,
        **_OTHERS,
    }
    for item in (
        "Entry", "Action", "AuditEntry", "Callback", "ConnectSession", "Connection", "ConnectionHealth", "Delivery", "Option",
        "Suppression", "Token", "Workspace", "Installation", "Available", "Outdated", "Schedule", "Slot", "NextSlot", "Subscription",
    ):  # fmt: skip
        found[f"{item}List"] = _list(f"#/components/schemas/{item}" if item != "Action" else "#/components/schemas/FoundAction")
    found["ActionList"]["properties"]["triggers"] = {
        "type": "array", "items": {"$ref": "#/components/schemas/FoundTrigger"},
        "description": "Triggers that match, of the first page of a search by words; absent if none does.",
    }  # fmt: skip
    found["SampleList"] = _object(("items",), items={"type": "array", "items": {"$ref": "#/components/schemas/Sample"}})  # all in one
    found["FileList"] = _list("#/components/schemas/StoredFile")
    found["ConnectorList"] = _list("#/components/schemas/Manifest", "#/components/schemas/Connector")
    return found


def _object(required: Iterable[str], *, closed: bool = True, **properties: Json) -> Json:
    body = _closed(required, properties)
    return body if closed else {**body, "additionalProperties": True}


def _closed(required: Iterable[str], properties: Mapping[str, Json]) -> Json:
    return {"type": "object", "required": list(required), "properties": dict(properties), "additionalProperties": False}


def _list(*items: str) -> Json:
    references = [{"$ref": item} for item in items]
    kind = references[0] if len(references) == 1 else {"anyOf": references}
    return _object(("items", "nextCursor"), items={"type": "array", "items": kind}, nextCursor=_NULLABLE)


_PROGRESS: Json = {
    **_object(
        ("fraction", "text"),
        fraction={"type": "number", "minimum": 0, "maximum": 1, "description": "How much is done; it never falls."}, text=_STRING,
    ),
    "description": "How far a job is that still runs.",
}  # fmt: skip


_BLOCKED: Json = {
    **_object(("code", "reason", "since", "nextTryAt"), code=_STRING, reason=_STRING, since=_MOMENT, nextTryAt=_MOMENT),
    "description": "Why nothing that is queued in the workspace is begun at present: its keys or settings cannot be used.",
}


def _published(name: str) -> Json:
    found: Json = json.loads((_FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    return {member: value for member, value in found.items() if member not in ("$schema", "$id")}


def _entry(result: Mapping[str, Any]) -> Json:
    """Build the schema of a journal entry: the request, plus the Result's members once it has one."""
    names = ("connector", "connectorVersion", "action", "connection", "caller", "idempotencyKey", "fingerprint")
    own: Any = {**dict.fromkeys(names, _STRING), **dict.fromkeys(("createdAt", "startedAt", "settledAt", "resolvedAt"), _MOMENT)}
    outcome: Any = {name: result["properties"][name] for name in ("output", "error", "meta")}
    return _object(
        ("invocationId", "status", "connector", "action", "createdAt"),
        invocationId=_STRING,
        status={"enum": ["queued", "running", "succeeded", "failed", "in_doubt"]},
        effect={"enum": ["read", "idempotent", "write"]},
        dryRun={"type": "boolean"},
        attempts={"type": "array", "items": _ANY},
        context=_ANY,
        rule=_STRING,
        resolvedBy=_STRING,
        cancelRequested={
            "type": "boolean",
            "description": "Cancellation was requested while it ran. A request already sent is not interrupted.",
        },
        correctedAt=_MOMENT,
        notBefore=_MOMENT,
        notAfter=_MOMENT,
        priority={"type": "integer", "minimum": 0, "maximum": 9},
        deadAt={**_MOMENT, "description": "When its deliveries were given up. It can be redriven."},
        progress=_PROGRESS,
        blocked=_BLOCKED,
        deliveries={"type": "array", "items": _ANY},
        problem=_STRING,
        inputs=_ANY,
        **own,
        **outcome,
    )


_STEP = _object(
    ("key", "title", "passed", "mandatory", "message"),
    key=_STRING, title=_STRING, passed={"type": "boolean"}, mandatory={"type": "boolean"}, message=_STRING, hint=_STRING, principal=_STRING,
)  # fmt: skip
_WEAK: Json = {
    "type": "array", "items": _closed(("path", "message"), {"path": _STRING, "message": _STRING}),
    "description": "Secrets among the values that are short or public defaults; in an answer itself only where nothing was tested.",
}  # fmt: skip
_TRIED: Any = {
    "account": _object(("id", "label"), id=_STRING, label=_STRING),
    "status": {"enum": ["untested", "ok", "failing", "expired"]},
    "lastTest": _object(("at", "steps"), at=_MOMENT, steps={"type": "array", "items": _STEP}, warnings=_WEAK),
    "warnings": _WEAK,
}
_VALUES: Json = {
    "type": "object",
    "description": "Values that match the connection type's schema. Secrets are accepted but never returned.",
}
_TYPE: Json = {
    "type": "string",
    "pattern": "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)?$",
    "description": "The connection type: aws-ses/smtp, or aws/awsAssumeRole for a family.",
}
_CONNECTIONS: dict[str, Json] = {
    "NewConnection": _object(("name", "type", "values"), name=_NAME, type=_TYPE, values=_VALUES),
    "DraftConnection": _object(("type", "values"), name={"type": "string", "minLength": 1}, type=_TYPE, values=_VALUES),
    "ConnectionUpdate": _object(("values",), name=_NAME, type=_TYPE, values=_VALUES),
    "Connection": _object(
        ("name", "type", "values", "version", "status"), closed=False,
        name=_NAME, type=_TYPE, values=_VALUES, version={"type": "integer"}, source=_STRING, problem=_STRING, **_TRIED,
    ),
    "Trial": _object(("status", "lastTest"), **_TRIED),
    "AuthorizationRequest": _object(
        (), flow={"enum": ["redirect", "device"]}, redirectUri=_STRING,
        returnTo={"type": "string", "description": "The page that the browser goes to afterwards, of an allowed origin."},
    ),
    "Authorization": _object(
        ("id", "flow", "url", "expiresAt"), id=_STRING, flow={"enum": ["redirect", "device"]}, url=_STRING, expiresAt=_MOMENT,
        startUrl={
            "type": "string",
            "description": "Link that binds the browser that opens it, once: no other browser's answer counts. It leads to 'url'.",
        },
        userCode=_STRING, completeUrl=_NULLABLE, interval={"type": "number", "description": "Seconds between two looks."},
    ),
    "Approval": _object(
        ("id", "flow", "connection", "status", "expiresAt"), id=_STRING, flow={"enum": ["redirect", "device"]}, connection=_STRING,
        status={"enum": ["pending", "answered", "granted", "failed"], "description": "'answered' waits for ':complete'."},
        reason=_STRING, expiresAt=_MOMENT,
    ),
    "ProviderAnswer": {
        **_object((), proof=_STRING, state=_STRING, code=_STRING, error=_STRING, error_description=_STRING, iss=_STRING),
        "description": "The 'proof' that the browser has brought to 'returnTo', to finish with the answer that has arrived at the "
        "callback; empty if it was begun without 'returnTo' or opened at the bare 'url'; or the provider's answer, with its state.",
    },
    "Policies": {"type": "object", "description": "Policies by name; the connection type defines which."},
}  # fmt: skip
_EFFECT: Json = {"enum": ["read", "idempotent", "write"]}
_CATALOGUE: dict[str, Json] = {
    "Schema": {"type": "object", "description": "A JSON Schema, or an OpenAPI document."},
    "Manifest": _object(
        ("manifestVersion", "key", "title", "version"), closed=False,
        manifestVersion={"enum": [1, 2]}, key=_STRING, title=_STRING, version=_STRING,
        actions={"type": "array", "items": _ANY}, connectionTypes={"type": "array", "items": _ANY},
    ),
    "Connector": _object(
        ("key", "title", "version", "actions", "status"),
        key=_STRING, title=_STRING, version=_NULLABLE, actions={"type": "integer", "minimum": 0}, status={"enum": ["ok", "broken"]},
        versions={"type": "array", "items": _STRING}, error=_STRING, revoked=_ANY,
    ),
    "FoundAction": _object(
        ("connector", "action", "title", "description", "effect"),
        connector=_STRING, action=_STRING, title=_STRING, description=_STRING, effect=_EFFECT,
        exact={"type": "boolean", "description": "False if the action matches only some of the words; otherwise absent."},
    ),
    "FoundTrigger": _object(
        ("connector", "trigger", "title", "description", "kind"),
        connector=_STRING, trigger=_STRING, title=_STRING, description=_STRING, kind={"enum": ["webhook", "poll"]},
    ),
    "Action": _object(
        ("connector", "connectorVersion", "key", "effect", "inputs", "verdict"), closed=False,
        connector=_STRING, connectorVersion=_STRING, key=_STRING, effect=_EFFECT, inputs=_ANY, output=_ANY,
        verdict=_object(("allowed", "rule"), closed=False, allowed={"type": "boolean"}, rule=_STRING),
    ),
    "Option": _object(("value",), closed=False, value=_STRING),
}  # fmt: skip
_LABELLED: Json = {"type": "object", "additionalProperties": {"type": "array", "items": _STRING}}
_KEY_AND_VERSION = _object(("connector", "version"), connector=_STRING, version=_STRING)
_RELEASE: Mapping[str, Json] = {
    "connector": _STRING, "name": _STRING, "version": _STRING, "publisher": _ANY, "grade": _STRING, "permissions": _LABELLED,
    "hosts": {"type": "array", "items": _STRING, "description": "Hosts that it connects to besides those of its connections."},
}  # fmt: skip
_STEPS: Json = {"type": "array", "items": _ANY}
_INSTALLATIONS: dict[str, Json] = {
    "NewInstallation": _closed(
        ("name",),
        {
            "name": {"type": "string", "maxLength": 300, "description": "A connector, with a version if wanted: acme, acme==1.2.0."},
            "from": {"type": "string", "maxLength": 300, "description": "One of the server's catalogues; needed if it has several."},
            "pin": {"type": "boolean", "default": False, "description": "Make this version the default one, installed or not."},
        },
    ),
    "Installation": _closed(
        ("connector", "name", "version"),
        {
            **_RELEASE, "sha256": _STRING, "source": _ANY, "installedAt": _MOMENT,
            "default": {"type": "boolean", "description": "True if calls without 'connectorVersion' use this version."},
            "changed": {"type": "boolean", "description": "False if exactly this release was installed already."},
        },
    ),
    "Available": _closed(
        ("connector", "name", "version", "title", "description", "versions", "source"),
        {
            **_RELEASE, "title": _STRING, "description": _STRING, "versions": {"type": "array", "items": _STRING}, "source": _STRING,
            "licence": _STRING, "installed": _STRING,
        },
    ),
    "Outdated": _object(
        ("connector", "version", "source", "status"),
        connector=_STRING, version=_STRING, source=_STRING, latest=_STRING, error=_STRING,
        status={"enum": ["outdated", "revoked", "refused"]},
    ),
    "UpgradeOptions": _object((), allowBreaking={"type": "boolean"}, dryRun={"type": "boolean"}),
    "Upgrade": _object(
        ("upgraded", "refused", "current", "dryRun"),
        upgraded=_STEPS, refused=_STEPS, current=_STEPS, dryRun={"type": "boolean"},
    ),
    "Removal": _object(("removed",), removed={"type": "array", "items": _KEY_AND_VERSION}),
}  # fmt: skip
_WHEN: Mapping[str, Json] = {
    "cron": {"type": "string", "maxLength": 200, "description": "Five fields, such as '*/5 * * * *', or @hourly, @daily, @weekly."},
    "timezone": {"type": "string", "maxLength": 100, "description": "IANA name, such as Europe/Berlin (default UTC)."},
    "every": {"type": ["string", "integer"], "description": "A duration such as 10s, 5m or 12h, or seconds."},
    "anchor": {"type": "string", "maxLength": 40, "description": "A time from which the intervals are counted (default: now)."},
    "at": {"type": "string", "maxLength": 40, "description": "Once: an RFC 3339 time, or a duration from now."},
    "missed": {"enum": ["skip", "latest", "all"], "description": "Which slots run that no scheduler ran in time (default: latest)."},
    "overlap": {
        "enum": ["skip", "queue", "allow"],
        "description": "What becomes of a slot while an earlier invocation has not ended (default: skip; queue if all missed slots run).",
    },
}  # fmt: skip
_SCHEDULED: Json = {
    "type": "object",
    "description": 'An invocation without key. Inputs may contain {"$slot": "%Y-%m-%d"} for the slot\'s time.',
}
_SCHEDULES: dict[str, Json] = {
    "NewSchedule": _closed(("name", "invocation"), {"name": _NAME, "invocation": _SCHEDULED, **_WHEN}),
    "ScheduleChange": _closed((), {"invocation": _SCHEDULED, **_WHEN}),
    "Schedule": _object(
        ("id", "name", "status", "connector", "action", "missed", "overlap", "runsAs", "nextAt", "createdAt", "changedAt"), closed=False,
        id=_STRING, name=_NAME, status={"enum": ["active", "paused", "ended", "stopped"]}, reason=_STRING,
        connector=_STRING, action=_STRING, connection=_STRING, invocation=_SCHEDULED, **_WHEN,
        runsAs=_object(("caller", "token"), caller=_NULLABLE, token=_NULLABLE), nextAt={**_NULLABLE, "format": "date-time"},
        silentUntil=_MOMENT, silentReason={"type": "string"},
        slots={"type": "array", "items": {"$ref": "#/components/schemas/Slot"}}, createdAt=_MOMENT, changedAt=_MOMENT,
    ),
    "Slot": _object(
        ("slot", "outcome"), slot=_MOMENT, last=_MOMENT, slots={"type": "integer", "description": "More than one if recorded together."},
        outcome={"enum": ["queued", "waiting", "missed", "skipped", "refused"]}, reason=_STRING, invocationId=_STRING, status=_STRING,
    ),
    "NextSlot": _object(("slot", "local"), slot=_MOMENT, local={**_MOMENT, "description": "In the schedule's time zone."}),
}  # fmt: skip
_WATCHED: Mapping[str, Json] = {
    "name": _NAME, "trigger": {"type": "string", "description": "connector/trigger"}, "connection": _STRING,
    "every": {"type": "number", "description": "Seconds between two polls."},
}  # fmt: skip
_THEN: Json = {
    **_closed(("connector", "action"), {**dict.fromkeys(("connector", "action", "connection"), _STRING), "inputs": {"type": "object"}}),
    "description": 'The invocation that each event starts; {"$event": POINTER} among the inputs is a value of the event.',
}
_SINCE: Json = {"type": "string", "description": "When a poll begins; default: now."}
_WISH: Json = {"type": ["boolean", "object"], "description": "The guard that the connection gets: the operator alone may set it."}
_WATCH_GUARD: Json = {
    "type": ["object", "null"],
    "description": "Guard of the connection; null: it has none.",
}
_SUBSCRIPTIONS: dict[str, Json] = {
    "NewSubscription": _closed(
        ("name", "trigger"),
        {**_WATCHED, "inputs": {"type": "object"}, "from": _SINCE, "then": _THEN, "guard": _WISH},
    ),
    "Subscription": _object(
        ("id", "name", "trigger", "kind", "status", "runsAs", "createdAt", "changedAt"), closed=False,
        id=_STRING, **_WATCHED, kind={"enum": ["webhook", "poll"]},
        status={"enum": ["pending", "active", "degraded", "failing", "paused"]}, reason=_STRING,
        url={"type": "string", "description": "Where the provider sends to."}, inputs=_ANY,
        secret={"type": "string", "description": "What the provider signs with, shown once."}, checkpoint={"type": "object"},
        then={"type": "object"}, guard=_WATCH_GUARD, nextAt=_MOMENT, renewAt=_MOMENT, lastSuccessAt=_MOMENT, lastEventAt=_MOMENT,
        runsAs=_object(("caller", "token"), caller=_NULLABLE, token=_NULLABLE), createdAt=_MOMENT, changedAt=_MOMENT,
    ),
    "Sample": {"type": "object", "description": "An example of the trigger, as its connector's manifest has it."},
}  # fmt: skip
_REFUSING: Json = {
    "type": "array", "items": _STRING,
    "description": "Connections whose guard refuses suppressed recipients, * for each without a guard of its own; empty: they are sent to.",
}  # fmt: skip
_RULES: Json = {"$ref": "#/components/schemas/Rules"}
_PATTERNS: Json = {"type": "array", "items": _STRING, "maxItems": 1000}
_SCOPE: Json = {"enum": ["read", "invoke", "manage"]}
_TOKEN: Mapping[str, Json] = {
    "id": _STRING, "name": _STRING, "scope": _SCOPE, "status": {"enum": ["active", "expired", "revoked"]}, "rules": _RULES,
    "createdAt": _MOMENT, **{key: {**_NULLABLE, "format": "date-time"} for key in ("expiresAt", "revokedAt", "lastUsedAt")},
}  # fmt: skip
_COUNTS: Json = {"type": "object", "additionalProperties": {"type": "integer"}}
_BUDGET: Json = _object((), rate={"type": "number"}, concurrency={"type": "integer"})
_SHARE: Json = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
_GUARD: Json = _object(
    (),
    refuse={"type": "boolean"},
    bounceRate=_SHARE,
    complaintRate=_SHARE,
    messages={"type": "integer", "minimum": 100, "maximum": 10_000},
    since=_MOMENT,
    paused={"type": "object", "description": "When its connection was paused, and the figures. Without it, it is resumed."},
)
_LIMIT: Json = {"type": ["integer", "null"], "minimum": 0}
_THEME: Json = _closed((), {
    "name": {"type": "string", "maxLength": 200}, "logo": {"type": "string", "maxLength": 24_000, "description": "A data: URL."},
    "color": {"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"}, "scheme": {"enum": ["light", "dark"]},
})  # fmt: skip
_SETTINGS: Mapping[str, Json] = {
    "rules": _RULES, "keepInputs": {"type": "boolean"}, "retentionDays": {"type": "integer", "minimum": 1, "maximum": 3650},
    "allowReferences": {"anyOf": [{"type": "boolean"}, {"type": "array", "items": _STRING}]}, "allowAmbient": {"type": "boolean"},
    "allowOwnExternalId": {"type": "boolean"}, "queueRate": {"type": "number", "minimum": 0},
    "queueConcurrency": {"type": "integer", "minimum": 0}, "suspended": {"type": "boolean"},
    "connectionBudgets": {"type": "object", "additionalProperties": {"anyOf": [_BUDGET, {"type": "null"}]}},
    "limits": _closed((), dict.fromkeys(LIMITS, _LIMIT)), "theme": _THEME,
    "guards": {"type": "object", "additionalProperties": {"anyOf": [_GUARD, {"type": "null"}]}},
}  # fmt: skip
"""Settings of a workspace (``access.settings``), as they are read and given."""
_ATTEMPT: Mapping[str, Json] = {
    "at": _MOMENT, "durationMs": {"type": "number"}, "status": {"type": "integer"}, "error": _STRING,
    "answer": {"type": "string", "description": "The beginning of the receiver's answer."},
}  # fmt: skip
_CALLBACK_OPTIONS: Mapping[str, Json] = {
    "url": {"type": "string", "maxLength": 2000, "description": "https, and a public host unless the operator allows it."},
    "types": {
        "type": "array",
        "items": _STRING,
        "maxItems": 50,
        "description": "Types and patterns such as invocation.*; none: all but those of the audit log.",
    },
    "filter": {
        "type": ["object", "null"],
        "description": "Values, or arrays of values, that members of the data must have: connector, action, connection, status, errorCode, "
        "correlationId, labels.",
    },
    "include": {"type": "array", "items": {"enum": ["output"]}},
    "thin": {"type": "boolean", "description": "Leave the payload out."},
    "signing": {"enum": ["hmac", "ed25519"]},
    "description": {"type": "string", "maxLength": 200},
}
_CALLBACK: Mapping[str, Json] = {
    "id": _STRING, **_CALLBACK_OPTIONS, "status": {"enum": ["active", "paused"]}, "reason": _STRING, "failingSince": _MOMENT,
    "createdAt": _MOMENT, "updatedAt": _MOMENT,
}  # fmt: skip
_CALLBACK_SECRET: Mapping[str, Json] = {
    "secret": {"type": "string", "description": "Shown once."}, "publicKey": {"type": "string", "description": "Of an Ed25519 key."},
}  # fmt: skip
_OTHERS: dict[str, Json] = {
    "Rules": _object((), allow=_PATTERNS, block=_PATTERNS),
    "NewToken": _object(
        ("scope",), scope=_SCOPE, name={"type": "string", "maxLength": 200}, rules=_RULES,
        expiresAt={**_NULLABLE, "maxLength": 40, "description": "An RFC 3339 time, a date, or a duration from now, such as 90d."},
        expiresIn={"type": "integer", "minimum": 1, "description": "Seconds, in place of 'expiresAt'."},
    ),
    "Token": _closed(tuple(_TOKEN), {**_TOKEN, "problem": _STRING}),
    "CreatedToken": _closed(("token", *_TOKEN), {"token": {"type": "string", "description": "Shown once."}, **_TOKEN}),
    "Suppression": _object(
        ("recipient", "reason", "at", "expiresAt", "refusedBy"), recipient=_STRING, reason={"enum": ["bounce", "complaint"]}, text=_STRING,
        at=_MOMENT, expiresAt=_MOMENT, refusedBy=_REFUSING,
    ),
    "WorkspaceSettings": _closed((), _SETTINGS),
    "Workspace": _closed(
        ("name", "createdAt"), {"name": _NAME, "createdAt": {**_MOMENT, "type": ["string", "null"]}, "problem": _STRING, **_SETTINGS}
    ),
    "WorkspaceEnd": _object(
        ("name", "status"), name=_NAME, status={"enum": ["suspended", "purged"]}, revoked=_COUNTS, kept=_COUNTS, deleted=_COUNTS
    ),
    "ConnectionHealth": _object(
        ("name", "type", "status"), name=_STRING, type=_STRING, status={"enum": ["untested", "ok", "failing", "expired"]},
        since=_STRING, hint=_STRING, account=_ANY,
    ),
    "NewConnectSession": _object(
        (), mode={"enum": ["connect", "reauth", "manage"]}, verify={"enum": ["confirm", "browser", "link"]},
        user={"type": "string", "maxLength": 200, "description": "Your own ID of the user; ':confirm' names it again."},
        types={"type": "array", "items": _STRING, "maxItems": 50, "description": "Connection types to choose from; none: all."},
        connection={"type": "string", "maxLength": 100, "description": "Name of the new connection, or of the one to connect again."},
        defaults=_closed((), {"values": {"type": "object"}, "locked": {"type": "array", "items": _STRING}}),
        returnTo={"type": "string", "maxLength": 2000, "description": "Your page to which the browser goes at the end."},
        origins={"type": "array", "items": _STRING, "maxItems": 50, "description": "Origins whose pages may frame the session's."},
        theme=_THEME,
        locale={"enum": ["en", "de"]}, expiresIn={"type": "integer", "minimum": 1, "maximum": 86_400, "description": "Seconds."},
        principal={"type": "string", "maxLength": 200, "description": "Who assumes a role of the user's account: your IAM user's ARN."},
        allowOtherAccount={"type": "boolean", "description": "A connection that is connected again may become another account's."},
    ),
    "CreatedConnectSession": _closed(("id", "url", "expiresAt"), {"id": _STRING, "url": {"type": "string"}, "expiresAt": _MOMENT}),
    "ConnectSession": _object(
        ("id", "status", "mode", "verify", "createdAt", "expiresAt"), id=_STRING, reason=_STRING, mode=_STRING, verify=_STRING,
        status={"enum": ["pending", "opened", "testing", "saved", "granted", "failed", "expired"]}, user=_STRING,
        types={"type": "array", "items": _STRING}, connection=_STRING, type=_STRING, account=_ANY, returnTo=_STRING, locale=_STRING,
        origins={"type": "array", "items": _STRING}, createdAt=_MOMENT, expiresAt=_MOMENT,
    ),
    "ConnectConfirmation": _closed(("proof", "user"), {"proof": {"type": "string"}, "user": {"type": "string", "maxLength": 200}}),
    "Usage": _closed(
        ("workspace", "from", "to", "total"),
        {"workspace": _NAME, "from": _MOMENT, "to": _MOMENT, "total": _COUNTS, "items": {"type": "array", "items": _ANY}},
    ),
    "OptionsOver": _object((), connection=_NULLABLE, inputs={"type": "object", "description": "The values that the form has so far."}),
    "QueueStats": _object(
        ("queued", "delayed", "released", "running", "dead", "oldestSeconds"),
        queued={"type": "integer", "description": "Waiting for a worker, and due."},
        delayed={"type": "integer", "description": "Not due before their 'notBefore' or next try."},
        released={"type": "integer", "description": "On their way to a worker through the broker."},
        running={"type": "integer"}, dead={"type": "integer", "description": "Given up; they can be redriven."},
        oldestSeconds={"type": ["number", "null"], "description": "How long the oldest that is due has waited."},
        blocked=_BLOCKED,
    ),
    "BatchOutcome": _object(
        (), invocationId=_STRING, status={"enum": ["queued", "running", "succeeded", "failed", "in_doubt"]},
        replayed={"type": "boolean", "description": "True if an earlier request with its idempotency key had queued it."},
        error=_ANY, meta=_ANY,
    ),
    "Queued": _object(
        ("invocationId", "status"), invocationId=_STRING, status={"enum": ["queued", "running"]}, progress=_PROGRESS,
        replayed={"type": "boolean", "description": "True if an earlier request with its key had queued it."},
    ),
    "Resolution": _closed(("as",), {"as": {"enum": ["succeeded", "failed"]}}),
    "StoredFile": _object(  # generators of clients have a type File of their own
        ("file", "size", "contentType", "expiresAt"),
        file={"type": "string", "pattern": "^file_"}, size={"type": "integer"}, contentType=_STRING, expiresAt=_MOMENT, name=_STRING,
    ),
    "AuditEntry": _object(
        ("sequence", "at", "actor", "event", "object", "digest"),
        sequence={"type": "integer"}, at=_MOMENT, event=_STRING, object=_STRING, details=_ANY, digest=_STRING, damage=_STRING,
        unsealed={"type": "boolean", "description": "True if the head before it had no seal: see the reference on access."},
        actor=_object(("kind",), kind={"enum": ["token", "user", "link", "cli", "library", "platform"]}, id=_STRING, name=_STRING,
            onBehalfOf=_STRING),
    ),
    "Event": _object(
        ("id", "sequence", "type", "subject", "timestamp", "data"),
        id=_STRING, sequence={"type": "integer"}, type=_STRING, subject=_STRING, timestamp=_MOMENT, data=_ANY,
    ),
    "EventList": _object(
        ("items", "nextCursor"), items={"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
        nextCursor={"type": "string", "description": "Where to go on; also of an empty page."},
    ),
    "NewCallback": _closed(("url",), _CALLBACK_OPTIONS),
    "CallbackUpdate": _closed((), {**_CALLBACK_OPTIONS, "status": {"enum": ["active", "paused"]}}),
    "Callback": _closed(("id", "url", "types", "status", "createdAt"), _CALLBACK),
    "CreatedCallback": _closed(("id", "url", "types", "status", "createdAt"), {**_CALLBACK, **_CALLBACK_SECRET}),
    "RotatedCallback": _closed(("id", "previousUntil"), {"id": _STRING, **_CALLBACK_SECRET, "previousUntil": _MOMENT}),
    "CallbackRotation": _object((), overlapSeconds={"type": "number", "minimum": 0, "maximum": 2_592_000}),
    "CallbackRecovery": _object(
        ("since",), since={"type": "string", "maxLength": 40, "description": "An RFC 3339 time, a date, or a duration before now: 2d."}
    ),
    "Recovery": _object(("recovered",), recovered={"type": "integer", "description": "Number of events that are sent again."}),
    "CallbackTest": _closed(("delivered", "at", "durationMs"), {"delivered": {"type": "boolean"}, **_ATTEMPT}),
    "Delivery": _object(
        ("id", "callback", "eventId", "sequence", "type", "status", "attempts", "createdAt"),
        id=_STRING, callback=_STRING, url=_STRING, eventId=_STRING, sequence={"type": "integer"}, type=_STRING,
        status={"enum": ["pending", "delivered", "dead"]}, attempts={"type": "integer"}, nextAt=_MOMENT, endedAt=_MOMENT, createdAt=_MOMENT,
        lastStatus={"type": "integer"}, lastError=_STRING,
        log={"type": "array", "items": _closed(("at", "durationMs"), _ATTEMPT), "description": "The last ten attempts, the newest last."},
        request={
            **_closed(("headers", "body"), {"headers": {"type": "object", "additionalProperties": _STRING}, "body": {"type": "object"}}),
            "description": "Of a single delivery: the request of its last attempt without its signature, as event and callback make it.",
        },
    ),
    "Healthy": _object(
        ("status",), status={"const": "ok"}, warnings={"type": "array", "items": _STRING}, kinds={"type": "array", "items": _STRING}
    ),
    "Problem": _object(
        ("type", "title", "status", "code", "detail"), closed=False,
        type={"type": "string", "format": "uri-reference", "description": "Where the code is explained."},
        title=_STRING, status={"type": "integer"}, detail=_STRING, hint=_STRING, kind=_STRING,
        code={"type": "string", "description": "Stable. One of the codes that /docs lists, or of an error of a Result."},
        details={"type": "array", "items": _ANY},
    ),
}  # fmt: skip
