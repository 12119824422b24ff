"""JSON Schemas of the API's requests and responses, by name, including the published Invocation and Result schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from jackfield.callers import TOKEN_SCOPES
from jackfield.invocation.published import published_schema
from jackfield_service.subjects.approvals.shapes import APPROVALS
from jackfield_service.subjects.connectors.shapes import CATALOGUE
from jackfield_service.subjects.connect.shapes import CONNECT, THEME
from jackfield_service.subjects.doubts.shapes import CHOICES, LOOKS, RESOLUTION
from jackfield_service.subjects.mcp_servers.shapes import MCP_SERVER_SHAPES
from jackfield_service.shell.http.shape_parts import (
    ANY,
    COUNT,
    GRANT,
    MOMENT,
    NAME,
    NULLABLE,
    PROBLEM,
    STRING,
    Json,
    closed_with,
    list_of,
    object_of,
)
from jackfield_store.access.settings import LIMITS


def shapes() -> dict[str, Json]:
    """Return all schemas as OpenAPI components."""
    result = _published("result")
    found = {
        "Invocation": _published("invocation"),
        "Result": result,
        "Entry": _entry(result),
        **APPROVALS,
        **CATALOGUE,
        **_INSTALLATIONS,
        **_CONNECTIONS,
        **_SCHEDULES,
        **_SUBSCRIPTIONS,
        **_OTHERS,
    }
    for item in (
        "Entry", "Action", "AuditEntry", "Callback", "ConnectSession", "Connection", "ConnectionHealth", "Delivery", "Option",
        "Connector", "ConnectionType", "Suppression", "Token", "Workspace", "Installation", "Available", "Outdated", "Schedule", "Slot",
        "NextSlot", "Subscription", "OAuthClient", "McpServer", "Approval",
    ):  # fmt: skip
        found[f"{item}List"] = list_of(f"#/components/schemas/{item}" if item != "Action" else "#/components/schemas/FoundAction")
    found["ActionList"]["properties"]["triggers"] = {
        "type": "array", "items": {"$ref": "#/components/schemas/FoundTrigger"},
        "description": "Triggers that match, of the first page of a search by words; absent if none does.",
    }  # fmt: skip
    found["TriggerList"] = list_of("#/components/schemas/FoundTrigger")
    found["SampleList"] = object_of(("items",), items={"type": "array", "items": {"$ref": "#/components/schemas/Sample"}})  # all in one
    found["FileList"] = list_of("#/components/schemas/StoredFile")
    return found


_PROGRESS: Json = {
    **object_of(
        ("fraction", "text"),
        fraction={"type": "number", "minimum": 0, "maximum": 1, "description": "How much is done; it never falls."}, text=STRING,
    ),
    "description": "How far a job is that still runs.",
}  # fmt: skip


_BLOCKED: Json = {
    **object_of(("code", "reason", "since", "nextTryAt"), code=STRING, reason=STRING, since=MOMENT, nextTryAt=MOMENT),
    "description": "Why nothing that is queued in the workspace is begun at present: its keys or settings cannot be used.",
}


def _published(name: Literal["invocation", "result"]) -> Json:
    return {member: value for member, value in published_schema(name).items() if member not in ("$schema", "$id")}


def _entry(result: Mapping[str, Any]) -> Json:
    """Build the schema of a journal entry: the request, plus the Result's members once it has one."""
    names = ("connector", "connectorVersion", "action", "connection", "caller", "idempotencyKey", "fingerprint")
    own: Any = {**dict.fromkeys(names, STRING), **dict.fromkeys(("createdAt", "startedAt", "settledAt", "resolvedAt"), MOMENT)}
    outcome: Any = {name: result["properties"][name] for name in ("output", "error", "meta")}
    return object_of(
        ("invocationId", "status", "connector", "action", "createdAt"),
        invocationId=STRING,
        status={"enum": ["waiting", "queued", "running", "succeeded", "failed", "in_doubt"]},
        approval=object_of(("id", "expiresAt"), id=STRING, expiresAt=MOMENT),
        effect={"enum": ["read", "idempotent", "write"]},
        dryRun={"type": "boolean"},
        attempts={"type": "array", "items": ANY},
        context=ANY,
        rule=STRING,
        resolvedBy=STRING,
        looks=LOOKS,
        nextLookAt={**MOMENT, "description": "When the provider is asked next what became of a call in doubt."},
        cancelRequested={
            "type": "boolean",
            "description": "Cancellation was requested while it ran. A request already sent is not interrupted.",
        },
        correctedAt=MOMENT,
        notBefore=MOMENT,
        notAfter=MOMENT,
        priority={"type": "integer", "minimum": 0, "maximum": 9},
        deadAt={**MOMENT, "description": "When its deliveries were given up. It can be redriven."},
        progress=_PROGRESS,
        blocked=_BLOCKED,
        deliveries={"type": "array", "items": ANY},
        problem=STRING,
        inputs=ANY,
        **own,
        **outcome,
    )


