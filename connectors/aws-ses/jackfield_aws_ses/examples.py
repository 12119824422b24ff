"""Builder of actions' examples in the manifest."""

from collections.abc import Mapping
from typing import Any


def example(
    title: str, action: str, inputs: Mapping[str, Any], output: Mapping[str, Any], **meta: Any
) -> dict[str, Any]:
    """Return an example: an invocation over the connection 'acme-ses', and its Result."""
    about = {
        "invocationId": "01991c8e-7a8a-7c6e-8d1e-0f4f3a2b1c0d",
        "connector": "aws-ses",
        "connectorVersion": "1.0.0",
        "action": action,
        "attempts": 1,
        "durationMs": 41.7,
        "requestId": "3f1b7c52-8a0d-4a52-9b4e-0d4d6b8f5a10",
        "replayed": False,
        **meta,
    }
    return {
        "title": title,
        "invocation": {
            "connector": "aws-ses",
            "action": action,
            "connection": "acme-ses",
            "inputs": dict(inputs),
        },
        "result": {"status": "succeeded", "output": dict(output), "meta": about},
    }
