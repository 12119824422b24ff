"""What is told of all of AWS's services: every answer with a telling member is judged, and every
code has a code of ours and a hint.

Reading the models of all services takes seconds: these tests share one reading, of a tenth of them
unless in a campaign.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import botocore
import pytest

from aws_credential_members import telling_members
from aws_opening import client_error
from jackfield_aws.rows import AWS_ROWS
from jackfield_aws.virtual import models
from jackfield_aws.virtual.code_words import row_of
from jackfield_aws.virtual.credentials import HANDS_OUT
from jackfield_aws.virtual.errors import SERVICE_ERRORS

_PARTS = 10
_PART = zlib.crc32(botocore.__version__.encode()) % _PARTS
"""The tenth of the services that is read with each commit: another one for each release of
botocore.
"""


@dataclass(frozen=True)
class Found:
    """Members that sound like credentials, by service; code and status of all exceptions that are
    refusals.
    """

    parts: int
    telling: dict[str, set[str]]
    refusals: set[tuple[str, int]]


@pytest.fixture(scope="module", params=[_PARTS, pytest.param(1, marks=pytest.mark.campaign)])
def found(request: pytest.FixtureRequest) -> Found:
    """Read the models. AWS answers 400 where a model names no status."""
    telling: dict[str, set[str]] = {}
    codes = set()
    for service in models.services():
        if zlib.crc32(service.encode()) % request.param != _PART % request.param:
            continue
        model = models.service_model(service)
        judged = [
            name for name in models.operations(service) if name not in HANDS_OUT.get(service, ())
        ]
        telling[service] = set(
            telling_members(model.operation_model(name).output_shape for name in judged)
        )
        for shape in model.error_shapes:
            status = shape.metadata.get("error", {}).get("httpStatusCode") or (
                500 if shape.metadata.get("fault") else 400
            )
            codes.add((shape.error_code, status))
    return Found(
        request.param, telling, {(code, status) for code, status in codes if 400 <= status < 500}
    )


def test_operations_whose_answers_have_telling_members_are_judged(found: Found) -> None:
    """Of 19,791 answers, each with a member that sounds like a credential is of an operation in the
    table, or of a shape that was reviewed; and no reviewed shape is left over.
    """
    lines = (
        Path(__file__).with_name("reviewed_members.txt").read_text(encoding="utf-8").splitlines()
    )
    reviewed: dict[str, set[str]] = {}
    for service, *members in (line.split() for line in lines if line and not line.startswith("#")):
        reviewed.setdefault(service, set()).update(members)
    assert {service: members for service, members in found.telling.items() if members} == {
        service: members
        for service, members in reviewed.items()
        if service in found.telling or found.parts == 1
    }


def test_m8_every_modelled_code_is_named_by_a_rule_or_reviewed(found: Found) -> None:
    """A code of a new botocore in which no rule finds a word fails here: add a word to the rules,
    or the code to the reviewed ones.
    """
    reviewed = set(
        Path(__file__).with_name("reviewed_codes.txt").read_text(encoding="utf-8").split()
    )
    by_rule = {
        code
        for code, _ in found.refusals
        if row_of(code) is not None or code.removesuffix("Exception") in AWS_ROWS
    }
    unknown = {code for code, _ in found.refusals} - by_rule
    assert sorted(unknown - reviewed) == [], "neither by rule nor reviewed"
    if found.parts == 1:
        assert sorted(reviewed - unknown) == [], "reviewed, but by rule or gone"
    assert len(found.refusals) > 2500 // (2 * found.parts)


def test_m8_every_refusal_has_a_hint(found: Found) -> None:
    """Whatever a service refuses, a person is told what to do; nothing in it is left to fill in."""
    for code, status in sorted(found.refusals):
        error = SERVICE_ERRORS.explain(client_error(code, "No.", status), region="eu-west-1")
        assert error is not None
        assert error.hint, code
        assert "{" not in error.hint, code
