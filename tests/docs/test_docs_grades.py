"""The connectors that the tutorials build keep the rules that the tutorials teach: they are graded
in this process, at least silver.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from doc_pages import ROOT, blocks
from jackfield.catalog.loading import connector_at
from jackfield.connector import describe
from jackfield.testing import Subject
from jackfield_market.testing.grading import at_least, report
from jackfield_market.testing.project import Project
from plugboard import make_connector, plugged

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")
TUTORIALS = ROOT / "docs" / "tutorial"
_KEY = re.compile(r'^connector = Connector\(\s*"([a-z-]+)"', re.MULTILINE)


OTHERS = {
    "jobs": "shows a job by itself, for a project that there is already",
    "marketplace": "packs the template as it is, which tests of 'jackfield new' grade",
    "openapi": "its commands are for a document of the reader; publish-openapi brings its own",
}
"""Pages whose connector is none of their own, or only a part of one."""
NOTES = ROOT / "examples" / "notes"
LEFT_TO_GUIDES = {"readme-present", "suite-inherited"}
"""Rules about files that the example of a client of one's own leaves to the guides."""
PAGES = [
    path
    for path in sorted(TUTORIALS.glob("*.md"))
    if path.stem not in OTHERS and any(_KEY.search(block.body) for block in blocks(path))
]


@contextmanager
def _built(path: Path, folder: Path) -> Iterator[Subject]:
    """The connector of a page: the project that its files make, or its code as one module."""
    files = {str(block.title): block.body for block in blocks(path) if block.title is not None}
    if "pyproject.toml" not in files:
        source = "\n\n".join(block.body for block in blocks(path) if block.language == "python")
        key = _KEY.search(source)
        assert key is not None
        make_connector(folder, key[1], source)
        with plugged(folder):
            yield Subject.installed(key[1])
        return
    for name, text in files.items():
        folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(name).write_text(text, encoding="utf-8")
    with _described(folder) as subject:
        yield subject


@contextmanager
def _described(folder: Path) -> Iterator[Subject]:
    """The connector of a project, with its manifest."""
    project = Project.read(folder)
    with plugged(folder):
        manifest = describe(connector_at(project.module, project.attribute))
        project.package.joinpath("connector.json").write_text(
            json.dumps(manifest), encoding="utf-8"
        )
        yield Subject.of_project(project)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_connector_of_a_tutorial_is_silver(path: Path, tmp_path: Path) -> None:
    """No rule up to silver finds a fault in what the page shows."""
    with _built(path, tmp_path) as subject:
        found = report(subject)
    assert [
        (rule.name, rule.evidence)
        for rule in found.rules
        if rule.passed is False and rule.tier in ("bronze", "silver")
    ] == []
    assert at_least(str(found.grade), "silver")


def test_the_example_of_a_client_of_ones_own_is_silver_but_for_its_files(tmp_path: Path) -> None:
    """No rule up to silver finds a fault in its code; it has neither README nor tests."""
    shutil.copytree(
        NOTES, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    with _described(tmp_path) as subject:
        found = report(subject)
    assert {
        rule.name
        for rule in found.rules
        if rule.passed is False and rule.tier in ("bronze", "silver")
    } == LEFT_TO_GUIDES


def test_a_webhook_and_a_poll_take_sixty_lines() -> None:
    """With their tests, beside the connection that any connector has."""
    files = {block.title: block.body for block in blocks(TUTORIALS / "first-trigger.md")}
    triggers = (
        files["jackfield_tracker/__init__.py"].partition("class Ticket(")[2]
        + files["tests/test_tracker.py"]
    )
    assert len([line for line in triggers.splitlines() if line.strip()]) <= 60


@pytest.mark.parametrize("name", ["first-connector", "publish-openapi"])
def test_a_tutorial_that_begins_with_a_command_demands_a_grade(name: str) -> None:
    """The page has its reader check for at least silver; another test runs its commands."""
    lines = [
        line
        for block in blocks(TUTORIALS / f"{name}.md")
        if block.language == "shell"
        for line in block.body.splitlines()
    ]
    grades = [
        line.split("--at-least ")[1].split()[0]
        for line in lines
        if line.startswith("jackfield check") and "--at-least" in line
    ]
    assert grades
    assert all(at_least(grade, "silver") for grade in grades)


def test_no_tutorial_is_left_out() -> None:
    """Every page that creates a connector is graded."""
    created = re.compile(r"^connector = Connector\(|^jackfield new ", re.MULTILINE)
    found = {
        path.stem
        for path in TUTORIALS.glob("*.md")
        if any(created.search(block.body) for block in blocks(path) if block.language != "sh")
    }
    assert found - {*OTHERS} == {
        *(path.stem for path in PAGES if path.parent == TUTORIALS),
        "first-connector",
        "publish-openapi",
    }
