"""Examples of actions and their recordings, ``tests/recordings/example-KEY.json``; the file of a
second example ends in ``-2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.testing.harness import Harness
from jackfield_market.testing.recordings import RecordingMismatch
from jackfield_market.testing.subject import Rule, Subject

EXAMPLES = "examples-fit-recordings"
_PATIENCE = 600
"""Timeout of an example in seconds, long enough for a provider's job during a recording."""
_ENDING = re.compile(r"(delete|destroy|purge|remove)(?![a-z])")
_NONE = "no example has a recording; 'pytest --record CONNECTION' makes them"


def recorded(subject: Subject) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the examples that have a recording, each with its file."""
    yield from ((path, example) for path, example in _examples(subject) if path.is_file())


def record(subject: Subject, connection: str) -> None:
    """Run every example over a connection to a real or test endpoint, and record it. The example of
    an action that is left out may fail.

    Actions that delete run last, since other actions need their objects. If an example fails, the
    others are still recorded, and the error names the missing ones.

    :raises RecordingMismatch: if examples do not succeed.
    :raises InvalidInvocation: if the subject has no project's folder, its connector.json differs
        from the code, or there is no such connection.
    """
    if subject.project is None:
        raise InvalidInvocation(
            "only the examples of a project's folder can be recorded",
            hint="Leave 'key' out of the suite's class.",
        )
    if subject.differs:
        text = (
            "connector.json, whose examples are recorded, differs from the code: 'jackfield "
            "check . --write-manifest' writes it again"
        )
        raise InvalidInvocation(text, hint="Nothing was sent.")
    found = sorted(
        _examples(subject), key=lambda row: _deletes(subject, row[1]["invocation"]["action"])
    )
    examples = [
        (path, example, example["invocation"]["action"] in subject.left_out)
        for path, example in found
    ]
    faults = []
    for path, example, may_fail in examples:
        with Harness(subject.project, path.parent, connection) as harness:
            fault = _outcome(harness, path.stem, example)
            if fault is not None and not may_fail:
                faults.append(fault)
    if faults:
        raise RecordingMismatch(
            f"{len(faults)} of {len(examples)} examples were not recorded: {'; '.join(faults)}"
        )


def _deletes(subject: Subject, key: str) -> bool:
    return "not_found" in subject.connector.actions[key].repeat_ok or _ENDING.match(key) is not None


def _examples(subject: Subject) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for raw in subject.manifest.raw["actions"]:
        action = subject.connector.actions.get(raw["key"])
        for example in (
            raw.get("examples", ()) if action is not None and action.takes_client else ()
        ):
            path = subject.recording(example)
            if path is not None:
                yield path, example


def _outcome(harness: Harness, name: str, example: Mapping[str, Any]) -> str | None:
    """Run an example and end its recording or its replay; return a sentence if the example fails,
    else None.
    """
    try:
        harness.replay(name)
        invocation = example["invocation"]
        result = harness.invoke(
            invocation["action"], invocation.get("inputs", {}), timeoutSeconds=_PATIENCE
        )
        if result.error is None:
            harness.finish()
            return None
        fault = f"'{name}' fails: {result.error.code}: {result.error.message}"
    except RecordingMismatch as error:
        fault = str(error)
    harness.discard()
    return fault


def _examples_replay(subject: Subject) -> Iterator[str]:
    project = subject.project
    if project is None:
        return
    for path, example in recorded(subject):
        try:
            with Harness(project, path.parent) as harness:
                fault = _outcome(harness, path.stem, example)
        except InvalidInvocation as error:
            fault = str(error)
        if fault is not None:
            yield fault


def _reason(subject: Subject) -> str | None:
    return None if next(recorded(subject), None) else _NONE


RECORDED = (
    Rule(
        EXAMPLES,
        "An example that was recorded sends the recorded requests, and succeeds on the recorded "
        "responses.",
        _examples_replay,
        "silver",
        "Correct the action or the example; if the provider has changed, record again with "
        "'pytest --record CONNECTION'.",
        drives=True,
        of_project=True,
        reason=_reason,
    ),
)
