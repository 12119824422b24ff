"""The page of an invocation tells pages from tries, doubts from what was not sent, and who settled
a doubt; Results that are lists.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed, token

from courier import SOURCE
from jackfield.callers import LIBRARY, Caller, Rules
from jackfield.callers.actor import Actor
from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InDoubt
from jackfield_service.shell.pages.layout.results import error_shown
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_store.journal import Journal
from jackfield_store.journal.doubts import Doubts
from jackfield_store.journal.entry import EVIDENCE
from plugboard import make_connector, plugged

POST = {"connector": "echo", "action": "post", "connection": "hall", "inputs": {"text": "Hello"}}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection to the echo."""
    with placed(tmp_path) as found:
        found.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})
        yield found


@pytest.fixture
def client(place: Place) -> Client:
    """Somebody who is signed in."""
    return place.signed_in()


def journal(place: Place) -> Journal:
    """The journal of the workspace."""
    found = place.host.runtime("default").journal
    assert found is not None
    return found


def doubtful(place: Place, caller: Caller = LIBRARY) -> str:
    """The id of an invocation in doubt, with everything that a caller can give it to be recognised
    by.
    """
    context = {"correlationId": "order-4711", "labels": {"shop": "berlin"}}
    asked = {
        **POST,
        "inputs": {"text": "Hello", "fault": {"kind": "reset"}},
        "idempotencyKey": "note-1",
        "context": context,
    }
    result = place.host.runtime("default").invoke(asked, caller=caller)
    assert result.status == "in_doubt"
    return result.meta.invocation_id


def test_m7_pages_are_not_called_tries(client: Client, place: Place) -> None:
    """M7: three pages are three pages in one try; a page that took a second try says so."""
    listed: dict[str, Any] = {
        "connector": "echo",
        "action": "list",
        "connection": "hall",
        "inputs": {"fetchAll": True, "total": 250},
    }
    result = place.host.runtime("default").invoke(listed)
    page = client.get(f"/invocations/{result.meta.invocation_id}").words
    assert result.meta.attempts == 1
    assert "Pages and attempts" in page
    assert "Page 3" in page
    assert "3 pages in" in page
    assert "Attempt 2" not in page
    fault: dict[str, Any] = {"kind": "throttled", "tries": 1, "name": "m7"}
    result = place.host.runtime("default").invoke(
        {**listed, "inputs": {**listed["inputs"], "fault": fault}}
    )
    page = client.get(f"/invocations/{result.meta.invocation_id}").words
    assert "Page 1, attempt 2" in page
    assert "3 pages, 1 retry in" in page


def test_a_text_that_is_not_unicode_hides_no_page(client: Client, place: Place) -> None:
    """JSON can hold a lone surrogate, which UTF-8 cannot: a label and a callback's description show
    its escape.
    """
    runtime, lone = place.host.runtime("default"), json.loads('"\\ud800 x"')
    read = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "Hello"}}
    result = runtime.invoke({**read, "context": {"labels": {"shop": lone}, "correlationId": lone}})
    assert r"\ud800 x" in client.get(f"/invocations/{result.meta.invocation_id}").words
    storage = place.host.storage
    callbacks = Callbacks(
        storage.database,
        storage.vault,
        "default",
        SystemClock(),
        Actor("cli", "ada"),
        origin="operator",
    )
    callback = callbacks.create({"url": "http://127.0.0.1:9/", "description": lone}).callback
    assert r"\ud800 x" in client.get("/callbacks").words
    assert r"\ud800 x" in client.get(f"/callbacks/{callback.id}").words


def test_h4_nothing_says_that_a_doubt_was_not_sent(client: Client, place: Place) -> None:
    """H4: an entry in doubt without a recorded try, as earlier versions left them, is not called
    unsent; nor is it once it is settled.
    """
    meta = Meta(new_invocation_id(), connector="echo", connector_version="1.0.0", action="post")
    draft = Draft(
        id=meta.invocation_id,
        connector="echo",
        connector_version="1.0.0",
        action="post",
        effect="write",
        connection="hall",
        caller=None,
        created_at=place.host.clock.time(),
        expires_at=place.host.clock.time() + 60,
    )
    known = journal(place)
    with known.database.write() as transaction:
        known.starting(draft)(transaction)
        known.finishing(draft, Result("in_doubt", meta, error=InDoubt("its process stopped")), [])(
            transaction
        )
    for _ in range(2):
        page = client.get(f"/invocations/{draft.id}").words
        assert "Nothing was sent" not in page
        assert "A request may have been sent" in page
        client.change(
            f"/invocations/{draft.id}", f"/invocations/{draft.id}/resolve", **{"as": "succeeded"}
        )


