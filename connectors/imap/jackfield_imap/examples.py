"""Examples for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_META = {"invocationId": "0197a2f0-0000-7000-8000-000000000000", "attempts": 1, "durationMs": 4.2, "replayed": False}
MESSAGE = {
    "uid": 4711, "subject": "Order 7", "from": ["Ada <ada@example.com>"], "to": ["shop@example.com"], "date": "2026-11-27T09:30:00Z",
    "received": "2026-11-27T09:30:02Z", "messageId": "<7@example.com>", "size": 2048, "flags": ["seen"],
}  # fmt: skip


def example(action: str, title: str, inputs: Mapping[str, Any], output: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one example of an action."""
    invocation = {"connector": "imap", "action": action, "connection": "shop-mail", "inputs": dict(inputs)}
    meta = {"connector": "imap", "connectorVersion": "0.1.0", "action": action, **_META}
    return [{"title": title, "invocation": invocation, "result": {"status": "succeeded", "output": dict(output), "meta": meta}}]
