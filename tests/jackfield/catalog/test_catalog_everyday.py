"""People who describe a task in their own words find the action among 20,000."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jackfield.callers.searching import found_actions
from jackfield.catalog import Catalog, of_workspace
from jackfield.catalog.index import ActionIndex

pytestmark = pytest.mark.tree_only

TASKS = Path(__file__).with_name("everyday_tasks.txt")
NOT_INSTALLED = 15
"""Most tasks whose action none of the installed connectors has: they do not count."""
SHOWN = 3
"""Results within which the action must be."""


def tasks() -> list[tuple[str, set[str]]]:
    """The tasks in their order, each with the full names of its actions."""
    lines = [
        line.partition(" | ")
        for line in TASKS.read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]
    return [(words, set(names.split())) for words, _, names in lines]


@pytest.fixture(name="index", scope="module")
def _index(tmp_path_factory: pytest.TempPathFactory) -> tuple[ActionIndex, Catalog]:
    home = str(tmp_path_factory.mktemp("home"))
    whole = Catalog.installed(environment={"JACKFIELD_HOME": home})
    return ActionIndex(whole, for_operator=True), of_workspace(whole, "default")


def places(
    index: tuple[ActionIndex, Catalog], some: list[tuple[str, set[str]]]
) -> Iterator[tuple[str, int]]:
    """Yield each task, and the place of its action among the first results."""
    for words, names in some:
        rows, _ = found_actions(*index, words, None, None, 0, SHOWN)
        found = [f"{row.connector}.{row.action}" for row in rows]
        yield words, next((place for place, name in enumerate(found) if name in names), SHOWN)


def doable(
    index: tuple[ActionIndex, Catalog], half: slice = slice(None)
) -> list[tuple[str, set[str]]]:
    """The tasks that an installed connector can do."""
    known = {f"{row.connector}.{row.action}" for row in index[0].find("")[0]}
    return [(words, names) for words, names in tasks()[half] if names & known]


def test_there_are_two_hundred_tasks(index: tuple[ActionIndex, Catalog]) -> None:
    """The tasks are 200 different ones, and nearly all of them can be done."""
    assert len({words for words, _ in tasks()}) == 200
    assert len(doable(index)) >= 200 - NOT_INSTALLED


@pytest.mark.parametrize(
    "half",
    [pytest.param(0, id="tuning", marks=pytest.mark.campaign), pytest.param(1, id="held-out")],
)
def test_an_everyday_task_finds_its_action(index: tuple[ActionIndex, Catalog], half: int) -> None:
    """At least 95 % of the tasks find their action within the first three results, and 85 % find it
    first.
    """
    found = list(places(index, doable(index, slice(half, None, 2))))
    late = sorted(words for words, place in found if place == SHOWN)
    second = sorted(words for words, place in found if place)
    assert len(late) <= 0.05 * len(found), late
    assert len(second) <= 0.15 * len(found), second
