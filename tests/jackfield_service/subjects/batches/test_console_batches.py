"""An action for each row of a CSV file: columns find their inputs, rows are judged before any runs,
and none runs twice.
"""

from __future__ import annotations

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
from jackfield.invocation.entry import Entry
from jackfield_service.subjects.batches.pages.file import targets

pytest_plugins = ["browser"]

AT = "/new-batch?connector=echo&action=say"
FILE = "text;Times;words;unknown\nHello;2;a, b;x\n\nBye;many;;\n"


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


def hidden(page: Answer, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found is not None, name
    return found[1].replace("&quot;", '"')


def form(
    client: Client, rows: str, common: dict[str, Any] | None = None, **fields: str
) -> dict[str, str]:
    """What a form of the action has after it was filled in."""
    page = client.get(AT)
    call = json.dumps({"connection": "hall", "inputs": common or {}})
    given = {
        "connector": "echo",
        "action": "say",
        "reference": hidden(page, "reference"),
        "invocation": call,
        "rows": rows,
    }
    return {"csrf": page.csrf, **given, **fields}


def sent(client: Client, fields: dict[str, str], **more: str) -> Answer:
    """What a script of the page gets."""
    return client.post("/new-batch", {**fields, **more}, hx_request="true")


def queued(client: Client, fields: dict[str, str]) -> Answer:
    """What is shown once the rows that can run are queued."""
    checked = sent(client, fields)
    return sent(client, fields, queue="on", checked=hidden(checked, "checked"))


def entries(place: Place) -> list[Entry]:
    """The calls of the journal, the oldest first."""
    journal = place.host.runtime("default").journal
    assert journal is not None
    return [journal.find(entry.id) for entry in reversed(journal.entries(limit=500)[0])]


def inputs(place: Place) -> list[dict[str, Any]]:
    """The inputs of the queued calls, the oldest first."""
    journal = place.host.runtime("default").journal
    assert journal is not None
    rows = [
        (
            entry.id,
            journal.database.look_up(
                "SELECT inputs FROM invocations WHERE id = :id", {"id": entry.id}
            ),
        )
        for entry in entries(place)
    ]
    return [
        journal.opened_inputs(identifier, row.inputs)["invocation"]["inputs"]
        for identifier, row in rows
        if row is not None
    ]


def test_columns_find_their_inputs_and_rows_are_judged_before_any_is_queued(
    place: Place, client: Client
) -> None:
    """Names and titles count in any case; lists are parted; a fault names its row and column;
    nothing is queued.
    """
    page = sent(client, form(client, FILE))
    chosen = re.findall(r'<select id="column-(\d)".*?</select>', page.text, re.DOTALL)
    assert chosen == ["0", "1", "2", "3"]
    assert [
        found or "" for found in re.findall(r'<option value="([^"]*)" selected', page.text)
    ] == ["/text", "/times", "/words", ""]
    assert "1 of 2 rows can run." in page.words
    assert re.search(r"4 Times many must be a whole number", page.words) is not None, page.words
    assert "Queue 1 call" in page.words
    assert entries(place) == []


def test_inputs_of_pages_are_offered_last(place: Place) -> None:
    """As in the form of a call, where they are behind 'More fields': few files have a column for
    them.
    """
    action = place.host.runtime("default").catalog.find("echo").actions["list"]
    offered = [target.pointer for target in targets(action)]
    assert set(offered[-3:]) == {"/nextToken", "/fetchAll", "/pageSize"}


@pytest.mark.parametrize(
    ("columns", "goes"),
    [
        ("Email,Subject line,Message", ["/to", "/subject", "/text"]),
        ("e-mail address,From", ["/to", ""]),
        ("To,Mail", ["/to", ""]),
        ("customerEmail,Title", ["/to", "/subject"]),
        ("Sender Email,name,Reply to", ["/sender", "", "/replyTo"]),
        ("From email,,x", ["", "", ""]),
    ],
)
def test_columns_of_a_spreadsheet_find_what_they_mean(
    place: Place, client: Client, columns: str, goes: list[str]
) -> None:
    """By words for the same, and 'Email' is whom a message goes to. A guess is marked; who sends is
    none, nor is a part of a name.
    """
    place.host.runtime("default").connections.add(
        "ses",
        "aws/apiKeySecret",
        {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "k" * 40, "region": "eu-west-1"},
        test=False,
    )
    call = json.dumps(
        {"connection": "ses", "inputs": {"sender": "shop@example.com", "text": "Hello"}}
    )
    begun = client.get("/new-batch?connector=aws-ses&action=sendEmail")
    given = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "reference": hidden(begun, "reference"),
        "invocation": call,
    }
    page = sent(
        client,
        {
            "csrf": begun.csrf,
            **given,
            "rows": f"{columns}\n{','.join(['ada@example.com'] * len(goes))}\n",
        },
    )
    fields = re.findall(r'<select id="column-\d+".*?</select>', page.text, re.DOTALL)
    assert [(re.findall(r'value="([^"]*)" selected', one) or [""])[0] for one in fields] == goes, (
        page.words
    )
    named = {"To", "Sender Email", "Reply to"}
    guesses = sum(
        bool(target) and column not in named
        for column, target in zip(columns.split(","), goes, strict=True)
    )
    assert page.words.count("Guessed from the column's name") == guesses