_STEP = object_of(
    ("key", "title", "passed", "mandatory", "message"),
    key=STRING, title=STRING, passed={"type": "boolean"}, mandatory={"type": "boolean"}, message=STRING, hint=STRING, principal=STRING,
    code=STRING, provider=ANY, values={"type": "array", "items": STRING, "description": "Values on which the outcome depends."},
)  # fmt: skip
_WEAK: Json = {
    "type": "array", "items": closed_with(("path", "message"), {"path": STRING, "message": STRING}),
    "description": "Secrets among the values that are short or public defaults; in an answer itself only where nothing was tested.",
}  # fmt: skip
_TRIED: Any = {
    "account": object_of(("id", "label"), id=STRING, label=STRING),
    "status": {"enum": ["untested", "ok", "failing", "expired"]},
    "lastTest": object_of(("at", "steps"), at=MOMENT, steps={"type": "array", "items": _STEP}, warnings=_WEAK),
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
    "NewConnection": object_of(("name", "type", "values"), name=NAME, type=_TYPE, values=_VALUES, grant=GRANT),
    "DraftConnection": object_of(("type", "values"), name={"type": "string", "minLength": 1}, type=_TYPE, values=_VALUES),
    "ConnectionUpdate": object_of(("values",), name=NAME, type=_TYPE, values=_VALUES),
    "Connection": object_of(
        ("name", "type", "values", "version", "status"), closed=False,
        name=NAME, type=_TYPE, values=_VALUES, version={"type": "integer"}, source=STRING, problem=STRING, **_TRIED,
    ),
    "Trial": object_of(("status", "lastTest"), **_TRIED),
    "AuthorizationRequest": object_of(
        (), flow={"enum": ["redirect", "device"]}, redirectUri=STRING,
        returnTo={"type": "string", "description": "The page that the browser goes to afterwards, of an allowed origin."},
    ),
    "Authorization": object_of(
        ("id", "flow", "url", "expiresAt"), id=STRING, flow={"enum": ["redirect", "device"]}, url=STRING, expiresAt=MOMENT,
        startUrl={
            "type": "string",
            "description": "Link that binds the browser that opens it, once: no other browser's answer counts. It leads to 'url'.",
        },
        userCode=STRING, completeUrl=NULLABLE, interval={"type": "number", "description": "Seconds between two looks."},
    ),
    "Approval": object_of(
        ("id", "flow", "connection", "status", "expiresAt"), id=STRING, flow={"enum": ["redirect", "device"]}, connection=STRING,
        status={"enum": ["pending", "answered", "granted", "failed"], "description": "'answered' waits for ':complete'."},
        reason=STRING, expiresAt=MOMENT,
    ),
    "ProviderAnswer": {
        **object_of((), proof=STRING, state=STRING, code=STRING, error=STRING, error_description=STRING, iss=STRING),
        "description": "The 'proof' that the browser has brought to 'returnTo', to finish with the answer that has arrived at the "
        "callback; empty if it was begun without 'returnTo' or opened at the bare 'url'; or the provider's answer, with its state.",
    },
    "Policies": {"type": "object", "description": "Policies by name; the connection type defines which."},
}  # fmt: skip
_LABELLED: Json = {"type": "object", "additionalProperties": {"type": "array", "items": STRING}}
_KEY_AND_VERSION = object_of(("connector", "version"), connector=STRING, version=STRING)
_RELEASE: Mapping[str, Json] = {
    "connector": STRING, "name": STRING, "version": STRING, "publisher": ANY, "grade": STRING, "permissions": _LABELLED,
    "hosts": {"type": "array", "items": STRING, "description": "Hosts that it connects to besides those of its connections."},
}  # fmt: skip
_STEPS: Json = {"type": "array", "items": ANY}
_INSTALLATIONS: dict[str, Json] = {
    "NewInstallation": closed_with(
        ("name",),
        {
            "name": {"type": "string", "maxLength": 300, "description": "A connector, with a version if wanted: acme, acme==1.2.0."},
            "from": {"type": "string", "maxLength": 300, "description": "One of the server's catalogues; needed if it has several."},
            "pin": {"type": "boolean", "default": False, "description": "Make this version the default one, installed or not."},
        },
    ),
    "Installation": closed_with(
        ("connector", "name", "version"),
        {
            **_RELEASE, "sha256": STRING, "source": ANY, "installedAt": MOMENT,
            "default": {"type": "boolean", "description": "True if calls without 'connectorVersion' use this version."},
            "changed": {"type": "boolean", "description": "False if exactly this release was installed already."},
        },
    ),
    "Available": closed_with(
        ("connector", "name", "version", "title", "description", "versions", "source"),
        {
            **_RELEASE, "title": STRING, "description": STRING, "versions": {"type": "array", "items": STRING}, "source": STRING,
            "licence": STRING, "installed": STRING,
        },
    ),
    "Outdated": object_of(
        ("connector", "version", "source", "status"),
        connector=STRING, version=STRING, source=STRING, latest=STRING, error=STRING,
        status={"enum": ["outdated", "revoked", "refused"]},
    ),
    "UpgradeOptions": object_of((), allowBreaking={"type": "boolean"}, dryRun={"type": "boolean"}),
    "Upgrade": object_of(
        ("upgraded", "refused", "current", "dryRun"),
        upgraded=_STEPS, refused=_STEPS, current=_STEPS, dryRun={"type": "boolean"},
    ),
    "Removal": object_of(("removed",), removed={"type": "array", "items": _KEY_AND_VERSION}),
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
_GONE: Json = {
    **object_of(("code", "message", "hint"), code=STRING, message=STRING, hint=STRING),
    "description": "What it refers to and is gone: a connector, an action, a trigger or a connection. It does nothing until that is back.",
}  # fmt: skip
_SCHEDULES: dict[str, Json] = {
    "NewSchedule": closed_with(("name", "invocation"), {"name": NAME, "invocation": _SCHEDULED, **_WHEN}),
    "ScheduleChange": closed_with((), {"invocation": _SCHEDULED, **_WHEN}),
    "Schedule": object_of(
        ("id", "name", "status", "connector", "action", "missed", "overlap", "runsAs", "nextAt", "createdAt", "changedAt"), closed=False,
        id=STRING, name=NAME, status={"enum": ["active", "paused", "ended", "stopped"]}, reason=STRING, fault=_GONE,
        problem={**STRING, "description": "Why what is stored of it cannot be run: it is paused."},
        connector=STRING, action=STRING, connection=STRING, invocation=_SCHEDULED, **_WHEN,
        runsAs=object_of(("caller", "token"), caller=NULLABLE, token=NULLABLE), nextAt={**NULLABLE, "format": "date-time"},
        silentUntil=MOMENT, silentReason={"type": "string"},
        next={
            "type": "array", "items": {"$ref": "#/components/schemas/NextSlot"},
            "description": "The next five slots, of a schedule that is added or changed.",
        },
        slots={"type": "array", "items": {"$ref": "#/components/schemas/Slot"}}, createdAt=MOMENT, changedAt=MOMENT,
    ),
    "Slot": object_of(
        ("slot", "outcome"), slot=MOMENT, last=MOMENT, slots={"type": "integer", "description": "More than one if recorded together."},
        outcome={"enum": ["queued", "waiting", "missed", "skipped", "refused"]}, reason=STRING, invocationId=STRING, status=STRING,
    ),
    "NextSlot": object_of(("slot", "local"), slot=MOMENT, local={**MOMENT, "description": "In the schedule's time zone."}),
}  # fmt: skip
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
_SUBSCRIPTIONS: dict[str, Json] = {
    "NewSubscription": closed_with(
        ("name", "trigger"),
        {**_WATCHED, "inputs": {"type": "object"}, "from": _SINCE, "then": _THEN, "guard": _WISH},
    ),
    "SubscriptionChange": closed_with((), {"inputs": ANY, "every": _WATCHED["every"], "then": {"anyOf": [_THEN, {"type": "null"}]}}),
    "Subscription": object_of(
        ("id", "name", "trigger", "kind", "status", "runsAs", "createdAt", "changedAt"), closed=False,
        id=STRING, **_WATCHED, kind={"enum": ["webhook", "poll"]},
        status={"enum": ["pending", "active", "degraded", "failing", "paused"]}, reason=STRING, fault=_GONE,
        problem=PROBLEM,
        url={"type": "string", "description": "Where the provider sends to."}, inputs=ANY,
        secret={"type": "string", "description": "What the provider signs with, shown once."}, checkpoint={"type": "object"},
        then={"type": "object"}, guard=_WATCH_GUARD, nextAt=MOMENT, renewAt=MOMENT, lastSuccessAt=MOMENT, lastEventAt=MOMENT,
        runsAs=object_of(("caller", "token"), caller=NULLABLE, token=NULLABLE), createdAt=MOMENT, changedAt=MOMENT,
    ),
    "Sample": {"type": "object", "description": "An example of the trigger, as its connector's manifest has it."},
}  # fmt: skip
_REFUSING: Json = {
    "type": "array", "items": STRING,
    "description": "Connections whose guard refuses suppressed recipients, * for each without a guard of its own; empty: they are sent to.",
}  # fmt: skip
_GAPS: Json = {
    "type": "array", "items": closed_with(("path", "message"), {"path": STRING, "message": STRING}),
    "description": "Patterns that guard 'effect:write' alone, with the number of changes that they leave out; where rules were made.",
}  # fmt: skip
_RULES: Json = {"$ref": "#/components/schemas/Rules"}
_PATTERNS: Json = {"type": "array", "items": STRING, "maxItems": 1000}
_SCOPE: Json = {"enum": [*TOKEN_SCOPES]}
_TOKEN: Mapping[str, Json] = {
    "id": STRING, "name": STRING, "scope": _SCOPE, "status": {"enum": ["active", "expired", "revoked"]}, "rules": _RULES,
    "createdAt": MOMENT, **{key: {**NULLABLE, "format": "date-time"} for key in ("expiresAt", "revokedAt", "lastUsedAt")},
    "createdBy": {"type": "string", "description": "The token or user that created it; absent if that was the operator."},
}  # fmt: skip
_ALWAYS_OF_TOKEN = tuple(name for name in _TOKEN if name != "createdBy")
_COUNTS: Json = {"type": "object", "additionalProperties": {"type": "integer"}}
_BUDGET: Json = object_of((), rate={"type": "number"}, concurrency={"type": "integer"})
_SHARE: Json = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
_GUARD: Json = object_of(
    (),
    refuse={"type": "boolean"},
    bounceRate=_SHARE,
    complaintRate=_SHARE,
    messages={"type": "integer", "minimum": 100, "maximum": 10_000},
    since=MOMENT,
    paused={"type": "object", "description": "When its connection was paused, and the figures. Without it, it is resumed."},
)
_LIMIT: Json = {"type": ["integer", "null"], "minimum": 0}
_SETTINGS: Mapping[str, Json] = {
    "rules": _RULES, "keepInputs": {"type": "boolean"}, "retentionDays": {"type": "integer", "minimum": 1, "maximum": 3650},
    "allowReferences": {"anyOf": [{"type": "boolean"}, {"type": "array", "items": STRING}]}, "allowAmbient": {"type": "boolean"},
    "allowOwnExternalId": {"type": "boolean"}, "queueRate": {"type": "number", "minimum": 0},
    "queueConcurrency": {"type": "integer", "minimum": 0}, "suspended": {"type": "boolean"},
    **CHOICES,
    "connectionBudgets": {"type": "object", "additionalProperties": {"anyOf": [_BUDGET, {"type": "null"}]}},
    "limits": closed_with((), dict.fromkeys(LIMITS, _LIMIT)), "theme": THEME,
    "guards": {"type": "object", "additionalProperties": {"anyOf": [_GUARD, {"type": "null"}]}},
}  # fmt: skip
"""Settings of a workspace (``access.settings``), as they are read and given."""
_ATTEMPT: Mapping[str, Json] = {
    "at": MOMENT, "durationMs": {"type": "number"}, "status": {"type": "integer"}, "error": STRING,
    "answer": {"type": "string", "description": "The beginning of the receiver's answer."},
}  # fmt: skip
_CALLBACK_OPTIONS: Mapping[str, Json] = {
    "url": {"type": "string", "maxLength": 2000, "description": "https, and a public host unless the operator allows it."},
    "types": {
        "type": "array",
        "items": STRING,
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
    "id": STRING, "workspaces": {**STRING, "description": "Of a platform's callback: the pattern of its workspaces."}, **_CALLBACK_OPTIONS,
    "status": {"enum": ["active", "paused"]}, "reason": STRING, "failingSince": MOMENT, "createdAt": MOMENT, "updatedAt": MOMENT,
    "problem": PROBLEM,
}  # fmt: skip
_HOSTS: Json = {
    "type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Hosts, and patterns such as *.example.com, that its connections reach beside those of its URLs.",
}  # fmt: skip
_CLIENT_VALUES: Json = {"type": "object", "description": "clientId, clientSecret, tokenUrl and so on; null removes one that is stored."}
_CALLBACK_SECRET: Mapping[str, Json] = {
    "secret": {"type": "string", "description": "Shown once."}, "publicKey": {"type": "string", "description": "Of an Ed25519 key."},
}  # fmt: skip
_OTHERS: dict[str, Json] = {
    "Rules": object_of((), allow=_PATTERNS, block=_PATTERNS, approve=_PATTERNS),
    "NewToken": object_of(
        ("scope",), scope=_SCOPE, name={"type": "string", "maxLength": 200}, rules=_RULES,
        expiresAt={**NULLABLE, "maxLength": 40, "description": "An RFC 3339 time, a date, or a duration from now, such as 90d."},
        expiresIn={"type": "integer", "minimum": 1, "maximum": 100 * 365 * 86_400, "description": "Seconds, in place of 'expiresAt'."},
    ),
    "Token": closed_with(_ALWAYS_OF_TOKEN, {**_TOKEN, "problem": STRING}),
    "CreatedToken": closed_with(
        ("token", *_ALWAYS_OF_TOKEN), {"token": {"type": "string", "description": "Shown once."}, **_TOKEN, "warnings": _GAPS}
    ),
    "Suppression": object_of(
        ("recipient", "reason", "at", "expiresAt", "refusedBy"), recipient=STRING, reason={"enum": ["bounce", "complaint"]}, text=STRING,
        at=MOMENT, expiresAt=MOMENT, refusedBy=_REFUSING, problem=PROBLEM,
    ),
    "WorkspaceSettings": closed_with((), _SETTINGS),
    "Workspace": closed_with(
        ("name", "createdAt"),
        {"name": NAME, "createdAt": {**MOMENT, "type": ["string", "null"]}, "problem": STRING, **_SETTINGS, "warnings": _GAPS},
    ),
    "WorkspaceEnd": object_of(
        ("name", "status"), name=NAME, status={"enum": ["suspended", "purged"]}, revoked=_COUNTS, kept=_COUNTS, deleted=_COUNTS
    ),
    "ConnectionHealth": object_of(
        ("name", "type", "status"), name=STRING, type=STRING, status={"enum": ["untested", "ok", "failing", "expired"]},
        since=STRING, hint=STRING, account=ANY, user={"type": "string", "description": "Who has connected it in a connect session."},
    ),
    **CONNECT,
    "Usage": closed_with(
        ("workspace", "from", "to", "total"),
        {"workspace": NAME, "from": MOMENT, "to": MOMENT, "total": _COUNTS, "items": {"type": "array", "items": ANY}},
    ),
    "OptionsOver": object_of((), connection=NULLABLE, inputs={"type": "object", "description": "The values that the form has so far."}),
    "QueueStats": object_of(
        ("queued", "delayed", "released", "running", "dead", "oldestSeconds"),
        queued={"type": "integer", "description": "Waiting for a worker, and due."},
        delayed={"type": "integer", "description": "Not due before their 'notBefore' or next try."},
        released={"type": "integer", "description": "On their way to a worker through the broker."},
        running={"type": "integer"}, dead={"type": "integer", "description": "Given up; they can be redriven."},
        oldestSeconds={"type": ["number", "null"], "description": "How long the oldest that is due has waited."},
        blocked=_BLOCKED,
    ),
    "Exchanges": object_of(
        ("invocationId", "captured", "dropped", "exchanges"), invocationId=STRING,
        captured={"type": "boolean", "description": "False if the connector sends by other means than HTTP, or asks for credentials."},
        dropped={**COUNT, "description": "Number of earlier exchanges, of which only the last 20 are kept."},
        exchanges={"type": "array", "items": {"$ref": "#/components/schemas/Exchange"}},
    ),
    "Exchange": object_of(
        ("method", "url", "startedAt", "durationMs", "sent", "request", "curl"), method=STRING, url=STRING, startedAt=MOMENT,
        durationMs={"type": "number", "minimum": 0, "description": "Until the head of the response, or the fault."},
        sent={"type": "boolean", "description": "False if no byte of the request can have left."},
        request={"$ref": "#/components/schemas/Message"},
        response={
            "allOf": [{"$ref": "#/components/schemas/Message"}], "description": "Also has 'status'. Absent if none came.",
        },
        error={"type": "string", "description": "Why there is no response, or no whole one."},
        curl={"type": "string", "description": "The request as a command line, with *** where it had a secret."},
    ),
    "Message": object_of(
        ("headers", "bytes"), status={"type": "integer", "description": "Of a response."},
        headers={"type": "array", "items": object_of(("name", "value"), name=STRING, value=STRING)},
        bytes={**COUNT, "description": "Size of the body, as far as it went over the wire."},
        body={"type": "string", "description": "Its beginning, without secrets; if the call was traced or the workspace records inputs."},
        truncated={"type": "boolean", "description": "Whether there was more of the body."},
        omitted={"type": "string", "description": "Why a body that was kept is not shown: binary, several parts, secrets of the output."},
    ),
    "BatchOutcome": object_of(
        (), invocationId=STRING, status={"enum": ["waiting", "queued", "running", "succeeded", "failed", "in_doubt"]},
        replayed={"type": "boolean", "description": "True if an earlier request with its idempotency key had queued it."},
        error=ANY, meta=ANY,
    ),
    "Queued": object_of(
        ("status",), invocationId=STRING, status={"enum": ["queued", "running", "waiting"]}, progress=_PROGRESS,
        meta={"type": "object", "description": "Of one that waits for a person: as in a Result, with 'approval'."},
        replayed={"type": "boolean", "description": "True if an earlier request with its key had queued it."},
    ),
    "Resolution": RESOLUTION,
    "StoredFile": object_of(  # generators of clients have a type File of their own
        ("file", "size", "contentType", "expiresAt"),
        file={"type": "string", "pattern": "^file_"}, size={"type": "integer"}, contentType=STRING, expiresAt=MOMENT, name=STRING,
    ),
    "AuditEntry": object_of(
        ("sequence", "at", "actor", "event", "object", "digest"),
        sequence={"type": "integer"}, at=MOMENT, event=STRING, object=STRING, details=ANY, digest=STRING, damage=STRING,
        unsealed={"type": "boolean", "description": "True if the head before it had no seal: see the reference on access."},
        actor=object_of(("kind",), kind={"enum": ["token", "user", "link", "cli", "library", "platform"]}, id=STRING, name=STRING,
            onBehalfOf=STRING),
    ),
    "Event": object_of(
        ("id", "sequence", "type", "subject", "timestamp", "cursor", "data"),
        id=STRING, sequence={"type": "integer"}, type=STRING, subject=STRING, timestamp=MOMENT, cursor=STRING, data=ANY,
    ),
    "EventList": object_of(
        ("items", "nextCursor"), items={"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
        nextCursor={"type": "string", "description": "Where to go on; also of an empty page."},
    ),
    "NewCallback": closed_with(("url",), _CALLBACK_OPTIONS),
    "CallbackUpdate": closed_with((), {**_CALLBACK_OPTIONS, "status": {"enum": ["active", "paused"]}}),
    "Callback": closed_with(("id", "url", "types", "status", "createdAt"), _CALLBACK),
    "CreatedCallback": closed_with(("id", "url", "types", "status", "createdAt"), {**_CALLBACK, **_CALLBACK_SECRET}),
    "RotatedCallback": closed_with(("id", "previousUntil"), {"id": STRING, **_CALLBACK_SECRET, "previousUntil": MOMENT}),
    "OAuthClient": object_of(
        ("name", "server", "inherited", "values"), name=NAME, server=_HOSTS,
        inherited={"type": "boolean", "description": "It is the server's: the workspace sees only what it needs to refer to it."},
        values={"type": "object", "description": "Secrets are masked."}, version={"type": "integer"}, createdAt=MOMENT, updatedAt=MOMENT,
        problem=PROBLEM,
    ),
    "NewOAuthClient": object_of(("name", "values"), name=NAME, server=_HOSTS, values=_CLIENT_VALUES),
    "OAuthClientUpdate": object_of((), server=_HOSTS, values=_CLIENT_VALUES),
    "OAuthClientEnd": object_of(("removed", "connections"), removed=NAME, connections={"type": "integer"}),
    **MCP_SERVER_SHAPES,
    "CallbackRotation": object_of((), overlapSeconds={"type": "number", "minimum": 0, "maximum": 2_592_000}),
    "CallbackRecovery": object_of(
        ("since",), since={"type": "string", "maxLength": 40, "description": "An RFC 3339 time, a date, or a duration before now: 2d."}
    ),
    "Recovery": object_of(("recovered",), recovered={"type": "integer", "description": "Number of events that are sent again."}),
    "CallbackTest": closed_with(("delivered", "at", "durationMs"), {"delivered": {"type": "boolean"}, **_ATTEMPT}),
    "Delivery": object_of(
        ("id", "callback", "eventId", "sequence", "type", "status", "attempts", "createdAt"),
        id=STRING, callback=STRING, url=STRING, eventId=STRING, sequence={"type": "integer"}, type=STRING,
        workspace={**STRING, "description": "To a platform's callback: the workspace of the event."},
        status={"enum": ["pending", "delivered", "dead"]}, attempts={"type": "integer"}, nextAt=MOMENT, endedAt=MOMENT, createdAt=MOMENT,
        lastStatus={"type": "integer"}, lastError=STRING, problem=PROBLEM,
        log={
            "type": "array", "items": closed_with(("at", "durationMs"), _ATTEMPT), "description": "The last ten attempts, the newest last.",
        },
        request={
            **closed_with(("headers", "body"), {"headers": {"type": "object", "additionalProperties": STRING}, "body": {"type": "object"}}),
            "description": "Of a single delivery: the request of its last attempt without its signature, as event and callback make it.",
        },
    ),
    "Healthy": object_of(
        ("status",), status={"const": "ok"}, warnings={"type": "array", "items": STRING}, kinds={"type": "array", "items": STRING}
    ),
    "Problem": object_of(
        ("type", "title", "status", "code", "detail"), closed=False,
        type={"type": "string", "format": "uri-reference", "description": "Where the code is explained."},
        title=STRING, status={"type": "integer"}, detail=STRING, hint=STRING, kind=STRING,
        code={"type": "string", "description": "Stable. One of the codes that /docs lists, or of an error of a Result."},
        details={"type": "array", "items": ANY},
    ),
}  # fmt: skip
