"""Progress of a call, told to a client that asks for it: pages, waits, jobs; and none of a call
that has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client as SdkClient

from http_stand import Stand, say, standing
from mcp_conformance import conforming
from mcp_talk import MODES, Server, remote


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with actions that have pages, jobs, pictures and neither."""
    with conforming(tmp_path_factory.mktemp("progress")) as stand:
        yield remote(stand.port, _token(stand))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that answers plain requests past its application, as ``jackfield serve`` does once
    it knows a token and has its index.
    """
    with standing(tmp_path_factory.mktemp("plain")) as stand:
        server = remote(stand.port, _token(stand))
        for _ in range(2):
            called(server, "search_actions", MODES[0], query="list")
        yield server


def _token(stand: Stand) -> str:
    found = stand.client("invoke").token
    assert found is not None
    return found


def called(
    server: Server, tool: str, mode: str, **arguments: Any
) -> tuple[Any, list[tuple[float, float | None, str | None]]]:
    """Result of a call, and what was told of its progress."""
    told: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async def talk() -> Any:
        async with SdkClient(server(), mode=mode) as client:
            return await client.call_tool(tool, arguments, progress_callback=note)

    return asyncio.run(talk()), told


@pytest.mark.parametrize("mode", MODES)
def test_pages_are_counted(server: Server, mode: str) -> None:
    """Each page is told as it comes."""
    result, told = called(server, "conformance_toolWithProgress", mode)
    assert result.structured_content["output"]["Items"] == ["page 1", "page 2", "page 3"]
    assert told == [(float(number), None, f"Pages read: {number}.") for number in (1, 2, 3)]


@pytest.mark.parametrize("mode", MODES)
def test_a_job_has_its_providers_words(server: Server, mode: str) -> None:
    """Its fraction, of one."""
    result, told = called(server, "conformance_slowCompute", mode, seconds=3.5)
    assert result.structured_content["output"] == {"text": "done"}
    assert (0.5, 1.0, "computing") in told
    assert [done for done, _, _ in told] == sorted({done for done, _, _ in told})
    assert all(text for _, _, text in told)


@pytest.mark.parametrize("mode", MODES)
def test_a_call_without_stages_tells_nothing(server: Server, mode: str) -> None:
    """Nothing is made up."""
    assert called(server, "conformance_greet", mode)[1] == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("action", "inputs", "begins"),
    [
        ("list", {"total": 40, "pageSize": 2, "fetchAll": True}, [(1.0, None, "Pages read: 1.")]),
        ("say", {"text": "hello"}, []),
    ],
)
def test_a_plain_request_may_be_answered_by_a_stream(
    plain: Server, mode: str, action: str, inputs: dict[str, Any], begins: list[Any]
) -> None:
    """A client that asks for progress gets it, and the answer, at a server that knows it, too."""
    for _ in range(2):
        result, told = called(plain, "execute_action", mode, **say(action, **inputs))
        assert (result.structured_content["status"], told[:1]) == ("succeeded", begins)