def test_a_doubt_that_evidence_has_settled_says_so(place: Place) -> None:
    """The page does not speak of a person, nor of an output as unknown that evidence has
    brought.
    """
    client, identifier = place.signed_in(token(place, "manage")), doubtful(place)
    known = journal(place)
    resolution = {"by": EVIDENCE, "at": "2026-11-27T10:00:00.000Z", "evidence": {"verdict": "took"}}
    result = {
        "status": "succeeded",
        "output": {"text": "hello"},
        "meta": {"invocationId": identifier, "resolution": resolution},
    }
    doubts = Doubts(known.database, place.host.storage.vault, known.workspace, place.host.clock)
    entry = known.find(identifier)
    sealed = known.sealed_result(identifier, result)
    known.database.record(
        lambda transaction: doubts.settle(transaction, entry, "succeeded", None, sealed)
    )
    page = client.get(f"/invocations/{identifier}").words
    assert "Settled by what the provider shows" in page
    assert "Resolved manually" not in page
    assert "unknown: it was not received" not in page


def test_m6_a_settled_doubt_keeps_its_error_and_says_who_decided(place: Place) -> None:
    """M6, L18: the page of a settled doubt shows the decision, the name of the token that decided,
    and the error of the doubt.
    """
    client, identifier = place.signed_in(token(place, "manage")), doubtful(place)
    before = client.get(f"/invocations/{identifier}").words
    assert "connection reset" in before or "may have taken effect" in before
    client.change(
        f"/invocations/{identifier}", f"/invocations/{identifier}/resolve", **{"as": "succeeded"}
    )
    page = client.get(f"/invocations/{identifier}").words
    assert "Resolved manually" in page
    assert "Resolved by Ada" in page
    assert "took effect" in page
    assert "What had happened an unexpected ConnectionResetError" in page
    assert "Empty." not in page
    assert "Resolved by Ada" in page


def test_a_doubt_can_be_looked_up_and_is_not_run_again_by_accident(
    client: Client, place: Place
) -> None:
    """The doubt shows key, correlation id and labels; Run again is no button beside the badge, and
    warns.
    """
    identifier = doubtful(place)
    text = client.get(f"/invocations/{identifier}").text
    page = client.get(f"/invocations/{identifier}").words
    for mark in ("note-1", "order-4711", "shop=berlin"):
        assert mark in page.partition("Run again without")[0]
    assert (
        "Run again"
        not in text.partition('id="heading"')[2].partition("</section>")[0].partition("<section")[0]
    )
    assert "running it again repeats it" in page
    assert (
        "running it again repeats it"
        in client.get(f"/connectors/echo/actions/post?again={identifier}").words
    )


def test_a_file_that_was_given_by_path_is_chosen_again(tmp_path: Path) -> None:
    """Its name in the record means nothing any more: filled into the form, it was a file that does
    not exist. The rest is filled in.
    """
    make_connector(tmp_path / "couriers", "courier", SOURCE)
    (tmp_path / "photo.png").write_bytes(b"x")
    with plugged(tmp_path / "couriers"), placed(tmp_path) as found:
        runtime = found.host.runtime("default")
        runtime.access.workspaces.set("default", {"keepInputs": True})
        inputs = {"document": tmp_path / "photo.png", "fault": "none"}
        kept = runtime.invoke(
            {"connector": "courier", "action": "carry", "inputs": inputs}
        ).meta.invocation_id
        page = found.signed_in().get(f"/connectors/courier/actions/carry?again={kept}")
        assert runtime.journal is not None
        assert runtime.journal.find(kept).inputs == {
            "document": {"file": "given-1"},
            "fault": "none",
        }
    assert "passed by path are not kept" in page.words
    assert "given-1" not in page.text


def test_callers_have_names(place: Place) -> None:
    """L18: the caller is shown by the name of its token; an id that is no token's is shown as it
    is.
    """
    client = place.signed_in(token(place, "invoke"))
    fields = {
        "csrf": client.get("/").csrf,
        "invocation": '{"connection": "hall", "inputs": {"text": "Hi"}}',
        "mode": "run",
    }
    client.post("/connectors/echo/actions/post/run", fields, hx_request="true")
    entry = journal(place).entries()[0][0]
    assert "Caller Ada" in client.get(f"/invocations/{entry.id}").words


