"""The sample platform by itself, against a server of the test's. ``test_console_platform`` has it in a browser."""

from __future__ import annotations

import importlib.util
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType

import pytest

SHOP = Path(__file__).parents[2] / "examples" / "platform" / "shop.py"


class Tenants(BaseHTTPRequestHandler):
    """Two calls of the tenant end one after the other."""

    asked: list[str]
    answers: list[int]

    def do_DELETE(self) -> None:
        """Answer with the next status."""
        self.asked.append(self.path)
        status = self.answers.pop(0)
        body = b'{"status": 409}' if status == 409 else b'{"status": "purged"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_about: object) -> None:
        """Say nothing."""


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the shop, given a token."""
    monkeypatch.setenv("JACKFIELD_TOKEN", "t")
    spec = importlib.util.spec_from_file_location("shop_alone", SHOP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_tenant_whose_calls_still_run_is_deleted_when_they_have_ended(shop: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The purge is refused (409) while calls run: the shop asks again until it is done, and knows the customer no more from the start."""
    Tenants.asked, Tenants.answers = [], [200, 409, 409, 200]
    monkeypatch.setattr(shop, "time", type("Time", (), {"sleep": staticmethod(lambda _seconds: None)}))
    with HTTPServer(("127.0.0.1", 0), Tenants) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setattr(shop, "JACKFIELD", f"http://127.0.0.1:{server.server_port}")
        shop.CUSTOMERS["secret"] = {"workspace": "shop-1"}
        shop.left("secret")
        server.shutdown()
        thread.join()
    assert Tenants.asked == ["/v1/workspaces/shop-1", *["/v1/workspaces/shop-1?purge=true"] * 3]
    assert "secret" not in shop.CUSTOMERS
