"""Codes of AWS's services have a code of ours and a hint by the words in them."""

from __future__ import annotations

import pytest

from aws_opening import client_error
from jackfield_aws.answers import Answer
from jackfield_aws.rows import THROTTLED
from jackfield_aws.virtual.code_words import row_of
from jackfield_aws.virtual.errors import SERVICE_ERRORS

_WORDS = [
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
]


def test_m8_words_of_a_code_say_what_it_means(subtests: pytest.Subtests) -> None:
    """What exists, is in use, in another state or being changed conflicts; only what more of helps
    is a quota.
    """
    for code, status, expected, hint in _WORDS:
        with subtests.test(code=code, status=status, expected=expected, hint=hint):
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
    assert (
        SERVICE_ERRORS.find(Answer("x" * 1_000_000 + "Throttled", "", 400, "Op")) is not THROTTLED
    )
