"""Subscriptions in the console: added by a form of the trigger's inputs, paused, reset on purpose
only, with their events and samples.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed, token
from tests.jackfield_service.subjects.triggers.trigger_stage import signed

_HALL = {
    "name": "hall",
    "type": "echo/token",
    "values": '{"token": "secret-4711"}',
    "how": "untested",
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection, where nobody works on subscriptions."""
    with placed(tmp_path, queue_workers=0) as found:
        person = found.signed_in()
        assert person.change("/connections", "/connections", **_HALL).status in (200, 303)
        yield found


def _add(person: Client, trigger: str, **fields: str) -> str:
    """Add a subscription by the form of its trigger; return the text of the answer."""
    address = f"/new-subscription?trigger={trigger}"
    given = {"name": "one", "trigger": trigger, "connection": "hall", "inputs": "{}"}
    answer = person.change(address, "/subscriptions", **{**given, **fields})
    return answer.headers.get("location", "") + answer.words


def test_a_subscription_is_added_paused_reset_and_removed(place: Place) -> None:
    """The form has the trigger's inputs and its connections; a fault is at its field; a reset needs
    the box to be ticked.
    """
    person = place.signed_in()
    assert "No subscriptions yet" in person.get("/subscriptions").words
    assert {"Echo: Posted", "Echo: Notes"} <= set(
        re.findall(r'class="whole"[^>]*>([^<]+)<', person.get("/new-subscription").text)
    )
    assert "No trigger matches" in person.get("/new-subscription?q=nothing").words
    form = person.get("/new-subscription?trigger=echo/notes").text
    assert ('name="every"' in form, "pageSize" in form, ">hall, echo/token</option>" in form) == (
        True,
        True,
        True,
    )
    assert person.get("/new-subscription?trigger=echo/nothing").status == 404
    for fields, said in (
        ({"inputs": '{"word": 1}'}, "/word must be"),
        ({"every": "1"}, "/subscription:every"),
        ({"every": "soon"}, "not a number"),
        ({"connection": ""}, "/subscription:connection"),
        ({"inputs": "["}, "JSON"),
    ):
        assert said in _add(person, "echo/notes", **fields)
    assert _add(person, "echo/notes", every="60", **{"from": "1d"}).startswith(
        "/subscriptions/one?done=added"
    )
    assert "echo/notes" in person.get("/subscriptions").words
    shown = person.get("/subscriptions/one").words
    for part in ("pending", "60 s", "Nothing was polled yet", "The next real one appears here"):
        assert part in shown
    for step, said in (
        ("pause", "Paused: nothing is received"),
        ("resume", "Resumed: a poll goes on"),
    ):
        answer = person.change("/subscriptions/one", f"/subscriptions/one/{step}")
        assert said in person.get(answer.headers["location"]).words
    assert (
        "done=reset"
        not in person.change("/subscriptions/one", "/subscriptions/one/reset", since="2d").headers[
            "location"
        ]
    )
    assert (
        "done=reset"
        in person.change(
            "/subscriptions/one", "/subscriptions/one/reset", since="2d", sure="on"
        ).headers["location"]
    )
    assert person.change("/subscriptions/one", "/subscriptions/one/nonsense").status == 404
    removed = person.change("/subscriptions/one", "/subscriptions/one/removal").headers["location"]
    assert "No subscriptions yet" in person.get(removed).words


def test_events_and_samples_of_a_webhook_are_shown(place: Place) -> None:
    """Its URL, a sample, and each event as it arrives; the secret of a webhook that nobody
    registers is shown once.
    """
    person = place.signed_in()
    assert _add(person, "echo/posted").startswith("/subscriptions/one?done=added")
    page = person.get("/subscriptions/one")
    for part in ("The connector registers it at the provider", "Sample: A note"):
        assert part in page.text
    path = urlsplit(re.findall(r"http[^<\"]*/hooks/[^<\"]+", page.text)[0]).path
    found = place.host.runtime("default")
    row = found.storage.database.look_up(
        "SELECT id FROM subscriptions WHERE workspace = :workspace", {"workspace": "default"}
    )
    assert row is not None
    from jackfield_service.subjects.triggers.table import by_path

    stored = by_path(found.storage.database, path.rpartition("/")[2])
    assert stored is not None
    secret = stored.opened(found.storage.vault).secret
    body, headers = signed(
        secret, place.host.clock.time(), {"notes": [{"id": "n-1", "text": "<b>hello</b>"}]}
    )
    assert place.client().send("POST", path, body, headers).status == 200
    told = person.get("/subscriptions/one/events?live=1").text
    assert ("echo.posted" in told, "&lt;b&gt;hello" in told, "<b>hello" in told) == (
        True,
        True,
        False,
    )
    answer = _add(
        person,
        "http/webhook",
        name="any",
        connection="",
        inputs=json.dumps({"signature": "standardWebhooks"}),
    )
    (shown,) = re.findall(r"whsec_\S+", answer)
    assert shown not in person.get("/subscriptions/any").text


