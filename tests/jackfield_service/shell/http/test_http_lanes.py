"""Steps that call providers: those of one workspace or binding leave the others their threads."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from http_stand import Stand
from jackfield_service.shell.process.lanes import Lanes
from jackfield_store.management.connections import ManagedConnections

PATIENCE = 60.0


def test_a_lane_that_hangs_leaves_the_others_their_threads() -> None:
    """300 steps of one lane hang in two threads; steps of another are run, and a step that was
    cancelled takes no place.
    """

    async def crowd() -> None:
        opened, inside = threading.Event(), threading.Semaphore(0)

        def hang() -> int:
            inside.release()
            opened.wait(PATIENCE)
            return 1

        with ThreadPoolExecutor(8) as threads:
            lanes = Lanes(threads, 2)
            waiting = [asyncio.ensure_future(lanes.run("a", hang)) for _ in range(300)]
            assert [await lanes.run("b", lambda: 2) for _ in range(5)] == [2] * 5
            await asyncio.to_thread(lambda: [inside.acquire(timeout=PATIENCE) for _ in range(2)])
            assert not inside.acquire(blocking=False)
            for one in waiting[100:]:
                one.cancel()
            opened.set()
            assert [
                one for one in await asyncio.gather(*waiting, return_exceptions=True) if one == 1
            ] == [1] * 100
            assert lanes._lanes == {}

    asyncio.run(crowd())


def test_tests_of_connections_that_hang_hold_up_nothing_else(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 tests of connections hang, more than a server has threads of any other kind; calls, lists
    and uploads of others go on.
    """
    opened, inside = threading.Event(), threading.Semaphore(0)

    def hang(self: ManagedConnections, name: str, **_: Any) -> dict[str, Any]:
        inside.release()
        opened.wait(PATIENCE)
        return {"name": name}

    monkeypatch.setattr(ManagedConnections, "test", hang)
    client = stand.client()
    with ThreadPoolExecutor(100) as callers:
        waiting = [callers.submit(client.post, "/v1/connections/hall/test") for _ in range(100)]
        try:
            assert inside.acquire(timeout=PATIENCE)
            assert client.invoke("say", text="Hi").status == 200
            assert client.get("/v1/connectors").status == 200
            assert client.post("/v1/files", b"x" * 100_000, content_type="text/plain").status == 201
        finally:
            opened.set()
        assert len({one.result().status for one in waiting}) == 1
