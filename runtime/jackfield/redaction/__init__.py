"""Masking: no secret leaves the process in a text, whatever spelling it has taken on.

::

    schema + values ─┬─► secret_values, confidential_values ──► Redactor ─┬─► clean, clean_json, holds
                     └─► masked (a copy for showing)                     └─► redacting ──► LogRedaction (log records)

``Redactor`` masks by value, ``masked`` by the schema's marks. Names are loaded at first use (PEP 562): a call that
masks nothing pays for nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield.redaction.failures import safe_exception_text
    from jackfield.redaction.logs import LogRedaction, quiet_sdk_loggers
    from jackfield.redaction.marks import confidential_values, secret_values
    from jackfield.redaction.redactor import MASK, Redactor
    from jackfield.redaction.scope import current_redactor, redacting
    from jackfield.redaction.showing import masked

__all__ = [
    "MASK",
    "LogRedaction",
    "Redactor",
    "confidential_values",
    "current_redactor",
    "masked",
    "quiet_sdk_loggers",
    "redacting",
    "safe_exception_text",
    "secret_values",
]

_HOMES = {
    "MASK": "redactor",
    "LogRedaction": "logs",
    "Redactor": "redactor",
    "confidential_values": "marks",
    "current_redactor": "scope",
    "masked": "showing",
    "quiet_sdk_loggers": "logs",
    "redacting": "scope",
    "safe_exception_text": "failures",
    "secret_values": "marks",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (PEP 562: whatever the name stands for)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
