"""Connector of jackfield under test: its writing actions, through the runtime, at a fake of its
provider.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield.manifest.manifest import Manifest
from jackfield.runtime import Jackfield
from jackfield_market.testing.fake_runtime import connect, fake_runtime, kind_of
from jackfield_market.testing.fake_service import FakeService
from jackfield_market.testing.loopback_provider import Answer, Request, Script
from jackfield_market.testing.proving.targets import Called, Place, Running
from jackfield_market.testing.proving.verdicts import Told

_NAME = "proved"
_NAMED = "'jackfield connectors show' lists its actions."


@dataclass
class ActionCase:
    """One action, with the inputs of its example."""

    jackfield: Jackfield
    fake: FakeService
    action: str
    inputs: dict[str, Any]
    can_be_killed = False

    @property
    def name(self) -> str:
        """Return the action's key."""
        return self.action

    def answer(self, request: Request) -> Answer:
        """Answer a request like the fake."""
        return self.fake.answer(request)

    @contextmanager
    def serving(self, script: Script) -> Iterator[str]:
        """Place ``script`` in front of the fake; yield the fake's URL."""
        self.fake.between = script
        try:
            yield self.fake.url
        finally:
            self.fake.between = None

    def start(self, place: Place, *, killable: bool = False) -> Running:
        """Start a call of the action."""
        del place, killable
        return Called(self._invoke)

    def _invoke(self) -> Told:
        called = {
            "connector": self.fake.manifest["key"],
            "action": self.action,
            "connection": _NAME,
            "inputs": self.inputs,
        }
        result = self.jackfield.invoke(called)
        if result.error is None:
            return Told("success")
        return Told(
            "unknown" if result.error.code == "in_doubt" else "failure",
            f"{result.error.code}: {result.error.message}"[:300],
        )


@contextmanager
def actions_of(manifest: Manifest, action: str = "") -> Iterator[list[ActionCase]]:
    """Yield the list of cases: one for each action that writes, is no job and has an example. With
    ``action``, one case for this action.

    :raises InvalidInvocation: if no fake can be made of the connector, or the connector lacks the
        action.
    """
    whole = manifest.whole()
    kind = kind_of(whole)
    with fake_runtime(whole, kind) as (jackfield, fake):
        connect(jackfield, fake, _NAME, kind)
        rows = [
            row
            for row in whole["actions"]
            if row.get("effect", "write") == "write"
            and row.get("examples")
            and row.get("kind") != "job"
        ]
        if action and not (rows := [row for row in rows if row["key"] == action]):
            raise InvalidInvocation(
                f"'{manifest.key}' has no action '{action[:80]}' that writes and has an example",
                hint=_NAMED,
            )
        yield [
            ActionCase(
                jackfield, fake, row["key"], dict(row["examples"][0]["invocation"]["inputs"])
            )
            for row in rows
        ]
