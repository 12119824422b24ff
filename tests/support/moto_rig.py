"""A moto server and a runtime that is offered AWS's virtual connectors, over a connection to that
server.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jackfield import Jackfield
from jackfield.invocation import Result
from jackfield_aws.virtual.credentials import HANDS_OUT
from jackfield_aws.virtual.names import action_key

PATTERN: Mapping[str, Any] = {"services": ["*"]}
"""All that one pattern offers."""
EVERYTHING: Mapping[str, Any] = {
    "services": [
        "*",
        *(
            f"{service}.{action_key(name)}"
            for service, names in HANDS_OUT.items()
            for name in sorted(names)
        ),
    ]
}
"""All of AWS, with the actions that need their full names."""


def offer(home: Path, offers: Mapping[str, Any]) -> dict[str, str]:
    """Write the operator's offers of AWS by workspace, and return the environment that has them."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "offers.json").write_text(
        json.dumps({workspace: {"aws": item} for workspace, item in offers.items()})
    )
    return {"JACKFIELD_HOME": str(home)}


class Rig:
    """Runtime over a moto server."""

    def __init__(self, jackfield: Jackfield, url: str, family: str = "aws.") -> None:
        self.jackfield = jackfield
        self._family = family
        self.connection: dict[str, Any] = {
            "type": "apiKeySecret",
            "values": {
                "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
                "secretAccessKey": "moto-secret-4711",
                "endpoint": url,
                "region": "us-east-1",
            },
        }

    def result(self, action: str, *, timeout: float = 120, **inputs: Any) -> Result:
        """Invoke ``s3/putObject``."""
        service, _, key = action.partition("/")
        given = {
            "connector": f"{self._family}{service}",
            "action": key,
            "connection": self.connection,
            "inputs": inputs,
            "timeoutSeconds": timeout,
        }
        return self.jackfield.invoke(given)

    def output(self, action: str, **inputs: Any) -> Any:
        """Invoke an action that must succeed, and return its output."""
        found = self.result(action, **inputs)
        assert found.status == "succeeded", f"{action}: {found.error and found.error.to_json()}"
        return found.output


@contextmanager
def moto_rig(home: Path) -> Iterator[Rig]:
    """Start a moto server and a runtime without a database."""
    from moto_server import moto_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with (
        moto_server() as url,
        Jackfield(
            database_url="none", environment=offer(home, {"default": EVERYTHING})
        ) as jackfield,
    ):
        yield Rig(jackfield, url)
