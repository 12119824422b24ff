"""A server imports the console's pages when somebody asks for one, and answers as if they had been
there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SERVED = """
import os
import sys
from starlette.testclient import TestClient
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.process.settings import ServerSettings

def has_pages():
    return "jackfield_service.shell.pages.app" in sys.modules

with TestClient(build_app(ServerContext(ServerSettings(), os.environ), mounts()), "http://127.0.0.1") as client:
    for method, path in (("GET", "/healthz"), ("DELETE", "/healthz"), ("DELETE", "/login"), ("GET", "/login"),
                         ("DELETE", "/login"), ("GET", "/nowhere"), ("DELETE", "/healthz")):
        print(method, path, client.request(method, path).status_code, has_pages())
"""


def test_pages_are_imported_by_the_first_request_for_one(tmp_path: Path) -> None:
    """Requests of programs import none. A method that a path does not have is refused as such,
    before and after.
    """
    done = subprocess.run(
        [sys.executable, "-c", SERVED],
        env={**os.environ, "JACKFIELD_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.splitlines() == [
        "GET /healthz 200 False",
        "DELETE /healthz 405 False",
        "DELETE /login 405 True",
        "GET /login 200 True",
        "DELETE /login 405 True",
        "GET /nowhere 404 True",
        "DELETE /healthz 405 True",
    ], done.stderr
