"""Why a server refuses or fails: its words are told, wherever it writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import Talk, ToolServer, call, said, stage, tool

WHY = "the disk is full"
_NESTED: Any = WHY
for _ in range(90):
    _NESTED = [_NESTED]


def _error(error: object) -> Callable[[Talk], object]:
    return lambda talk: talk.json({"jsonrpc": "2.0", "id": talk.message["id"], "error": error})


def _reports(**result: Any) -> Callable[[Talk], object]:
    return lambda talk: talk.result({"content": [], "isError": True, **result})


REASONS: dict[str, tuple[Callable[[Talk], object], str, str | None]] = {
    "an error in words": (_error(WHY), "in_doubt", None),
    "an error without a code": (_error({"message": WHY}), "in_doubt", None),
    "an error whose code is null": (_error({"code": None, "message": WHY}), "in_doubt", None),
    "an error whose code is a list": (_error({"code": [-32602], "message": WHY}), "in_doubt", None),
    "an error whose code is an object": (
        _error({"code": {"n": 1}, "message": WHY}),
        "in_doubt",
        None,
    ),
    "an error whose code is true": (_error({"code": True, "message": WHY}), "in_doubt", None),
    "a code with a fraction": (_error({"code": -32602.0, "message": WHY}), "rejected", "-32602"),
    "data in words": (
        _error({"code": -32602, "message": "Invalid params", "data": WHY}),
        "rejected",
        "-32602",
    ),
    "data in a member": (
        _error({"code": -32602, "message": "Invalid params", "data": {"detail": WHY}}),
        "rejected",
        "-32602",
    ),
    "data in a list": (
        _error({"code": -32602, "message": "", "data": [{"loc": ["text"], "msg": WHY}]}),
        "rejected",
        "-32602",
    ),
    "data of a failure": (
        _error({"code": -32603, "message": "Internal error", "data": {"exception": WHY}}),
        "in_doubt",
        "-32603",
    ),
    "a tool's texts": (_reports(**said(WHY)), "rejected", "isError"),
    "a tool's structured content": (
        _reports(structuredContent={"error": {"code": "FULL", "message": WHY}}),
        "rejected",
        "isError",
    ),
    "a tool's resource": (
        _reports(content=[{"type": "resource", "resource": {"uri": "x:1", "text": WHY}}]),
        "rejected",
        "isError",
    ),
    "a tool's bare text": (_reports(content=[WHY]), "rejected", "isError"),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_is_told(tmp_path: Path, name: str) -> None:
    """It is part of the message, and of the provider's; the tool was called once."""
    answer, code, said_code = REASONS[name]
    server = ToolServer(legacy=True)
    server.on_call = answer
    with stage(tmp_path, server) as jackfield:
        error = call(jackfield).to_json()["error"]
    assert (error["code"], error["provider"].get("code"), server.count("tools/call")) == (
        code,
        said_code,
        1,
    )
    assert WHY in error["message"]
    assert WHY in error["provider"]["message"]


@pytest.mark.parametrize("data", [{"a": "x" * 5_000}, _NESTED, 0, False, "", {}, {"a": "\u202eb"}])
def test_data_that_say_nothing(tmp_path: Path, data: object) -> None:
    """They change neither the outcome nor the rest of the message, which stays short and without
    hidden characters.
    """
    server = ToolServer(legacy=True)
    server.on_call = _error({"code": -32602, "message": WHY, "data": data})
    with stage(tmp_path, server) as jackfield:
        error = call(jackfield).to_json()["error"]
    assert error["code"] == "rejected"
    assert error["provider"]["message"].startswith(WHY)
    assert len(error["provider"]["message"]) <= 1_000
    assert "\u202e" not in error["message"]


def test_a_data_that_repeats_the_message(tmp_path: Path) -> None:
    """It is told once."""
    server = ToolServer(legacy=True)
    server.on_call = _error({"code": -32602, "message": f"Invalid: {WHY}", "data": WHY})
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).to_json()["error"]["provider"]["message"] == f"Invalid: {WHY}"


@pytest.mark.parametrize("times", [1, 2])
def test_a_list_that_is_not_gone_on_with(tmp_path: Path, times: int) -> None:
    """A server whose list changes meanwhile refuses the cursor: the list is begun anew once, and
    then it is the list that is told.
    """
    server = ToolServer(tool("second"), legacy=True)

    def before(talk: Talk) -> bool:
        if talk.message["method"] != "tools/list":
            return False
        asked = server.count("tools/list")
        if "cursor" in talk.message.get("params", {}) and 3 <= asked < 3 + 2 * times:
            talk.error(-32602, "Invalid cursor")
        elif "cursor" in talk.message.get("params", {}):
            talk.result({"tools": server.tools})
        else:
            talk.result({"tools": [tool()], "nextCursor": "2"})
        return True

    server.before = before
    with stage(tmp_path, server) as jackfield:
        result = call(jackfield, "second")
    if times == 1:
        assert result.status == "succeeded"
    else:
        error = result.to_json()["error"]
        assert (error["code"], "Invalid cursor" in error["message"]) == ("unavailable", True)
        assert "list of tools" in error["message"]
        assert server.count("tools/call") == 0


@pytest.mark.parametrize(
    "members",
    [{"isError": value} for value in (True, "true", "TRUE", "yes", 1)] + [{"is_error": True}],
)
def test_an_error_in_other_words(tmp_path: Path, members: dict[str, Any]) -> None:
    """A tool that reports one has not succeeded, however its server writes that."""
    server = ToolServer()
    server.on_call = lambda talk: talk.result(
        {"content": [{"type": "text", "text": "no such note"}], **members}
    )
    with stage(tmp_path, server) as jackfield:
        error = call(jackfield).error
    assert (error.code, error.provider.message) == ("rejected", "no such note")


@pytest.mark.parametrize(
    "members",
    [{"isError": value} for value in (False, "false", None, 0, "")] + [{"is_error": False}, {}],
)
def test_no_error(tmp_path: Path, members: dict[str, Any]) -> None:
    """Members in the names of a server's own language are read where the protocol's are missing."""
    server = ToolServer()
    server.on_call = lambda talk: talk.result(
        {"content": [], "structured_content": {"id": 1}, **members}
    )
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).unwrap()["structuredContent"] == {"id": 1}
