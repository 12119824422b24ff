"""One call of a virtual connector of AWS, which a scripted provider answers."""

from __future__ import annotations

from typing import Any

from jackfield.testing import Answer, Provider
from jackfield_store.runtime import Jackfield

KEYS = {
    "region": "eu-west-1",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}


def called(
    action: str, inputs: dict[str, Any], *script: Answer, **members: Any
) -> tuple[dict[str, Any], list[Any]]:
    """The Result of one call (``sqs/sendMessage``), as JSON, and its requests; ``members`` are
    further ones of the invocation.
    """
    connector, _, key = action.partition("/")
    with Provider(list(script)) as provider:
        connection = {"type": "aws/apiKeySecret", "values": {**KEYS, "endpoint": provider.url}}
        with Jackfield(
            connections=[{"connections": {"m": connection}}], database_url="none"
        ) as jackfield:
            asked = {
                "connector": f"aws.{connector}",
                "action": key,
                "connection": "m",
                "inputs": inputs,
                **members,
            }
            return jackfield.invoke(asked).to_json(), list(provider.requests)
