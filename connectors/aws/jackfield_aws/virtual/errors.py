"""Errors of all services: after the rows of ``AWS_ERRORS``, the code's own words say what it means."""

from __future__ import annotations

from typing import Any

from jackfield.connector import JackfieldError, QuotaExceeded, Rejected
from jackfield.dataclass import replace
from jackfield_aws.answers import Answer
from jackfield_aws.errors import AwsErrors, plain
from jackfield_aws.rows import AWS_ROWS, BY_STATUS, CONTENT, THROTTLED, Row
from jackfield_aws.virtual.advice import advice
from jackfield_aws.virtual.code_words import row_of
from jackfield_aws.virtual.inputs import Given
from jackfield_aws.virtual.streams import StreamFault
from jackfield_aws.virtual.transactions import cancelled

_SERVER, _BAD_REQUEST = 500, 400


class ServiceErrors(AwsErrors):
    """Error map of the virtual connectors."""

    def __call__(self, error: Exception, client: Any, inputs: Any = None) -> JackfieldError | None:
        """Explain an exception; a refusal of the request's content names the values that the service's model does not have."""
        found = super().__call__(error, client, inputs)
        if isinstance(error, StreamFault) and found is not None:
            found = error.judge(found)
        if isinstance(inputs, Given) and found is not None:
            found = cancelled(found, error, inputs.parameters)
        if isinstance(found, Rejected) and isinstance(inputs, Given) and (said := advice(inputs.shape, inputs.parameters)):
            found.hint = f"{said} {found.hint}" if found.hint else said
        return found

    def find(self, answer: Answer) -> Row:
        """Return the row for an answer: that of the code without dotted prefixes (``AWS.SimpleQueueService.NonExistentQueue``), or of its
        words. A status that says more than "wrong content" does goes before such words."""
        code = answer.code.rpartition(".")[2] if not answer.code.isdigit() else ""
        found = super().find(replace(answer, code=code))
        by_status = BY_STATUS.get(answer.status, CONTENT)
        if not _BAD_REQUEST <= answer.status < _SERVER or found is not by_status or plain(code) in _KNOWN:
            return found
        row = row_of(answer.code)
        if row is None or row is CONTENT or (found is THROTTLED and row.kind is not QuotaExceeded):
            return found
        return row


_KNOWN = frozenset(plain(key) for key in AWS_ROWS if isinstance(key, str))
SERVICE_ERRORS = ServiceErrors(AWS_ROWS)
"""The error map that all virtual connectors share."""
