"""A thousand requests that an MCP server has recorded: none has a credential of whoever called over
HTTP, the queue or MCP.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from mcp_callers import passed_on, served

REQUESTS = 1_000


def leaks(count: int) -> int:
    """Call until so many requests are recorded; return how many credentials of the caller's are in
    them.
    """
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (_stand, notes, client):
        leaked, own = passed_on(client, notes, count)
        total = len(notes.requests)
    sys.stdout.write(
        f"{total:,} requests, {own:,} with the connection's token: {len(leaked)} credentials of "
        "the caller's\n"
    )
    return len(leaked)


if __name__ == "__main__":
    raise SystemExit(1 if leaks(int(os.environ.get("SIZE", REQUESTS))) else 0)
