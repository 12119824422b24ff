"""Steps for many rows at once: calls are run again, dead letters redriven, tokens and connections
revoked; lists are saved; texts fold.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import Answer, Client, Place, placed, token

from browsing import Visitor
from console_rig import Console
from dead_letters import give_up
from jackfield.callers import Rules
from jackfield_service.shell.pages.layout.drawn import digest_of
from jackfield_store.journal import Journal

pytest_plugins = ["browser"]

SAY: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": "Hello"},
}
POST: dict[str, Any] = {
    "connector": "echo",
    "action": "post",
    "connection": "hall",
    "inputs": {"text": "Hello"},
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection to the echo, which records inputs, where nobody takes what is
    queued.
    """
    with placed(tmp_path, queue_workers=0) as found:
        runtime = found.host.runtime("default")
        runtime.connections.add("hall", "echo/token", {"token": "sesame"})
        runtime.access.workspaces.set("default", {"keepInputs": True})
        yield found


@pytest.fixture
def client(place: Place) -> Client:
    """The operator."""
    return place.signed_in()


def journal(place: Place) -> Journal:
    """The journal of the workspace."""
    found = place.host.runtime("default").journal
    assert found is not None
    return found


def asked(client: Client, list_: str, step: str, *picked: str) -> Answer:
    """The page that asks once more."""
    return client.change(
        list_, f"{list_}/selection", step=step, **{f"pick-{one}": "on" for one in picked}
    )


def sent(client: Client, list_: str, step: str, *picked: str) -> Answer:
    """What is shown once the question was answered with yes."""
    question = asked(client, list_, step, *picked)
    return client.post(f"{list_}/selection", question.fields_of(f"{list_}/selection"))


def test_calls_are_run_again_once_however_often_the_form_is_sent(
    place: Place, client: Client
) -> None:
    """Each picked call is queued with the inputs that were recorded, under a key of the form: a
    reload queues nothing more.
    """
    runtime = place.host.runtime("default")
    first, second = (runtime.invoke(one).meta.invocation_id for one in (SAY, POST))
    question = asked(client, "/invocations", "again", first, second)
    assert "Run again 2?" in question.words
    assert "1 of them succeeded and may have changed something" in question.words
    assert len(journal(place).entries()[0]) == 2
    fields = question.fields_of("/invocations/selection")
    for _ in range(2):
        assert "Run again: 2 done." in client.post("/invocations/selection", fields).words
    queued = journal(place).entries(status="queued")[0]
    assert {entry.context["labels"]["rerunOf"] for entry in queued} == {first, second}
    assert sorted(entry.action for entry in queued) == ["post", "say"]
    place.workspaces.set("default", {"keepInputs": False})
    words = client.get("/invocations").words
    assert (f"Run again of {first[:13]}…" in words, "rerunOf" in words) == (True, False)


def test_what_cannot_be_repeated_from_its_record_says_why(place: Place, client: Client) -> None:
    """Doubts, open calls, dead letters, dry runs, calls without recorded inputs and with secrets
    are left out, each with its reason.
    """
    runtime = place.host.runtime("default")
    doubt = runtime.invoke({**POST, "inputs": {"text": "Hello", "fault": {"kind": "reset"}}})
    assert doubt.status == "in_doubt"
    dry = runtime.invoke({**SAY, "dryRun": True}).meta.invocation_id
    queued, dead = runtime.enqueue(SAY), runtime.enqueue(SAY)
    assert isinstance(queued, str)
    assert isinstance(dead, str)
    give_up(journal(place), "default", dead)
    runtime.access.workspaces.set("default", {"keepInputs": False})
    bare = runtime.invoke(SAY).meta.invocation_id
    page = sent(
        client,
        "/invocations",
        "again",
        doubt.meta.invocation_id,
        dry,
        queued,
        dead,
        bare,
        "nowhere",
    )
    assert "0 done, 6 not done" in page.words
    for why in (
        "may have taken effect",
        "dry run",
        "not ended",
        "redriven instead",
        "inputs were not recorded",
        "no invocation has the ID",
    ):
        assert why in page.words, why
    assert [entry.id for entry in journal(place).entries(status="queued")[0]] == [queued]


