"""Callers' own credentials are for jackfield: the MCP server that they call gets the
connection's.
"""

from __future__ import annotations

from pathlib import Path

from mcp_callers import passed_on, served


def test_a_callers_token_is_in_no_request(tmp_path: Path) -> None:
    """Over HTTP, from the queue and over MCP, a server gets the connection's token, and none of
    what the caller has sent for itself.
    """
    with served(tmp_path) as (_stand, notes, client):
        leaked, with_own = passed_on(client, notes, 30)
    assert (leaked, with_own >= 30) == ([], True)
