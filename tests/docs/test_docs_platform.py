"""The sample platform by itself, against a server of the test's. ``test_console_platform`` has it
in a browser.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from jackfield.testing import Answer, Provider

SHOP = Path(__file__).parents[2] / "examples" / "platform" / "shop.py"


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


def test_a_tenant_whose_calls_still_run_is_deleted_when_they_have_ended(
    shop: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The purge is refused (409) while calls run: the shop asks again until it is done, and knows
    the customer no more from the start.
    """
    running = Answer({"status": 409}, 409)
    monkeypatch.setattr(
        shop, "time", type("Time", (), {"sleep": staticmethod(lambda _seconds: None)})
    )
    with Provider([Answer(), running, running, Answer({"status": "purged"})]) as server:
        monkeypatch.setattr(shop, "JACKFIELD", server.url)
        shop.CUSTOMERS["secret"] = {"workspace": "shop-1"}
        shop.left("secret")
    assert [request.path for request in server.requests] == [
        "/v1/workspaces/shop-1",
        *["/v1/workspaces/shop-1?purge=true"] * 3,
    ]
    assert "secret" not in shop.CUSTOMERS
