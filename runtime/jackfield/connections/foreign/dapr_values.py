"""What a Dapr sidecar puts into metadata values, and which environment variables a component may read."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from jackfield.connections.foreign.translating import ForeignError

__all__ = ["Templates", "is_readable"]


class Templates:
    """``{uuid}`` (one for a component), ``{podName}``, ``{namespace}`` and ``{appID}`` in values."""

    def __init__(self, environment: Mapping[str, str], namespace: str | None, app_id: str | None) -> None:
        app = app_id if app_id is not None else environment.get("APP_ID", "")
        self._values = {
            "{uuid}": str(uuid.uuid4()),
            "{appID}": app,
            "{namespace}": f"{namespace or environment.get('NAMESPACE') or 'default'}.{app}",
            "{podName}": environment.get("POD_NAME", ""),
        }

    def fill(self, text: str) -> str:
        """The text with its templates filled in.

        :raises ForeignError: where it asks for a pod's name and POD_NAME is not set.
        """
        if "{podName}" in text and not self._values["{podName}"]:
            raise ForeignError("spec.metadata: '{podName}' needs the environment variable POD_NAME")
        for template, value in self._values.items():
            text = text.replace(template, value)
        return text


def is_readable(name: str, environment: Mapping[str, str]) -> bool:
    """Whether ``envRef`` may read the variable: never the sidecar's own; in Kubernetes, those that DAPR_ENV_KEYS lists."""
    upper = name.upper()
    if not upper or " " in upper or upper == "APP_API_TOKEN" or upper.startswith("DAPR_"):
        return False
    allowed = environment.get("DAPR_ENV_KEYS")
    return allowed is None or upper in allowed.upper().split()
