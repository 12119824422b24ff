"""Errors of all services: the rows of ``AWS_ERRORS`` come first, then the words in the code
decide.
"""

from __future__ import annotations

from typing import Any

from jackfield.connector import (
    Forbidden,
    JackfieldError,
    QuotaExceeded,
    Rejected,
    Sent,
    Unavailable,
    current_call,
)
from jackfield.kernel.dataclass import replace
from jackfield_aws.answers import Answer
from jackfield_aws.errors import AwsErrors, plain
from jackfield_aws.rows import AWS_ROWS, BY_STATUS, CONTENT, THROTTLED, Row
from jackfield_aws.virtual.advice import advice
from jackfield_aws.virtual.code_words import row_of
from jackfield_aws.virtual.inputs import VirtualInputs
from jackfield_aws.virtual.streams import StreamFault
from jackfield_aws.virtual.transactions import cancelled

_SERVER, _BAD_REQUEST = 500, 400
_USERS, _OF_IAM = "notauthorized", "authorized to perform"
_USER = Row(
    Rejected,
    "These are credentials of the user that the inputs name, not of the connection: check them. "
    "No IAM policy changes this.",
)
"""Row of Cognito's NotAuthorizedException: a wrong password, a revoked token or a wrong secret hash
(Amazon Cognito API reference).
"""


_MODEL, _MODELS = (
    424,
    ("InvokeModel", "InvokeModelWithResponseStream", "Converse", "ConverseStream"),
)
_MODEL_FAULT = Row(
    Unavailable,
    "The model failed, not the request: try again, or ask another model.",
    sent=Sent.UNKNOWN,
)
"""Row of a 424 from a model of Amazon Bedrock: an error while the model worked (API reference,
InvokeModel, ModelErrorException).
"""


class ServiceErrors(AwsErrors):
    """Error map of the virtual connectors."""

    def __call__(self, error: Exception, client: Any, inputs: Any = None) -> JackfieldError | None:
        """Return the error for an exception, None if it is unknown; a refusal of the request's
        content also names values that the service's model lacks.
        """
        found = super().__call__(error, client, inputs)
        if isinstance(error, StreamFault) and found is not None:
            found = error.judge(found)
        if isinstance(inputs, VirtualInputs) and found is not None:
            found = cancelled(found, error, inputs.parameters)
        if (
            isinstance(found, Rejected)
            and isinstance(inputs, VirtualInputs)
            and (said := advice(inputs.shape, inputs.parameters))
        ):
            found.hint = f"{said} {found.hint}" if found.hint else said
        return found

    def find(self, answer: Answer) -> Row:
        """Return the row for an answer, by its code without dotted prefixes
        (``AWS.SimpleQueueService.NonExistentQueue``) or by the code's words. A status with a more
        exact meaning than "wrong content" precedes such words.
        """
        if answer.status == _MODEL and answer.operation in _MODELS:
            return _MODEL_FAULT
        code = answer.code.rpartition(".")[2] if not answer.code.isdigit() else ""
        found = super().find(replace(answer, code=code))
        by_status = BY_STATUS.get(answer.status, CONTENT)
        is_denial = found.kind is Forbidden and plain(code) == _USERS
        if is_denial and _OF_IAM not in answer.message and _is_about_users():
            return _USER
        if (
            not _BAD_REQUEST <= answer.status < _SERVER
            or found is not by_status
            or plain(code) in KNOWN
        ):
            return found
        row = row_of(answer.code)
        if row is None or row is CONTENT or (found is THROTTLED and row.kind is not QuotaExceeded):
            return found
        return row


def _is_about_users() -> bool:
    """Return whether the current call needs no permission, or a permission of Cognito, whose users
    have credentials of their own.
    """
    call = current_call()
    needed = call.permissions.get("aws:iam", ()) if call is not None else ()
    return all(name.startswith("cognito-") for name in needed)


KNOWN = frozenset(plain(key) for key in AWS_ROWS if isinstance(key, str))
"""Plain codes with a row of their own."""
SERVICE_ERRORS = ServiceErrors(AWS_ROWS)
"""Error map shared by all virtual connectors."""
