"""The author's API: every name that a connector imports from jackfield.

Names are imported on first access (PEP 562): the runtime uses parts of this package before it loads
any connector, and does not import pydantic until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.kernel.exports import exports

if TYPE_CHECKING:
    from jackfield.connector.actions import Action, Option
    from jackfield.connector.answers import MAX_ANSWER, bounded_answer, check_price, whole_answer
    from jackfield.connector.budget import Budget, Limits, Warmup
    from jackfield.connector.connection_steps import Account, Step
    from jackfield.connector.context import (
        Answered,
        Apart,
        Call,
        Minted,
        OpenContext,
        check_may_wait,
        current_call,
    )
    from jackfield.connector.declare import Connector
    from jackfield.connector.evidence import (
        FRESH,
        KEY,
        MARKER,
        SENT_FROM,
        SENT_UNTIL,
        EventEvidence,
        Look,
        Marker,
        Record,
        RecordEvidence,
    )
    from jackfield.connector.failed_entries import FailedEntry
    from jackfield.connector.grants import (
        Authorization,
        ClientRegistrations,
        DeviceAuthorization,
        Grant,
        Grants,
    )
    from jackfield.connector.hook_requests import HookRequest, Malformed, strict_json
    from jackfield.connector.hooks import hookimpl
    from jackfield.connector.jobs import Progress
    from jackfield.connector.lending import Lender, Lent
    from jackfield.connector.manifests import describe
    from jackfield.connector.models import (
        ConnectionType,
        DeclarationError,
        Field,
        File,
        Inputs,
        Output,
    )
    from jackfield.connector.proofs import Absent, Canary, When
    from jackfield.connector.reading import Unread
    from jackfield.connector.signatures import SecretPath, SharedToken, Signature, scheme_of
    from jackfield.connector.streamed import OutputFile, StreamedFile
    from jackfield.connector.triggers import (
        Forged,
        Gone,
        Hook,
        Item,
        Listed,
        Needs,
        Outcome,
        Polled,
        Received,
        Registered,
        Since,
        TriggerEvent,
        Unfinished,
        Webhook,
        check_signature,
    )
    from jackfield.kernel.clock import Clock, Deadline
    from jackfield.kernel.errors import (
        Conflict,
        Detail,
        Forbidden,
        Internal,
        InvalidConnection,
        InvalidInput,
        InvalidOutput,
        JackfieldError,
        JobFailed,
        NotFound,
        NotYet,
        Provider,
        QuotaExceeded,
        RateLimited,
        Rejected,
        Sent,
        TimedOut,
        Unauthenticated,
        Unavailable,
    )
    from jackfield.kernel.failures import exhausted
    from jackfield.kernel.pointers import pointer
    from jackfield.kernel.price import MAX_ANSWER_VALUES, TooCostly
    from jackfield.manifest.manifest import RateLimit, Serves
    from jackfield.manifest.pagination import Pagination
    from jackfield.wire.client import Wire
    from jackfield.wire.connection import WireSettings
    from jackfield.wire.exchanges import seen_exchange
    from jackfield.wire.faults import WireFault
    from jackfield.wire.file_names import file_name
    from jackfield.wire.guard import ANYWHERE, Guard, unseen
    from jackfield.wire.head import Proxy, Target, parsable_field
    from jackfield.wire.reply import Reply

__all__ = [
    "ANYWHERE",
    "FRESH",
    "KEY",
    "MARKER",
    "MAX_ANSWER",
    "MAX_ANSWER_VALUES",
    "SENT_FROM",
    "SENT_UNTIL",
    "Absent",
    "Account",
    "Action",
    "Answered",
    "Apart",
    "Authorization",
    "Budget",
    "Call",
    "Canary",
    "ClientRegistrations",
    "Clock",
    "Conflict",
    "ConnectionType",
    "Connector",
    "Deadline",
    "DeclarationError",
    "Detail",
    "DeviceAuthorization",
    "EventEvidence",
    "FailedEntry",
    "Field",
    "File",
    "Forbidden",
    "Forged",
    "Gone",
    "Grant",
    "Grants",
    "Guard",
    "Hook",
    "HookRequest",
    "Inputs",
    "Internal",
    "InvalidConnection",
    "InvalidInput",
    "InvalidOutput",
    "Item",
    "JackfieldError",
    "JobFailed",
    "Lender",
    "Lent",
    "Limits",
    "Listed",
    "Look",
    "Malformed",
    "Marker",
    "Minted",
    "Needs",
    "NotFound",
    "NotYet",
    "OpenContext",
    "Option",
    "Outcome",
    "Output",
    "OutputFile",
    "Pagination",
    "Polled",
    "Progress",
    "Provider",
    "Proxy",
    "QuotaExceeded",
    "RateLimit",
    "RateLimited",
    "Received",
    "Record",
    "RecordEvidence",
    "Registered",
    "Rejected",
    "Reply",
    "SecretPath",
    "Sent",
    "Serves",
    "SharedToken",
    "Signature",
    "Since",
    "Step",
    "StreamedFile",
    "Target",
    "TimedOut",
    "TooCostly",
    "TriggerEvent",
    "Unauthenticated",
    "Unavailable",
    "Unfinished",
    "Unread",
    "Warmup",
    "Webhook",
    "When",
    "Wire",
    "WireFault",
    "WireSettings",
    "bounded_answer",
    "check_may_wait",
    "check_price",
    "check_signature",
    "current_call",
    "describe",
    "exhausted",
    "file_name",
    "hookimpl",
    "parsable_field",
    "pointer",
    "scheme_of",
    "seen_exchange",
    "strict_json",
    "unseen",
    "whole_answer",
]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".answers": "MAX_ANSWER bounded_answer check_price whole_answer",
            ".budget": "Budget Limits Warmup",
            ".connection_steps": "Account Step",
            ".context": "Answered Apart Call Minted OpenContext check_may_wait current_call",
            ".actions": "Action Option",
            ".declare": "Connector",
            ".evidence": (
                "FRESH KEY MARKER SENT_FROM SENT_UNTIL "
                "EventEvidence Look Marker Record RecordEvidence"
            ),
            ".failed_entries": "FailedEntry",
            ".grants": "Authorization ClientRegistrations DeviceAuthorization Grant Grants",
            ".jobs": "Progress",
            ".lending": "Lender Lent",
            ".manifests": "describe",
            ".reading": "Unread",
            ".models": "ConnectionType DeclarationError Field File Inputs Output",
            ".proofs": "Absent Canary When",
            ".signatures": "SecretPath SharedToken Signature scheme_of",
            ".streamed": "OutputFile StreamedFile",
            ".hook_requests": "HookRequest Malformed strict_json",
            ".triggers": (
                "Forged Gone Hook Item Listed Needs Outcome Polled Received Registered Since "
                "TriggerEvent "
                "Unfinished Webhook check_signature"
            ),
            "jackfield.kernel.clock": "Clock Deadline",
            "jackfield.kernel.errors": (
                "Conflict Detail Forbidden Internal InvalidConnection InvalidInput InvalidOutput "
                "JackfieldError JobFailed NotFound NotYet "
                "Provider QuotaExceeded RateLimited Rejected Sent TimedOut Unauthenticated "
                "Unavailable"
            ),
            "jackfield.connector.hooks": "hookimpl",
            "jackfield.kernel.pointers": "pointer",
            "jackfield.kernel.price": "MAX_ANSWER_VALUES TooCostly",
            "jackfield.manifest.manifest": "RateLimit Serves",
            "jackfield.manifest.pagination": "Pagination",
            "jackfield.wire.client": "Wire",
            "jackfield.wire.connection": "WireSettings",
            "jackfield.wire.exchanges": "seen_exchange",
            "jackfield.wire.faults": "WireFault",
            "jackfield.wire.file_names": "file_name",
            "jackfield.wire.guard": "ANYWHERE Guard unseen",
            "jackfield.wire.head": "Proxy Target parsable_field",
            "jackfield.wire.reply": "Reply",
            "jackfield.kernel.failures": "exhausted",
        },
    )
