"""``then``: an event starts an invocation, in its own commit, with its ID as the key and the rights
of who added the subscription.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage

from jackfield.callers import LIBRARY, Caller, Rules
from jackfield.callers.actor import Actor
from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import JackfieldError
from jackfield.manifest.triggers import TriggerManifest
from jackfield_service.subjects.triggers.event_places import place_fault
from jackfield_store.access import Tokens
from jackfield_store.journal import Queue

_TEXT = {
    "$text": [
        "Note ",
        {"$event": "/data/payload/id"},
        ": ",
        {"$event": "/data/payload/text"},
        {"$event": "/data/invocationId"},
    ]
}
THEN: dict[str, Any] = {
    "connector": "echo",
    "action": "post",
    "connection": "hall",
    "inputs": {"text": _TEXT, "voice": {"$event": "/data/invocationId"}},
}


def _note(stage: TriggerStage, identifier: str, text: str = "hello") -> None:
    from jackfield_echo.watching import NOTES

    NOTES.append({"id": identifier, "at": stage.now(), "text": text})


def _again(stage: TriggerStage) -> None:
    stage.move(70)
    stage.look()


def _entries(stage: TriggerStage) -> list[Entry]:
    return stage.runtime.journal_of(LIBRARY).entries(limit=200)[0][::-1]


def test_an_event_starts_an_invocation_once(stage: TriggerStage) -> None:
    """Its key is the event's ID, its inputs have values of the event, absent ones are left out,
    which a label says; what comes again starts nothing.
    """
    shown = stage.add("notes", then=THEN)["then"]
    assert (shown["action"], shown["inputs"]["text"]) == ("post", _TEXT)
    stage.look()
    _note(stage, "n-1")
    _again(stage)
    _again(stage)
    (event,) = stage.events("echo.notes")
    (entry,) = _entries(stage)
    assert (entry.idempotency_key, entry.status, entry.context) == (
        event.id,
        "queued",
        {"labels": {"subscription": "one", "absent": "/data/invocationId"}},
    )
    queue = Queue(stage.pools[0].storage.database, stage.clock)
    results = [stage.runtime.run(claimed) for claimed in queue.claim(10)]
    assert [(result.output or {})["text"] for result in results] == ["Note n-1: hello"]


def test_what_has_only_absent_values_is_left_out(stage: TriggerStage) -> None:
    """Objects and lists that the event leaves empty are not sent as empty ones; those that were
    empty, or keep something, stay.
    """
    absent = {"$event": "/data/invocationId"}
    inputs = {
        "text": "x",
        "words": [absent],
        "data": {"a": {"b": absent}, "c": [absent, 1], "d": {}, "e": [[absent]]},
    }
    stage.add("notes", then={**THEN, "inputs": {**inputs, "pairs": [], "fault": {"name": absent}}})
    stage.look()
    _note(stage, "n-1")
    _again(stage)
    queue = Queue(stage.pools[0].storage.database, stage.clock)
    (result,) = [stage.runtime.run(claimed) for claimed in queue.claim(10)]
    sent = (result.output or {})["inputs"]
    assert ({"words", "fault"} & set(sent), sent["data"], sent["pairs"]) == (
        set(),
        {"c": [1], "d": {}},
        [],
    )


def test_an_invocation_of_an_event_waits_for_a_person_where_a_rule_says_so(
    stage: TriggerStage,
) -> None:
    """It is not queued before somebody has approved it."""
    stage.runtime.access.workspaces.set("default", {"rules": {"approve": ["effect:write"]}})
    stage.add("notes", then=THEN)
    stage.look()
    _note(stage, "n-1")
    _again(stage)
    (entry,), queue = _entries(stage), Queue(stage.pools[0].storage.database, stage.clock)
    assert (entry.status, queue.claim(10)) == ("waiting", [])
    stage.runtime.approvals_of(Caller("cli:bob", audience="operator"), Actor("cli", "bob")).approve(
        entry.id
    )
    assert [stage.runtime.run(claimed).status for claimed in queue.claim(10)] == ["succeeded"]


def test_an_event_whose_invocation_is_refused_is_told(stage: TriggerStage) -> None:
    """The event stays; ``subscription.refused`` names the error and the places of the inputs, and
    no value.
    """
    stage.add(
        "notes", then={**THEN, "inputs": {"text": "x", "times": {"$event": "/data/payload/text"}}}
    )
    stage.look()
    _note(stage, "n-1", "secret-text")
    _again(stage)
    (event,), (refused,) = stage.events("echo.notes"), stage.events("subscription.*")
    assert (refused.type, refused.data["eventId"], refused.data["errorCode"]) == (
        "subscription.refused",
        event.id,
        "invalid_input",
    )
    assert (refused.data["paths"], "secret-text" in str(refused.data), _entries(stage)) == (
        ["/times"],
        False,
        [],
    )


def test_the_rights_are_those_of_who_added_it(stage: TriggerStage) -> None:
    """A token that may not post adds no such subscription; one whose rules change later starts
    nothing more.
    """
    storage = stage.pools[0].storage
    tokens = Tokens(storage.database, storage.vault, "default", stage.clock)
    made = tokens.create("manage", "watcher", rules=Rules(allow=("echo/notes", "echo/say"))).token
    caller = Caller("token:watcher", "manage", made.rules, remote=True, token=made.id)
    document = {"name": "one", "trigger": "echo/notes", "connection": "hall", "then": THEN}
    with pytest.raises(JackfieldError, match="no action"):
        stage.all(caller).add(document)
    stage.all(caller).add({**document, "then": {**THEN, "action": "say"}})
    stage.look()
    _note(stage, "n-1")
    _again(stage)
    assert [entry.caller for entry in _entries(stage)] == ["token:watcher"]
    stage.runtime.access.workspaces.set("default", {"rules": {"block": ["echo/say"]}})
    _note(stage, "n-2")
    _again(stage)
    assert (len(stage.events("echo.notes")), len(_entries(stage))) == (2, 1)
    assert [event.data["errorCode"] for event in stage.events("subscription.*")] == ["not_allowed"]


def test_a_required_input_that_the_event_lacks_is_refused(stage: TriggerStage) -> None:
    """Nothing is sent without it: the subscription's page tells of ``invalid_input``."""
    stage.add("notes", then={**THEN, "inputs": {"text": {"$event": "/data/invocationId"}}})
    stage.look()
    _note(stage, "n-1")
    _again(stage)
    (told,) = stage.events("subscription.refused")
    assert (told.data["errorCode"], told.data["paths"], _entries(stage)) == (
        "invalid_input",
        ["/text"],
        [],
    )


