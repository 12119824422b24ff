"""A secret in the wrong field is masked in refusals before the connection is opened, and nothing
that holds one pickles (finding 10).
"""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from jackfield import Jackfield
from jackfield.call.admit import CallTarget
from jackfield.call.plan import Plan
from jackfield.catalog import Catalog
from jackfield.connections.provenance import Provenance
from jackfield.kernel.errors import InvalidConnection, JackfieldError
from jackfield.redaction.needles import Form, Needle
from jackfield.schema.cache import Schemas

pytestmark = pytest.mark.above_sql

ODD = {
    "plain": "wJalrXUtnFEMI/K7MDENG",
    "quotes": "a'b\"c'd",
    "percent": "%s%d%(x)s",
    "newline": "line1\nline2",
    "emoji": "s3cr\U0001f389et",
    "escape": "e\x1b[31mred",
    "four": "Zq7v",
    "prefix": "Zq7vLonger",
    "base64": "c2VjcmV0LXZhbHVl",
    "url": "a%20b+c/d?e=f",
    "html": "<b>&amp;</b>",
    "unicode": "ge\u0308heim\u6f22",
    "braces": "{secret}{0}",
    "backslash": "a\\b\\\\c",
    "blank inside": "two words here",
    "long": "Zq7v" * 1250,
}
"""Secrets that are hard to find again in a text."""
KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "region": "eu-west-1"}
ROLE = {
    "roleARN": "arn:aws:iam::123456789012:role/acme",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "externalId": "acme-4711",
}
MAIL = {
    "awsRegion": "eu-west-1",
    "to": "ada@example.com",
    "sender": "s@example.com",
    "subject": "s",
    "text": "t",
}


@pytest.fixture
def jackfield(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jackfield]:
    """A runtime with a database and a stored connection for each odd secret."""
    monkeypatch.setenv("JACKFIELD_HOME", str(tmp_path))
    with Jackfield(connections=[], database_url=f"sqlite:///{tmp_path}/j.db") as opened:
        yield opened


def spellings(secret: str) -> list[str]:
    """The secret as a text or a JSON document holds it."""
    return [
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    ]


def told(jackfield: Jackfield, connection: Any, **inputs: Any) -> tuple[str, str, str]:
    """The code of a refusal, what the caller is told, and what the journal holds."""
    asked = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": connection,
        "inputs": {**MAIL, **inputs},
    }
    result = jackfield.invoke(asked)
    assert result.error is not None
    entry = jackfield.journal.find(result.meta.invocation_id)  # type: ignore[union-attr]
    texts = [json.dumps(found, ensure_ascii=False) for found in (result.to_json(), entry.to_json())]
    return result.error.code, texts[0], texts[1]


@pytest.mark.parametrize("name", ODD)
def test_s10_a_secret_in_the_wrong_field_is_masked_in_refusals(
    jackfield: Jackfield, name: str
) -> None:
    """In another value of the connection, in an input, inline and stored: neither the Result nor
    the journal holds it.
    """
    secret = ODD[name]
    values, role = {**KEYS, "secretAccessKey": secret}, {**ROLE, "secretAccessKey": secret}
    keys = {"type": "apiKeySecret", "values": values}
    found = [
        told(jackfield, {"type": "apiKeySecret", "values": {**values, "region": secret}}),
        told(jackfield, {"type": "awsAssumeRole", "values": {**role, "roleARN": secret}}),
        told(jackfield, keys, to=secret),
        told(jackfield, keys, sender=secret, awsRegion=secret),
        told(jackfield, {"type": secret[:100], "values": values}),
    ]
    if name not in ("newline", "escape"):  # no connection with one is ever stored
        jackfield.connections.add("stored", "aws/apiKeySecret", values, test=False)
        found.append(told(jackfield, "stored", to=[secret]))
    assert {code for code, _, _ in found} <= {
        "invalid_connection",
        "invalid_input",
        "invalid_invocation",
    }
    for _, result, entry in found:
        assert not [text for text in spellings(secret) if text in result or text in entry]


def test_s10_management_masks_it_too(jackfield: Jackfield) -> None:
    """A connection that is refused when it is added does not quote its secret either."""
    values = {**KEYS, "secretAccessKey": "wJalrXUtnFEMI", "region": "wJalrXUtnFEMI"}
    with pytest.raises(InvalidConnection) as caught:
        jackfield.connections.add(
            "hall", "aws/apiKeySecret", values, test=False, provenance=Provenance()
        )
    assert "wJalrXUtnFEMI" not in json.dumps(caught.value.to_json())


