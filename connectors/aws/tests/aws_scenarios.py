"""Scenarios that run operations of AWS services on a moto server, as data: one JSON file per
service with the steps in their order.

A step is ``[action, inputs, how]``; an action of another service has its name before a slash. In
the inputs, ``"$name"`` is a value that an earlier step has saved, ``${name}`` one within a text,
``${n}`` the number of the repeat, and ``"$now"`` the time in milliseconds. ``how`` may have:

- ``times``: how often the step runs;
- ``save``: values of the output by name, each a JMESPath expression;
- ``expect``: JMESPath expressions of the output and their values;
- ``pages``: the number of items that the list must have, over three pages or more.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jmespath

from moto_rig import Rig

FOLDER = Path(__file__).parents[3] / "connectors" / "aws" / "tests" / "moto_scenarios"
_NAMED = re.compile(r"\$\{(\w+)\}")
_LEAST_PAGES = 3
_MOST_PAGES = 60


@dataclass
class Outcome:
    """Operations of one service that succeeded, and what went wrong."""

    succeeded: set[str] = field(default_factory=set)
    paged: dict[str, int] = field(default_factory=dict)
    """Pages of each list that was fetched page by page, and then at once."""
    faults: list[str] = field(default_factory=list)
    calls: int = 0


def services() -> list[str]:
    """Return the services that have a scenario."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def steps(service: str) -> Iterator[tuple[str, dict[str, Any], Mapping[str, Any]]]:
    """Yield the steps of a service."""
    for action, inputs, *how in json.loads(
        (FOLDER / f"{service}.json").read_text(encoding="utf-8")
    ):
        yield action, inputs, how[0] if how else {}


def operations(service: str) -> set[tuple[str, str]]:
    """Return the operations of a scenario, each with its service."""
    return {
        (owner or service, key)
        for action, _, _ in steps(service)
        for owner, _, key in [action.rpartition("/")]
    }


def run(rig: Rig, service: str) -> Outcome:
    """Run the scenario of a service; a step that fails is noted, and the others go on."""
    outcome, saved = Outcome(), dict[str, Any](now=int(time.time() * 1000))
    for action, inputs, how in steps(service):
        owner, _, key = action.rpartition("/")
        for number in range(how.get("times", 1)):
            given = _filled(inputs, {**saved, "n": number})
            found = _once(rig, owner or service, key, given, how, outcome)
            saved |= {
                name: jmespath.search(path, found) for name, path in how.get("save", {}).items()
            }
    return outcome


def _once(
    rig: Rig,
    service: str,
    action: str,
    inputs: dict[str, Any],
    how: Mapping[str, Any],
    outcome: Outcome,
) -> Any:
    if "pages" in how:
        return _fetch_list(rig, service, action, inputs, how["pages"], outcome)
    found = rig.result(f"{service}/{action}", **inputs)
    outcome.calls += 1
    if found.error is not None:
        outcome.faults.append(
            f"{service}.{action}: {found.error.code}: {found.error.message[:200]} "
            f"{found.error.details}"
        )
        return None
    wrong = {path: jmespath.search(path, found.output) for path in how.get("expect", {})}
    wrong = {path: value for path, value in wrong.items() if value != how["expect"][path]}
    if wrong:
        outcome.faults.append(f"{service}.{action}: {wrong}")
    else:
        outcome.succeeded.add(f"{service}.{action}")
    return found.output


def _fetch_list(
    rig: Rig, service: str, action: str, inputs: dict[str, Any], count: int, outcome: Outcome
) -> Any:
    """Fetch a list page by page, and then at once; both must be complete and equal."""
    about = rig.jackfield.catalog.find(f"aws.{service}").actions[action].pagination
    if about is None:
        outcome.faults.append(f"{service}.{action} has no pages")
        return None
    items, pages, following, output = list[Any](), 0, dict[str, Any](), None
    while pages < _MOST_PAGES:
        found = rig.result(f"{service}/{action}", **{**inputs, **following})
        if found.error is not None:
            outcome.faults.append(
                f"{service}.{action}, page {pages + 1}: {found.error.code}: "
                f"{found.error.message[:200]}"
            )
            return output
        pages, output = pages + 1, found.output
        items += jmespath.search(about.items, found.output) or []
        if found.meta.complete is not False:
            break
        following = dict(found.meta.next or {})
    whole = rig.result(f"{service}/{action}", **inputs, fetchAll=True)
    outcome.calls += pages + 1
    at_once = (
        jmespath.search(about.items, whole.output) if whole.error is None else whole.error.message
    )
    if (len(items), at_once, whole.meta.complete, pages >= _LEAST_PAGES) == (
        count,
        items,
        True,
        True,
    ):
        outcome.succeeded.add(f"{service}.{action}")
        outcome.paged[f"{service}.{action}"] = pages
    else:
        both = len(at_once) if isinstance(at_once, list) else at_once
        outcome.faults.append(
            f"{service}.{action}: {len(items)} of {count} items over {pages} pages, {both} at once"
        )
    return output


def _filled(value: Any, saved: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        if value.startswith("$") and value[1:] in saved:
            return saved[value[1:]]
        return _NAMED.sub(lambda found: str(saved.get(found[1], found[0])), value)
    if isinstance(value, dict):
        return {name: _filled(item, saved) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, saved) for item in value]
    return value
