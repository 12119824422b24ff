"""Examples for the manifest: an invocation and what it came to."""

from typing import Any

__all__ = ["LIST_IDENTITIES", "SEND_EMAIL"]


def _result(action: str, output: dict[str, Any], **more: Any) -> dict[str, Any]:
    meta = {
        "invocationId": "01991c8e-7a8a-7c6e-8d1e-0f4f3a2b1c0d", "connector": "aws-ses", "connectorVersion": "1.0.0", "action": action,
        "attempts": 1, "durationMs": 41.7, "requestId": "3f1b7c52-8a0d-4a52-9b4e-0d4d6b8f5a10", "replayed": False, **more,
    }  # fmt: skip
    return {"status": "succeeded", "output": output, "meta": meta}


SEND_EMAIL: tuple[dict[str, Any], ...] = (
    {
        "title": "A text to one recipient",
        "invocation": {
            "connector": "aws-ses",
            "action": "sendEmail",
            "connection": "acme-ses",
            "inputs": {
                "awsRegion": "eu-west-1",
                "to": ["ada@example.com"],
                "sender": "noreply@example.com",
                "subject": "Hello",
                "text": "Hello Ada",
            },
        },
        "result": _result("sendEmail", {"MessageId": "0102018f6b1c2d3e-4f5a6b7c-8d9e-4f0a-b1c2-d3e4f5a6b7c8-000000"}),
    },
)
LIST_IDENTITIES: tuple[dict[str, Any], ...] = (
    {
        "title": "All domains",
        "invocation": {
            "connector": "aws-ses",
            "action": "listIdentities",
            "connection": "acme-ses",
            "inputs": {"awsRegion": "eu-west-1", "identityType": "Domain", "fetchAll": True},
        },
        "result": _result("listIdentities", {"Identities": ["example.com", "example.org"]}, complete=True),
    },
)
