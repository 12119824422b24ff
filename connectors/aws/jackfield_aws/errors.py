"""Map from botocore's exceptions to errors with a code: a table look-up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jackfield.connector import (
    Conflict,
    Detail,
    Inputs,
    JackfieldError,
    QuotaExceeded,
    RateLimited,
    Sent,
    Unavailable,
    current_call,
    exhausted,
)
from jackfield_aws.answers import Answer, read_answer
from jackfield_aws.iam_actions import documented, unproven
from jackfield_aws.rows import (
    AWS_ROWS,
    BY_STATUS,
    CONTENT,
    ENDPOINT_FAULT,
    NOT_IMPLEMENTED,
    NOT_READY,
    QUOTA,
    SERVER_FAULT,
    STORE_FULL,
    THROTTLED,
    Key,
    Row,
    Rows,
)
from jackfield_aws.throttles import says_throttled
from jackfield_aws.transport import explain_transport

_NOT_MODIFIED, _BAD_REQUEST, _NOT_FOUND, _LOGIN_WANTED, _TOO_MANY, _SERVER, _NOT_IMPLEMENTED = (
    304,
    400,
    404,
    407,
    429,
    500,
    501,
)
_UNCLEAR = Row(
    Unavailable,
    "A proxy or an endpoint that is not AWS may have answered.",
    "{operation} had no clear answer",
    Sent.UNKNOWN,
)

_UNCHANGED = Row(
    Conflict,
    "It is as the condition says: use the copy that you have, or leave the condition out.",
    "{operation} returned nothing new",
)
"""Row of a 304, the response to a condition that holds (RFC 9110 §15.4.5)."""


class AwsErrors:
    """Error map with rows by code, or by code and a part of the message. Immutable; a connector
    extends ``AWS_ERRORS`` with its own rows.

    Pass an instance to a Connector as ``explain``.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = {_key(key): row for key, row in rows.items()}
        self._phrases: dict[str, list[tuple[str, Row]]] = {}
        for key, row in self._rows.items():
            if not isinstance(key, str):
                self._phrases.setdefault(key[0], []).append((key[1], row))

    def extended(self, rows: Rows) -> AwsErrors:
        """Return this map with more rows. New phrases are matched before old ones; a new row
        replaces an old one with the same key.
        """
        new = {_key(key): row for key, row in rows.items()}
        return AwsErrors({**new, **{key: row for key, row in self._rows.items() if key not in new}})

    def __call__(
        self,
        error: Exception,
        client: Any,
        inputs: Inputs | None = None,  # noqa: ARG002 (author's API)
    ) -> JackfieldError | None:
        """Return the error for an exception, None if it is unknown; ``client`` is the open
        AwsClients, or None.

        If AWS does not name the missing permission, the error names the action's permissions or,
        outside an action, all of the connector's.
        """
        call = current_call()
        short = exhausted(error, Sent.NOTHING) if call is not None and not call.begun else None
        if short is not None:  # hooks.py announces every request, so none was sent
            return short
        needed = call.permissions.get("aws:iam", ()) if call is not None else ()
        return self.explain(
            error,
            region=getattr(client, "region", None),
            permissions=needed or getattr(client, "permissions", ()),
            renewable=getattr(client, "renewable", False),
            elsewhere=getattr(client, "names_endpoint", False),
            local=getattr(client, "names_loopback", False),
        )

    def explain(
        self,
        error: Exception,
        *,
        region: str | None = None,
        operation: str | None = None,
        permissions: Iterable[str] = (),
        renewable: bool = True,
        elsewhere: bool = False,
        local: bool = False,
    ) -> JackfieldError | None:
        """Return the error for an exception; None if it comes neither from jackfield nor from
        botocore.

        ``operation`` names the operation if the exception does not. ``permissions`` are the IAM
        actions to name if AWS does not say which is missing. ``renewable``: the credentials can be
        leased again; ``elsewhere``: the endpoint is not AWS's own; ``local``: it is on this
        machine.
        """
        if isinstance(error, JackfieldError):
            return error
        if not _is_answer(error):
            found = explain_transport(error)
            return _not_served(found) if local else found
        answer = read_answer(error)
        row = self.find(answer)
        row = ENDPOINT_FAULT if elsewhere and row is SERVER_FAULT else row
        fields = _fields(answer, region, operation, tuple(permissions))
        said = (row.says or "AWS refused {operation}").format_map(fields)
        reason = answer.message or answer.code or f"HTTP status {answer.status}"
        found = row.kind(
            f"{said}: {reason}",
            details=[] if row.path is None else [Detail(row.path, reason)],
            hint=row.hint.format_map(fields) if row.hint else None,
            provider=answer.provider,
            sent=row.sent,
            retry_after=answer.retry_after,
            stale_credentials=row.stale and renewable,
            repeatable=row.repeatable,
        )
        found.expired = row.stale and not renewable
        # AWS names each of its answers; some emulators do not
        is_named = answer.request_id is not None or (elsewhere and bool(answer.code))
        found.by_status = not is_named
        return found

    def find(self, answer: Answer) -> Row:
        """Return the row for an answer.

        Only an explicit refusal proves that nothing was done; after any other error (a 5xx, a
        redirect), the outcome is in doubt. A throttle's code is a refusal with any status, since
        EC2 and S3 send it with 503; so are the codes of ``NOT_READY``. A 429 is a throttle, unless
        the row is about a quota. A 501 is a refusal: the endpoint lacks the operation (row
        ``501``). A 407 is a proxy's (row ``407``).
        """
        # whatever the page of a proxy, or of an emulator, says
        if answer.status in (_LOGIN_WANTED, _NOT_IMPLEMENTED):
            return (
                self._phrased(answer)
                or self._rows.get(str(answer.status))
                or BY_STATUS.get(answer.status, NOT_IMPLEMENTED)
            )
        row = self._row(answer)
        if answer.status >= _SERVER:
            if row is None or (row.kind is not RateLimited and row not in (NOT_READY, STORE_FULL)):
                row = BY_STATUS.get(answer.status, SERVER_FAULT)
            return row
        if 0 < answer.status < _BAD_REQUEST:
            return _UNCHANGED if answer.status == _NOT_MODIFIED else _UNCLEAR
        if row is not None and row.kind in (RateLimited, QuotaExceeded):
            return row
        if answer.status == _TOO_MANY:
            return THROTTLED
        return row or BY_STATUS.get(answer.status, CONTENT)

    def _row(self, answer: Answer) -> Row | None:
        """Return the row of a code and its message, None if no row matches; a message about a
        throttle outranks a more general code. With a 5xx, only a code that refuses counts, such as
        ``LimitExceeded``: the message of a failed service is not reliable.
        """
        message = answer.message.casefold()
        phrased = self._phrased(answer)
        row = phrased or self._rows.get(plain(answer.code))
        is_general = phrased is None and (row is None or row in (QUOTA, CONTENT))
        may_be = is_general and (answer.status < _SERVER or row is QUOTA)
        return THROTTLED if may_be and says_throttled(message) else row

    def _phrased(self, answer: Answer) -> Row | None:
        """Return the row of a code and a part of its message; None if no row matches."""
        rows, message = self._phrases.get(plain(answer.code), ()), answer.message.casefold()
        return next((row for phrase, row in rows if phrase in message), None)