def test_each_row_becomes_one_call_that_its_batch_finds(place: Place, client: Client) -> None:
    """Inputs of the form hold for all rows, a column goes before them; empty cells are left out;
    labels name batch and row.
    """
    fields = form(client, "text,times,gate\nOne,2,\nTwo,,\n", {"loud": True, "times": 5})
    page = queued(client, fields)
    assert "2 queued." in page.words
    found = entries(place)
    assert inputs(place) == [
        {"text": "One", "times": "2", "loud": True},
        {"text": "Two", "times": 5, "loud": True},
    ]
    reference = fields["reference"]
    assert [entry.context["labels"] for entry in found] == [
        {"batch": reference, "row": "2"},
        {"batch": reference, "row": "3"},
    ]
    listed = client.get(f"/invocations?label=batch%3D{reference}").text
    assert all(entry.id in listed for entry in found)
    assert f"label=batch%3D{reference}" in page.text


def test_no_row_runs_twice(place: Place, client: Client) -> None:
    """The form sent again, and the same file in a new form, queue nothing; equal rows of one file
    all run; on purpose, all run again.
    """
    rows = "text\nHello\nHello\nBye\n"
    fields = form(client, rows)
    assert "3 queued." in queued(client, fields).words
    assert "0 queued. 3 had been queued before." in queued(client, fields).words
    again = queued(client, form(client, rows))
    assert "0 queued. 3 had been queued before." in again.words
    assert f"label=batch%3D{fields['reference']}" in again.text
    assert (
        "1 queued. 3 had been queued before." in queued(client, form(client, rows + "More\n")).words
    )
    on_purpose = form(client, rows, again="on")
    assert "3 queued." in queued(client, on_purpose).words
    assert "0 queued. 3 had been" in queued(client, on_purpose).words
    assert len(entries(place)) == 7


def test_what_was_changed_after_the_check_is_checked_again(place: Place, client: Client) -> None:
    """The button queues what was shown, or nothing: another column, another row, another input is
    looked at first.
    """
    fields = form(client, "text,other\nHello,Bye\n")
    checked = sent(client, fields)
    known = {
        "queue": "on",
        "checked": hidden(checked, "checked"),
        "columns": hidden(checked, "columns"),
    }
    for change in (
        {"column-0": "", "column-1": "/text"},
        {"rows": "text,other\nHallo,Bye\n"},
        {"again": "on"},
    ):
        page = sent(client, {**fields, **known, "column-0": "/text", "column-1": ""}, **change)
        assert "Something was changed since" in page.words, change
    assert entries(place) == []


