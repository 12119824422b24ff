"""The AsyncAPI document is valid, and has a message for each type of event."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs

from jackfield_service.subjects.events.event import TYPES
from jackfield_service.subjects.events.http.asyncapi import document

OFFICIAL = Path(__file__).resolve().parents[3] / "support" / "vendor" / "asyncapi-3.0.0.schema.json"
"""The schema that the AsyncAPI Initiative publishes (@asyncapi/specs 6.11.1, Apache-2.0), without
texts and bindings of other protocols.
"""


def test_it_is_a_valid_document() -> None:
    """The official JSON Schema of AsyncAPI 3.0 accepts it, and would not without an address of the
    channel's messages.
    """
    judge = jsonschema_rs.Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))
    found = document()
    assert [error.message for error in judge.iter_errors(found)] == []
    assert not judge.is_valid(
        {**found, "channels": {"callback": {"messages": ["invocationFinished"]}}}
    )


def test_every_type_has_a_message() -> None:
    """Each type of event that a callback may get is a message of the one operation, whose
    references lead somewhere.
    """
    found = document()
    named = {message["name"]: key for key, message in found["components"]["messages"].items()}
    assert set(named) == {*TYPES, "audit.*", "callback.test"}
    assert (
        set(found["channels"]["callback"]["messages"])
        == set(named.values())
        == set(found["components"]["schemas"])
    )
    assert [
        item["$ref"].rpartition("/")[2] for item in found["operations"]["deliver"]["messages"]
    ] == list(named.values())
