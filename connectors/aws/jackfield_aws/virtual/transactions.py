"""Cancelled transactions of DynamoDB: the reasons of their parts decide the refusal's meaning, and
point at the faulty parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.connector import Conflict, Detail, Forbidden, JackfieldError, Rejected, Sent
from jackfield.kernel.dataclass import replace
from jackfield_aws.rows import BY_STATUS, THROTTLED, Row

_REASONS = "CancellationReasons"
_PARTS = ("TransactItems", "TransactStatements")
"""Inputs that hold the parts of a transaction, in the order of the reasons."""
_ACCEPTED = "None"
"""Code of a part without fault."""
_UNMET = Row(
    Conflict,
    "The condition of a part does not hold: read the item ('provider.details' has it where the "
    "request asked for it).",
)
_BUSY = Row(
    Conflict, "Another request is changing the same item: send the transaction again in a moment."
)
_MEANINGS: Mapping[str, Row] = {
    "ValidationError": Row(Rejected, "Correct the parts that the details name."),
    "ItemCollectionSizeLimitExceeded": Row(
        Rejected,
        "A partition key holds at most 10 GB of items and local indexes: remove some of them.",
    ),
    "AccessDenied": Row(Forbidden, "Allow the parts that the details name in IAM."),
    "ConditionalCheckFailed": _UNMET,
    "DuplicateItem": _UNMET,
    "TransactionConflict": _BUSY,
    "ProvisionedThroughputExceeded": THROTTLED,
    "ThrottlingError": THROTTLED,
    "RequestLimitExceeded": THROTTLED,
}
"""Rows by a reason's code, in order of precedence: errors that no repeat can cure come first
(DynamoDB API reference, TransactWriteItems, errors).
"""


def cancelled(
    error: JackfieldError, cause: Exception, parameters: Mapping[str, Any]
) -> JackfieldError:
    """Return the error for a cancelled transaction, which was not carried out at all; any other
    error unchanged.

    ``cause`` is botocore's exception, ``parameters`` are the request's.
    """
    reasons = _reasons(cause)
    if not reasons or error.provider is None or error.sent is not Sent.REFUSED:
        return error
    codes = {reason["Code"] for reason in reasons}
    row = next((row for code, row in _MEANINGS.items() if code in codes), BY_STATUS[409])
    name = next((name for name in _PARTS if name in parameters), None)
    details = [
        Detail("" if name is None else f"/{name}/{number}", ": ".join(reason.values()))
        for number, reason in enumerate(reasons)
        if reason["Code"] != _ACCEPTED
    ]
    provider = error.provider
    if _REASONS not in (provider.details or {}):  # with their items they are too long
        provider = replace(provider, details={_REASONS: reasons})
    return row.kind(
        error.message,
        details=details,
        hint=row.hint,
        provider=provider,
        sent=Sent.REFUSED,
        retry_after=error.retry_after,
    )


def _reasons(cause: Exception) -> Sequence[Mapping[str, str]]:
    """Return code and message of each part of a transaction, in their order."""
    found = (getattr(cause, "response", None) or {}).get(_REASONS)
    parts = found if isinstance(found, list) else ()
    known = [part if isinstance(part, dict) else {} for part in parts]
    return [
        {"Code": str(part.get("Code") or _ACCEPTED)}
        | ({"Message": str(part["Message"])} if part.get("Message") else {})
        for part in known
    ]
