"""Meaning of the words in error codes of AWS's 439 services, which model 2,600 different codes with
a status 4xx.

The first matching rule wins. ``tests/reviewed_codes.txt`` lists the codes without a matching word:
their status decides. A test over all models fails for new codes.
"""

from __future__ import annotations

import re

from jackfield.connector import (
    Conflict,
    Forbidden,
    NotFound,
    Rejected,
    Sent,
    Unauthenticated,
    Unavailable,
)
from jackfield_aws.rows import BY_STATUS, CONTENT, QUOTA, SERVER_FAULT, THROTTLED, Row

_DENIED = Row(Forbidden, BY_STATUS[403].hint)
_PAUSED = Row(
    Forbidden,
    "AWS has paused or suspended this for the account: read its message, and ask AWS Support.",
)
_SIGN_IN = Row(Unauthenticated, BY_STATUS[401].hint)
_MISSING = Row(NotFound, BY_STATUS[404].hint)
_EXPIRED = Row(Rejected, "It has expired: get a new one, or begin again without it.")
_TOKEN = Row(
    Conflict, "The idempotency token was used for another request: send this one under another key."
)
_TOO_LARGE = Row(
    Rejected,
    "The request holds more than the operation takes: send less at a time. No quota of the "
    "account changes that.",
)
_ATTEMPTS = Row(Rejected, "There were too many failed attempts: wait before the next one.")
_NO_CAPACITY = Row(
    Unavailable,
    "AWS has no capacity left for this now: choose another zone, size or region, or try again "
    "later.",
    repeatable=False,
)
_SLOW = Row(
    Unavailable,
    "It took AWS too long: check whether it took effect.",
    "AWS gave up on {operation}",
    Sent.UNKNOWN,
)
_DEPENDENCY = Row(
    Rejected,
    "Something that it depends on failed: AWS's message says what. Mend that, then send it again.",
)
_EXISTS = Row(
    Conflict, "It exists, or was done, already: read it, update it, or choose another name."
)
_IN_USE = Row(Conflict, "Something still uses it: detach or delete that first.")
_CONCURRENT = Row(
    Conflict,
    "Another request changed it, or a condition of this one does not hold: read it, then send "
    "the request again.",
)
_STATE = Row(
    Conflict,
    "Its state does not allow this: read the state, wait until it has changed, then send it again.",
)
_KEY = Row(
    Rejected,
    "Check the KMS key: that it exists in {region}, is enabled, and that its policy allows "
    "{principal} to use it.",
)
_UNSUPPORTED = Row(
    Rejected,
    "This is not supported here: AWS's message says for which resource, region or account setting.",
)

_RULES: tuple[tuple[str, Row], ...] = (
    (
        (
            r"NotFound NoSuch Do(?:es)?NotExist NotExist Non-?[Ee]xist ^Unknown(?!Op|Par) ^Gone "
            r"NoAvail NotAttached NotAssoc NoAssoc"
        ),
        _MISSING,
    ),
    (
        (
            r"Throttl TooManyRequest(?!ed) RateExceed CallRate RateLimit ThroughputExceeded "
            r"TooManyUpdates SlowDown"
        ),
        THROTTLED,
    ),
    (r"Expired Expiration", _EXPIRED),
    (r"Idempoten ClientTokenConflict", _TOKEN),
    (r"FailedAttempts", _ATTEMPTS),
    (
        r"""TooLarge TooLong TooBig TooSmall TooManyTag TooManyEntries TooManyParameters TooManyRequested Oversized
        (?:Size|Length)(?:Limit)?Exceeded Tag(?:s|Set|Quota|SetList)?(?:PerResource)?(?:Limit)?Exceeded Number(?:Submitted|Item)
        Maximum(?:File|Items|RepositoryNames|Conflict) CommitIdsLimit BatchLimit""",
        _TOO_LARGE,
    ),
    (
        (
            r"Insufficient\w*Capacity OutOfCapacity CapacityExceeded InsufficientAvailableIPs "
            r"FreeAddresses"
        ),
        _NO_CAPACITY,
    ),
    (
        (
            r"Limits?Exceed Limit(?:Reached)?(?:Exception)?$ ExceedsLimit OverLimit "
            r"Quota(?!Template) TooMany Exceed MaximumRuleTemplates"
        ),
        QUOTA,
    ),
    (
        r"""Access\w*Denied AccessForbidden Forbidden Unauthori[sz]ed No(?:t)?Authori[sz] ^Auth(?:ori[sz]ation)?(?:Error)?(?:Exception)?$
        NotPermitted Insufficient\w*(?:Permission|Privilege) PermissionException ManagementAccountException MasterAccount
        DelegatedAdministrator""",
        _DENIED,
    ),
    (r"Paused Suspended", _PAUSED),
    (r"^Unauthenticated ^ConnectorAuthentication", _SIGN_IN),
    (r"^(?!Invalid).*(?:Timeout|TimedOut)", _SLOW),
    (
        r"^(?!Invalid).*(?:Internal|Server(?:Error|Exception)|Service(?:Failure|Unavailable|Exception|Fault)|TemporarilyUnavailable)",
        SERVER_FAULT,
    ),
    (r"DependencyFail FailedDependency DependentService", _DEPENDENCY),
    (r"(?<!File)Exist Already Duplicate", _EXISTS),
    (
        (
            r"(?<!Not)InUse No[tn]Empty Dependen Contains ^Associated "
            r"Associated(?:Exception|Item) StillReferenced ReferencedItem HasCMKs"
        ),
        _IN_USE,
    ),
    (
        r"""^(?!Invalid|MaxCon|Multiple).*(?:Conflict|Concurrent|Outdated) Precondition Condition(?:al)?(?:Check|Operation)
        Version\w*Mismatch Stale Aborted OutOfSync OptimisticLock TransactionCancel IsDifferent""",
        _CONCURRENT,
    ),
    (
        r"""Unsupported(?!\w*Stat) NotSupported NotImplemented NotAllowed NotInAllFeatures Incompatib Feature\w*vailable
        NotAvailable(?:In|For)""",
        _UNSUPPORTED,
    ),
    (r"K[Mm][Ss] EncryptionKey Encryption(?:Failure|Exception) Decrypt", _KEY),
    (
        r"""(?:Invalid|Incorrect|Illegal|Unsupported|Prohibited|Terminal)\w*(?:State(?!ment|Filter)|Status(?!Filter)) NotReady InProgress
        Ongoing Running Stopping Executing Pending Busy Locked NotActive Inactive Disabled NotEnabled Unavailable NotAvailable NotStarted
        NotConfigured Uninitialized NotStabilized NotInUse Transitioning Deleted Deleting Maintenance Resuming BeingCopied Restoring
        Finalizing Offline Archived Retired (?:State|Status)(?:Exception)?$""",
        _STATE,
    ),
    (
        r"""Invalid Validation Malformed BadRequest Illegal Missing Required Parameter Argument Unprocessable Constraint Cannot Incomplete
        Incorrect Inconsistent Syntax Mismatch NotMatch NotValid Ambiguous OutOf ^Client(?:Exception|Error) Policy""",
        CONTENT,
    ),
)
"""Rules of words, as regular expressions, and their meanings."""
_WORDS = tuple((re.compile("|".join(words.split())), row) for words, row in _RULES)
_LONGEST = 200
"""Maximum characters of a code that are searched."""


def row_of(code: str) -> Row | None:
    """Return the meaning of the words in a code; None if no rule matches."""
    return next((row for pattern, row in _WORDS if pattern.search(code[:_LONGEST])), None)
