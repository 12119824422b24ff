"""Garbage collections of a server: no request is answered during one, so requests leave nothing for
it, and it visits little.
"""

from __future__ import annotations

import gc
import http.client
import json
import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from tests.jackfield_service.shell.http.two_ways import PAST, THROUGH, WAYS
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from http_stand import Stand, process, say
from jackfield_service.shell.http.exchange import Exchange
from mcp_talk import call_of
from plugboard import make_connector

TIMES = 10
_JUDGE = '''
import gc
from jackfield.connector import Connector, Inputs, Output

class Nothing(Inputs):
    """No input."""

class Counted(Output):
    """Objects by what happens to them."""
    kept: int
    visited: int

connector = Connector("judge", title="Judge", version="1.0.0")

@connector.action("count", effect="read")
def count(nothing: Nothing) -> Counted:
    """Count the objects of this process."""
    return Counted(kept=gc.get_freeze_count(), visited=len(gc.get_objects()))
'''
REQUESTS: Mapping[str, tuple[str, Any, Mapping[str, str]]] = {
    PAST: ("/v1/invocations", say("say", text="x"), WAYS[PAST]),
    THROUGH: ("/v1/invocations", say("say", text="x"), WAYS[THROUGH]),
    "refused": ("/v1/invocations", say("say", text=5), {}),
    "MCP": ("/mcp", call_of("execute_action", **say("say", text="x")), {}),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_an_answered_request_leaves_nothing_for_the_garbage_collector(
    stand: Stand, kind: str
) -> None:
    """Nothing of it refers to itself: 10 objects of each request used to wait for a full
    collection, 200 ms in which no caller was answered.
    """
    path, body, headers = REQUESTS[kind]
    token = stand.client().token
    told = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}

    with closing(http.client.HTTPConnection("127.0.0.1", stand.port, timeout=120)) as connection:

        def left() -> int:
            """Send so many requests; return how many objects of requests this process has then."""
            for _ in range(TIMES):
                connection.request("POST", path, json.dumps(body).encode(), told)
                connection.getresponse().read()
            return sum(
                type(item) in {Exchange, RequestResponseCycle, Request} for item in gc.get_objects()
            )

        left()
        # to look for garbage among what all other tests have left, and to list that, takes longer
        # than the requests
        gc.freeze()
        gc.disable()
        try:
            before = left()
            assert left() - before < TIMES
        finally:
            gc.enable()


def test_collections_do_not_visit_what_a_server_has_imported(tmp_path: Path) -> None:
    """Most objects of a server are its modules; they are kept for good, those of the MCP SDK
    too.
    """
    make_connector(tmp_path / "own", "judge", _JUDGE)
    with process(
        tmp_path, paths=(str(tmp_path / "own"), *filter(None, [os.environ.get("PYTHONPATH")]))
    ) as server:

        def counted() -> Any:
            return server.client.post(
                "/v1/invocations", {"connector": "judge", "action": "count"}
            ).json["output"]

        first = counted()
        assert first["kept"] > first["visited"]
        server.client.post("/mcp", call_of("execute_action", **say("say", text="x")))
        second = counted()
        assert second["kept"] > first["kept"] + 10_000
        assert second["kept"] > second["visited"]
