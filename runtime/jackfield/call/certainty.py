"""Tables of what is certain of a call. ``Attempts`` acts on them.

The end of an attempt adds facts to what is known, and decides whether the attempt may be repeated.
What is known decides what the caller is told of an error that ends the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jackfield.kernel.dataclass import dataclass

if TYPE_CHECKING:
    from jackfield.kernel.errors import JackfieldError

NOTHING, UNCLEAR, UNREPEATABLE, ANSWERED, SILENT = 0, 1, 2, 4, 8
FACTS: Mapping[int, str] = {
    UNCLEAR: (
        "An attempt may have taken effect. A later refusal may be due to that effect, and no "
        "longer proves that nothing happened."
    ),
    UNREPEATABLE: "An attempt may have taken effect, and no other invocation may repeat it.",
    ANSWERED: "An attempt has succeeded, for one of several pages too.",
    SILENT: "An attempt has succeeded without reporting a request: it may have needed none.",
}
"""Facts that are known of a call. They add up: no later attempt takes one away."""

READ, IDEMPOTENT, KEYED, WRITE = "read", "idempotent", "by key", "write"
EFFECTS: Mapping[str, str] = {
    READ: "It changes nothing.",
    IDEMPOTENT: "Whoever repeats it, it takes effect once.",
    KEYED: "Under its key it takes effect once, while the provider keeps the key.",
    WRITE: "Each attempt may take effect.",
}

REFUSED, LOST, PART_REFUSED, PART_LOST, SUCCEEDED, UNREPORTED, UNUSABLE = (
    "refused",
    "lost",
    "part, then refused",
    "part, then lost",
    "succeeded",
    "succeeded, unreported",
    "unusable",
)
EVENTS: Mapping[str, str] = {
    REFUSED: "It failed, and its last request was not sent or was refused.",
    LOST: "Its last request was sent, and has no clear answer; or the process stopped then.",
    PART_REFUSED: "A step of it succeeded; then it was refused.",
    PART_LOST: "A step of it succeeded; then a request had no clear answer.",
    SUCCEEDED: "It succeeded.",
    UNREPORTED: "It succeeded, and its client reported no request.",
    UNUSABLE: "It succeeded, and its answer cannot be used.",
}

BY_ERROR, BY_CALLER, NEVER = "by error", "by caller", "never"
REPEATS: Mapping[str, str] = {
    BY_ERROR: "If the error is retryable.",
    BY_CALLER: "If the caller prefers a duplicate to a miss (`onDoubt: retry`).",
    NEVER: "Never.",
}


@dataclass(frozen=True, slots=True)
class Consequence:
    """Consequence of an event: the facts that it adds, and when the attempt is repeated."""

    adds: int
    repeats: str = NEVER


_MAY_HAVE = UNCLEAR | UNREPEATABLE
TABLE: Mapping[tuple[str, str], Consequence] = {
    (READ, REFUSED): Consequence(NOTHING, BY_ERROR),
    (READ, LOST): Consequence(NOTHING, BY_ERROR),
    (READ, SUCCEEDED): Consequence(ANSWERED),
    (READ, UNREPORTED): Consequence(ANSWERED | SILENT),
    (IDEMPOTENT, REFUSED): Consequence(NOTHING, BY_ERROR),
    (IDEMPOTENT, LOST): Consequence(UNCLEAR, BY_ERROR),
    (IDEMPOTENT, SUCCEEDED): Consequence(ANSWERED),
    (IDEMPOTENT, UNREPORTED): Consequence(ANSWERED | SILENT),
    (IDEMPOTENT, UNUSABLE): Consequence(UNREPEATABLE),
    (KEYED, REFUSED): Consequence(NOTHING, BY_ERROR),
    (KEYED, LOST): Consequence(_MAY_HAVE, BY_ERROR),
    (KEYED, PART_REFUSED): Consequence(UNREPEATABLE, BY_ERROR),
    (KEYED, PART_LOST): Consequence(_MAY_HAVE, BY_ERROR),
    (KEYED, SUCCEEDED): Consequence(ANSWERED),
    (KEYED, UNREPORTED): Consequence(ANSWERED | SILENT),
    (KEYED, UNUSABLE): Consequence(UNREPEATABLE),
    (WRITE, REFUSED): Consequence(NOTHING, BY_ERROR),
    (WRITE, LOST): Consequence(_MAY_HAVE, BY_CALLER),
    (WRITE, PART_REFUSED): Consequence(UNREPEATABLE),
    (WRITE, PART_LOST): Consequence(_MAY_HAVE),
    (WRITE, SUCCEEDED): Consequence(ANSWERED),
    (WRITE, UNREPORTED): Consequence(ANSWERED | SILENT),
    (WRITE, UNUSABLE): Consequence(UNREPEATABLE),
}
"""Consequence of each event by effect. Missing combinations cannot occur: only a call that may end
in doubt counts its steps, and a read whose answer cannot be used has changed nothing.
"""

AS_IT_IS, EARLIER, UNKNOWN, EARLIER_UNKNOWN, ANSWERED_UNKNOWN = (
    "as it is",
    "earlier",
    "unknown",
    "earlier, unknown",
    "answered, unknown",
)
TOLD: Mapping[str, str] = {
    AS_IT_IS: "The error.",
    EARLIER: "The error, which says that an attempt may have taken effect.",
    UNKNOWN: "A doubt, with the error as its cause and the steps that had succeeded.",
    EARLIER_UNKNOWN: "A doubt, whose cause says that an attempt may have taken effect.",
    ANSWERED_UNKNOWN: "A doubt: it was answered with success, but its outcome cannot be told.",
}
VERDICTS: Mapping[int, str] = {
    NOTHING: AS_IT_IS,
    UNCLEAR: EARLIER,
    ANSWERED: AS_IT_IS,
    UNCLEAR | ANSWERED: AS_IT_IS,
    UNREPEATABLE: UNKNOWN,
    UNCLEAR | UNREPEATABLE: EARLIER_UNKNOWN,
    UNREPEATABLE | ANSWERED: ANSWERED_UNKNOWN,
    UNCLEAR | UNREPEATABLE | ANSWERED: ANSWERED_UNKNOWN,
}
"""What a caller is told of an error that ends the call, by the facts."""
SAY_EARLIER = frozenset({EARLIER, EARLIER_UNKNOWN})
UNKNOWNS = frozenset({UNKNOWN, EARLIER_UNKNOWN, ANSWERED_UNKNOWN})


def failure(*, lost: bool, part: bool) -> str:
    """Return the event of a failed attempt."""
    if part:
        return PART_LOST if lost else PART_REFUSED
    return LOST if lost else REFUSED


def verdict(known: int) -> str:
    """Return what the caller is told of an error that ends the call."""
    return VERDICTS[known & ~SILENT]


def may_repeat(row: Consequence, error: JackfieldError, on_doubt: str) -> bool:
    """Return whether a failed attempt may be repeated."""
    if not error.repeatable or row.repeats == NEVER:
        return False
    return on_doubt == "retry" if row.repeats == BY_CALLER else error.retryable
