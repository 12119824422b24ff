"""A child that lies: nothing that it says freezes, fills or misleads this process, and its workspaces stay apart."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from isolated import CONNECTORS, install, isolating
from jackfield import Jackfield, Result
from jackfield.catalog import Catalog
from jackfield.isolation.children import Children
from jackfield.isolation.limits import LAYERS

SOURCE = (CONNECTORS / "lying.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the connector ``lying``."""
    found = tmp_path_factory.mktemp("home")
    install(found, "lying", SOURCE)
    return found


@pytest.fixture
def runtime(home: Path) -> Iterator[Jackfield]:
    """A runtime of one test."""
    with isolating(home) as jackfield:
        yield jackfield


def run(runtime: Jackfield, code: str, action: str = "run", **more: Any) -> Result:
    """Let the child run ``code``."""
    return runtime.invoke({"connector": "lying", "action": action, "timeoutSeconds": 20, "inputs": {"code": code}, **more})


def test_workspaces_share_no_process(home: Path) -> None:
    """With the policy ``per-workspace``, calls, dry runs, previews and option sources of two workspaces meet in no process."""
    environment = {"JACKFIELD_HOME": str(home), "JACKFIELD_ISOLATION": "per-workspace"}
    found: dict[str, set[str]] = {}
    with closing(Children(environment)) as children:
        catalog = Catalog.installed({}, environment, children.load)
        for workspace in ("one", "two"):
            with Jackfield(workspace, [{}], "none", catalog=catalog, environment=environment, points=()) as jackfield:
                refused = run(jackfield, "refuse", dryRun=True)
                assert refused.error is not None
                previewed = jackfield.invoke(
                    {"connector": "lying", "action": "run", "dryRun": True, "inputs": {"code": "", "preview": True}}
                )
                found[workspace] = {
                    run(jackfield, "import os; out = os.getpid()").unwrap()["out"],
                    *re.findall(r"\d+", refused.error.details[0].message),
                    previewed.unwrap()["out"],
                    *(option["value"] for option in jackfield.options("lying", "processes")),
                }
    assert [len(processes) for processes in found.values()] == [1, 1]
    assert found["one"] != found["two"]


@pytest.mark.parametrize(
    "forged",
    [
        '"tests": 3_000_000', '"tests": 10**400', '"documents": 10**9', '"tests": True', '"sources": {"x": 1}', '"actions": []',
        '"layers": 1, "testPermissions": 1', '"connections": {str(n): {} for n in range(2000)}',
    ],
)  # fmt: skip
def test_a_false_hello(tmp_path: Path, forged: str) -> None:
    """A description with wrong types or enormous numbers makes the connector broken, at once."""
    install(tmp_path, "lying", SOURCE.replace("= {}\n\nif", f"= {{{forged}}}\n\nif", 1))
    with isolating(tmp_path) as jackfield:
        result = run(jackfield, "")
    assert result.error is not None
    assert "sent a description" in result.error.message


def test_strict_is_checked_before_the_import(home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where a layer is missing, the policy ``strict`` ends the child before it imports the connector."""
    monkeypatch.setattr("jackfield.isolation.supervisor.LAYERS", (*LAYERS, "imagined"))
    with caplog.at_level(logging.INFO, "jackfield.isolation"), isolating(home, environment={"JACKFIELD_ISOLATION": "strict"}) as jackfield:
        result = run(jackfield, "")
    assert result.error is not None
    assert "imagined" in result.error.message
    assert "says: imported" not in caplog.text


def test_layers_cannot_be_forged(tmp_path: Path) -> None:
    """The layers that count are those of the first frame, whatever the connector adds later."""
    install(tmp_path, "lying", SOURCE.replace("= {}\n\nif", '= {"layers": {"forged": True}}\n\nif', 1))
    with isolating(tmp_path) as jackfield:
        run(jackfield, "")
        assert {*jackfield.catalog.load("lying").layers} == {*LAYERS}
