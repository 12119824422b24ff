"""The applications of the page "Embed in a framework" behind real servers: they answer, reload,
end, and their journal is whole.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from doc_pages import ROOT, blocks
from host_provider import Provider
from jackfield import Jackfield
from ports import free_port
from waiting import until

_PAGE = ROOT / "docs" / "tutorial" / "hosts.md"
_SERVERS = {
    "FastAPI, uvicorn": ("-m", "uvicorn", "shop_api:app", "--log-level", "warning", "--port"),
    "Django, ASGI": (
        "-m",
        "uvicorn",
        "shop_site:asgi",
        "--lifespan",
        "off",
        "--log-level",
        "warning",
        "--port",
    ),
    "Django, WSGI": ("-m", "wsgi_server"),
    "Django, autoreload": ("-m", "manage", "runserver", "--skip-checks"),
}
_MANAGE = (
    "import sys\nimport shop_site\nfrom django.core.management import "
    "execute_from_command_line\nexecute_from_command_line(sys.argv)\n"
)
_WSGI = """import signal, sys
from wsgiref.simple_server import make_server
import shop_site
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with make_server("127.0.0.1", int(sys.argv[1]), shop_site.wsgi) as server:
    server.serve_forever()
"""


class _Site:
    """A server of one of the applications, in a process of its own."""

    def __init__(self, folder: Path, server: str, provider: Provider) -> None:
        self.folder, self.port, self.server = folder, free_port(), server
        for block in blocks(_PAGE):
            if block.title:
                (folder / block.title).write_text(block.body)
        (folder / "manage.py").write_text(_MANAGE)
        (folder / "wsgi_server.py").write_text(_WSGI)
        environment = {
            **os.environ,
            "JACKFIELD_HOME": str(folder / "home"),
            "SHOP_URL": provider.url,
            "SHOP_TOKEN": "tok-1",
        }
        environment |= {"PYTHONWARNINGS": "error::ResourceWarning", "PYTHONUNBUFFERED": "1"}
        for name in ("JACKFIELD_DATABASE_URL", "JACKFIELD_CONNECTIONS"):
            environment.pop(name, None)
        with (folder / "log").open("w") as log:
            command = [sys.executable, *_SERVERS[server], str(self.port)]
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def log(self) -> str:
        """What the server has printed."""
        return (self.folder / "log").read_text()

    def ask(self, path: str) -> Any:
        """Ask the application, which answers with a Result; None while there is no server."""
        method = "POST" if "FastAPI" in self.server else "GET"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method),
                timeout=60,
            ) as found:
                return json.load(found)
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            assert self.process.poll() is None, self.log()
            return None

    def end(self) -> int:
        """Stop the server as a terminal or a supervisor does, and return its exit code."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def _serving(folder: Path, server: str, provider: Provider) -> Iterator[_Site]:
    site = _Site(folder, server, provider)
    try:
        yield site
    finally:
        if site.process.poll() is None:
            os.killpg(site.process.pid, signal.SIGKILL)
            site.process.wait()


def _journal(folder: Path) -> list[str]:
    with Jackfield(
        connections=[], database_url=f"sqlite:///{folder / 'home' / 'jackfield.db'}"
    ) as jackfield:
        return [entry.status for entry in jackfield.journal_of().entries()[0]]


@pytest.mark.parametrize("server", [name for name in _SERVERS if name != "Django, autoreload"])
def test_the_page_s_application_serves_and_ends(
    server: str, tmp_path: Path, provider: Provider
) -> None:
    """Requests are answered, and after SIGTERM each call that was told as succeeded is in the
    journal as such.
    """
    with _serving(tmp_path, server, provider) as site:
        assert until(lambda: site.ask("/orders/tea"))["status"] == "succeeded"
        paths = [
            "/orders/milk",
            "/orders/milk",
            "/orders/oats" if "FastAPI" in server else "/aorders/oats",
        ]
        told = [site.ask(path) for path in paths]
        assert [one["status"] for one in told] == ["succeeded"] * 3
        assert told[1]["meta"]["replayed"] is True
        site.end()
        assert "Warning" not in site.log(), site.log()
    assert (_journal(tmp_path), len(provider.paths)) == (["succeeded"] * 3, 3)


def test_django_reloads(tmp_path: Path, provider: Provider) -> None:
    """The process that watches files calls nothing; the one that serves is replaced when the code
    changes, and no call is left open.
    """
    with _serving(tmp_path, "Django, autoreload", provider) as site:
        assert until(lambda: site.ask("/orders/tea"))["status"] == "succeeded"
        code = (tmp_path / "shop_site.py").read_text()
        (tmp_path / "shop_site.py").write_text(
            code.replace('path("aorders/', 'path("new/<item>", order), path("aorders/')
        )
        assert until(lambda: site.ask("/new/milk"))["status"] == "succeeded"
        site.end()
    assert _journal(tmp_path) == ["succeeded"] * 2
