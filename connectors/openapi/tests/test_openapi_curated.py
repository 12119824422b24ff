"""The curated connectors of this repository are what generation makes of their documents and
overlays.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jackfield_openapi.command import command

_CONNECTORS = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(key, marks=() if key == "slack" else pytest.mark.campaign)
        for key in ("github", "slack", "stripe")
    ],
)
def test_a_curated_connector_is_what_its_document_and_overlay_make(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command changes nothing, and each target of the overlay selects something, which ``make
    drift`` asks of all three.
    """
    monkeypatch.chdir(_CONNECTORS / key)
    assert command([*_printed(key).split()[3:], "--check", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["files"], said["idleOverlayTargets"]) == ([], [])


def _printed(key: str) -> str:
    return f"jackfield generate openapi openapi.json --key {key} --connector-version 0.1.0 --out ."


@pytest.mark.parametrize("key", ["github", "slack", "stripe"])
def test_a_curated_connector_states_its_command_and_licence(key: str) -> None:
    """The README prints the command, and the licence of the document is there and named."""
    folder = _CONNECTORS / key
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert _printed(key) in readme
    licence = (folder / f"LICENSE-{key}-openapi.txt").read_text(encoding="utf-8")
    assert "MIT License" in licence
    assert "Permission is hereby granted, free of charge" in licence
    assert f"LICENSE-{key}-openapi.txt" in readme
