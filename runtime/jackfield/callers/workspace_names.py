"""Names of workspaces."""

from __future__ import annotations

import re

from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.hints import NextStep

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
"""Regular expression of valid names; the platform's own ID of its customer usually matches."""


def check_workspace_name(name: str, path: str = "") -> None:
    """Check the name of an existing or new workspace, which the caller gave at ``path``.

    :raises InvalidInvocation: if the name is not valid.
    """
    if not _NAME.match(name):
        reason = "must be 1 to 100 letters, digits, dots, underscores or hyphens"
        raise invalid_workspace_name(
            name, path, reason, "Choose another name." if path else NextStep("workspaces")
        )


def invalid_workspace_name(
    name: str, path: str, reason: str, hint: str | NextStep
) -> InvalidInvocation:
    """Return the error for the name of a workspace that the caller gave at ``path``."""
    fault = Detail(path, reason, "pattern")
    return InvalidInvocation(
        f"the workspace's name is not valid: '{name[:100]}'", details=[fault], hint=hint
    )
