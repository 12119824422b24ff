"""The AsyncAPI 3.0 document of the deliveries to callbacks, built from the types of events and
served as ``/asyncapi.json``.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield import __version__
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.json_response import dumps, tagged
from jackfield_service.subjects.events.data_schemas import DATA

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_ABOUT = (
    "Requests that jackfield sends to callbacks (POST /v1/callbacks, /v1/platform/callbacks). "
    "They follow Standard Webhooks: verify "
    "'webhook-signature' over the raw body, answer with 2xx within 15 seconds, and ignore a "
    "'webhook-id' that you have seen, since an "
    "event comes at least once."
)
_HEADERS: Json = {
    "type": "object",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {**_TEXT, "description": "The event's ID, the same for all attempts."},
        "webhook-timestamp": {
            **_TEXT,
            "pattern": "^[0-9]+$",
            "description": "When this attempt was made, in seconds since 1970.",
        },
        "webhook-signature": {
            **_TEXT,
            "description": (
                "One 'v1,…' (HMAC) or 'v1a,…' (Ed25519) for each valid secret, separated by spaces."
            ),
        },
    },
}


def document() -> Json:
    """Return the document."""
    names = [_name(kind) for kind in DATA]
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in names}
    deliver = {
        "action": "send",
        "channel": {"$ref": "#/channels/callback"},
        "summary": "Deliver an event.",
        "messages": [{"$ref": f"#/channels/callback/messages/{name}"} for name in names],
        "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "jackfield callbacks", "version": __version__, "description": _ABOUT},
        "defaultContentType": "application/json",
        "channels": {
            "callback": {"address": None, "title": "The URL of the callback", "messages": messages}
        },
        "operations": {"deliver": deliver},
        "components": {
            "messages": {_name(kind): _message(kind, about) for kind, (about, _) in DATA.items()},
            "schemas": {_name(kind): schema for kind, (_, schema) in DATA.items()},
        },
    }


async def served(request: Request, _server: ServerContext, _identity: Identity) -> Response:
    """Serve ``GET /asyncapi.json``."""
    return tagged(request, dumps(document()))


def _message(type: str, about: str) -> Json:
    data = {
        "type": "object",
        "required": ["eventId", "sequence", "subject"],
        "properties": {
            "workspace": {
                **_TEXT,
                "description": (
                    "Of a platform's callback: the workspace of the event; not in 'callback.test'."
                ),
            },
            "eventId": _TEXT,
            "sequence": {"type": "integer"},
            "subject": {**_TEXT, "description": "What it happened to."},
            "payload": {"$ref": f"#/components/schemas/{_name(type)}"},
        },
        "description": "A thin callback gets no payload: its receiver looks the event up.",
    }
    kind = {**_TEXT, "pattern": r"^audit\."} if type == "audit.*" else {"const": type}
    payload = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {"type": kind, "timestamp": {**_TEXT, "format": "date-time"}, "data": data},
    }
    return {"name": type, "title": type, "summary": about, "headers": _HEADERS, "payload": payload}


def _name(type: str) -> str:
    """Return the key of a type in the document, which must not have an asterisk:
    ``invocationFinished``, ``audit``.
    """
    first, _, second = type.partition(".")
    return first + (second.capitalize() if second != "*" else "")
