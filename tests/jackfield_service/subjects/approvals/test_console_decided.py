"""What was decided on a call is on its page, for whoever sees the call: whether it was approved or
declined, when, by whom and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import Place, placed, token

from browsing import Visitor
from console_rig import Console
from jackfield.callers import Rules

pytest_plugins = ["browser"]

POST: dict[str, Any] = {"connector": "echo", "action": "post", "connection": "hall"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console where posts wait for an approval, inputs are recorded, and nobody works."""
    with placed(tmp_path, queue_workers=0) as found:
        found.host.runtime("default").connections.add(
            "hall", "echo/token", {"token": "sesame-open"}
        )
        found.workspaces.set("default", {"rules": {"approve": ["echo/post"]}, "keepInputs": True})
        yield found


def decided(place: Place, outcome: str, text: str, why: str = "") -> str:
    """The address of a call on which Ada has decided."""
    identifier = (
        place.host.runtime("default").invoke({**POST, "inputs": {"text": text}}).meta.invocation_id
    )
    person = place.signed_in(token(place, "approve"))
    address = f"/invocations/{identifier}"
    assert (
        person.change(address, f"{address}/approval", **{"as": outcome, "why": why}).status == 303
    )
    return address


def test_the_operator_reads_who_has_approved_a_call(place: Place) -> None:
    """By name, with the reason and the time, before the call has begun; its inputs are there,
    too.
    """
    page = place.signed_in().get(decided(place, "approved", "to Ada", "as agreed")).words
    assert "Approval Decision Approved By Ada When" in page
    assert "Reason as agreed" in page
    assert "to Ada" in page
    assert "not recorded" not in page


def test_the_operator_reads_who_has_declined_a_call(place: Place) -> None:
    """By whom and why; its recorded inputs find it, and tell it apart."""
    address, operator = decided(place, "declined", "to Grace", "not now"), place.signed_in()
    page = operator.get(address).words
    assert "Approval Decision Declined By Ada When" in page
    assert "Reason not now" in page
    assert "to Grace" in page
    found = operator.get("/invocations?q=grace&within=1&status=cancelled").text
    assert f'href="{address}"' in found
    assert 'class="gist">to Grace<' in found


def test_inputs_that_are_not_recorded_end_with_a_declined_call(place: Place) -> None:
    """The workspace's setting holds for it as for others."""
    place.workspaces.set("default", {"keepInputs": False})
    page = place.signed_in().get(decided(place, "declined", "to Grace")).words
    assert "Inputs not recorded" in page
    assert "to Grace" not in page


def test_a_decision_is_for_those_without_rules(place: Place) -> None:
    """A reader sees it; a token with rules, which may know nothing of others, does not; what needed
    none shows none.
    """
    address = decided(place, "approved", "to Ada", "as agreed")
    assert "By Ada" in place.signed_in(token(place, "read")).get(address).words
    limited = (
        place.signed_in(token(place, "manage", rules=Rules(allow=("echo/*",)))).get(address).words
    )
    assert ("as agreed" in limited, "Decision" in limited) == (False, False)
    said = (
        place.host.runtime("default")
        .invoke({**POST, "action": "say", "inputs": {"text": "x"}})
        .meta.invocation_id
    )
    assert "Decision" not in place.signed_in().get(f"/invocations/{said}").words


def test_a_call_is_decided_on_the_list(place: Place) -> None:
    """In two steps: Decide shows inputs, who asked and a field for the reason; the decision leads
    back to the list, and is told there.
    """
    waits = (
        place.host.runtime("default")
        .invoke({**POST, "inputs": {"text": "to Ada"}})
        .meta.invocation_id
    )
    other = (
        place.host.runtime("default")
        .invoke({**POST, "inputs": {"text": "to Grace"}})
        .meta.invocation_id
    )
    person = place.signed_in(token(place, "approve"))
    assert f'href="/approvals?decide={waits}#decide"' in person.get("/approvals").text
    asked = person.get(f"/approvals?decide={waits}")
    # the list has the others
    assert [asked.text.count(f"decide={identifier}#") for identifier in (waits, other)] == [0, 1]
    assert ("<h1>Post a Note</h1>" in asked.text, "<h1>Approvals</h1>" in asked.text) == (
        True,
        False,
    )
    assert ("Other calls that wait" in asked.words, "Status" in asked.words) == (True, False)
    card = asked.text.partition('id="decide"')[2].partition("</form>")[0]
    assert ("to Ada" in card, "to Grace" in card, "Asked by" in card, 'name="why"' in card) == (
        True,
        False,
        True,
        True,
    )
    sent = {
        "csrf": asked.csrf_of(f"/invocations/{waits}/approval"),
        "list": "on",
        "as": "approved",
        "why": "as agreed",
    }
    answer = person.post(f"/invocations/{waits}/approval", sent)
    assert (answer.status, answer.headers["location"]) == (303, "/approvals?done=approved")
    left = person.get(answer.headers["location"])
    assert (
        "Approved. A worker makes the call." in left.words,
        f"decide={waits}" in left.text,
        f"decide={other}" in left.text,
    ) == (
        True,
        False,
        True,
    )
    assert "Reason as agreed" in person.get(f"/approvals?decide={waits}").words
    assert (
        person.post(f"/invocations/{waits}/approval", sent).headers["location"]
        == "/approvals?done=closed"
    )


