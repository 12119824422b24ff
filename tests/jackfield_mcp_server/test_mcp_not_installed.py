"""Where jackfield-mcp-server is not installed: the command names the extra, and a server has no ``/mcp``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROUTES = """
import os
from jackfield_server.commands.serve import mounts
from jackfield_server.http.app import build_app
from jackfield_server.shared.process.server_context import ServerContext
from jackfield_server.shared.process.settings import Settings
app = build_app(ServerContext(Settings(), os.environ), mounts())
print(*sorted(path for route in app.routes if (path := getattr(route, "path", "")) in {"/mcp", "/v1/connectors"}))
"""


def ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python where that distribution seems to be empty: the first of a name on the path counts."""
    (folder / "jackfield_mcp_server-0.dist-info").mkdir()
    known = {**os.environ, "PYTHONPATH": str(folder), "JACKFIELD_HOME": str(folder / "home")}
    return subprocess.run([sys.executable, *words], env=known, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_names_the_extra(tmp_path: Path) -> None:
    """Who types ``jackfield mcp`` learns which package has it."""
    done = ran(tmp_path, "-m", "jackfield", "mcp")
    assert done.returncode == 2
    assert "pip install 'jackfield[mcp]'" in done.stdout


def test_a_server_has_no_such_path(tmp_path: Path) -> None:
    """The API is served as ever."""
    done = ran(tmp_path, "-c", ROUTES)
    assert done.stdout == "/v1/connectors\n", done.stderr
