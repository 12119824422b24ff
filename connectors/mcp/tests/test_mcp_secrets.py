"""Credentials of a connection: they go to its server alone, and what a server sends back of them is
masked.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import Talk, ToolServer, call, generate, installed, said, serving, tool

TOKEN = "t0ken-4711-abcdef"
ECHOES: dict[str, dict[str, Any]] = {
    "content": said(f"you are {TOKEN}"),
    "structured": said("x", structuredContent={"token": TOKEN}),
    "error of the tool": said(f"Bearer {TOKEN} is wrong", isError=True),
}


@pytest.mark.parametrize("kind", ["bearer", "headerKey"])
@pytest.mark.parametrize("where", [*ECHOES, "error", "header"])
def test_echoed_credentials(tmp_path: Path, kind: str, where: str) -> None:
    """A credential that the server repeats is masked wherever it is."""

    def answer(talk: Talk) -> None:
        if where == "error":
            talk.error(-32602, f"no: {TOKEN}")
        elif where == "header":
            talk.json(
                {}, 403, WWW_Authenticate=f'Bearer error="insufficient_scope", scope="{TOKEN}"'
            )
        else:
            talk.result(ECHOES[where])

    server = ToolServer(tool())
    server.on_call = answer
    values: dict[str, Any] = (
        {"token": TOKEN} if kind == "bearer" else {"header": "X-Key", "key": TOKEN}
    )
    with serving(server):
        generate(tmp_path, server.url)
        with installed(tmp_path, kind, f"sqlite:///{tmp_path}/j.db", **values) as jackfield:
            result = call(jackfield)
            entries, _ = jackfield.journal_of().entries()
            kept = json.dumps([entry.to_json() for entry in entries])
    sent = server.requests[-1][1]
    assert TOKEN in (sent["Authorization"] if kind == "bearer" else sent["X-Key"])
    assert TOKEN not in json.dumps(result.to_json()) + kept


def test_a_name_that_echoes(tmp_path: Path) -> None:
    """What a server calls itself is shown by the test of its connection, without the credential."""
    server = ToolServer(legacy=True)
    with serving(server):
        generate(tmp_path, server.url)
        server.initialized = lambda talk: talk.result(  # type: ignore[method-assign]
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "serverInfo": {"name": f"you are {TOKEN}", "version": "1"},
            }
        )
        with installed(tmp_path, "bearer", token=TOKEN) as jackfield:
            shown = json.dumps(jackfield.connections.test("main"))
    assert ("you are" in shown, TOKEN in shown) == (True, False)