_REFUSED: tuple[tuple[Any, str], ...] = (
    (1, "/then"),
    ({"connector": "echo"}, "/then/action"),
    ({**THEN, "connector": "nobody"}, "nobody"),
    ({**THEN, "action": "pst"}, "post"),
    ({**THEN, "connection": "attic"}, "attic"),
    ({**THEN, "after": 1}, "/then/after"),
    ({**THEN, "inputs": {"texts": 1}}, "/then/inputs/texts"),
    ({**THEN, "inputs": {"text": {"$event": "id"}}}, "/then/inputs/text/$event"),
    ({**THEN, "inputs": {"text": "x", "times": "often"}}, "/then/inputs/times"),
    ({**THEN, "inputs": {"text": {"$event": "/data/id"}}}, "did you mean '/data/payload/id'"),
    (
        {**THEN, "inputs": {"text": {"$text": [{"$event": "/data/payload/txt"}]}}},
        "did you mean '/data/payload/text'",
    ),
    ({**THEN, "inputs": {"text": {"$event": "/data/payload/text/0"}}}, "/then/inputs/text/$event"),
    ({**THEN, "inputs": {"text": [_TEXT], "times": 0.5}}, "/then/inputs/times"),
    ({**THEN, "inputs": {"text": {"$text": [1]}}}, "/then/inputs/text/$text"),
    ({**THEN, "idempotencyKey": "k"}, "/then/idempotencyKey"),
)


