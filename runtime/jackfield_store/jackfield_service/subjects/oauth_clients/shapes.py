"""Shapes of what the HTTP API takes and shows of OAuth clients."""

from __future__ import annotations

from jackfield_service.shell.http.shape_parts import MOMENT, NAME, PROBLEM, Json, object_of

_HOSTS: Json = {
    "type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Hosts, and patterns such as *.example.com, that its connections reach beside those of its URLs.",
}  # fmt: skip
_CLIENT_VALUES: Json = {"type": "object", "description": "clientId, clientSecret, tokenUrl and so on; null removes one that is stored."}
SHAPES: dict[str, Json] = {
    "OAuthClient": object_of(
        ("name", "server", "inherited", "values"), name=NAME, server=_HOSTS,
        inherited={"type": "boolean", "description": "It is the server's: the workspace sees only what it needs to refer to it."},
        values={"type": "object", "description": "Secrets are masked."}, version={"type": "integer"}, createdAt=MOMENT, updatedAt=MOMENT,
        problem=PROBLEM,
    ),
    "NewOAuthClient": object_of(("name", "values"), name=NAME, server=_HOSTS, values=_CLIENT_VALUES),
    "OAuthClientUpdate": object_of((), server=_HOSTS, values=_CLIENT_VALUES),
    "OAuthClientEnd": object_of(("removed", "connections"), removed=NAME, connections={"type": "integer"}),
}  # fmt: skip
