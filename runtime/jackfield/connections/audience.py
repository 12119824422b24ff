"""The audience of a field of a connection type: the person whose account is connected, the platform that asks for it, or the operator.

The table of the defaults is in docs/reference/audiences.md; ``OPERATORS`` and ``PLATFORMS`` are its names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from jackfield.kernel.walk import extension

Audience = Literal["user", "platform", "operator"]

AUDIENCES: tuple[Audience, ...] = ("user", "platform", "operator")
OPERATORS = frozenset({"proxy", "proxyUsername", "proxyPassword", "caCertificate", "allowedHosts", "freshConnections", "tlsServerName"})
"""Fields about the server's network and about certificates that it trusts."""
PLATFORMS = frozenset(
    {
        "scopes", "audience", "resource", "issuer", "clientAuthentication", "tokenParameters", "tokenPlace", "testPath", "headerName",
        "headerValue", "accountIdPlace", "accountLabelPlace",
    }
)  # fmt: skip
"""Fields about a provider's API, which whoever integrates it knows."""
_CLIENT = frozenset({"clientId", "clientSecret"})


def audience_of(schema: Mapping[str, Any], name: str, *, authorizes: bool = False) -> Audience:
    """Return the audience of a field of a type with this ``schema``: as its author says (``x-jackfield.audience``), or by what it is.

    ``authorizes`` is true for a type that a person approves at the provider. There, the client is registered by the platform; elsewhere a
    person reads client ID and secret at the provider.
    """
    marks = extension(schema.get("properties", {}).get(name))
    declared = marks.get("audience")
    if declared in AUDIENCES:
        found: Audience = declared
        return found
    optional = name not in schema.get("required", ())
    if name in OPERATORS or (optional and marks.get("hidden")):
        return "operator"
    if marks.get("destination") or marks.get("fixed") or name in PLATFORMS or (authorizes and name in _CLIENT):
        return "platform"
    return "user"
