"""Statements of calls: each action with resources that AWS has for it, whatever the inputs name,
and no statement that grants nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield_aws.iam_actions import unproven
from jackfield_aws.virtual import call_statements, models
from jackfield_aws.virtual.permissions import permissions_of

VALUES = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "region": "eu-west-1",
}
_FORMS = {"CopySource": "zz/zz", "Path": "/zz/"}
"""Inputs of a form of their own: a bucket and a key, and a path."""


@cache
def resources() -> Mapping[str, Sequence[str]]:
    """Return the ARNs that AWS documents for each action of a service in the table, with ``*`` for
    each of their parts.
    """
    found = json.loads(Path(__file__).with_name("iam_resources.json").read_text(encoding="utf-8"))[
        "actions"
    ]
    return {
        name: [one for one in arns.split("|") if one]
        for arns, names in found.items()
        for name in names.split(" ")
    }


@cache
def overlap(first: str, second: str) -> bool:
    """Return whether some text fits both patterns."""
    if first[:1] == "*":
        return overlap(first[1:], second) or (bool(second) and overlap(first, second[1:]))
    if second[:1] == "*":
        return overlap(second, first)
    return first == second or (
        first[:1] == second[:1] and bool(first) and overlap(first[1:], second[1:])
    )


def variants(operation: Any) -> Iterator[dict[str, str]]:
    """Yield inputs of an operation: all of its texts, those that it requires, each alone, all but
    each.
    """
    shape = operation.input_shape
    texts = (
        {
            name: _FORMS.get(name, "zz")
            for name, one in shape.members.items()
            if one.type_name == "string"
        }
        if shape
        else {}
    )
    yield texts
    yield (
        {name: text for name, text in texts.items() if name in shape.required_members}
        if shape
        else {}
    )
    for chosen, text in texts.items():
        yield {chosen: text}
        yield {name: one for name, one in texts.items() if name != chosen}


@pytest.mark.parametrize("service", sorted(call_statements.rows()))
def test_each_resource_is_one_that_its_action_has(service: str) -> None:
    """All operations of the table's services: no action stands beside an ARN of another type, with
    which it grants nothing.
    """
    model, wrong = models.service_model(service), set[tuple[str, str, str]]()
    for name in models.operations(service):
        operation = model.operation_model(name)
        for inputs in variants(operation):
            for action, arns in call_statements.statements_of(
                service, name, permissions_of(service, operation), inputs
            ):
                for arn in (
                    one for one in arns if one.startswith("arn:") and not unproven([action])
                ):
                    if not any(overlap(arn, one) for one in resources().get(action, ())):
                        wrong.add((name, action, arn))
    assert wrong == set()


@pytest.mark.parametrize("service", sorted(call_statements.rows()))
def test_calls_with_any_inputs_are_allowed_what_each_needs(service: str) -> None:
    """An action that is named without inputs may be called with all: its own permissions cover the
    resources of every call.
    """
    model, wrong = models.service_model(service), set[tuple[str, str, str]]()
    for name in models.operations(service):
        operation = model.operation_model(name)
        own, members = (
            permissions_of(service, operation),
            operation.input_shape.members if operation.input_shape else (),
        )
        wide = dict[str, list[str]]()
        for action, arns in call_statements.statements_of_any(service, name, own, members):
            wide.setdefault(action, []).extend(arns)
        assert wide.keys() == {*own}
        for action, arn in (
            (action, arn)
            for action, arns in wide.items()
            for arn in arns
            if arn != "*" and not unproven([action])
        ):
            wrong |= (
                set()
                if any(overlap(arn, one) for one in resources().get(action, ()))
                else {(name, action, arn)}
            )
        for inputs in variants(operation):
            for action, arns in call_statements.statements_of(service, name, own, inputs):
                # the rest names no resource
                given = [arn for arn in arns if action in wide and arn != "*"]
                lacking = [
                    arn for arn in given if not any(fnmatchcase(arn, one) for one in wide[action])
                ]
                wrong |= {(name, action, arn) for arn in lacking}
    assert wrong == set()


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([("getObject", {"Bucket": "b"})], {"s3:GetObject": "arn:aws:s3:::b/*"}),
        (
            [("listObjectsV2", {"Bucket": "b"}), ("putObject", {"Bucket": "b"})],
            {"s3:ListBucket": "arn:aws:s3:::b", "s3:PutObject": "arn:aws:s3:::b/*"},
        ),
        ([("deleteObjects", {"Bucket": "b"})], {"s3:DeleteObject": "arn:aws:s3:::b/*"}),
        (
            [("putObject", {"Bucket": "b", "Tagging": "a=b"})],
            dict.fromkeys(("s3:PutObject", "s3:PutObjectTagging"), "arn:aws:s3:::b/*"),
        ),
        ([("getObject", {"Bucket": "b", "Key": "*"})], {"s3:GetObject": "arn:aws:s3:::b/${*}"}),
        ([("getObject", {})], {"s3:GetObject": "*"}),
    ],
)
def test_a_bucket_alone_stands_for_its_objects(
    calls: list[tuple[str, dict[str, Any]]], expected: dict[str, str]
) -> None:
    """An action on objects gets the objects of the bucket that is given, and one on the bucket gets
    the bucket, in statements apart.
    """
    with Jackfield(
        connections=[{"connections": {"m": {"type": "aws/apiKeySecret", "values": VALUES}}}],
        database_url="none",
    ) as jackfield:
        asked = [{"action": f"aws.s3/{name}", "inputs": inputs} for name, inputs in calls]
        found = jackfield.connections.policy("m", calls=asked)["identityPolicy"]["Statement"]
    assert {name: one["Resource"] for one in found for name in one["Action"]} == expected
