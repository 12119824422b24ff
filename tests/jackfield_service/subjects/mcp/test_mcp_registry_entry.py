"""``server.json``: what registries of MCP servers say of ``jackfield mcp``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jackfield_service.subjects.mcp.command import VERBS

ROOT = Path(__file__).parents[4]


def test_the_entry_runs_this_version() -> None:
    """It names the version, the extra and the command, and the README has its name: a registry
    compares them.
    """
    entry: dict[str, Any] = json.loads((ROOT / "server.json").read_bytes())
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "([^"]+)"', project, re.MULTILINE)
    assert version is not None
    (package,) = entry["packages"]
    assert (entry["version"], package["version"], package["identifier"]) == (
        version[1],
        version[1],
        "jackfield",
    )
    assert (
        len(entry["description"]) <= 100,
        re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", entry["name"]) is not None,
    ) == (True, True)
    assert f"<!-- mcp-name: {entry['name']} -->" in (ROOT / "README.md").read_text(encoding="utf-8")
    words = [
        one.get("name", "") + one["value"]
        for one in (*package["runtimeArguments"], *package["packageArguments"])
    ]
    assert words == [f"--fromjackfield[mcp]=={version[1]}", "mcp"]
    assert "" in VERBS
    assert 'jackfield = "jackfield.cli.main:' in project