def test_what_each_event_starts_is_chosen_and_entered(place: Place) -> None:
    """An action is searched; the form has its connections, its required inputs and the places of
    the event; faults are at their fields; the page of the subscription leads to the action and its
    invocations.
    """
    person, address = place.signed_in(), "/new-subscription?trigger=echo/posted"
    assert (
        person.get(f"{address}&then=&q=post").text.count(f'href="{address}&amp;then=echo/post"')
        == 1
    )
    assert (
        'name="trigger" value="echo/posted"><input type="hidden" name="then" value=""></form>'
        in person.get(address).text
    )
    found = person.get(f"{address}&then=&q=post", hx_request="true").text
    assert f'href="{address}&amp;then=echo/post"' in found
    assert "No action matches" in person.get(f"{address}&then=&q=xyzzyq").words
    form = person.get(f"{address}&then=echo/post").text
    for part in (
        'name="then" value="echo/post"',
        ">hall, echo/token</option>",
        "&quot;text&quot;: &quot;&quot;",
        "/data/payload/text",
    ):
        assert html.unescape(part) in html.unescape(form)
    assert [
        person.get(f"{address}&then={name}").status for name in ("echo/nothing", "nobody/post", "x")
    ] == [404, 404, 404]
    for fields, said in (
        ({"thenInputs": "{"}, "/subscription:then/inputs"),
        ({"thenInputs": '{"texts": 1}'}, "/subscription:then/inputs/texts"),
        ({"thenInputs": "[]"}, "/subscription:then/inputs"),
        ({"thenConnection": ""}, "/subscription:then/connection"),
        ({"thenConnection": "attic"}, "attic"),
        ({"then": "echo/pst"}, "post"),
    ):
        given = {
            "then": "echo/post",
            "thenConnection": "hall",
            "thenInputs": '{"text": "x"}',
            **fields,
        }
        assert said in _add(person, "echo/posted", **given), fields
    text = '{"text": {"$text": ["Note ", {"$event": "/data/payload/id"}]}}'
    added = _add(person, "echo/posted", then="echo/post", thenConnection="hall", thenInputs=text)
    assert added.startswith("/subscriptions/one?done=added")
    page = person.get("/subscriptions/one").text
    for part in (
        "/connectors/echo/actions/post",
        "/invocations?label=subscription=one",
        "&quot;$event&quot;",
    ):
        assert part in page
    assert person.get("/invocations?label=subscription=one").status == 200


def test_a_subscription_is_edited_and_keeps_its_url(place: Place) -> None:
    """The form has what it starts now, and what can be changed of it: another action, connection or
    inputs, the interval of a poll, the inputs of a webhook that nobody registers; it stops starting
    anything on purpose only. Faults are at their fields.
    """
    person = place.signed_in()
    webhook = json.dumps({"signature": "standardWebhooks"})
    start = {"then": "echo/post", "thenConnection": "hall", "thenInputs": '{"text": "x"}'}
    assert "whsec_" in _add(
        person, "http/webhook", name="any", connection="", inputs=webhook, **start
    )
    before, edit = place.host.runtime("default"), "/subscriptions/any/edit"
    url = re.findall(r"http[^<\"]*/hooks/[^<\"]+", person.get("/subscriptions/any").text)
    form = person.get(edit).text
    for part in (
        'value="echo/post"',
        "standardWebhooks",
        "&quot;text&quot;: &quot;x&quot;",
        f'href="{edit}?&amp;then="',
    ):
        assert html.unescape(part) in html.unescape(form)
    assert 'name="every"' not in form
    assert (
        f'href="{edit}?&amp;then=echo/post"'
        in person.get(f"{edit}?then=&q=post", hx_request="true").text
    )
    refused = person.change(edit, edit, inputs=webhook, **{**start, "thenInputs": '{"texts": 1}'})
    assert "/subscription:then/inputs/texts" in refused.words
    assert (
        "done=changed"
        in person.change(
            edit, edit, inputs=webhook, **{**start, "thenInputs": '{"text": "y"}'}
        ).headers["location"]
    )
    shown = person.get("/subscriptions/any").text
    assert (
        "&quot;y&quot;" in shown,
        re.findall(r"http[^<\"]*/hooks/[^<\"]+", shown) == url,
        before is not None,
    ) == (True, True, True)
    assert (
        "done=changed"
        in person.change(edit, edit, inputs=webhook, stop="on", **start).headers["location"]
    )
    assert "Starts" not in person.get("/subscriptions/any").words
    assert _add(person, "echo/notes", every="60").startswith("/subscriptions/one")
    poll = "/subscriptions/one/edit"
    form = person.get(poll).text
    assert (
        'name="every" autocomplete="off" spellcheck="false"' in form or 'value="60"' in form,
        'name="inputs"' in form,
    ) == (True, False)
    assert "done=changed" in person.change(poll, poll, every="120").headers["location"]
    assert "120 s" in person.get("/subscriptions/one").words
    reader = place.signed_in(token(place, "read"))
    assert [reader.get(poll).status, reader.change("/", poll, every="60").status] == [403, 403]


def test_readers_see_and_only_managers_change(place: Place) -> None:
    """A token that reads gets the pages without buttons; it gets no form, and changes nothing."""
    assert _add(place.signed_in(), "echo/notes").startswith("/subscriptions/one")
    reader = place.signed_in(token(place, "read"))
    assert (
        reader.get("/subscriptions/one").status,
        "Pause" in reader.get("/subscriptions/one").words,
    ) == (200, False)
    assert [
        reader.get("/new-subscription").status,
        reader.change("/", "/subscriptions/one/pause").status,
    ] == [403, 403]
