"""Findings: possible faults of a sender's setup or of a message, their fixes, and their source
documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from jackfield.connector import Field, Output
from jackfield.kernel.dataclass import dataclass

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Kind:
    """Kind of a possible fault. ``message`` and ``cure`` are templates, filled in by ``filled``;
    ``source`` names the document.
    """

    severity: Severity
    message: str
    cure: str
    source: str


class Finding(Output):
    """One problem."""

    code: str = Field(
        title="Code", description="A stable code, listed in the connector's documentation."
    )
    severity: Severity = Field(
        title="Severity",
        description=(
            "'error' if sending fails or messages are treated as spam, 'warning' if this may "
            "happen."
        ),
    )
    message: str = Field(title="Message", description="The problem in one sentence.")
    evidence: str = Field(
        title="Evidence",
        description="The observation: the provider's response, DNS records or a part of the message.",
    )
    cure: str = Field(title="Fix", description="The next step.")
    source: str = Field(title="Source", description="The documents that the rule comes from.")


def filled(
    kinds: Mapping[str, Kind], code: str, evidence: str, values: Mapping[str, object]
) -> Finding:
    """Return the finding ``code`` with its templates filled in."""
    kind = kinds[code]
    return Finding(
        code=code,
        severity=kind.severity,
        message=kind.message.format(**values),
        evidence=evidence,
        cure=kind.cure.format(**values),
        source=kind.source,
    )
