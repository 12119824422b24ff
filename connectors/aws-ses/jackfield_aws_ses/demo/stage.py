"""Environment of the tour's steps: a runtime connected to the local AWS simulator, and the examples' invocations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jackfield import Jackfield
from jackfield_aws_ses.demo.aws.messages import SentMessage
from jackfield_aws_ses.demo.embedded import EmbeddedAws
from jackfield_aws_ses.demo.received import message_json

__all__ = ["EXAMPLES", "Played", "Report", "Stage", "Step", "faults"]

EXAMPLES = Path(__file__).parent / "examples"
"""Installed example files, the same as in the source tree's folder ``examples``."""


@dataclass(frozen=True, slots=True)
class Report:
    """Outcome of a step: values to show with their names, messages that AWS received, and unmet expectations."""

    shown: tuple[tuple[str, Any], ...] = ()
    received: tuple[SentMessage, ...] = ()
    faults: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the members of a step's line."""
        received = {"received": [message_json(message) for message in self.received]} if self.received else {}
        return {"passed": not self.faults, **dict(self.shown), **received, **({"faults": list(self.faults)} if self.faults else {})}


@dataclass(frozen=True, slots=True)
class Played:
    """An executed example: the invocation, its Result as JSON, and the messages that AWS received meanwhile."""

    invocation: Mapping[str, Any]
    result: Mapping[str, Any]
    received: tuple[SentMessage, ...]

    @property
    def status(self) -> str:
        """``succeeded``, ``failed`` or ``in_doubt``."""
        return str(self.result["status"])

    @property
    def output(self) -> Mapping[str, Any]:
        """The output; empty if there is none."""
        found: Mapping[str, Any] = self.result.get("output") or {}
        return found

    @property
    def error(self) -> Mapping[str, Any]:
        """The error; empty if there is none."""
        found: Mapping[str, Any] = self.result.get("error") or {}
        return found

    def report(self, expected: Mapping[str, bool]) -> Report:
        """Build the report of a step that ran this example. ``expected`` maps each expectation to whether it holds."""
        shown = (("invocation", self.invocation), ("result", self.result))
        return Report(shown, self.received, faults(expected))


def faults(expected: Mapping[str, bool]) -> tuple[str, ...]:
    """Return the expectations that do not hold."""
    return tuple(f"not so: {sentence}" for sentence, holds in expected.items() if not holds)


@dataclass(frozen=True, slots=True)
class Stage:
    """The runtime and its AWS."""

    jackfield: Jackfield
    aws: EmbeddedAws

    def play(self, name: str) -> Played:
        """Run an example file."""
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        before = len(self.aws.sent)
        result = self.jackfield.invoke(text).to_json()
        return Played(json.loads(text), result, tuple(self.aws.sent[before:]))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the tour. ``example`` is the file that it runs, if any."""

    key: str
    title: str
    run: Callable[[Stage], Report]
    example: str | None = None
