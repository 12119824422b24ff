"""Templates that a Dapr sidecar fills in metadata values, and the environment variables that a component may read."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from jackfield.connections.foreign.translating import ForeignError

__all__ = ["Templates", "is_readable"]


class Templates:
    """Values of ``{uuid}`` (one for each component), ``{podName}``, ``{namespace}`` and ``{appID}``."""

    def __init__(self, environment: Mapping[str, str], namespace: str | None, app_id: str | None) -> None:
        app = app_id if app_id is not None else environment.get("APP_ID", "")
        self._values = {
            "{uuid}": str(uuid.uuid4()),
            "{appID}": app,
            "{namespace}": f"{namespace or environment.get('NAMESPACE') or 'default'}.{app}",
            "{podName}": environment.get("POD_NAME", ""),
        }

    def fill(self, text: str) -> str:
        """Fill in the templates of a text.

        :raises ForeignError: if it contains a pod's name and POD_NAME is not set.
        """
        if "{podName}" in text and not self._values["{podName}"]:
            raise ForeignError("spec.metadata: '{podName}' needs the environment variable POD_NAME")
        for template, value in self._values.items():
            text = text.replace(template, value)
        return text


def is_readable(name: str, environment: Mapping[str, str]) -> bool:
    """Return whether ``envRef`` may read the variable: never the sidecar's own; in Kubernetes, only those in DAPR_ENV_KEYS."""
    upper = name.upper()
    if not upper or " " in upper or upper == "APP_API_TOKEN" or upper.startswith("DAPR_"):
        return False
    allowed = environment.get("DAPR_ENV_KEYS")
    return allowed is None or upper in allowed.upper().split()
