"""Environment of the tour's steps: a runtime connected to the local AWS simulator, the examples'
invocations, and the messages received.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jackfield import Jackfield
from jackfield_aws_ses_simulator.aws.messages import SentMessage, decoded
from jackfield_aws_ses_simulator.embedded import EmbeddedAws

EXAMPLES = Path(__file__).parent / "examples"
"""Installed example files, the same as in the source tree's folder ``examples``."""


@dataclass(frozen=True, slots=True)
class Report:
    """Outcome of a step: named values to print, messages that AWS received, and unmet
    expectations.
    """

    shown: tuple[tuple[str, Any], ...] = ()
    received: tuple[SentMessage, ...] = ()
    faults: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the report as members of the step's JSON line."""
        received = (
            {"received": [message_json(message) for message in self.received]}
            if self.received
            else {}
        )
        return {
            "passed": not self.faults,
            **dict(self.shown),
            **received,
            **({"faults": list(self.faults)} if self.faults else {}),
        }


@dataclass(frozen=True, slots=True)
class Played:
    """An executed example: the invocation, its Result as JSON, and the messages that AWS received
    meanwhile.
    """

    invocation: Mapping[str, Any]
    result: Mapping[str, Any]
    received: tuple[SentMessage, ...]

    @property
    def status(self) -> str:
        """Status of the Result: ``succeeded``, ``failed`` or ``in_doubt``."""
        return str(self.result["status"])

    @property
    def output(self) -> Mapping[str, Any]:
        """Output of the Result; empty if it has none."""
        found: Mapping[str, Any] = self.result.get("output") or {}
        return found

    @property
    def error(self) -> Mapping[str, Any]:
        """Error of the Result; empty if it has none."""
        found: Mapping[str, Any] = self.result.get("error") or {}
        return found

    def report(self, expected: Mapping[str, bool]) -> Report:
        """Build the report of a step that ran this example. ``expected`` maps each expectation to
        whether it holds.
        """
        shown = (("invocation", self.invocation), ("result", self.result))
        return Report(shown, self.received, faults(expected))


def faults(expected: Mapping[str, bool]) -> tuple[str, ...]:
    """Return the expectations that do not hold."""
    return tuple(f"failed: {sentence}" for sentence, holds in expected.items() if not holds)


@dataclass(frozen=True, slots=True)
class Stage:
    """Stage of the tour's steps: the runtime and its simulated AWS."""

    jackfield: Jackfield
    aws: EmbeddedAws

    def play(self, name: str) -> Played:
        """Run an example file, and return its invocation, Result and messages."""
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        before = len(self.aws.sent)
        result = self.jackfield.invoke(text).to_json()
        return Played(json.loads(text), result, tuple(self.aws.sent[before:]))


@dataclass(frozen=True, slots=True)
class Step:
    """Step of the tour. ``example`` is its example file, if any."""

    key: str
    title: str
    run: Callable[[Stage], Report]
    example: str | None = None


def message_json(message: SentMessage) -> dict[str, Any]:
    """Return a message as JSON, without its texts and the attachments' bytes."""
    members: dict[str, Any] = {
        "MessageId": message.message_id,
        "form": message.kind.title(),
        "from": decoded(message.source),
        "to": _decoded(message.to),
        "cc": _decoded(message.cc),
        "bcc": _decoded(message.bcc),
        "replyTo": _decoded(message.reply_to),
        "subject": message.subject,
        "parts": [{"contentType": kind, "bytes": size} for kind, size in _texts(message)],
        "attachments": [
            {
                "name": item.name,
                "contentType": item.content_type.partition(";")[0],
                "bytes": item.size,
            }
            for item in message.attachments
        ],
    }
    return {name: value for name, value in members.items() if value != []}


def message_rows(message: SentMessage) -> Iterable[tuple[str, str]]:
    """Return a message's fields as labels and values, without empty ones."""
    shown = message_json(message)
    bcc = "; ".join(shown.get("bcc", ()))
    rows = (
        ("From", shown["from"]),
        ("To", "; ".join(shown.get("to", ()))),
        ("Cc", "; ".join(shown.get("cc", ()))),
        ("Bcc", bcc and f"{bcc}  (envelope only)"),
        ("Reply-To", "; ".join(shown.get("replyTo", ()))),
        ("Subject", message.subject),
        *(
            ("Part", f"{part['contentType']}, {part['bytes']:,} bytes")
            for part in shown.get("parts", ())
        ),
        *(
            ("Attachment", f"{item['name']}, {item['contentType']}, {item['bytes']:,} bytes")
            for item in shown.get("attachments", ())
        ),
        ("MessageId", message.message_id),
    )
    return ((label, value) for label, value in rows if value)


def _decoded(values: Iterable[str]) -> list[str]:
    return [decoded(value) for value in values]


def _texts(message: SentMessage) -> Iterable[tuple[str, int]]:
    found = (("text/plain", message.text), ("text/html", message.html))
    return (
        (kind, len(text.encode("utf-8", "replace"))) for kind, text in found if text is not None
    )
