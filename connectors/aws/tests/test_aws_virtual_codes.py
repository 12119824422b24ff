"""Every code that AWS's services model has a code of ours and a hint: by rule, or reviewed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from aws_opening import client_error
from jackfield_aws.answers import Answer
from jackfield_aws.rows import AWS_ROWS, THROTTLED
from jackfield_aws.virtual import models
from jackfield_aws.virtual.code_words import row_of
from jackfield_aws.virtual.errors import SERVICE_ERRORS

REVIEWED = Path(__file__).with_name("reviewed_codes.txt")


@cache
def _modelled() -> set[tuple[str, int]]:
    """Code and status of all exceptions of all services that are refusals; AWS answers 400 where a model names no status."""
    found = set()
    for service in models.services():
        for shape in models.service_model(service).error_shapes:
            status = shape.metadata.get("error", {}).get("httpStatusCode") or (500 if shape.metadata.get("fault") else 400)
            found.add((shape.error_code, status))
    return {(code, status) for code, status in found if 400 <= status < 500}


def test_m8_every_modelled_code_is_named_by_a_rule_or_reviewed() -> None:
    """A code of a new botocore in which no rule finds a word fails here: add a word to the rules, or the code to the reviewed ones."""
    modelled = _modelled()
    reviewed = set(REVIEWED.read_text(encoding="utf-8").split())
    by_rule = {code for code, _ in modelled if row_of(code) is not None or code.removesuffix("Exception") in AWS_ROWS}
    unknown = {code for code, _ in modelled} - by_rule
    assert sorted(unknown - reviewed) == [], "neither by rule nor reviewed"
    assert sorted(reviewed - unknown) == [], "reviewed, but by rule or gone"
    assert len(modelled) > 2500


def test_m8_every_refusal_has_a_hint() -> None:
    """Whatever a service refuses, a person is told what to do; nothing in it is left to fill in."""
    for code, status in sorted(_modelled()):
        error = SERVICE_ERRORS.explain(client_error(code, "No.", status), region="eu-west-1")
        assert error is not None
        assert error.hint, code
        assert "{" not in error.hint, code


@pytest.mark.parametrize(
    ("code", "status", "expected", "hint"),
    [
        ("UsernameExistsException", 400, "conflict", "exists"),
        ("GroupExistsException", 400, "conflict", "exists"),
        ("AliasExistsException", 400, "conflict", "exists"),
        ("InvalidDBInstanceState", 400, "conflict", "state"),
        ("InvalidCacheClusterState", 400, "conflict", "state"),
        ("IncorrectInstanceState", 400, "conflict", "state"),
        ("DependencyViolation", 400, "conflict", "uses it"),
        ("CrawlerRunningException", 400, "conflict", "state"),
        ("ConditionCheckFailureException", 400, "conflict", "condition"),
        ("VersionMismatchException", 400, "conflict", "condition"),
        ("RepositoryNotEmptyException", 400, "conflict", "uses it"),
        ("ClusterContainsServicesException", 400, "conflict", "uses it"),
        ("TransactionCanceledException", 400, "conflict", "condition"),
        ("IdempotentParameterMismatch", 400, "conflict", "another key"),
        ("OperationAborted", 409, "conflict", "again"),
        ("InsufficientInstanceCapacity", 400, "unavailable", "another zone"),
        ("InsufficientDBInstanceCapacity", 400, "unavailable", "another zone"),
        ("TooManyFailedAttemptsException", 400, "rejected", "wait"),
        ("TooManyTagsException", 400, "rejected", "No quota"),
        ("ItemCollectionSizeLimitExceededException", 400, "rejected", "No quota"),
        ("APICallRateForCustomerExceeded", 400, "rate_limited", "fewer"),
        ("QuotaExceeded.CacheSecurityGroup", 400, "quota_exceeded", "quota"),
        ("ForbiddenException", 400, "forbidden", "Allow"),
        ("ExpiredIteratorException", 400, "rejected", "expired"),
        ("ExpiredNextTokenException", 400, "rejected", "expired"),
        ("ExpiredImportTokenException", 400, "rejected", "expired"),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, "not_found", "region"),
        ("InvalidInstanceID.NotFound", 400, "not_found", "region"),
        ("KmsDisabledException", 400, "rejected", "KMS key"),
        ("InvalidQueryStatementException", 400, "rejected", "message"),
        ("ValidationException", 400, "rejected", "message"),
        ("BrandNewException", 400, "rejected", "message"),
        ("InvalidThingException", 403, "forbidden", "Allow"),
        ("BrandNewException", 404, "not_found", "region"),
        ("ConflictException", 429, "rate_limited", "fewer"),
        ("InternalServerException", 400, "unavailable", "AWS's side"),
    ],
)
def test_m8_words_of_a_code_say_what_it_means(code: str, status: int, expected: str, hint: str) -> None:
    """What exists, is in use, in another state or being changed conflicts; only what more of helps is a quota."""
    error = SERVICE_ERRORS.explain(client_error(code, "No.", status))
    assert error is not None
    assert error.code == expected
    assert hint in str(error.hint)


def test_m8_a_lack_of_capacity_is_not_repeated_by_itself() -> None:
    """AWS refused it explicitly: the caller may try again later, or elsewhere."""
    error = SERVICE_ERRORS.explain(client_error("InsufficientCapacityException", "None left.", 400))
    assert error is not None
    assert (error.retryable, error.repeatable) == (True, False)


def test_m8_long_codes_are_searched_in_bounded_time() -> None:
    """A hostile code costs no more than its beginning."""
    assert row_of("Invalid" * 100_000) is not None
    assert SERVICE_ERRORS.find(Answer("x" * 1_000_000 + "Throttled", "", 400, "Op")) is not THROTTLED