def test_s10_inline_values_are_not_stored(jackfield: Jackfield) -> None:
    """The caller is told which value is wrong; the journal holds none of an inline connection,
    secret or not (contract §2).
    """
    values = {**KEYS, "secretAccessKey": "wJalrXUtnFEMI", "region": "atlantis-west-9"}
    code, result, entry = told(jackfield, {"type": "apiKeySecret", "values": values})
    assert code == "invalid_connection"
    assert ("atlantis-west-9" in result, "atlantis-west-9" in entry) == (True, False)


LONG = "FwoGZXIvYXdzEJr" * 30
NAMED = {
    "a secret": "wJalrXUtnFEMI/K7MDENG",
    "in capitals": "wJalrXUtnFEMI/K7MDENG".upper(),
    "a long one": LONG,
    "in a name": f"send-{LONG}-mail",
}


@pytest.mark.parametrize("name", NAMED)
def test_h11_a_secret_in_the_place_of_a_name_is_masked(jackfield: Jackfield, name: str) -> None:
    """A secret of an inline or a stored connection that stands where the connector or the action is
    named, whole, lower-cased or so long that it is cut: neither the Result, the refusal of a queued
    invocation nor the journal holds any of it.
    """
    secret = NAMED[name].removeprefix("send-").removesuffix("-mail")
    values = {**KEYS, "secretAccessKey": secret if name != "in capitals" else secret.capitalize()}
    jackfield.connections.add("stored", "aws/apiKeySecret", values, test=False)
    for connection in ({"type": "apiKeySecret", "values": values}, "stored"):
        # one of 100 characters at most
        versioned = {
            "connector": "aws-ses",
            "action": "sendEmail",
            "connectorVersion": f"={secret}",
        }
        unknown = [
            {"connector": NAMED[name], "action": "sendEmail"},
            {"connector": "aws-ses", "action": NAMED[name].lower()},
        ]
        for given in (*unknown, *([versioned] if len(secret) < 100 else ())):
            asked = {**given, "connection": connection, "inputs": MAIL}
            result = jackfield.invoke(asked)
            assert result.error is not None
            assert result.error.code in {"unknown_connector", "unknown_action"}
            entry = jackfield.journal.find(result.meta.invocation_id)  # type: ignore[union-attr]
            with pytest.raises(JackfieldError) as queued:
                jackfield.enqueue(asked)
            told = json.dumps([result.to_json(), entry.to_json(), queued.value.to_json()]).lower()
            assert secret[:15].lower() not in told
            assert "***" in result.error.message
            if "aws-ses" in given.values():
                assert result.meta.connector == "aws-ses"


def test_h11_a_secret_as_a_member_name_is_masked(jackfield: Jackfield) -> None:
    """The path of a fault, which escapes slashes and tildes, does not tell a secret that stands
    where a member is named.
    """
    secret = "wJalrXUtnFEMI/K7~MDENG"
    values = {**KEYS, "secretAccessKey": secret}
    found = [
        told(jackfield, {"type": "apiKeySecret", "values": {**values, secret: "x"}}),
        told(jackfield, {"type": "apiKeySecret", "values": values}, attachments={secret: 4711}),
        told(jackfield, {"type": "apiKeySecret", "values": values}, **{secret: "x"}),
    ]
    for code, result, entry in found:
        assert code in {"invalid_connection", "invalid_input"}
        assert "wJalrXUtnFEMI" not in result + entry


def test_s10_nothing_that_holds_a_secret_pickles() -> None:
    """Targets, plans, and what looks for secrets refuse every protocol, and a deep copy."""
    manifest = Catalog.installed().find("aws-ses")
    kind = manifest.connection_types["apiKeySecret"]
    target = CallTarget(None, kind, {"secretAccessKey": "s3cret"})
    plan = Plan(manifest, manifest.actions["sendEmail"], target, Schemas(), mock.Mock())
    for thing in (target, plan, Form("s3cret"), Needle("s3cret")):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(thing, protocol)
        with pytest.raises(TypeError, match="cannot be pickled"):
            copy.deepcopy(thing)
