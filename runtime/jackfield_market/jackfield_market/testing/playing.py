"""Responses that the loopback provider plays for an example: the author's, the recorded ones, or
the example's output.

Without a recording of a job, a first attempt learns the state that ends the job. A list whose items
cannot come from the output is empty.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from jackfield.connector import Action
from jackfield.kernel import pointers
from jackfield.kernel.errors import NotYet
from jackfield_market.testing.driving import DEADLINE, Drive, drive
from jackfield_market.testing.loopback_provider import Answer, Request, Script
from jackfield_market.testing.recordings import answer_of, exchanges
from jackfield_market.testing.subject import Subject
from jackfield_market.testing.successes import with_sign

_LESSONS = 4
"""Maximum number of attempts that learn the provider's responses; an action may wait for several
jobs in turn.
"""
_LESSON = 20.0
"""Deadline of an attempt whose job has no recording and may not end, in seconds of its clock."""


def expected(subject: Subject, example: Mapping[str, Any]) -> Script:
    """Return the script without failures. Its responses come from the author's ``answers``, the
    example's recording, or its output.
    """
    action = (
        subject.connector.actions.get(example["invocation"]["action"])
        if "invocation" in example
        else None
    )
    if action is None or not action.takes_client:
        return _script(subject, example, {})
    run_well(subject, action, example)
    return _script(subject, example, subject.outcomes[action.key, "known"])


def run_well(subject: Subject, action: Action, example: Mapping[str, Any]) -> Drive:
    """Return the attempt whose requests all get good responses; the first call runs it."""
    key = (action.key, "well")
    if key not in subject.outcomes:
        known: dict[str, Any] = {}
        deadline = DEADLINE if exchanges_of(subject, example) else _LESSON
        for _ in range(_LESSONS):
            found = drive(
                subject, action, example, _script(subject, example, known), deadline=deadline
            )
            learned = dict(_learned(action, found))
            if all(
                pointer in known and known[pointer] == value for pointer, value in learned.items()
            ):
                break
            known |= learned
        subject.outcomes[key], subject.outcomes[action.key, "known"] = found, known
    well: Drive = subject.outcomes[key]
    return well


def _learned(action: Action, found: Drive) -> Mapping[str, Any]:
    """Return the values, by pointer, that the provider's responses need in addition to an example's
    output.
    """
    if isinstance(found.raised, NotYet):
        return found.raised.until
    wire = action.pagination.wire if action.pagination is not None else None
    return {wire["items"]: []} if wire is not None and found.raised is not None else {}


def exchanges_of(subject: Subject, example: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the exchanges of an example's recording; empty if it has none."""
    path = subject.recording(example) if "invocation" in example else None
    if path is None or not path.is_file():
        return []
    key = (path.stem, "recording")
    if key not in subject.outcomes:
        subject.outcomes[key] = exchanges(path)
    found: list[dict[str, Any]] = subject.outcomes[key]
    return found


def placed(body: Any, pointer: str, value: Any) -> Any:
    """Return a copy of a response's body with ``value`` at ``pointer``; None removes the value
    there.
    """
    if not pointer:
        return value
    found = copy.deepcopy(body) if isinstance(body, dict) else {}
    place(found, pointer, value)
    return found


def place(body: dict[str, Any], pointer: str, value: Any) -> None:
    """Write ``value`` at a pointer into a response's body; None removes the value there."""
    *way, last = pointers.names(pointer)
    here = body
    for name in way:
        if not isinstance(here.get(name), dict):
            if value is None:
                return
            here[name] = {}
        here = here[name]
    here.pop(last, None)
    if value is not None:
        here[last] = value


def at(body: Any, pointer: str) -> Any:
    """Return the value at a pointer of a response's body; None if it is missing."""
    try:
        return pointers.follow(body, pointer)
    except LookupError:
        return None


def place_of_output(row: Mapping[str, Any]) -> str:
    """Return the pointer of an action's output in its answer: to the result of a GraphQL document,
    else to the whole answer.
    """
    asked = row.get("http", {}).get("graphql")
    return str(asked["result"]) if isinstance(asked, Mapping) else ""


def _steps(
    subject: Subject, example: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, str], Iterable[str]]]:
    """Yield method and path of each step before the request of a bound action, with pointers to the
    values that later requests need.
    """
    key = example.get("invocation", {}).get("action")
    bindings = (row.get("http", {}) for row in subject.manifest.raw["actions"] if row["key"] == key)
    for step in (step for binding in bindings for step in binding.get("before", ())):
        if "path" in step:
            yield (step["method"], step["path"]), step.get("values", {}).values()


def _script(subject: Subject, example: Mapping[str, Any], known: Mapping[str, Any]) -> Script:
    recorded = exchanges_of(subject, example)
    played: Counter[tuple[str, str]] = Counter()
    body = example["result"].get("output", {})
    for pointer, value in known.items():
        body = placed(body, pointer, value)
    key = example.get("invocation", {}).get("action")
    manifest = subject.manifest.raw
    for row in (one for one in manifest["actions"] if one["key"] == key):
        body = placed({}, place_of_output(row), with_sign(manifest, row, body))
    steps = dict(_steps(subject, example))

    def play(_number: int, request: Request) -> Answer:
        asked = (request.method, request.path.partition("?")[0])
        if asked in subject.answers:
            return Answer(subject.answers[asked], headers=subject.headers)
        fitting = [
            row
            for row in recorded
            if (row["request"]["method"], row["request"]["path"].partition("?")[0]) == asked
        ]
        if not fitting:
            made = body
            for pointer in steps.get(asked, ()):
                made = placed(made, pointer, f"http://{request.headers.get('Host', '')}/step")
            return Answer(made, headers=subject.headers)
        played[asked] += 1
        answer = answer_of(
            fitting[min(played[asked], len(fitting)) - 1],
            f"http://{request.headers.get('Host', '')}",
        )
        return replace(answer, headers={**answer.headers, **subject.headers})

    return play
