"""Examples of actions and their recordings, ``tests/recordings/example-KEY.json``; that of a second example ends in ``-2``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jackfield.errors import InvalidInvocation
from jackfield.testing.harness import Harness
from jackfield.testing.project import Project
from jackfield.testing.recordings import RecordingMismatch
from jackfield.testing.subject import Rule, Subject

EXAMPLES = "examples-fit-recordings"
_NONE = "no example has a recording; 'pytest --record CONNECTION' makes them"


def folder_of(project: Project) -> Path:
    """Return the folder of the recordings of a project's examples."""
    return project.root / "tests" / "recordings"


def recorded(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the recorded examples of actions that are not left out, each with the name of its recording."""
    if subject.project is not None:
        folder = folder_of(subject.project)
        yield from ((name, example) for name, example in _examples(subject) if (folder / f"{name}.json").is_file())


def record(subject: Subject, connection: str) -> None:
    """Run every example over a connection to a real or test endpoint, and record it.

    :raises RecordingMismatch: if an example does not succeed.
    :raises InvalidInvocation: if the subject has no project's folder.
    """
    if subject.project is None:
        raise InvalidInvocation("only the examples of a project's folder can be recorded", hint="Leave 'key' out of the suite's class.")
    with Harness(subject.project, folder_of(subject.project), connection) as harness:
        for name, example in _examples(subject):
            fault = _run(harness, name, example)
            if fault is not None:
                raise RecordingMismatch(fault)


def _examples(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for raw in subject.manifest.raw["actions"]:
        action = subject.connector.actions.get(raw["key"])
        if action is not None and action.takes_client and raw["key"] not in subject.left_out:
            for number, example in enumerate(raw.get("examples", ()), 1):
                yield f"example-{raw['key']}" + (f"-{number}" if number > 1 else ""), example


def _run(harness: Harness, name: str, example: Mapping[str, Any]) -> str | None:
    """Run an example; return a sentence if it does not end as the example says."""
    harness.replay(name)
    result = harness.invoke(example["invocation"]["action"], example["invocation"].get("inputs", {}))
    if result.error is not None:
        return f"'{name}' fails: {result.error.code}: {result.error.message}"
    harness.finish()
    missing = sorted({*example["result"].get("output", {})} - {*(result.output or {})})
    return f"the output of '{name}' lacks {', '.join(missing)}, which the example has" if missing else None


def _examples_replay(subject: Subject) -> Iterator[str]:
    if subject.project is None:
        return
    for name, example in recorded(subject):
        try:
            with Harness(subject.project, folder_of(subject.project)) as harness:
                fault = _run(harness, name, example)
        except (InvalidInvocation, RecordingMismatch) as error:
            fault = str(error)
        if fault is not None:
            yield fault


def _reason(subject: Subject) -> str | None:
    return None if next(recorded(subject), None) else _NONE


RECORDED = (
    Rule(
        EXAMPLES,
        "An example that was recorded sends the recorded requests, and succeeds on the recorded responses.",
        _examples_replay,
        "silver",
        "Correct the action or the example; if the provider has changed, record again with 'pytest --record CONNECTION'.",
        drives=True,
        of_project=True,
        reason=_reason,
    ),
)
