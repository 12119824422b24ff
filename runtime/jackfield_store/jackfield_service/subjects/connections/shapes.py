"""Shapes of the HTTP API's requests and responses about connections and their authorizations."""

from __future__ import annotations

from typing import Any

from jackfield_service.shell.http.shape_parts import (
    ANY,
    GRANT,
    MOMENT,
    NAME,
    NULLABLE,
    QUOTAS,
    STRING,
    Json,
    closed_with,
    object_of,
)

_STEP = object_of(
    ("key", "title", "passed", "mandatory", "message"),
    key=STRING,
    title=STRING,
    passed={"type": "boolean"},
    mandatory={"type": "boolean"},
    message=STRING,
    hint=STRING,
    principal=STRING,
    code=STRING,
    provider=ANY,
    values={
        "type": "array",
        "items": STRING,
        "description": "Values on which the outcome depends.",
    },
)
_WEAK: Json = {
    "type": "array",
    "items": closed_with(("path", "message"), {"path": STRING, "message": STRING}),
    "description": (
        "Secrets among the values that are short or public defaults; in an answer itself "
        "only where nothing was tested."
    ),
}
_TRIED: Any = {
    "account": object_of(("id", "label"), id=STRING, label=STRING),
    "status": {"enum": ["untested", "ok", "failing", "expired"]},
    "lastTest": object_of(
        ("at", "steps"), at=MOMENT, steps={"type": "array", "items": _STEP}, warnings=_WEAK
    ),
    "warnings": _WEAK,
}
_VALUES: Json = {
    "type": "object",
    "description": (
        "Values that match the connection type's schema. Secrets are accepted but never returned."
    ),
}
_TYPE: Json = {
    "type": "string",
    "pattern": "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)?$",
    "description": "The connection type: aws-ses/smtp, or aws/awsAssumeRole for a family.",
}
SHAPES: dict[str, Json] = {
    "NewConnection": object_of(
        ("name", "type", "values"),
        name=NAME,
        type=_TYPE,
        values=_VALUES,
        quotas=QUOTAS,
        grant=GRANT,
    ),
    "DraftConnection": object_of(
        ("type", "values"), name={"type": "string", "minLength": 1}, type=_TYPE, values=_VALUES
    ),
    "ConnectionUpdate": object_of(
        ("values",), name=NAME, type=_TYPE, values=_VALUES, quotas=QUOTAS
    ),
    "Connection": object_of(
        ("name", "type", "values", "version", "status"),
        closed=False,
        name=NAME,
        type=_TYPE,
        values=_VALUES,
        version={"type": "integer"},
        source=STRING,
        problem=STRING,
        quotas=QUOTAS,
        **_TRIED,
    ),
    "Trial": object_of(("status", "lastTest"), **_TRIED),
    "AuthorizationRequest": object_of(
        (),
        flow={"enum": ["redirect", "device"]},
        redirectUri=STRING,
        returnTo={
            "type": "string",
            "description": "The page that the browser goes to afterwards, of an allowed origin.",
        },
    ),
    "Authorization": object_of(
        ("id", "flow", "url", "expiresAt"),
        id=STRING,
        flow={"enum": ["redirect", "device"]},
        url=STRING,
        expiresAt=MOMENT,
        startUrl={
            "type": "string",
            "description": (
                "Link that binds the browser that opens it, once: no other browser's answer "
                "counts. It leads to 'url'."
            ),
        },
        userCode=STRING,
        completeUrl=NULLABLE,
        interval={"type": "number", "description": "Seconds between two looks."},
    ),
    "AuthorizationStatus": object_of(
        ("id", "flow", "connection", "status", "expiresAt"),
        id=STRING,
        flow={"enum": ["redirect", "device"]},
        connection=STRING,
        status={
            "enum": ["pending", "answered", "granted", "failed"],
            "description": "'answered' waits for ':complete'.",
        },
        reason=STRING,
        expiresAt=MOMENT,
    ),
    "ProviderAnswer": {
        **object_of(
            (),
            proof=STRING,
            state=STRING,
            code=STRING,
            error=STRING,
            error_description=STRING,
            iss=STRING,
        ),
        "description": "The 'proof' that the browser has brought to 'returnTo', to finish with "
        "the answer that has arrived at the "
        "callback; empty if it was begun without 'returnTo' or opened at the bare 'url'; or the "
        "provider's answer, with its state.",
    },
    "Policies": {
        "type": "object",
        "description": "Policies by name; the connection type defines which.",
    },
}
