"""Throttles of AWS: a reviewed table of codes, each with its source, outranks the status; every
write that EC2 throttles is repeated.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from aws_shapes import valid_inputs
from jackfield import Jackfield
from jackfield.connector import QuotaExceeded, RateLimited, Sent
from jackfield.testing import Answer, Provider
from jackfield_aws.answers import Answer as Refusal
from jackfield_aws.errors import AWS_ERRORS
from jackfield_aws.rows import AWS_ROWS, THROTTLED
from jackfield_aws.throttles import THROTTLE_PHRASES, THROTTLES
from jackfield_aws.virtual.code_words import row_of
from jackfield_aws.virtual.effects import effect_of
from jackfield_aws.virtual.errors import SERVICE_ERRORS
from jackfield_aws.virtual.models import service_model
from moto_rig import offer
from virtual_calls import KEYS

_LEFT_OUT = {"TransactionInProgressException", "LimitExceededException"}
"""Codes of botocore's list that are no throttles, or only by their words."""
_LIMIT = (
    "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit "
    "exceeded.</Message></Error></Errors></Response>"
)


def test_the_table_begins_with_botocores_list_and_gives_each_row_a_source() -> None:
    """What a newer botocore adds must be looked up; no row is without its source, and no code is
    there twice in another notation.
    """
    theirs = {
        *ThrottledRetryableChecker._THROTTLED_ERROR_CODES,
        *TransientRetryableChecker._TRANSIENT_ERROR_CODES,
    }
    assert theirs - _LEFT_OUT - {"RequestTimeout", "RequestTimeoutException"} <= THROTTLES.keys()
    assert not _LEFT_OUT & THROTTLES.keys()
    assert all(len(source) > 10 for source in THROTTLE_PHRASES.values())
    assert {AWS_ROWS[code.removesuffix("Exception")] for code in THROTTLES} == {THROTTLED}


@pytest.mark.parametrize(
    ("code", "source"),
    [(code, source) for code, found in THROTTLES.items() for source in found.split("; ")],
)
def test_each_source_of_a_throttle_has_its_code(code: str, source: str) -> None:
    """A row's source is botocore's list of throttles, its table of what is tried again, or the
    errors of a service's model.
    """
    if source == "botocore.retries.standard":
        assert code in ThrottledRetryableChecker._THROTTLED_ERROR_CODES
    elif found := re.fullmatch(r"botocore/data/_retry.json: (\w+) sends it with (\d+)", source):
        retry = json.loads(
            (Path(botocore.__file__).parent / "data" / "_retry.json").read_text(encoding="utf-8")
        )
        policy = f'"http_status_code": {found[2]}, "service_error_code": "{code}"'
        used = re.findall(
            r'"\$ref": "(\w+)"', text := json.dumps(retry["retry"][found[1]], sort_keys=True)
        )
        assert any(
            policy in one
            for one in [
                text,
                *(json.dumps(retry["definitions"][name], sort_keys=True) for name in used),
            ]
        )
    else:
        service, _, place = source.removeprefix("model of ").partition(", documentation of ")
        model = service_model(service)
        if place:
            assert code in model.shape_for(place).documentation
        else:
            assert code in {shape.error_code for shape in model.error_shapes} | {
                shape.name for shape in model.error_shapes
            }


def test_each_throttle_that_a_service_models_with_a_5xx_or_without_a_status_is_in_the_table() -> (
    None
):
    """Codes whose words say that AWS throttles, and those that a model's trait calls throttles."""
    session, found = botocore.session.get_session(), set()
    for service in session.get_available_services():
        for shape in session.get_service_model(service).error_shapes:
            status = shape.metadata.get("error", {}).get("httpStatusCode") or 500
            is_throttle = (shape.metadata.get("retryable") or {}).get("throttling") or row_of(
                shape.error_code
            ) is THROTTLED
            if is_throttle and (status >= 500 or shape.metadata.get("retryable")):
                found.add(shape.error_code)
    known = {code.casefold().removesuffix("exception") for code in THROTTLES}
    missing = {code for code in found if code.casefold().removesuffix("exception") not in known}
    # 429; conflicts of one document
    assert missing == {
        "ModelNotReadyException",
        "TooManyUpdates",
        "OpsMetadataTooManyUpdatesException",
    }


@pytest.mark.parametrize("status", [400, 403, 429, 500, 502, 503, 509])
@pytest.mark.parametrize("errors", [AWS_ERRORS, SERVICE_ERRORS])
def test_a_code_of_the_table_is_a_refusal_whatever_the_status(errors: Any, status: int) -> None:
    """In any case of letters, with and without the suffix of an exception."""
    for code in THROTTLES:
        for spelled in (
            code,
            code[0].lower() + code[1:],
            code.upper(),
            code.removesuffix("Exception"),
        ):
            row = errors.find(Refusal(spelled, "No.", status, "Op"))
            assert (row.kind, row.sent, row.repeatable) == (RateLimited, Sent.REFUSED, True), (
                spelled,
                status,
            )


