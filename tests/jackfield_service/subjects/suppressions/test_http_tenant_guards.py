"""A guard's own members come from what jackfield has counted, never from a caller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from http_stand import SETTINGS, Client, standing
from jackfield.kernel.clock import SystemClock


@pytest.mark.parametrize(
    "guard",
    [
        {"paused": {"bounces": "x", "at": "<b>"}},
        {"paused": {}},
        {"since": "2031-01-01T00:00:00.000Z"},
        {"paused": {"bounces": 1}},
    ],
)
def test_a_platform_sets_no_counts(tmp_path: Path, guard: dict[str, Any]) -> None:
    """It is refused with the member's path, and what it has read may be sent back."""
    with standing(tmp_path, SETTINGS, clock=SystemClock()) as stand:
        platform, path = Client(stand.port, stand.platform_token()), "/v1/workspaces/acme-1"
        assert platform.call("PUT", path, {"guards": {"c1": guard}}).status == 400
        assert platform.call("PUT", path, {"guards": {"c1": {"bounceRate": 0.05}}}).status == 201
        refused = platform.call("PATCH", path, {"guards": {"c1": guard}})
        assert (refused.status, refused.json["details"][0]["path"].startswith("/guards/c1")) == (
            400,
            True,
        )
        read = platform.get(path).json["guards"]
        assert platform.call("PATCH", path, {"guards": read}).status == 200
