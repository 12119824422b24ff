"""AWS Lambda, imitated: an environment that is frozen for an hour between two invocations, on a
file system that is read-only.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from doc_pages import ROOT, blocks
from jackfield import Jackfield
from waiting import until

_RUNTIME = Path(__file__).with_name("lambda_runtime.py")
_HOUR = 3600.0
_AHEAD = {
    "both clocks": (_HOUR, _HOUR),
    "the clock of the day alone": (_HOUR, 0.0),
    "the monotonic clock alone": (0.0, _HOUR),
}
_OAUTH = (
    '{"type": "http/oauth2ClientCredentials", "values": {"server": {"$env": "SHOP_URL"}, '
    '"tokenUrl": os.environ["SHOP_URL"] + "/token",'
    ' "clientId": "c", "clientSecret": {"$env": "SHOP_TOKEN"}}}'
)


@dataclass
class _Shop:
    """A provider that keeps connections. What was connected before a freeze is forgotten without a
    word; tokens last ten minutes.
    """

    url: str = ""
    frozen: int = 0
    tokens: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, authorization: str) -> tuple[int, dict[str, Any]]:
        """The response to a request."""
        if path == "/token":
            self.tokens.append(f"token-{self.frozen}-{len(self.tokens)}")
            return 200, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 600}
        if authorization not in (
            "Bearer fixed",
            *(
                f"Bearer {token}"
                for token in self.tokens
                if token.startswith(f"token-{self.frozen}")
            ),
        ):
            return 401, {"message": "expired"}
        self.orders.append(authorization)
        return 200, {"id": f"o-{len(self.orders)}"}


@pytest.fixture
def shop() -> Iterator[_Shop]:
    """The provider, on loopback."""
    found = _Shop()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.born = found.frozen

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.born != found.frozen:  # what was between them has dropped the connection
                found.over.wait(120)
                return
            status, body = found.answer(self.path, self.headers.get("authorization") or "")
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield found
        found.over.set()
        server.shutdown()
        thread.join()


class _Environment:
    """A process that runs the function of the page."""

    def __init__(self, folder: Path, shop: _Shop, credentials: str) -> None:
        (code,) = (
            block.body
            for block in blocks(ROOT / "docs" / "tutorial" / "hosts.md")
            if block.title == "lambda_function.py"
        )
        if credentials == "oauth2":
            line = next(line for line in code.splitlines() if line.startswith("SHOP = "))
            code = code.replace(line, f"SHOP = {_OAUTH}")
        (folder / "code").mkdir()
        (folder / "code" / "lambda_function.py").write_text(code)
        self.home, tmp = folder / "tmp" / "jackfield", folder / "tmp"
        tmp.mkdir()
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("JACKFIELD_")
        }
        environment = {
            **kept,
            "JACKFIELD_HOME": str(self.home),
            "TMPDIR": str(tmp),
            "HOME": "/nonexistent",
            "SHOP_URL": shop.url,
        }
        command = [sys.executable, "-B", str(_RUNTIME), str(folder / "code")]
        self.process = subprocess.Popen(
            command,
            env={**environment, "SHOP_TOKEN": "fixed"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def invoke(self, identifier: str, ahead: tuple[float, float] = (0.0, 0.0)) -> dict[str, Any]:
        """Handle an event, with the clocks of the process ahead by so many seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        event = {
            "event": {"item": "tea", "id": identifier},
            "ahead": dict(zip(("wall", "monotonic"), ahead, strict=True)),
        }
        self.process.stdin.write(json.dumps(event) + "\n")
        self.process.stdin.flush()
        result: dict[str, Any] = json.loads(self.process.stdout.readline())["result"]
        return result

    def freeze(self, shop: _Shop) -> None:
        """Stop the process; all that it was connected to forgets it."""
        os.kill(self.process.pid, signal.SIGSTOP)
        until(
            lambda: (
                Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
                == "T"
            )
        )
        shop.frozen += 1
        os.kill(self.process.pid, signal.SIGCONT)


@contextmanager
def _running(folder: Path, shop: _Shop, credentials: str) -> Iterator[_Environment]:
    environment = _Environment(folder, shop, credentials)
    try:
        yield environment
    finally:
        environment.process.kill()  # as the platform ends it
        environment.process.communicate()


@pytest.mark.parametrize("credentials", ["bearer", "oauth2"])
@pytest.mark.parametrize("ahead", _AHEAD)
def test_a_frozen_environment_goes_on(
    ahead: str, credentials: str, shop: _Shop, tmp_path: Path
) -> None:
    """After an hour, a write goes over a new connection, with a new token, once; keys are replayed,
    and the journal is whole.
    """
    with _running(tmp_path, shop, credentials) as function:
        assert function.invoke("1")["status"] == "succeeded"
        function.freeze(shop)
        later = function.invoke("2", _AHEAD[ahead])
        assert later["status"] == "succeeded", later
        again = function.invoke("1", _AHEAD[ahead])
        assert (again["status"], again["meta"]["replayed"]) == ("succeeded", True)
        function.freeze(shop)
        assert (
            function.invoke("3", tuple(2 * seconds for seconds in _AHEAD[ahead]))["status"]  # type: ignore[arg-type]
            == "succeeded"
        )
    assert len(shop.orders) == 3
    with Jackfield(
        connections=[], environment={"JACKFIELD_HOME": str(tmp_path / "tmp" / "jackfield")}
    ) as jackfield:
        assert [entry.status for entry in jackfield.journal_of().entries()[0]] == ["succeeded"] * 3