@pytest.mark.parametrize(
    ("code", "message", "status", "kind", "sent"),
    [
        (
            "LimitExceededException",
            "Rate exceeded for stream s under account 1.",
            400,
            RateLimited,
            Sent.REFUSED,
        ),
        ("LimitExceededException", "Rate exceeded", 503, RateLimited, Sent.REFUSED),
        (
            "LimitExceededException",
            "The request exceeded the rate limit. Retry after a minute.",
            429,
            RateLimited,
            Sent.REFUSED,
        ),
        ("ServiceQuotaExceededException", "Too Many Requests", 402, RateLimited, Sent.REFUSED),
        (
            "LimitExceededException",
            "You have reached the limit of 100 streams.",
            400,
            QuotaExceeded,
            Sent.REFUSED,
        ),
        (
            "ServiceQuotaExceededException",
            "The rate plan has no functions left.",
            402,
            QuotaExceeded,
            Sent.REFUSED,
        ),
        ("Throttling", "Daily message quota exceeded.", 400, QuotaExceeded, Sent.REFUSED),
    ],
)
def test_a_limit_is_a_throttle_by_its_words_only(
    code: str, message: str, status: int, kind: Any, sent: Sent
) -> None:
    """A used-up quota under the same code stays one."""
    row = SERVICE_ERRORS.find(Refusal(code, message, status, "Op"))
    assert (row.kind, row.sent) == (kind, sent)


@pytest.mark.parametrize(
    ("code", "message", "status"),
    [
        ("InternalError", "The backend was throttled.", 500),
        ("ServiceUnavailable", "Try again.", 503),
        ("ServiceUnavailable", "Please reduce your request rate.", 503),
        ("", "Rate exceeded", 502),
        ("ServiceException", "Too many requests to a dependency", 500),
        ("TransactionInProgressException", "It runs.", 400),
    ],
)
def test_what_may_have_been_done_stays_in_doubt(code: str, message: str, status: int) -> None:
    """A failure at AWS is none of the table's codes, whatever its words; a request with the same
    token that still runs is no refusal.
    """
    assert SERVICE_ERRORS.find(Refusal(code, message, status, "Op")).sent is Sent.UNKNOWN


class _Least(random.Random):
    """Chance by which only what an operation requires is given."""

    def random(self) -> float:
        """Return a high number: no optional member is taken."""
        return 0.99


def _without_a_token() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Key, name and least inputs of EC2's operations that are writes and take no idempotency
    token.
    """
    model = service_model("ec2")
    for name in model.operation_names:
        operation = model.operation_model(name)
        if effect_of("ec2", operation) == "write" and not operation.idempotent_members:
            shape = operation.input_shape
            yield (
                name[0].lower() + name[1:],
                name,
                valid_inputs(shape, _Least(name)) if shape is not None else {},
            )


_CREDENTIALS = (
    "createKeyPair",
    "createVpnConnection",
    "exportVerifiedAccessInstanceClientConfiguration",
)
"""Those of the operations whose answers hand out credentials: they are offered by name only."""


def test_every_write_without_a_token_that_ec2_throttles_succeeds_after_the_retry(
    tmp_path: Path,
) -> None:
    """EC2 throttles with 503: each of its operations without a token (153 in botocore 1.44.5) is
    sent again, and none is in doubt.
    """
    asked, outcomes, requests = list(_without_a_token()), {}, 0
    answers = {"seen": 0}

    def answer(_number: int, _request: Any) -> Answer:
        answers["seen"] += 1
        is_first = answers["seen"] % 2 == 1
        text, status = (_LIMIT, 503) if is_first else ("<r/>", 200)
        return Answer(content=text.encode(), status=status, headers={"Content-Type": "text/xml"})

    with Provider(answer) as provider:
        connection = {"type": "aws/apiKeySecret", "values": {**KEYS, "endpoint": provider.url}}
        offer(tmp_path, {"default": {"services": ["ec2", *(f"ec2.{key}" for key in _CREDENTIALS)]}})
        home = {"JACKFIELD_HOME": str(tmp_path)}
        with Jackfield(
            connections=[{"connections": {"m": connection}}], database_url="none", environment=home
        ) as jackfield:
            for key, name, inputs in asked:
                found = jackfield.invoke(
                    {"connector": "aws.ec2", "action": key, "connection": "m", "inputs": inputs}
                )
                outcomes[name] = (
                    found.status,
                    found.meta.attempts,
                    found.error and found.error.details,
                )
            requests = len(provider.requests)
    assert {
        name: found for name, found in outcomes.items() if found != ("succeeded", 2, None)
    } == {}
    assert len(asked) >= 153
    assert requests == 2 * len(asked)
