"""Warnings about secrets that are short or publicly known. Outputs are masked less, or not at all,
for such secrets (docs/reference/masking.md).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.pointers import names
from jackfield.redaction.outputs import SHORTEST, is_public, is_short
from jackfield_store.connections.connection_rows import Draft, secret_places

_LOG = logging.getLogger("jackfield.connections")
CODE = "weak_secret"
CURE = (
    "Use a secret of the provider's own making; for a simulator on this machine, nothing "
    "needs to change."
)
_PUBLIC = "is a public default that everybody knows: outputs are not searched for it"
_SHORT = (
    f"has fewer than {SHORTEST} characters: outputs are searched for it as a whole word "
    "only, and not in Base64"
)


def weak_secrets(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a warning, with ``path`` and ``message``, for each secret that is a public default or
    short. References are not read.
    """
    found = ((path, _about(_at(values, path))) for path in sorted(secret_places(schema, values)))
    return [{"path": path, "message": about} for path, about in found if about]


def _about(secret: object) -> str | None:
    if not isinstance(secret, str) or not secret.strip():
        return None
    return _PUBLIC if is_public(secret) else _SHORT if is_short(secret) else None


def _at(values: Any, path: str) -> object:
    for name in names(path):
        values = values[int(name)] if isinstance(values, list | tuple) else values[name]
    return values


def warned(shown: dict[str, Any], draft: Draft) -> dict[str, Any]:
    """Log the warnings about a stored connection's secrets, and return the connection with them. If
    it was tested, its last test has them already.
    """
    warnings = weak_secrets(draft.schema, draft.values)
    for warning in warnings:
        _LOG.warning(
            "the connection '%s': its secret '%s' %s",
            shown["name"],
            warning["path"].removeprefix("/"),
            warning["message"],
        )
    return {**shown, "warnings": warnings} if warnings and "lastTest" not in shown else shown


def finding(warning: Mapping[str, str]) -> dict[str, str]:
    """Return a warning as a finding of a connection's diagnosis."""
    name = warning["path"].removeprefix("/")
    return {
        "code": CODE,
        "severity": "warning",
        "message": f"the secret '{name}' {warning['message']}",
        "evidence": f"The value of '{name}'; it is masked in errors, logs and records all the same.",
        "cure": CURE,
    }
