"""Both ways into ``POST /v1/invocations`` and ``/mcp``: past Starlette, which plain requests go,
and through it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import pytest

from http_stand import Client
from replies import Reply

PAST, THROUGH = "past Starlette", "through Starlette"
WAYS: Mapping[str, dict[str, str]] = {PAST: {}, THROUGH: {"Prefer": "handling=lenient"}}
"""By way: the headers that make a request go it, without any other effect."""
ONCE = pytest.mark.parametrize("way", [PAST], indirect=True, scope="module")
"""For a test that starts a process and posts no plain invocation: the way makes no difference to
it.
"""
PAST_ALONE = pytest.mark.parametrize(
    "way", [PAST, pytest.param(THROUGH, marks=pytest.mark.campaign)], indirect=True, scope="module"
)
"""For a test of a server whose way in matters little: through Starlette in campaigns."""
_PATHS = ("/v1/invocations", "/mcp")
_call = Client.call


@contextlib.contextmanager
def going(way: str) -> Iterator[None]:
    """Let invocations and calls over MCP of all clients go one way.

    The first request of a token is Starlette's, so another one comes before.
    """

    def call(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        if method != "POST" or path not in _PATHS:
            return _call(client, method, path, body, **headers)
        if way == PAST:
            _call(client, "GET", "/v1/queue")
        return _call(client, method, path, body, **{**WAYS[way], **headers})

    with mock.patch.object(Client, "call", call):
        yield