def test_a_call_that_is_refused_when_it_is_run_again_names_what_is_wrong(
    place: Place, client: Client
) -> None:
    """Of each row the outcome has the fault and where it is; the new calls of the others are listed
    together, with those that fail.
    """
    runtime = place.host.runtime("default")
    good, bad = (
        runtime.invoke(SAY).meta.invocation_id,
        runtime.invoke({**SAY, "inputs": {"text": "Hello", "words": 7}}).meta.invocation_id,
    )
    page = sent(client, "/invocations", "again", good, bad)
    assert "1 done, 1 not done" in page.words
    assert "/words" in page.words
    follow = re.search(r'href="(/invocations\?label=[^"]+)"', page.text)
    assert follow is not None
    (queued,) = journal(place).entries(status="queued")[0]
    listed = client.get(follow[1]).text
    assert queued.id in listed
    assert bad not in listed


def test_dead_letters_are_redriven_together(place: Place, client: Client) -> None:
    """The picked ones are queued again, what is none says so, and the list that offers it has a box
    each.
    """
    runtime = place.host.runtime("default")
    letters = [str(runtime.enqueue(SAY)) for _ in range(3)]
    for letter in letters:
        give_up(journal(place), "default", letter)
    assert client.get("/queue/dead-letters").text.count('name="pick-') == 3
    alive = runtime.invoke(SAY).meta.invocation_id
    page = sent(client, "/queue/dead-letters", "redrive", *letters[:2], alive)
    assert "2 done, 1 not done" in page.words
    assert "It is no dead letter." in page.words
    assert client.get("/queue/dead-letters").text.count('name="pick-') == 1


def test_queued_calls_are_cancelled_together(place: Place, client: Client) -> None:
    """What was not sent is cancelled; what has ended is too late."""
    runtime = place.host.runtime("default")
    queued, ended = str(runtime.enqueue(SAY)), runtime.invoke(SAY).meta.invocation_id
    page = sent(client, "/invocations", "cancel", queued, ended)
    assert "1 done, 1 not done" in page.words
    assert journal(place).find(queued).error_code == "cancelled"


def test_tokens_and_connections_are_revoked_together(place: Place, client: Client) -> None:
    """Revoked tokens are refused at once; removed connections are gone with their secrets."""
    for _ in range(3):
        token(place, "read")
    ids = re.findall(r'name="pick-([^"]+)"', client.get("/tokens").text)
    page = sent(client, "/tokens", "revoke", *ids[:2])
    assert "Revoke: 2 done." in page.words
    assert client.get("/tokens").text.count('name="pick-') == 1
    place.host.runtime("default").connections.add("attic", "echo/token", {"token": "sesame"})
    assert client.get("/connections").text.count('name="pick-') == 2
    assert "Remove and revoke: 1 done." in sent(client, "/connections", "remove", "attic").words
    assert "attic" not in client.get("/connections").text


def test_a_step_needs_its_scope_and_rows(place: Place, client: Client) -> None:
    """A reader gets no boxes, and may not send the form; hidden rows are not found; an empty
    selection says so.
    """
    identifier = place.host.runtime("default").invoke(SAY).meta.invocation_id
    reader = place.signed_in(token(place, "read"))
    page = reader.get("/invocations")
    assert 'name="pick-' not in page.text
    assert (
        reader.post(
            "/invocations/selection",
            {"csrf": page.csrf, "step": "again", f"pick-{identifier}": "on"},
        ).status
        == 403
    )
    blind = place.signed_in(token(place, "manage", rules=Rules(block=("echo/*",))))
    csrf = blind.get("/").csrf
    fields = {"csrf": csrf, "step": "again", "sure": "0" * 16, f"pick-{identifier}": "on"}
    assert "0 done, 1 not done" in blind.post("/invocations/selection", fields).words
    assert (
        "a token with rules cannot"
        in blind.post(
            "/tokens/selection",
            {**fields, "step": "revoke", f"pick-{identifier}": digest_of(identifier)},
        ).words
    )
    answer = client.change("/invocations", "/invocations/selection", step="again")
    assert "Nothing is selected" in client.get(answer.headers["location"]).words
    for bad in ({"step": "burn"}, {"step": "again", "sure": "x", f"pick-{identifier}": "on"}):
        assert client.change("/invocations", "/invocations/selection", **bad).status == 400


