"""Redaction: no secret leaves the process in a text, in whatever encoding.

::

    schema + values ─┬─► secret_values, confidential_values ──► Redactor ─┬─► clean, clean_json, holds
                     └─► masked (a copy for display)                    └─► redacting ──► LogRedaction (log records)

``Redactor`` masks by value, ``masked`` by the schema's marks. Names are imported on first access (PEP 562), so that calls without secrets
pay nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.exports import exports

if TYPE_CHECKING:
    from jackfield.redaction.logs import LogRedaction, quiet_sdk_loggers, safe_exception_text
    from jackfield.redaction.marks import confidential_values, leaves, secret_values
    from jackfield.redaction.redactor import MASK, Redactor
    from jackfield.redaction.scope import current_redactor, redacting
    from jackfield.redaction.showing import masked

__all__ = [
    "MASK",
    "LogRedaction",
    "Redactor",
    "confidential_values",
    "current_redactor",
    "leaves",
    "masked",
    "quiet_sdk_loggers",
    "redacting",
    "safe_exception_text",
    "secret_values",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        ".logs": ("LogRedaction", "quiet_sdk_loggers", "safe_exception_text"),
        ".marks": ("confidential_values", "leaves", "secret_values"),
        ".redactor": ("MASK", "Redactor"),
        ".scope": ("current_redactor", "redacting"),
        ".showing": ("masked",),
    },
)
