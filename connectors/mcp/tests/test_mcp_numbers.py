"""Numbers of a server are no sizes, and no faults: times, progress and bounds of schemas beyond all
that is finite.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import Talk, ToolServer, call, said, stage, tool

NUMBERS: tuple[Any, ...] = (10**9, 10**400, -1, 1e308, -(10**400), 10**4000)
BOUNDS = (
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "multipleOf",
)


@pytest.mark.parametrize(
    "number", NUMBERS, ids=[f"{str(one)[:6]} of {len(str(one))}" for one in NUMBERS]
)
def test_numbers_beyond_bounds(tmp_path: Path, number: Any) -> None:
    """As the time for which a list is fresh, and as a progress: the call succeeds. As bounds of a
    schema: one tool at most is left out.
    """
    bounds = {
        name: {"type": ["string", "array", "object", "number"], name: number} for name in BOUNDS
    }
    text = {"text": {"type": "string"}}
    schema = {"type": "object", "properties": {**bounds, **text}}
    server, told = ToolServer(tool(), tool("bounded", inputSchema=schema), legacy=True), list[Any]()

    def before(talk: Talk) -> bool:
        is_list = talk.message["method"] == "tools/list"
        if is_list:
            talk.result({"tools": server.tools, "ttlMs": number})
        return bool(is_list)

    def answer(talk: Talk) -> None:
        token = talk.message["params"].get("_meta", {}).get("progressToken")
        rows = [
            {"progressToken": token, "progress": one, "total": other}
            for one in (number, 1, 0.5)
            for other in (number, 1, 0.5)
        ]
        events = [
            json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": row})
            for row in rows
        ]
        talk.stream(
            *(b"data: " + one.encode() + b"\n\n" for one in events), talk.answered(said("done"))
        )

    server.before, server.on_call = before, answer
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield, follow=lambda *row: told.append(row))
        assert (result.status, server.count("tools/call")) == ("succeeded", 1)
        assert call(jackfield, "bounded").status == (
            "succeeded" if abs(number) < 10**308 else "failed"
        )
