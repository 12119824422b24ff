"""The author's API: everything that a connector imports from jackfield.

Names are imported when they are first asked for (PEP 562): the runtime uses a part of this package before any connector is needed, and
should not pay for pydantic then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.clock import Clock, Deadline
    from jackfield.connector.context import Account, Call, Minted, OpenContext, Step, current_call
    from jackfield.connector.declare import Action, Connector, DeclarationError, Option
    from jackfield.connector.fields import Field
    from jackfield.connector.guard import ANYWHERE, Guard
    from jackfield.connector.manifests import describe
    from jackfield.connector.models import ConnectionType, Inputs, Output
    from jackfield.errors import (
        Conflict,
        Detail,
        Forbidden,
        Internal,
        InvalidConnection,
        InvalidInput,
        JackfieldError,
        NotFound,
        Provider,
        QuotaExceeded,
        RateLimited,
        Rejected,
        Sent,
        TimedOut,
        Unauthenticated,
        Unavailable,
    )
    from jackfield.hooks import hookimpl
    from jackfield.manifest import Pagination, RateLimit, Serves

__all__ = [
    "ANYWHERE",
    "Account",
    "Action",
    "Call",
    "Clock",
    "Conflict",
    "ConnectionType",
    "Connector",
    "Deadline",
    "DeclarationError",
    "Detail",
    "Field",
    "Forbidden",
    "Guard",
    "Inputs",
    "Internal",
    "InvalidConnection",
    "InvalidInput",
    "JackfieldError",
    "Minted",
    "NotFound",
    "OpenContext",
    "Option",
    "Output",
    "Pagination",
    "Provider",
    "QuotaExceeded",
    "RateLimit",
    "RateLimited",
    "Rejected",
    "Sent",
    "Serves",
    "Step",
    "TimedOut",
    "Unauthenticated",
    "Unavailable",
    "current_call",
    "describe",
    "hookimpl",
]

_HOMES = {
    "ANYWHERE": "jackfield.connector.guard",
    "Account": "jackfield.connector.context",
    "Action": "jackfield.connector.declare",
    "Call": "jackfield.connector.context",
    "Clock": "jackfield.clock",
    "Conflict": "jackfield.errors",
    "ConnectionType": "jackfield.connector.models",
    "Connector": "jackfield.connector.declare",
    "Deadline": "jackfield.clock",
    "DeclarationError": "jackfield.connector.declare",
    "Detail": "jackfield.errors",
    "Field": "jackfield.connector.fields",
    "Forbidden": "jackfield.errors",
    "Guard": "jackfield.connector.guard",
    "Inputs": "jackfield.connector.models",
    "Internal": "jackfield.errors",
    "InvalidConnection": "jackfield.errors",
    "InvalidInput": "jackfield.errors",
    "JackfieldError": "jackfield.errors",
    "Minted": "jackfield.connector.context",
    "NotFound": "jackfield.errors",
    "OpenContext": "jackfield.connector.context",
    "Option": "jackfield.connector.declare",
    "Output": "jackfield.connector.models",
    "Pagination": "jackfield.manifest",
    "Provider": "jackfield.errors",
    "QuotaExceeded": "jackfield.errors",
    "RateLimit": "jackfield.manifest",
    "RateLimited": "jackfield.errors",
    "Rejected": "jackfield.errors",
    "Sent": "jackfield.errors",
    "Serves": "jackfield.manifest",
    "Step": "jackfield.connector.context",
    "TimedOut": "jackfield.errors",
    "Unauthenticated": "jackfield.errors",
    "Unavailable": "jackfield.errors",
    "current_call": "jackfield.connector.context",
    "describe": "jackfield.connector.manifests",
    "hookimpl": "jackfield.hooks",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'jackfield.connector' has no attribute '{name}'")
    from importlib import import_module  # noqa: PLC0415 (as lazily as the names)

    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found  # the next one who asks finds it at once
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
