"""A form whose connection was left open, where several fit, or none: the fault is at the choice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import placed

from browsing import Visitor
from console_rig import Console

pytest_plugins = ["browser"]

ACTION = "/connectors/echo/actions/say"
TIMES = {"runs": "every", "number": "24", "unit": "h", "missed": "latest", "overlap": "skip"}
CALL = {
    "connector": "echo",
    "action": "say",
    "connection": "",
    "invocation": json.dumps({"inputs": {"text": "Hello"}}),
}
FORMS = {
    f"{ACTION}/run": {"mode": "run"},
    f"{ACTION}/run?dry": {"mode": "dry"},
    "/schedules": {"name": "nightly", **TIMES},
    "/new-batch": {"reference": "0123456789abcdef", "rows": "text\nHello\n"},
}


@pytest.mark.parametrize("address", FORMS)
@pytest.mark.parametrize(
    ("names", "said"),
    [(("attic", "cellar", "hall"), "Choose a connection."), ((), "Create a connection first.")],
)
def test_the_fault_is_at_the_choice(
    tmp_path: Path, address: str, names: tuple[str, ...], said: str
) -> None:
    """In the words of the form, without the member of an invocation; where there is none to choose,
    it says how to make one.
    """
    with placed(tmp_path, queue_workers=0) as place:
        for name in names:
            place.host.runtime("default").connections.add(
                name, "echo/token", {"token": "sesame"}, test=False
            )
        client = place.signed_in()
        answer = client.post(
            address,
            {"csrf": client.get("/").csrf_of(address), **CALL, **FORMS[address]},
            hx_request="true",
        )
        if "dry" in address and not names:
            return  # a dry run looks at the inputs alone
        assert ('data-pointer="/call:connection"' in answer.text, said in answer.words) == (
            True,
            True,
        ), answer.words
        assert ("'connection'" in answer.words, "member" in answer.words) == (False, False), (
            answer.words
        )


def test_who_runs_without_a_choice_is_led_to_it(browser: Browser, console: Console) -> None:
    """The choice is marked, described by the fault, and has the focus; once one is chosen, the
    action runs.
    """
    for name in ("attic", "cellar", "hall"):
        console.host.runtime("default").connections.add(
            name, "echo/token", {"token": "sesame"}, test=False
        )
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go(ACTION)
    visitor.field("Text required").fill("Hello")
    visitor.page.get_by_role("button", name="Run", exact=True).click()
    visitor.page.locator(".field-error", has_text="Choose a connection.").wait_for()
    picker = visitor.field("Connection")
    assert (
        picker.get_attribute("aria-invalid"),
        picker.evaluate("node => node === document.activeElement"),
    ) == ("true", True)
    assert visitor.axe() == []
    picker.select_option("cellar")
    assert visitor.run() == "succeeded"
    visitor.check()
    visitor.close()