def test_a_list_has_a_count_and_a_next_page(client: Client) -> None:
    """The output of a list says how many items it has; where there are more, a button asks for the
    next page.
    """
    fields = {
        "csrf": client.get("/").csrf,
        "invocation": '{"connection": "hall", "inputs": {"total": 45, "pageSize": 20}}',
        "mode": "run",
    }
    shown = client.post("/connectors/echo/actions/list/run", fields, hx_request="true")
    assert "20 items" in shown.words
    assert "Next page" in shown.words
    assert "&quot;nextToken&quot;: &quot;20&quot;" in shown.text
    last = {
        **fields,
        "invocation": (
            '{"connection": "hall", "inputs": {"total": 45, "pageSize": 20, "nextToken": "40"}}'
        ),
    }
    shown = client.post("/connectors/echo/actions/list/run", last, hx_request="true")
    assert "5 items" in shown.words
    assert "Next page" not in shown.words


def test_the_list_is_filtered_by_what_callers_gave(client: Client, place: Place) -> None:
    """Time, key, correlation id, label, error code, caller and a search narrow the list; what does
    not fit is not in it.
    """
    identifier = doubtful(place)
    fitting = (
        "since=1h",
        "idempotencyKey=note-1",
        "correlationId=order-4711",
        "label=shop=berlin",
        "errorCode=in_doubt",
        "q=order-47",
    )
    for query in fitting:
        assert identifier in client.get(f"/invocations?{query}").text, query
    for query in (
        "idempotencyKey=note-2",
        "correlationId=order",
        "label=shop=rome",
        "errorCode=timeout",
        "q=nowhere",
        "caller=nobody",
    ):
        page = client.get(f"/invocations?{query}")
        assert identifier not in page.text, query
        assert (
            "No invocation has this text as its ID"
            if query.startswith("q=")
            else "No invocation matches."
        ) in page.words


def test_a_call_is_found_by_its_customer(place: Place) -> None:
    """By what is in its inputs, where they are recorded, or in its error, once somebody asks for
    that; the page says where it has looked, and these can be exported. A caller with rules is shown
    what has the text in its names alone.
    """
    runtime, client = place.host.runtime("default"), place.signed_in()
    place.workspaces.set("default", {"keepInputs": True})
    said = runtime.invoke(
        {
            "connector": "echo",
            "action": "say",
            "connection": "hall",
            "inputs": {"text": "To bob@customer.example"},
        }
    )
    runtime.invoke(
        {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "To eve"}}
    )
    typed = client.get("/invocations?q=Bob@customer.example", hx_request="true")
    assert (said.meta.invocation_id in typed.text, "Searched were" in typed.words) == (False, False)
    (asked,) = re.findall(r'href="([^"]*within=1)"', typed.text)
    page = client.get(asked.replace("&amp;", "&"))
    assert said.meta.invocation_id in page.text
    assert "Searched were all calls that fit the other filters." in page.words
    assert "No invocation matches" not in page.words
    (saved,) = re.findall(r'href="([^"]*kind=csv)"', page.text)
    rows = client.get(saved.replace("&amp;", "&")).text.splitlines()
    assert (len(rows), rows[1].startswith(said.meta.invocation_id)) == (2, True)
    assert (
        said.meta.invocation_id
        not in client.get("/invocations?q=bob@customer.example&within=1&status=failed").text
    )
    other = place.signed_in(token(place, "read", rules=Rules(("echo/*",))))
    hidden = other.get("/invocations?q=bob@customer.example&within=1")
    assert (said.meta.invocation_id in hidden.text, "Searched were" in hidden.words) == (
        False,
        False,
    )


