"""Evidence that a document suggests is in the report, and never in the manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import InvalidInput
from jackfield_openapi.conversion import Choices, converted
from openapi_rig import document

_TREE = Path(__file__).parents[2]


def _answer(schema: dict[str, Any]) -> dict[str, Any]:
    return {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}


def _thing(*names: str) -> dict[str, Any]:
    found: dict[str, Any] = {name: {"type": "string"} for name in names}
    return {
        "type": "object",
        "properties": {
            **found,
            **({"metadata": {"type": "object"}} if "metadata" in names else {}),
        },
    }


def _suggested(
    sent: dict[str, Any], listed: dict[str, Any], **more: Any
) -> tuple[dict[str, Any], list[str]]:
    """Convert a document with a list of things, one of them and a POST; return the manifest's POST,
    and what is suggested.
    """
    body = {"required": True, "content": {"application/json": {"schema": sent}}}
    nested = {
        "type": "object",
        "properties": {
            "data": {"type": "object", "properties": {"things": {"type": "array", "items": listed}}}
        },
    }
    one = {"name": "thingId", "in": "path", "required": True, "schema": {"type": "string"}}
    paths = {
        "/things": {
            "get": {"operationId": "listThings", "responses": _answer(nested)},
            "post": {
                "operationId": "addThing",
                "requestBody": body,
                "responses": _answer(listed),
                **more,
            },
        },
        "/things/{thingId}": {
            "get": {"operationId": "getThing", "parameters": [one], "responses": _answer(listed)}
        },
    }
    found = converted(document(paths), Choices("acme", "1.0.0"))
    texts = [note.text for note in found.report if note.kind == "suggested"]
    assert {note.at for note in found.report if note.kind == "suggested"} <= {
        "/paths/~1things/post"
    }
    return next(row for row in found.manifest["actions"] if row["key"] == "addThing"), texts


@pytest.mark.parametrize(
    ("name", "marker", "look"),
    [
        (
            "external_id",
            {"at": "/externalId"},
            {"key": "list", "action": "listThings", "each": "/data/things"},
        ),
        (
            "clientReference",
            {"at": "/clientReference"},
            {"key": "list", "action": "listThings", "each": "/data/things"},
        ),
        (
            "metadata",
            {"at": "/metadata/jackfield"},
            {"key": "list", "action": "listThings", "each": "/data/things"},
        ),
        (
            "id",
            {"at": "/id"},
            {"key": "object", "action": "getThing", "inputs": {"thingId": {"$marker": {}}}},
        ),
    ],
)
def test_a_member_that_is_written_and_read_is_suggested(
    name: str, marker: dict[str, Any], look: dict[str, Any]
) -> None:
    """The text has what an overlay takes, and an overlay with that is accepted."""
    row, (text,) = _suggested(_thing("title", name), _thing("title", name))
    given = json.loads(text.partition(": ")[2])
    match: list[Any] = [
        {"at": marker["at"] if name == "metadata" else f"/{name}", "is": {"$marker": {}}}
    ]
    assert given == {"marker": marker, "evidence": [{**look, "match": match, "output": ""}]}
    assert not row.keys() & {"marker", "evidence"}
    row, texts = _suggested(_thing("title", name), _thing("title", name), **{"x-jackfield": given})
    assert (row["marker"], row["evidence"], texts) == (marker, given["evidence"], [])


@pytest.mark.parametrize(
    "answered", [_thing("title"), _thing("title", "external_id", "token"), {"type": "string"}]
)
def test_a_thing_that_is_not_the_answer_is_no_output(answered: dict[str, Any]) -> None:
    """The answer to the write has other members than the things of the list: the suggestion leaves
    the output unknown.
    """
    thing = _thing("title", "external_id")
    _, (text,) = _suggested(thing, thing, responses=_answer(answered))
    assert "output" not in json.loads(text.partition(": ")[2])["evidence"][0]


def test_what_nobody_reads_or_names_so_is_not_suggested() -> None:
    """A member that reads lack, and one that is any text, prove nothing; nor is there anything to
    add to a reason.
    """
    assert _suggested(_thing("external_id"), _thing("title"))[1] == []
    assert _suggested(_thing("title", "description"), _thing("title", "description"))[1] == []
    told = {"x-jackfield": {"noEvidence": "It is not shown."}}
    assert _suggested(_thing("external_id"), _thing("external_id"), **told)[1] == []


def test_a_header_for_keys_is_suggested() -> None:
    """Where a document has the header, and does not say what a second request does."""
    header = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    _, (text,) = _suggested(_thing("title"), _thing("title"), parameters=[header])
    assert "idempotentBy: key" in text


def test_public_documents_get_suggestions_and_no_evidence() -> None:
    """Stripe's, without our overlay: what takes metadata, and lists that return it."""
    found = converted(
        json.loads((_TREE / "stripe" / "openapi.json").read_bytes()), Choices("stripe", "1.0.0")
    )
    texts = [note.text for note in found.report if note.kind == "suggested"]
    assert len(texts) > 10
    assert any("'postCustomers'" in text and '"/metadata/jackfield"' in text for text in texts)
    assert not any(row.keys() & {"marker", "evidence"} for row in found.manifest["actions"])


def test_a_document_gives_one_reason_for_all_writes() -> None:
    """Those that have evidence, or a reason of their own, keep it; reads have none."""
    kept = {"noEvidence": "It is a draft."}
    paths = {
        "/things": {"get": {"operationId": "listThings"}, "post": {"operationId": "addThing"}},
        "/drafts": {"post": {"operationId": "addDraft", "x-jackfield": kept}},
    }
    found = converted(
        document(paths, **{"x-jackfield": {"noEvidence": "Nothing is listed."}}),
        Choices("acme", "1.0.0"),
    )
    reasons = {row["key"]: row.get("noEvidence") for row in found.manifest["actions"]}
    assert reasons == {
        "listThings": None,
        "addThing": "Nothing is listed.",
        "addDraft": "It is a draft.",
    }
    with pytest.raises(InvalidInput, match="1 to 300"):
        converted(
            document(paths, **{"x-jackfield": {"noEvidence": "x" * 301}}), Choices("acme", "1.0.0")
        )
