"""Where the SDK of the extra ``mcp`` is not installed: the command names the extra, and a server
has no ``/mcp``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = """
import sys
sys.modules.update({"mcp": None})
from jackfield.cli.main import main

sys.exit(main(["mcp"]))
"""
ROUTES = """
import os
import sys
sys.modules.update({"mcp": None})
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.process.settings import ServerSettings
app = build_app(ServerContext(ServerSettings(), os.environ), mounts())
print(*sorted(path for route in app.routes if (path := getattr(route, "path", "")) in {"/mcp", "/v1/connectors"}))
"""


def ran(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    known = {**os.environ, "JACKFIELD_HOME": str(folder / "home")}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=known,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_names_the_extra(tmp_path: Path) -> None:
    """Who types ``jackfield mcp`` learns which extra has what it needs."""
    done = ran(tmp_path, COMMAND)
    assert done.returncode == 2
    assert "pip install 'jackfield[mcp]'" in done.stdout


def test_a_server_has_no_such_path(tmp_path: Path) -> None:
    """The API is served as ever."""
    done = ran(tmp_path, ROUTES)
    assert done.stdout == "/v1/connectors\n", done.stderr