def _not_served(error: JackfieldError | None) -> JackfieldError | None:
    """Convert an HTML page with HTTP status 404 from an emulator on this machine to a refusal,
    since the emulator lacks the path. Return any other error unchanged.
    """
    if (
        not isinstance(error, Unavailable)
        or error.provider is None
        or error.provider.http_status != _NOT_FOUND
    ):
        return error
    fields = {"operation": error.message.partition(" ")[0]}
    says, hint = NOT_IMPLEMENTED.says or "", NOT_IMPLEMENTED.hint or ""
    text = f"{says.format_map(fields)}: a page of HTML with HTTP status {_NOT_FOUND}"
    return NOT_IMPLEMENTED.kind(
        text, hint=hint.format_map(fields), provider=error.provider, sent=Sent.REFUSED
    )


def _key(key: Key) -> Key:
    return plain(key) if isinstance(key, str) else (plain(key[0]), key[1].casefold())


def plain(code: str) -> str:
    """Return a code in lower case without the suffix ``Exception``. Versions of a service use the
    same codes with and without it, and event streams begin them with a lower-case letter.
    """
    return code.casefold().removesuffix("exception")


def _is_answer(error: Exception) -> bool:
    return any(
        kind.__name__ == "ClientError" and kind.__module__ == "botocore.exceptions"
        for kind in type(error).__mro__
    )


def _fields(
    answer: Answer, region: str | None, operation: str | None, permissions: tuple[str, ...]
) -> dict[str, str]:
    actions = (
        answer.action
        or _permissions_text(permissions)
        or f"the IAM action of {operation or answer.operation}"
    )
    return {
        "operation": operation or answer.operation,
        "region": region or "this region",
        "actions": f"{actions} on {answer.resource}" if answer.resource else actions,
        "principal": answer.principal or "the user or role of this connection",
        "code": answer.code,
    }


def _permissions_text(permissions: tuple[str, ...]) -> str:
    """Return a list of IAM actions for a message, which marks actions outside AWS's documentation
    on the day of the list.
    """
    found = ", ".join(permissions)
    doubtful = unproven(permissions) if found else []
    return (
        f"{found} (not in AWS's list of {documented().date}: {', '.join(doubtful)})"
        if doubtful
        else found
    )


AWS_ERRORS = AwsErrors(AWS_ROWS)
"""Rows common to all services."""