def test_calls_of_one_action_are_told_apart(place: Place) -> None:
    """A row has the inputs that say something, if they are recorded, else the labels: no defaults,
    last what the connection could bring.
    """
    runtime, client = place.host.runtime("default"), place.signed_in()
    say = {"connector": "echo", "action": "say", "connection": "hall"}
    runtime.invoke(
        {**say, "inputs": {"text": "Unrecorded"}, "context": {"labels": {"order": "4711"}}}
    )
    place.workspaces.set("default", {"keepInputs": True})
    names = ["Ada", "Grace", "Joan", "Edith"]
    runtime.invoke(
        {**say, "inputs": {"text": "Not this", "times": 2, "loud": True, "names": names}}
    )
    put = {
        "connector": "echo",
        "action": "put",
        "connection": "hall",
        "inputs": {"value": "b  c\n" + "d" * 99, "key": "a"},
    }
    runtime.invoke(put)
    shown = [
        html.unescape(text)
        for text in re.findall(r'class="gist">([^<]*)<', client.get("/invocations").text)
    ]
    assert shown == [
        f"a · b c {'d' * 56}…",
        "2 · Ada, Grace, Joan and 1 more · Not this",
        "order=4711",
    ]
    assert client.get("/").text.count('class="gist"') == 3


def test_days_are_the_readers_and_end_at_midnight(client: Client, place: Place) -> None:
    """The periods today and yesterday, and dates from and until, which are included, cover the
    whole days of the reader's time zone.
    """
    known, meta = (
        journal(place),
        Meta(new_invocation_id(), connector="echo", connector_version="1.0.0", action="post"),
    )
    local = datetime.fromtimestamp(place.host.clock.time(), ZoneInfo("Asia/Kolkata")).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    late = local.timestamp() - 1  # in the last second of yesterday
    draft = Draft(
        id=meta.invocation_id,
        connector="echo",
        connector_version="1.0.0",
        action="post",
        effect="write",
        connection="hall",
        caller=None,
        created_at=late,
        expires_at=late + 60,
    )
    with known.database.write() as transaction:
        known.starting(draft)(transaction)
    today, before = f"{local:%Y-%m-%d}", f"{local - timedelta(hours=1):%Y-%m-%d}"
    zone = "&timezone=Asia%2FKolkata"
    fitting = (
        "since=yesterday",
        f"from={before}&until={before}",
        f"until={before}",
        f"until={today}&from={before}&since=yesterday",
    )
    for query in fitting:
        assert draft.id in client.get(f"/invocations?{query}{zone}").text, query
    for query in (
        "since=today",
        f"from={today}",
        f"until={local - timedelta(days=2):%Y-%m-%d}",
        f"since=yesterday&from={today}",
    ):
        assert draft.id not in client.get(f"/invocations?{query}{zone}").text, query
    for query in ("from=monday", "since=today&timezone=Atlantis"):
        assert client.get(f"/invocations?{query}").status == 400, query


def test_n4_of_several_connections_none_is_preselected(client: Client, place: Place) -> None:
    """N4: one connection is chosen in the form; of two a person chooses."""
    address = "/connectors/echo/actions/post"
    assert 'value="hall" selected' in client.get(address).text
    place.host.runtime("default").connections.add("attic", "echo/token", {"token": "sesame"})
    picker = client.get(address).text.partition('id="connection"')[2].partition("</select>")[0]
    assert picker.count(" selected") == 1
    assert "selected>Choose a connection" in picker


@pytest.mark.parametrize("query", ["status=done", "since=2h", "status=done&live=1"])
def test_n9_a_filter_that_does_not_exist_is_refused(client: Client, query: str) -> None:
    """N9: the list does not pass over a filter that it does not know."""
    answer = client.get(f"/invocations?{query}")
    assert answer.status == 400
    assert "must be one of" in answer.words


def test_n9_callers_are_found_by_name(place: Place) -> None:
    """N9: the filter for callers takes the name of a token, or its id; a name that two tokens have
    is refused.
    """
    tokens = place.tokens()
    ada, client = tokens.create("manage", "Ada").token, place.signed_in()
    identifier = doubtful(place, Caller(ada.id))
    for name in ("Ada", ada.id):
        assert identifier in client.get(f"/invocations?caller={name}").text
    assert identifier not in client.get("/invocations?caller=Grace").text
    tokens.create("read", "Ada")
    assert client.get("/invocations?caller=Ada").status == 400


def test_h4_the_details_of_a_providers_error_are_shown() -> None:
    """Further members of the provider's error are shown as JSON, and stay text."""
    provider = {
        "code": "ConditionalCheckFailedException",
        "details": {"Item": {"name": {"S": "<b>Ada</b>"}}},
    }
    page = str(
        error_shown({"code": "conflict", "message": "no", "retryable": False, "provider": provider})
    )
    assert "&lt;b&gt;Ada&lt;/b&gt;" in page
    assert "<b>Ada" not in page