def test_what_can_start_nothing_is_refused_at_once(stage: TriggerStage) -> None:
    """The fault is named when the subscription is added."""
    for then, place in _REFUSED:
        with pytest.raises(JackfieldError) as refused:
            stage.add("notes", then=then)
        said = refused.value
        assert place in (
            f"{said.message} "
            f"{[(detail.path, detail.message) for detail in said.details]} {said.hint}"
        ), then


def test_a_place_of_any_json_is_suggested_where_json_is() -> None:
    """The body of ``http/webhook`` is open: what is looked for elsewhere may be in it, and nowhere
    in a text.
    """
    raw = json.loads(files("jackfield_http").joinpath("connector.json").read_text(encoding="utf-8"))
    trigger = TriggerManifest.from_json(
        next(row for row in raw["triggers"] if row["key"] == "webhook"), "webhook"
    )
    assert place_fault(trigger, "/data/payload/body/name") is None
    assert "did you mean '/data/payload/body/name'?" in (
        place_fault(trigger, "/data/payload/json/name") or ""
    )


_KEYS = {"accessKeyId": "AKIAEXAMPLE", "secretAccessKey": "secret-4711"}
_SMTP = {"hostname": "mail.example.com", "username": "a", "password": "secret-4711"}
_MAIL = {"to": "ada@example.org", "subject": "Hi", "text": {"$event": "/data/payload/text"}}
_FILLED: tuple[tuple[str, dict[str, Any], str, str, dict[str, Any], list[str]], ...] = (
    ("aws/apiKeySecret", {**_KEYS, "region": "eu-west-1"}, "aws.s3", "listBuckets", {}, []),
    ("aws/apiKeySecret", _KEYS, "aws.s3", "listBuckets", {}, ["/then/inputs/awsRegion"]),
    (
        "aws/apiKeySecret",
        {**_KEYS, "region": "eu-west-1"},
        "aws.sqs",
        "createQueue",
        {},
        ["/then/inputs/QueueName"],
    ),
    ("aws/awsDefault", {}, "aws.s3", "listBuckets", {}, []),  # the machine may have a region
    (
        "aws-ses/apiKeySecret",
        {**_KEYS, "region": "eu-west-1", "sender": "a@example.com"},
        "aws-ses",
        "sendEmail",
        _MAIL,
        [],
    ),
    # it needs no region
    ("aws-ses/smtp", _SMTP, "aws-ses", "sendEmail", _MAIL, ["/then/inputs/sender"]),
)


def test_what_the_connection_fills_may_be_left_out(stage: TriggerStage) -> None:
    """As in a call or a schedule: an input that the connection brings is not missing, one that
    nothing brings is.
    """
    for number, (kind, values, connector, action, inputs, missing) in enumerate(_FILLED):
        stage.runtime.connections.add(f"account-{number}", kind, values, test=False)
        then = {
            "connector": connector,
            "action": action,
            "connection": f"account-{number}",
            "inputs": inputs,
        }
        if missing:
            with pytest.raises(JackfieldError) as refused:
                stage.add("notes", name=f"s{number}", then=then)
            assert [(detail.path, detail.keyword) for detail in refused.value.details] == [
                (path, "required") for path in missing
            ]
        else:
            stage.add("notes", name=f"s{number}", then=then)


def _limit(stage: TriggerStage, most: int | None) -> None:
    stage.runtime.access.workspaces.set("default", {"limits": {"queued": most}})


def test_a_poll_waits_while_the_queue_has_no_room(stage: TriggerStage) -> None:
    """Nothing is asked, nothing is refused and nothing is lost: the events and what they start come
    when there is room.
    """
    stage.add("notes", then=THEN)
    stage.look()
    _limit(stage, 0)
    for number in range(3):
        _note(stage, f"n-{number}")
    _again(stage)
    assert (stage.events("echo.notes"), stage.events("subscription.*"), _entries(stage)) == (
        [],
        [],
        [],
    )
    assert stage.all().show("one")["status"] == "active"
    _limit(stage, 1)
    _again(stage)
    assert [entry.status for entry in _entries(stage)] == ["queued"] * 3
    _note(stage, "n-3")
    _again(stage)
    assert len(stage.events("echo.notes")) == 3
    _limit(stage, None)
    _again(stage)
    assert len(_entries(stage)) == 4