def test_a_chosen_column_goes_where_it_was_sent(place: Place, client: Client) -> None:
    """Members of objects, maps as JSON, and a cell that is no JSON, which its call refuses."""
    fields = form(client, 'a,b,c\nHello,rejected,"{""x"": 1}"\nBye,rejected,no\n')
    columns = {
        "columns": hidden(sent(client, fields), "columns"),
        "column-0": "/text",
        "column-1": "/fault/kind",
        "column-2": "/data",
    }
    checked = sent(client, {**fields, **columns})
    assert re.search(r"3 c no must be an object", checked.words) is not None, checked.words
    page = sent(client, {**fields, **columns}, queue="on", checked=hidden(checked, "checked"))
    assert "1 queued. 1 refused." in page.words
    assert inputs(place) == [{"text": "Hello", "fault": {"kind": "rejected"}, "data": {"x": 1}}]


def test_a_file_that_is_none_and_a_row_that_does_not_fit_say_so(client: Client) -> None:
    """Quotes, missing rows, equal names, too many rows and columns that go to one input; a value
    too many; what every row lacks.
    """
    for rows, said in (
        ("", "no rows"),
        ("text\n", "no rows"),
        ('text\n"a', "not CSV"),
        ("text,text\na,b\n", "two columns named 'text'"),
        ("text\n" + "a\n" * 10_001, "more than 10,000 rows"),
        ("text,Text \na,b\n", "Two columns go to 'Text'"),
    ):
        assert said in sent(client, form(client, rows)).words, rows[:20]
    assert "has 2 values for 1 columns" in sent(client, form(client, "text\na\nb,c\n")).words
    page = sent(client, form(client, "times\n1\n2\n"))
    assert "Each row lacks something" in page.words
    assert 'data-pointer="/text"' in page.text
    assert "0 of 2 rows can run." in page.words
    assert "Queue" not in page.words
    fields = form(client, "text\na\n")
    assert (
        "No connection is named 'attic'"
        in sent(client, fields, invocation='{"connection": "attic"}').words
    )
    assert client.post("/new-batch", {**fields, "reference": "x"}).status == 400


def test_who_may_not_run_it_gets_no_form(place: Place) -> None:
    """Reading is not enough."""
    reader = place.signed_in(token(place, "read"))
    assert reader.get("/new-batch").status == 403
    assert "new-batch" not in reader.get("/invocations").text
    assert reader.post("/new-batch", {"csrf": reader.get("/").csrf}).status == 403


def test_a_file_in_a_browser(browser: Browser, console: Console) -> None:
    """From the form of the action, which comes along, over a file of a spreadsheet, to the calls:
    accessible in every look.
    """
    runtime = console.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame"})
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/connectors/echo/actions/say")
    visitor.page.get_by_label("Loud").check()
    visitor.page.get_by_role("button", name="For each row of a file").click()
    visitor.settle()
    assert visitor.page.get_by_label("Loud").is_checked()
    text = "Text\tTimes\r\nGrüße\t2\r\nBye\tmany\r\n"
    visitor.page.get_by_label("CSV file").set_input_files(
        {"name": "greetings.csv", "mimeType": "text/csv", "buffer": text.encode("utf-16")}
    )
    visitor.page.get_by_text("1 of 2 rows can run.").wait_for()
    visitor.page.get_by_role("cell", name="Grüße").wait_for()
    assert visitor.judged("batch", thoroughly=True) == []
    visitor.page.get_by_label("CSV file").set_input_files(
        {
            "name": "greetings.csv",
            "mimeType": "text/csv",
            "buffer": text.replace("many", "3").encode("cp1252"),
        }
    )
    visitor.page.get_by_role("button", name="Queue 2 calls").click()
    visitor.page.get_by_text("2 queued.").wait_for()
    assert visitor.judged("batch-queued", thoroughly=True) == []
    visitor.page.get_by_role("link", name="Follow the calls").click()
    visitor.page.locator(".calls tbody tr").nth(1).wait_for()
    assert visitor.faults == []
    visitor.close()