def test_what_is_decided_on_stands_first_by_its_titles(place: Place) -> None:
    """Inputs by the titles of their fields, yes and no as words, before where it goes; what is not
    as usual among that, the rest in the details. The list has the action's title, and no column for
    the status that was chosen.
    """
    call = {
        **POST,
        "inputs": {"text": "to\nAda", "loud": True, "data": {"deep": [1, False]}},
        "onDoubt": "retry",
        "idempotencyKey": "order-1",
    }
    waits = place.host.runtime("default").invoke(call).meta.invocation_id
    person = place.signed_in(token(place, "approve"))
    page = person.get(f"/approvals?decide={waits}").words
    before, _, details = page.partition(" Details ")
    assert (
        "Action Post a Note echo/post Inputs Text to Ada Times 1 Loud yes Data Deep 1 no "
        "Reveal no Call Connection hall"
    ) in before
    request = person.get(f"/invocations/{waits}").words.partition(" Request ")[2]
    # its page says so once
    assert ("Connector echo" in request, "Connection hall" in request) == (True, False)
    assert "Idempotency key order-1" in before
    assert (
        "If the answer is lost send it again" in before,
        "Digest" in before,
        "onDoubt" in page,
    ) == (True, False, False)
    assert "Time limit in seconds 60" in details.partition("Approve Decline")[0]
    assert (
        "Action Connection Asked by Asked Expires Actions Post a Note echo to Ada hall"
        in person.get("/approvals").words
    )
    assert "Asked Expires, or decided Actions" in person.get("/approvals?status=").words


def test_the_list_refuses_as_the_page_does(place: Place) -> None:
    """Nobody without the scope sees it; the one-time link, which creates tokens, decides nothing;
    an ID of nothing is said to be that.
    """
    waits = (
        place.host.runtime("default")
        .invoke({**POST, "inputs": {"text": "to Ada"}})
        .meta.invocation_id
    )
    for who in (place.signed_in(), place.signed_in(token(place, "manage"))):
        assert who.get(f"/approvals?decide={waits}").status == 403
        assert (
            who.change(
                "/", f"/invocations/{waits}/approval", **{"as": "approved", "list": "on"}
            ).status
            == 403
        )
    limited = place.signed_in(token(place, "approve", rules=Rules(allow=("echo/say",))))
    for person, identifier, lists in (
        (limited, waits, False),
        (place.signed_in(token(place, "approve")), "x", True),
    ):
        page = person.get(f"/approvals?decide={identifier}")
        said = "No approval that you may see has this ID." in page.words
        assert (page.status, "to Ada" in page.words, 'id="decide"' in page.text, said) == (
            200,
            lists,
            False,
            True,
        )


def test_a_decision_belongs_to_its_workspace_and_session(place: Place) -> None:
    """Who may decide in another workspace neither sees the call nor decides on it, and no form of
    another session does; it still waits.
    """
    waits = (
        place.host.runtime("default")
        .invoke({**POST, "inputs": {"text": "to Ada"}})
        .meta.invocation_id
    )
    place.workspaces.create("acme-1")
    stranger = place.signed_in(token(place, "approve", workspace="acme-1"))
    page = stranger.get(f"/approvals?decide={waits}")
    assert ("No approval that you may see has this ID." in page.words, "to Ada" in page.words) == (
        True,
        False,
    )
    sent = {"list": "on", "as": "approved"}
    assert stranger.change("/", f"/invocations/{waits}/approval", **sent).status == 404
    person = place.signed_in(token(place, "approve"))
    for csrf in ("", stranger.get("/").csrf):
        assert person.post(f"/invocations/{waits}/approval", {**sent, "csrf": csrf}).status == 403
    assert f"decide={waits}" in person.get("/approvals").text


def test_a_call_is_approved_by_the_keyboard_alone(browser: Browser, console: Console) -> None:
    """From the list to the decision, its reason, and Approve."""
    console.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame-open"})
    console.workspaces.set("default", {"rules": {"approve": ["echo/post"]}})
    console.host.runtime("default").invoke({**POST, "inputs": {"text": "to Ada"}})
    person = Visitor(browser, console)
    person.enter("approve")
    person.go("/approvals")
    person.reach("Decide")
    person.page.keyboard.press("Enter")
    person.page.get_by_role("button", name="Approve").wait_for()
    person.reach("Reason")
    person.page.keyboard.type("agreed")
    person.reach("Approve")
    person.page.keyboard.press("Enter")
    person.page.get_by_text("A worker makes the call").wait_for()
    person.close()


def test_an_approved_call_is_accessible(
    browser: Browser, console: Console, thoroughly: bool
) -> None:
    """Its page, and the list of approvals with lines that tell calls apart, pass axe and are no
    wider than the window.
    """
    console.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame-open"})
    console.workspaces.set("default", {"rules": {"approve": ["echo/post"]}, "keepInputs": True})
    address = f"/invocations/{console.host.runtime('default').invoke({**POST, 'inputs': {'text': 'to Ada'}}).meta.invocation_id}"
    person = Visitor(browser, console)
    person.enter("approve")
    person.go("/approvals")
    person.page.get_by_text("to Ada").wait_for()
    assert person.judged("approvals-told-apart", thoroughly=thoroughly) == []
    person.page.get_by_role("link", name="Decide on the call").click()
    person.page.get_by_role("button", name="Approve").wait_for()
    assert person.judged("approvals-decide", thoroughly=thoroughly) == []
    person.page.get_by_label("Reason").fill("agreed")
    person.page.get_by_role("button", name="Approve").click()
    person.page.get_by_text("A worker makes the call").wait_for()
    person.page.get_by_text("No call waits for an approval.").wait_for()
    person.close()
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go(address)
    visitor.page.get_by_text("Approved", exact=True).wait_for()
    assert visitor.judged("approved", thoroughly=thoroughly) == []
    visitor.close()
