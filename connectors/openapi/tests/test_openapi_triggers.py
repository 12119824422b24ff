"""Triggers that an overlay declares: webhooks and callbacks whose events the document describes,
and lists that become polls.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from http_rig import attempt
from jackfield.connector import InvalidInput, Since
from jackfield.manifest.manifest import Manifest
from jackfield.testing import Answer, Provider
from jackfield_http.bindings.connector import BoundInputs, bound
from openapi_rig import document, generate, operation

_TICKET = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "title": {"type": "string"},
        "updated_at": {"type": "string", "format": "date-time"},
        "parent": {"$ref": "#/components/schemas/Ticket"},
        "secret": {"type": "string", "writeOnly": True},
    },
}


def _sent(name: str) -> dict[str, Any]:
    """What the provider sends: a type of its own, and the ticket."""
    about = {
        "type": {"type": "string", "enum": [name]},
        "id": {"type": "string"},
        "ticket": {"$ref": "#/components/schemas/Ticket"},
    }
    content = {"application/json": {"schema": {"type": "object", "properties": about}}}
    return {
        "post": {"requestBody": {"content": content}, "responses": {"200": {"description": ""}}}
    }


def _document(**triggers: Any) -> dict[str, Any]:
    page = {
        "type": "object",
        "properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/Ticket"}}},
    }
    query = [
        {"name": name, "in": "query", "schema": {"type": "string"}}
        for name in ("updated_since", "kind")
    ]
    board = {
        "name": "board",
        "in": "path",
        "required": True,
        "description": "Whose tickets.",
        "schema": {"type": "string"},
    }
    listed = operation(
        operationId="listTickets",
        parameters=[board, *query],
        responses={"200": {"description": "", "content": {"application/json": {"schema": page}}}},
    )
    hooked = operation(
        operationId="addHook",
        callbacks={"changed": {"{$request.body#/url}": _sent("ticket.changed")}},
    )
    paths = {"/boards/{board}/tickets": {"get": listed}, "/hooks": {"post": hooked}}
    components = {
        "schemas": {"Ticket": _TICKET},
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    found = document(
        paths,
        components=components,
        webhooks={"made": _sent("ticket.made"), "gone": _sent("ticket.gone")},
    )
    about = {
        key: {"title": key, "description": f"{key}.", **given} for key, given in triggers.items()
    }
    return {**found, "openapi": "3.1.0", "x-jackfield": {"triggers": about}}


_SIGNED: dict[str, Any] = {
    "signature": {"scheme": "github"},
    "http": {"event": {"type": {"members": ["/type"]}, "key": "/id"}},
}
_CALLBACK = "/paths/~1hooks/post/callbacks/changed"
_POLL = {
    "action": "listTickets",
    "items": "/data",
    "key": ["/id", "/updated_at"],
    "at": "/updated_at",
    "since": {"input": "updatedSince"},
}


def test_the_document_says_what_its_webhooks_and_callbacks_send(tmp_path: Path) -> None:
    """The event is one of their bodies with what it refers to, without what is only written; the
    types are those that the bodies name.
    """
    manifest = generate(
        tmp_path, _document(tickets={"from": ["/webhooks/made", _CALLBACK], **_SIGNED})
    )
    (row,) = manifest["triggers"]
    assert (row["kind"], row["types"], row["needsConnection"]) == (
        "webhook",
        ["ticket_made", "ticket_changed"],
        False,
    )
    assert [one["properties"]["ticket"] for one in row["event"]["anyOf"]] == [
        {"$ref": "#/$defs/o.Ticket"}
    ] * 2
    assert list(row["event"]["$defs"]) == ["o.Ticket"]
    assert set(row["event"]["$defs"]["o.Ticket"]["properties"]) == {
        "id",
        "title",
        "updated_at",
        "parent",
    }
    trigger = Manifest.from_json(manifest).triggers["tickets"]
    assert trigger.event["$defs"]
    unread = [
        note["at"]
        for note in json.loads((tmp_path / "made" / "openapi.report.json").read_text())["notes"]
        if note["cause"] == "webhook"
    ]
    assert unread == ["/webhooks/gone"]
    assert (
        generate(tmp_path, _document(tickets={"from": ["/webhooks/made", _CALLBACK], **_SIGNED}))
        == manifest
    )


def test_a_list_becomes_a_poll(tmp_path: Path) -> None:
    """Inputs and event are those of the action that lists; it is read from the time that was
    reached, with the inputs of the overlay.
    """
    poll = {**_POLL, "inputs": {"kind": "open"}}
    manifest = generate(
        tmp_path,
        _document(
            tickets={
                "http": {"poll": poll},
                "inputs": ["board"],
                "interval": {"defaultSeconds": 60},
            }
        ),
    )
    (row,) = manifest["triggers"]
    assert (row["kind"], row["inputs"]["required"], row["interval"], row["needsConnection"]) == (
        "poll",
        ["board"],
        {"defaultSeconds": 60},
        True,
    )
    assert (row["inputs"]["properties"]["board"]["description"], row["event"]["$ref"]) == (
        "Whose tickets.",
        "#/$defs/o.Ticket",
    )
    function = bound(manifest).triggers["tickets"].function
    assert function is not None
    answer = Answer(
        {
            "data": [
                {"id": 1, "updated_at": "2030-01-01T00:00:05Z"},
                {"id": 2, "updated_at": "2029-01-01T00:00:00Z"},
            ]
        }
    )
    with Provider([answer]) as server, attempt(server.url) as (api, _):

        class Clients:
            def of(self, _number: int) -> Any:
                return api

        found = function(
            BoundInputs.model_validate({"board": "b 1"}),
            Clients(),
            Since(1893456000.0, {}, 1893456060.0),
        )
    assert (
        server.requests[0].path
        == "/boards/b%201/tickets?updated_since=2030-01-01T00%3A00%3A00.000Z&kind=open"
    )
    assert [event.key for event in found.events] == ["1\0002030-01-01T00:00:05Z"]


def test_a_poll_closes_the_gaps_of_a_webhook_or_compares_a_list(tmp_path: Path) -> None:
    """A webhook with a poll needs a connection; a list with IDs only is compared, and has the three
    types of that.
    """
    both: dict[str, Any] = {
        "from": ["/webhooks/made"],
        **_SIGNED,
        "http": {**_SIGNED["http"], "poll": _POLL},
        "inputs": ["board"],
    }
    compared = {
        "http": {"poll": {"action": "listTickets", "items": "/data", "id": "/id"}},
        "inputs": ["board"],
    }
    manifest = generate(tmp_path, _document(both=both, ticket=compared))
    closed, row = manifest["triggers"]
    assert (
        closed["kind"],
        closed["needsConnection"],
        closed["http"]["poll"],
        "interval" in closed,
    ) == ("webhook", True, _POLL, True)
    assert (row["compares"], row["types"]) == (
        True,
        ["ticketCreated", "ticketUpdated", "ticketDeleted"],
    )
    known = Manifest.from_json(manifest).triggers
    assert [(known[key].polls, known[key].compares) for key in ("both", "ticket")] == [
        (True, False),
        (True, True),
    ]


_NAKED: dict[str, Any] = {"action": "listTickets", "items": "/data"}


def _polling(*inputs: str, **poll: Any) -> dict[str, Any]:
    return {"http": {"poll": poll}, "inputs": [*inputs]}


_REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"from": ["/webhooks/made"]}, "without one, anybody can forge"),
    ({"event": {}, "http": {}}, "'signature'"),
    ({}, "'signature'"),
    ({"from": ["/webhooks/made"], **_polling("board", **_POLL)}, "'signature'"),
    ({"event": {}, "signature": {"scheme": "x"}}, "must be one of"),
    ({"from": ["/webhooks/none"], **_SIGNED}, "/webhooks/none"),
    ({"from": ["/paths"], **_SIGNED}, "'from'"),
    ({"from": [], **_SIGNED}, "from"),
    (_polling(**_POLL), "the input 'board'"),
    (_polling("board", **{**_POLL, "action": "addHook"}), "'addHook' is none"),
    (_polling("board", "bord", **_POLL), "'bord'"),
    (_polling("board", **{**_POLL, "since": {"input": "after"}}), "the input 'after'"),
    (_polling("board", **_POLL, itmes="/data"), "itmes"),
    (_SIGNED, "needs 'event'"),
    (_polling("board", **_POLL, id="/id"), "either 'key'"),
    (_polling("board", **_NAKED, key=["/id"]), "needs 'at'"),
    (_polling("board", **_NAKED, id="/id", at="/at"), "no 'at'"),
    ({**_SIGNED, **_polling("board", **_NAKED, id="/id")}, "beside a webhook"),
    (_polling("board", **_POLL, cursor={"input": "kind", "output": "/next"}), "one of them"),
    ({"inputs": ["board"], "event": {}, **_SIGNED}, "of the action that it polls"),
)


@pytest.mark.parametrize(("given", "said"), _REFUSED)
def test_what_can_be_no_trigger_is_refused(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    """A webhook without a signature, events that the document lacks, and a poll that does not say
    what is new are named.
    """
    with pytest.raises(InvalidInput) as refused:
        generate(tmp_path, _document(tickets=given))
    assert said in str(refused.value)


@pytest.mark.parametrize(("length", "types"), [(4, ["ticket_made"]), (60, ["tickets"])])
def test_schemas_that_refer_to_each_other_are_followed_once(
    tmp_path: Path, length: int, types: list[str]
) -> None:
    """A chain of definitions, each made of the next one twice, in a circle: types are found; one
    that costs too much accepts all.
    """
    made = _document(tickets={"from": ["/webhooks/made"], **_SIGNED})
    chain: dict[str, Any] = {
        f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 2} for n in range(length)
    }
    chain[f"S{length}"] = {
        "allOf": [
            {"$ref": "#/components/schemas/S0"},
            {"properties": {"type": {"const": "ticket.made"}}},
        ]
    }
    made["components"]["schemas"] |= chain
    made["webhooks"]["made"]["post"]["requestBody"]["content"]["application/json"]["schema"] = {
        "$ref": "#/components/schemas/S0"
    }
    assert generate(tmp_path, made)["triggers"][0]["types"] == types
