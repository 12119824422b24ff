"""Clients of authorization servers, to which connections of the workspace refer by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connections.oauth_clients import SECRETS
from jackfield_service.shell.http.query_parts import BY_KEY, FLAG
from jackfield_service.shell.http.shape_parts import MOMENT, NAME, PROBLEM, object_of
from jackfield_service.shell.resource.meanings import as_set, as_sets
from jackfield_service.shell.resource.resource import (
    Act,
    Field,
    InFiles,
    Is,
    Resource,
    Visit,
    invalid_or_unknown,
)
from jackfield_store.management.oauth_clients import OAuthClients, oauth_clients


def _open(visit: Visit) -> OAuthClients:
    return oauth_clients(visit.storage, visit.workspace, visit.clock, visit.actor, visit.origin)


def _add(clients: OAuthClients, given: Mapping[str, Any]) -> dict[str, Any]:
    return clients.add(str(given["name"]), given.get("server", []), given["values"])


OAUTH_CLIENTS = Resource(
    "OAuthClient",
    "/v1/oauth-clients",
    _open,
    fields=(
        Field("name", NAME, Is.ALWAYS | Is.NEEDED, title="Name"),
        Field(
            "server",
            {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 255},
                "description": (
                    "Hosts, and patterns such as *.example.com, that its connections reach "
                    "beside those of its URLs."
                ),
            },
            Is.ALWAYS | Is.GIVEN | Is.CHANGED,
            title="Further hosts",
        ),
        Field(
            "inherited",
            {
                "type": "boolean",
                "description": (
                    "It is the server's: the workspace sees only what it needs to refer to it."
                ),
            },
            Is.ALWAYS,
            title="Of",
            words={True: "the server", False: "this workspace"},
        ),
        Field(
            "values",
            {"type": "object", "description": "Secrets are masked."},
            Is.ALWAYS | Is.NEEDED | Is.CHANGED,
            {
                "type": "object",
                "description": (
                    "clientId, clientSecret, tokenUrl and so on; null removes one that is stored."
                ),
            },
        ),
        Field("version", {"type": "integer"}),
        Field("createdAt", MOMENT),
        Field("updatedAt", MOMENT, title="Changed"),
        Field("problem", PROBLEM),
    ),
    acts=(
        Act(
            "list",
            OAuthClients.page,
            "List the OAuth clients that connections may refer to, the server's among them, "
            "without secrets.",
            verb="List the clients that connections may refer to.",
        ),
        Act(
            "create",
            _add,
            "Register an OAuth client of the workspace; the operator's own workspace has those "
            "of the server.",
            problems=(409, 422),
        ),
        Act(
            "show",
            OAuthClients.show,
            "Show an OAuth client without its secrets.",
            verb="Print a client without its secrets.",
        ),
        Act(
            "change",
            OAuthClients.change,
            "Change the values given, such as the secret; others stay.",
            problems=(409, 422),
            body="OAuthClientUpdate",
        ),
        Act(
            "remove",
            OAuthClients.remove,
            "Delete an OAuth client to which no connection refers.",
            problems=(409,),
            answers={200: "OAuthClientEnd"},
            query={"force": FLAG},
        ),
    ),
    shapes={
        "OAuthClientEnd": object_of(
            ("removed", "connections"), removed=NAME, connections={"type": "integer"}
        )
    },
    cursor=BY_KEY,
    key="client",
    columns=("name", "server", "inherited", "updatedAt"),
    listed=("name", "server", "inherited", "updatedAt"),
    kept="OAuth clients",
    waits="briefly",
    stated=InFiles(
        merged=frozenset({"values"}),
        secrets=SECRETS,
        rank=1,
        meanings={"server": as_set, "values": as_sets},
    ),
    unruled="a token with rules cannot manage OAuth clients, to which all connections may refer",
    judged=invalid_or_unknown,
)
RESOURCES = (OAUTH_CLIENTS,)
