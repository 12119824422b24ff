"""A connection that the workspace's guard has paused: only what reads, and hands out no
credentials, goes on.
"""

from __future__ import annotations

import re
from pathlib import Path
from unittest import mock

import pytest

import jackfield
import jackfield_store
from jackfield.call.call_rules import is_guarded
from jackfield.kernel.errors import NotAllowed
from jackfield.manifest.manifest import ActionManifest
from jackfield_store.access import Settings

PAUSED = Settings(
    guards={
        "hall": {
            "paused": {
                "at": "2030-01-01T00:00:00Z",
                "bounces": 12,
                "complaints": 0,
                "messages": 100,
            }
        }
    }
)
RUNTIME, STORE = Path(jackfield.__file__).parent, Path(jackfield_store.__file__).parent


def _action(effect: str, *, hands_out: bool) -> ActionManifest:
    found: ActionManifest = mock.create_autospec(
        ActionManifest, instance=True, effect=effect, hands_out=hands_out
    )
    type(found).rule_effect = property(ActionManifest.rule_effect.fget)  # type: ignore[attr-defined, method-assign, assignment]
    return found


@pytest.mark.parametrize(
    ("effect", "hands_out", "refused"),
    [
        ("read", False, False),
        ("read", True, True),
        ("idempotent", False, True),
        ("idempotent", True, True),
        ("write", False, True),
    ],
)
def test_a_paused_connection_hands_out_no_credentials(
    effect: str, hands_out: bool, refused: bool
) -> None:
    """An action that reads goes on, one that changes anything is refused, and so is one that reads
    credentials, which could be used to send past the guard.
    """
    action = _action(effect, hands_out=hands_out)
    if refused:
        with pytest.raises(NotAllowed, match="guard has paused the connection 'hall'"):
            is_guarded(PAUSED, "hall", action)
    else:
        assert is_guarded(PAUSED, "hall", action)
    assert not is_guarded(PAUSED, "other", action)


@pytest.mark.parametrize(
    "path",
    [
        RUNTIME / "call/call_rules.py",
        RUNTIME / "callers",
        STORE / "access",
        RUNTIME / "catalog/offers.py",
        STORE / "management",
    ],
)
def test_access_is_judged_by_one_effect(path: Path) -> None:
    """What decides access asks an action for its ``rule_effect``: with ``effect``, handing out
    credentials counts as a read.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert files
    asked = [
        f"{file.name}: {found}"
        for file in files
        for found in re.findall(
            r"\b(?:action|about|known|other)\.effect\b", file.read_text("utf-8")
        )
    ]
    assert asked == []
