"""Processes over one database with a connection to a scripted AWS, whose log tells later what
became of writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clocks import look_while_due
from jackfield import Result
from jackfield_store.runtime.evidence_loop import EvidenceLoop
from moto_rig import EVERYTHING, offer
from processes import Processes, variables
from trail_aws import TrailAws, trail_aws


class TrailStage(Processes):
    """Processes with a connection to a scripted AWS."""

    aws: TrailAws

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__(environment)

    def connect(self, aws: TrailAws) -> None:
        """Store the connection."""
        self.aws = aws
        values = {
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "secretAccessKey": "s3cret-of-acme",
            "endpoint": aws.url,
            "region": "eu-west-1",
        }
        self.runtime.connections.add("acme", "aws/apiKeySecret", values)

    def call(
        self, action: str = "aws.kms/createKey", inputs: dict[str, Any] | None = None, **more: Any
    ) -> Result:
        """Make a call."""
        connector, _, key = action.partition("/")
        return self.runtime.invoke(
            {
                "connector": connector,
                "action": key,
                "connection": "acme",
                "inputs": inputs or {},
                **more,
            }
        )

    def look(self, seconds: float = 0.0) -> None:
        """Let time pass, then make all looks that are due."""
        self.move(seconds)
        look_while_due(EvidenceLoop(self.pool))

    def settled(self, identifier: str) -> tuple[str, str | None]:
        """What became of a call, and who says so."""
        entry = self.entry(identifier)
        return entry.status, entry.resolved_by

    def looks(self, identifier: str) -> list[str]:
        """What the looks of a call have found."""
        return [one["result"] for one in self.entry(identifier).to_json().get("looks", ())]


@contextmanager
def trail_stage(folder: Path, database_url: str, settle: str = "on") -> Iterator[TrailStage]:
    """Open a stage over a scripted AWS."""
    offers = offer(folder / "home", {"default": EVERYTHING})
    with (
        variables(folder, database_url, JACKFIELD_SETTLE=settle, **offers) as environment,
        TrailStage(environment) as stage,
        trail_aws(stage.clock.time) as aws,
    ):
        stage.connect(aws)
        yield stage
