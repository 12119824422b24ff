"""Errors of all services: after the rows of ``AWS_ERRORS``, the code's own words say what it means."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from jackfield.connector import Conflict, Forbidden, JackfieldError, NotFound, QuotaExceeded, Rejected
from jackfield_aws.answers import Answer
from jackfield_aws.errors import AwsErrors
from jackfield_aws.rows import AWS_ROWS, BY_STATUS, THROTTLED, Row
from jackfield_aws.virtual.advice import advice
from jackfield_aws.virtual.inputs import Given
from jackfield_aws.virtual.transactions import cancelled

_DENIED = BY_STATUS[403].hint
_SERVER, _BAD_REQUEST = 500, 400
_WORDS: tuple[tuple[re.Pattern[str], Row], ...] = (
    (re.compile("NotFound|NoSuch|DoesNotExist|Nonexist|NonExist"), Row(NotFound)),
    (re.compile("Throttl|TooManyRequests|RateExceed"), THROTTLED),
    (
        re.compile("LimitExceeded|Quota|TooMany|Insufficient.*Capacity"),
        Row(QuotaExceeded, "A quota of the account is used up: free some of it, or request an increase in Service Quotas."),
    ),
    (
        re.compile("AlreadyExist|Conflict|InUse|Duplicate|Concurrent|Precondition|ConditionalCheck|InvalidState|NotReady|InProgress"),
        Row(Conflict),
    ),
    (re.compile("AccessDenied|Unauthorized|NotPermitted"), Row(Forbidden, _DENIED)),
    (re.compile("Invalid|Validation|Malformed|Unsupported|TooLarge"), Row(Rejected)),
)
"""Meaning of words in a code, first match first. They name 94 % of the 5,848 exceptions of all services."""


class ServiceErrors(AwsErrors):
    """Error map of the virtual connectors."""

    def __call__(self, error: Exception, client: Any, inputs: Any = None) -> JackfieldError | None:
        """Explain an exception; a refusal of the request's content names the values that the service's model does not have."""
        found = super().__call__(error, client, inputs)
        if isinstance(inputs, Given) and found is not None:
            found = cancelled(found, error, inputs.parameters)
        if isinstance(found, Rejected) and isinstance(inputs, Given) and (said := advice(inputs.shape, inputs.parameters)):
            found.hint = f"{said} {found.hint}" if found.hint else said
        return found

    def find(self, answer: Answer) -> Row:
        """Return the row for an answer: that of the code without dotted prefixes (``AWS.SimpleQueueService.NonExistentQueue``), or of its
        words."""
        code = answer.code.rpartition(".")[2] if not answer.code.isdigit() else ""
        found = super().find(replace(answer, code=code))
        is_refusal = _BAD_REQUEST <= answer.status < _SERVER
        if not is_refusal or (found.kind is not Rejected and found is not BY_STATUS.get(answer.status)):
            return found
        if code in _KNOWN or code.removesuffix("Exception") in _KNOWN:
            return found
        return next((row for pattern, row in _WORDS if pattern.search(code)), found)


_KNOWN = frozenset(key for key in AWS_ROWS if isinstance(key, str))
SERVICE_ERRORS = ServiceErrors(AWS_ROWS)
"""The error map that all virtual connectors share."""
