"""The page of all components, on which their look is judged: ``jackfield dev`` has it, a server has
not.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browsing import LOOKS, Visitor
from console_rig import served
from jackfield_market.commands.dev import COMPONENTS
from jackfield_service.shell.pages.layout.assets import content_of
from plugboard import declare

pytest_plugins = ["browser"]

_PAGE = "/console/components"
_NARROW = 320
_MOST = 32_000


def test_everybody_can_use_every_component(browser: Browser, tmp_path: Path) -> None:
    """Axe finds nothing, with all opened that opens; no component is wider than the window, down to
    320 pixels.
    """
    name, _, value = COMPONENTS.partition(" = ")
    declare(tmp_path / "site", "jackfield-dev", "jackfield.parts", {name: value})
    with served(tmp_path, queue_workers=0) as console:
        visitor = Visitor(browser, console)
        visitor.sign_in()
        visitor.go(_PAGE)
        found = visitor.judged("components", thoroughly=True)
        for scheme, phone in LOOKS:
            visitor.look(scheme, phone=phone)
            visitor.page.evaluate(
                "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
            )
            visitor.page.get_by_role("button", name="A panel").click()
            visitor.page.get_by_role("dialog", name="A panel").wait_for()
            found += visitor.axe()
            visitor.page.keyboard.press("Escape")
            visitor.page.get_by_role("dialog", name="A panel").wait_for(state="hidden")
        visitor.page.set_viewport_size({"width": _NARROW, "height": 720})
        visitor.check()
        visitor.close()
    assert found == []


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_server_has_no_page_of_components(
    browser: Browser, tmp_path: Path, signed_in: bool
) -> None:
    """It is not there, for whoever asks."""
    with served(tmp_path, queue_workers=0) as console:
        visitor = Visitor(browser, console)
        if signed_in:
            visitor.sign_in()
        answer = visitor.page.goto(f"{console.origin}{_PAGE}")
        assert answer is not None
        assert answer.status == 404
        visitor.close()


def test_the_style_sheets_are_small_as_they_are_written() -> None:
    """Nothing makes them smaller before they are sent, a page of a connect session has both, and
    people read them whole.
    """
    assert sum(len(content_of(name)) for name in ("console.css", "connect.css")) <= _MOST
