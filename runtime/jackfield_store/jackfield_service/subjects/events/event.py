"""Types of events, and the data of an event for its reader."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.kernel.clock import iso
from jackfield.kernel.errors import Detail, InvalidInvocation, Unavailable, did_you_mean
from jackfield.kernel.stored_values import parsed_object, possible_time
from jackfield_store.journal.entry import EVIDENCE

TYPES = (
    "invocation.finished",
    "invocation.resolved",
    "invocation.contradicted",
    "connection.failing",
    "connection.recovered",
    "connection.expired",
    "connection.changed",
    "connection.paused",
    "connection.resumed",
    "connection.declined",
    "quota.low",
    "callback.failing",
    "callback.exhausted",
    "callback.paused",
    "callback.resumed",
    "approval.requested",
    "approval.approved",
    "approval.declined",
    "approval.expired",
    "schedule.missed",
    "schedule.stopped",
    "connect.completed",
    "connect.failed",
    "connect.blocked",
    "workspace.suspended",
    "workspace.resumed",
    "subscription.failing",
    "subscription.recovered",
    "subscription.late",
    "subscription.restarted",
    "subscription.gap",
    "subscription.withheld",
    "subscription.refused",
)
"""Types of jackfield's own events, in addition to ``audit.`` and the name of each event of the
audit log.
"""
_PATTERNS = tuple(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in TYPES))
OWN = {*(name.partition(".")[0] for name in TYPES if not name.startswith("subscription.")), "audit"}
"""First words of the types of jackfield's own events; all other types, and types of subscriptions,
concern triggers.
"""
_FAMILIES = (*OWN, "subscription")
_TYPE = re.compile(r"\*|([A-Za-z0-9_]{1,60}\.){1,6}([A-Za-z0-9_]{1,60}|\*)")
_MOST_TYPES = 50
_TIMES = ("created_at", "settled_at")
_IDENTIFIED = {"invocation": "invocationId", "approval": "invocationId", "connection": "connection"}
"""Name of the member that holds the subject, by the first word of the type."""


def listed_types(text: str | None) -> list[str]:
    """Return the types in a list separated by commas, as in options and query parameters."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def check_types(types: Iterable[str], path: str = "/types") -> tuple[str, ...]:
    """Check patterns of types: a type, or a beginning of types followed by ``.*``; ``*`` means all
    types. Return them without duplicates.

    :raises InvalidInvocation: if one is not a pattern, or names an event that jackfield does not
        have.
    """
    found = tuple(dict.fromkeys([types] if isinstance(types, str) else types))
    faults = [
        fault
        for place, text in enumerate(found)
        if (fault := _fault(f"{path}/{place}", text)) is not None
    ]
    if len(found) > _MOST_TYPES:
        faults = [Detail(path, f"must have at most {_MOST_TYPES} types", "maxItems")]
    if faults:
        raise InvalidInvocation(
            "the types of events are not valid: "
            + "; ".join(f"{fault.message}" for fault in faults[:3]),
            details=faults,
            hint=f"Types are {', '.join(TYPES)} and audit.*; 'invocation.*' is all of invocations.",
        )
    return found


def _fault(path: str, text: object) -> Detail | None:
    if not isinstance(text, str) or not _TYPE.fullmatch(text):
        return Detail(
            path,
            f"'{str(text)[:80]}' is neither a type nor a pattern such as invocation.*",
            "pattern",
        )
    if text == "*" or text.startswith("audit.") or text in TYPES or text in _PATTERNS:
        return None
    family = text.partition(".")[0]
    if family not in _FAMILIES and not did_you_mean(family, _FAMILIES):  # a connector's
        return None
    return Detail(
        path, f"no event has the type '{text}'{did_you_mean(text, (*TYPES, *_PATTERNS))}", "enum"
    )


def fits(type: str, patterns: Iterable[str]) -> bool:
    """Return whether a type matches one of the patterns; True if there are no patterns."""
    wanted = tuple(patterns)
    return not wanted or any(
        text in ("*", type) or (text.endswith(".*") and type.startswith(text[:-1]))
        for text in wanted
    )


def data_of(type: str, subject: str, facts: str) -> dict[str, Any]:
    """Return the data of an event from its facts; an empty object for a damaged row."""
    try:
        found = parsed_object(facts)
    except (ValueError, TypeError):
        return {}
    family = type.partition(".")[0]
    if family == "audit":
        return found
    named: dict[str, Any] = {_IDENTIFIED[family]: subject} if family in _IDENTIFIED else {}
    context = _context(found.pop("context", None))
    shown = {
        _camel(name): _time(value) if name in _TIMES else value for name, value in found.items()
    }
    if family == "invocation":
        # a person decides doubts only: this is what had really happened
        if shown.get("previousStatus") not in (None, "in_doubt"):
            shown.pop("resolvedBy", None)
        if shown.get("resolvedBy") == EVIDENCE and type == "invocation.resolved":
            shown["verdict"] = _verdict(shown)
        shown["dryRun"] = bool(shown.get("dryRun")) or None
        named["status"] = shown.pop("status", None)
    return {
        name: value for name, value in {**named, **shown, **context}.items() if value is not None
    }


def _time(value: object) -> str | None:
    """Return a time in ISO 8601; None for an impossible time, whose row was changed."""
    try:
        return iso(possible_time(value))
    except ValueError:
        return None


def _verdict(shown: Mapping[str, Any]) -> str:
    if shown.get("status") == "succeeded":
        return "took"
    return "absent" if shown.get("errorCode") == Unavailable.code else "refused"


def _context(text: object) -> dict[str, Any]:
    """Return the caller's IDs and labels of an invocation's context, which is stored as JSON
    text.
    """
    if not isinstance(text, str):
        return {}
    try:
        context = json.loads(text)
        return {name: context[name] for name in ("correlationId", "labels") if name in context}
    except (ValueError, TypeError):
        return {}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
