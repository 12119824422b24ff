"""Successes of the changes of GitHub, Slack and Stripe."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from other_answers import doubts, told_by_others

KEYS = ["github", "slack", "stripe"]


def _manifest(key: str) -> dict[str, Any]:
    folder = Path(import_module(f"jackfield_{key}").__path__[0])
    found: dict[str, Any] = json.loads((folder / "connector.json").read_text(encoding="utf-8"))
    found["actions"] = [
        row
        for row in found["actions"]
        if row["examples"] and row["http"].get("graphql") is not True
    ]
    return found


@pytest.mark.parametrize("key", KEYS)
def test_what_is_documented_is_a_success(key: str) -> None:
    """Each change succeeds with the answer of its example, whichever status of success it has."""
    assert doubts(_manifest(key)) == []


@pytest.mark.parametrize("key", KEYS)
def test_what_others_answer_is_no_success(key: str) -> None:
    """No change succeeds by an answer of a gateway, a cache or a portal."""
    assert told_by_others(_manifest(key)) == set()
