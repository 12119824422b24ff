"""What tests of ``Jackfield.connections`` share: values, and how to look at what comes back."""

from __future__ import annotations

from typing import Any

from jackfield.kernel.errors import JackfieldError
from jackfield_store.runtime import Jackfield
from sealed_rows import put_workspace

ROLE = {
    "roleARN": "arn:aws:iam::123456789012:role/acme-ses",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "acme-secret",
}
FILES = {"filed": {"type": "echo/token", "values": {"token": "from-file", "greeting": "Hello"}}}


def say(jackfield: Jackfield, connection: str | dict[str, Any] | None) -> Any:
    """What the echo hears over a connection: its token."""
    invocation = {"connector": "echo", "action": "say", "inputs": {"text": "Hi", "reveal": True}}
    return jackfield.invoke(
        {**invocation, **({"connection": connection} if connection is not None else {})}
    )


def paths(error: JackfieldError) -> list[str]:
    """Where an error points."""
    return [detail.path for detail in error.details]


def set_workspace(jackfield: Jackfield, **settings: Any) -> None:
    """Set what the operator allows to the workspace ``default``."""
    put_workspace(jackfield.storage.database, jackfield.storage.vault, "default", settings)
