"""Shapes of connect sessions in the API's document."""

from __future__ import annotations

from jackfield.connections.locales import LOCALES
from jackfield_service.shell.http.shape_parts import (
    ANY,
    MOMENT,
    PROBLEM,
    STRING,
    Json,
    closed_with,
    object_of,
)

THEME: Json = closed_with(
    (),
    {
        "name": {"type": "string", "maxLength": 200},
        "logo": {"type": "string", "maxLength": 24_000, "description": "A data: URL, in Base64."},
        "color": {"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"},
        "scheme": {"enum": ["light", "dark"]},
        "wordmark": {
            "type": "string",
            "maxLength": 24_000,
            "description": "A logo that shows the name, which is not written beside it.",
        },
    },
)


def _texts(longest: int) -> Json:
    """Return the shape of a string of at most ``longest`` characters, or of one string for each
    language.
    """
    text: Json = {"type": "string", "maxLength": longest}
    return {"anyOf": [text, {**closed_with((), dict.fromkeys(LOCALES, text)), "minProperties": 1}]}


_WORDS: Json = {"title": _texts(500), "description": _texts(500)}
_SETUP: Json = {
    **_texts(4_000),
    "description": "Markdown: where the user finds the values, in the place of the type's guide.",
}
_LABELS: Json = {
    "type": "object",
    "maxProperties": 50,
    "description": (
        "Your words for types and their fields, by type; each a text, or one for each language."
    ),
    "additionalProperties": closed_with(
        (),
        {
            **_WORDS,
            "setup": _SETUP,
            "fields": {"type": "object", "additionalProperties": closed_with((), _WORDS)},
        },
    ),
}
_WARNINGS: Json = {
    "type": "array",
    "items": object_of(("path", "message"), path=STRING, message=STRING),
}
BLOCKED: Json = object_of(
    ("reference", "code", "message", "at"),
    at=MOMENT,
    code=STRING,
    message=STRING,
    hint=STRING,
    step=STRING,
    reference={"type": "string", "description": "What the user's page asks to quote."},
)
SHAPES: dict[str, Json] = {
    "NewConnectSession": object_of(
        (),
        mode={"enum": ["connect", "reauth", "manage"]},
        verify={"enum": ["confirm", "browser", "link"]},
        user={
            "type": "string",
            "maxLength": 200,
            "description": "Your own ID of the user; ':confirm' names it again.",
        },
        userName={
            "type": "string",
            "maxLength": 200,
            "description": "The name that the page calls the user by, in place of the ID.",
        },
        types={
            "type": "array",
            "items": STRING,
            "maxItems": 50,
            "description": "Connection types to choose from; none: all.",
        },
        connection={
            "type": "string",
            "maxLength": 100,
            "description": "Name of the new connection, or of the one to connect again.",
        },
        defaults=closed_with(
            (), {"values": {"type": "object"}, "locked": {"type": "array", "items": STRING}}
        ),
        fields={
            "type": "array",
            "items": STRING,
            "maxItems": 50,
            "description": "Fields of the platform's that the user fills in, too.",
        },
        labels=_LABELS,
        icons={
            "type": "object",
            "additionalProperties": {"type": "string", "maxLength": 12_000},
            "maxProperties": 50,
            "description": "Your pictures for connectors, as data: URLs, in place of a letter.",
        },
        returnTo={
            "type": "string",
            "maxLength": 2000,
            "description": "Your page to which the browser goes at the end.",
        },
        origins={
            "type": "array",
            "items": STRING,
            "maxItems": 50,
            "description": "Origins whose pages may frame the session's.",
        },
        theme=THEME,
        locale={"enum": [*LOCALES]},
        expiresIn={"type": "integer", "minimum": 1, "maximum": 86_400, "description": "Seconds."},
        principal={
            "type": "string",
            "maxLength": 200,
            "description": "Who assumes a role of the user's account: your IAM user's ARN.",
        },
        actions={
            "type": "array",
            "items": STRING,
            "maxItems": 100,
            "description": (
                "Actions and triggers that you will call, as names or patterns: the role's "
                "template allows what they need."
            ),
        },
        calls={
            "type": "array",
            "maxItems": 50,
            "items": object_of(("action",), action=STRING, inputs={"type": "object"}),
            "description": "Calls that you will make: allowed for the resources that their inputs name.",
        },
        allowOtherAccount={
            "type": "boolean",
            "description": "A connection that is connected again may become another account's.",
        },
        allConnections={
            "type": "boolean",
            "description": "The session is about the connections of all users, not of 'user' alone.",
        },
    ),
    "CreatedConnectSession": closed_with(
        ("id", "url", "expiresAt"),
        {
            "id": STRING,
            "url": {"type": "string"},
            "expiresAt": MOMENT,
            "warnings": _WARNINGS,
        },
    ),
    "ConnectSession": object_of(
        ("id", "status", "mode", "verify", "createdAt", "expiresAt"),
        id=STRING,
        reason=STRING,
        mode=STRING,
        verify=STRING,
        status={"enum": ["pending", "opened", "testing", "saved", "granted", "failed", "expired"]},
        user=STRING,
        types={"type": "array", "items": STRING},
        connection=STRING,
        type=STRING,
        account=ANY,
        returnTo=STRING,
        locale=STRING,
        origins={"type": "array", "items": STRING},
        createdAt=MOMENT,
        expiresAt=MOMENT,
        unchanged={
            "type": "boolean",
            "description": (
                "True if the user only looked at the connections (mode 'manage'); else missing."
            ),
        },
        disconnected={
            "type": "boolean",
            "description": (
                "True if the account was disconnected, and its connection removed; else missing."
            ),
        },
        blocked=BLOCKED,
        warnings=_WARNINGS,
        problem=PROBLEM,
    ),
    "ConnectConfirmation": closed_with(
        ("proof", "user"),
        {
            "proof": {"type": "string"},
            "user": {"type": "string", "maxLength": 200},
            "digest": {
                "type": "string",
                "description": "The digest of what was shown; 412 if the session has another one.",
            },
        },
    ),
}
