"""Examples for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_META = {"invocationId": "0197a2f0-0000-7000-8000-000000000000", "attempts": 1, "durationMs": 4.2, "replayed": False}


def example(action: str, title: str, inputs: Mapping[str, Any], output: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one example of an action."""
    invocation = {"connector": "sftp", "action": action, "connection": "shop-files", "inputs": dict(inputs)}
    meta = {"connector": "sftp", "connectorVersion": "0.1.0", "action": action, **_META}
    return [{"title": title, "invocation": invocation, "result": {"status": "succeeded", "output": dict(output), "meta": meta}}]
