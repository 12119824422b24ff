"""The curated connectors of this repository are what generation makes of their documents and overlays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jackfield_openapi.command import command

_CONNECTORS = Path(__file__).parents[2]


@pytest.mark.parametrize("key", ["github", "slack", "stripe"])
def test_a_curated_connector_is_what_its_document_and_overlay_make(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that the README prints changes nothing, each target of the overlay selects something, and the licence is stated."""
    folder = _CONNECTORS / key
    monkeypatch.chdir(folder)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    printed = f"jackfield generate openapi openapi.json --key {key} --connector-version 0.1.0 --out ."
    assert printed in readme
    assert command([*printed.split()[3:], "--check", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["files"], said["idleOverlayTargets"]) == ([], [])
    licence = (folder / f"LICENSE-{key}-openapi.txt").read_text(encoding="utf-8")
    assert "MIT License" in licence
    assert "Permission is hereby granted, free of charge" in licence
    assert f"LICENSE-{key}-openapi.txt" in readme