def test_a_list_is_saved_as_its_filters_have_it(place: Place, client: Client) -> None:
    """CSV for spreadsheets, JSON Lines for programs; a text that would be a formula is none."""
    runtime = place.host.runtime("default")
    runtime.invoke({**SAY, "context": {"correlationId": "=1+1", "labels": {"shop": "berlin"}}})
    runtime.invoke(POST)
    page = client.get("/invocations?connector=echo&action=say")
    assert "/invocations/export?connector=echo&amp;action=say&amp;kind=csv" in page.text
    saved = client.get("/invocations/export?kind=csv&action=say")
    assert saved.headers["content-disposition"] == 'attachment; filename="invocations.csv"'
    rows = list(csv.DictReader(io.StringIO(saved.text)))
    assert [
        (row["action"], row["status"], row["correlationId"], row["labels"]) for row in rows
    ] == [("say", "succeeded", "'=1+1", '{"shop": "berlin"}')]
    lines = [
        json.loads(line) for line in client.get("/invocations/export?kind=jsonl").text.splitlines()
    ]
    assert [line["action"] for line in lines] == ["post", "say"]
    assert client.get("/invocations/export?kind=xlsx").status == 400


def test_selecting_in_a_browser(browser: Browser, console: Console) -> None:
    """Steps appear with the first tick; all rows at once, a count, a live list that keeps what is
    ticked, the question, the outcome: accessible in every look.
    """
    runtime = console.host.runtime("default")
    runtime.access.workspaces.set("default", {"keepInputs": True})
    runtime.connections.add("hall", "echo/token", {"token": "sesame"})
    for _ in range(3):
        runtime.invoke(SAY)
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/invocations?status=queued")
    page = visitor.page
    assert not page.locator("form.selection").is_visible()  # there is no row
    visitor.go("/invocations")
    button = page.get_by_role("button", name="Run again…")
    assert not button.is_visible()
    page.get_by_label("Select all on this page").check()
    page.get_by_text("3 selected").wait_for()
    page.get_by_label(re.compile("Select Say")).first.uncheck()
    page.get_by_text("2 selected").wait_for()
    runtime.invoke(SAY)
    page.locator(".calls tbody tr").nth(3).wait_for()
    page.get_by_text("2 selected").wait_for()
    assert visitor.judged("selection", thoroughly=True) == []
    button.click()
    page.get_by_role("heading", name="Run again 2?").wait_for()
    assert visitor.judged("selection-asked", thoroughly=True) == []
    page.get_by_role("button", name="Run again: 2").click()
    page.get_by_text("Run again: 2 done.").wait_for()
    assert visitor.judged("selection-done", thoroughly=True) == []
    assert visitor.faults == []
    visitor.close()


def test_the_page_of_an_open_call_follows_it_without_a_reload(
    browser: Browser, console: Console
) -> None:
    """A queued call's page shows in place that it runs and what became of it, and asks no more once
    it has ended.
    """
    runtime = console.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame"})
    identifier = runtime.enqueue({**SAY, "notBefore": "2099-01-01T00:00:00Z"})
    assert isinstance(identifier, str)
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go(f"/invocations/{identifier}")
    visitor.page.evaluate("window.unloaded = false")
    visitor.page.get_by_text("Waiting for a worker.").wait_for()
    assert runtime.cancel(identifier)
    visitor.page.locator("#heading .badge", has_text="cancelled").wait_for()
    visitor.page.locator("[data-live-next=never]").wait_for(state="attached")
    assert visitor.page.evaluate("window.unloaded") is False
    assert visitor.judged("followed", thoroughly=True) == []
    visitor.close()


def test_long_texts_of_fields_fold(browser: Browser, console: Console) -> None:
    """A field of SQS has one sentence, and the rest of some 2,000 words behind "More", as a
    list.
    """
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/connectors/aws.sqs/actions/createQueue")
    box = visitor.page.locator('[data-schemapath="inputs.Attributes"]')
    assert "A map of attributes with their corresponding values." in box.inner_text()
    assert "DelaySeconds" not in box.inner_text()
    visitor.page.get_by_label("More about Attributes").click()
    box.locator("li", has_text="DelaySeconds").first.wait_for()
    assert visitor.judged("folded", thoroughly=True) == []
    visitor.close()
