"""Challenges of a protected resource, by which a client of MCP finds the provider of its token (RFC
9728, RFC 6750).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield_service.shell.requests.problem import Problem

if TYPE_CHECKING:
    from jackfield_service.shell.operations.operation import Operation
    from jackfield_service.shell.process.server_context import ServerContext

METADATA = "/.well-known/oauth-protected-resource"
"""Path of the resource's metadata. A client that only knows the endpoint's address appends ``/mcp``
to it (RFC 9728 §3.1).
"""
SCOPES = ("jackfield:read", "jackfield:invoke")


def resource_metadata(server: ServerContext) -> Mapping[str, Any] | None:
    """Return the metadata of the MCP endpoint; None if this server has no public URL, or no
    identity provider whose issuer is a URL.
    """
    provider, resource = server.settings.jwt, server.mcp_url
    if provider is None or not resource or not provider.issuer.startswith(("https://", "http://")):
        return None
    return {
        "resource": resource,
        "authorization_servers": [provider.issuer],
        "scopes_supported": [*SCOPES],
        "bearer_methods_supported": ["header"],
        "resource_name": "jackfield",
    }


def challenged(server: ServerContext, operation: Operation, refusal: Problem, text: str) -> Problem:
    """Return the refusal of a caller over MCP, whose token is ``text``, with the client's next
    step: sign in, request more scopes, or give up. The addresses use the public URL, whatever the
    request's ``Host``. Any other refusal is returned unchanged.
    """
    if not operation.over_mcp or resource_metadata(server) is None:
        return refusal
    if refusal.status == 401:
        refusal = server.mcp_identities.insufficient(text) or refusal
    error = (
        "insufficient_scope" if refusal.code == "scope_missing" else "invalid_token" if text else ""
    )
    if refusal.code not in ("unauthenticated", "scope_missing"):
        return refusal
    known = (
        f'Bearer realm="jackfield", resource_metadata="{server.public_url}{METADATA}/mcp", '
        f'scope="{" ".join(SCOPES)}"'
    )
    headers = {
        **refusal.headers,
        "WWW-Authenticate": f'{known}, error="{error}"' if error else known,
    }
    return Problem(refusal.status, refusal.detail, headers, code=refusal.code, **refusal.members)
