"""The audience of a field of a connection type: the person who owns the account, the platform that
asks for the account, or the operator.

A field declares its audience; docs/reference/audiences.md has the audiences of undeclared fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from jackfield.kernel.walk import extension

Audience = Literal["user", "platform", "operator"]

AUDIENCES: tuple[Audience, ...] = ("user", "platform", "operator")
_CLIENT = frozenset({"clientId", "clientSecret", "scopes"})
"""Fields of a client that the platform has registered at the provider, for sign-ins by approval in
manifests without declared audiences.
"""


def audience_of(schema: Mapping[str, Any], name: str, *, authorizes: bool = False) -> Audience:
    """Return the audience of a field of a connection type. It is the declared one
    (``x-jackfield.audience``), else the one that other marks in the type's ``schema`` imply, else
    the user. ``authorizes`` is true for a type that a person approves at the provider.
    """
    marks = extension(schema.get("properties", {}).get(name))
    declared = marks.get("audience")
    if declared in AUDIENCES:
        found: Audience = declared
        return found
    optional = name not in schema.get("required", ())
    if optional and marks.get("hidden"):
        return "operator"
    if marks.get("destination") or marks.get("fixed") or (authorizes and name in _CLIENT):
        return "platform"
    return "user"
