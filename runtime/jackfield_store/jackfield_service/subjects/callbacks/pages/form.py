"""Fields of a callback: the URL, and the selection of events, by ready choices or by ticking
types.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jackfield.invocation import decode
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import (
    check_field,
    choice_field,
    h,
    json_text,
    lines_field,
    text_field,
)

_FAILED: Mapping[str, Any] = MappingProxyType(
    {"types": ["invocation.finished"], "filter": {"status": ["failed", "in_doubt"]}}
)
_CHOICES = (
    ("failed", "Calls that failed or are in doubt"),
    ("all", "All events but those of the audit log"),
    ("chosen", "Events that I choose"),
)
_TICK = "type-"
EXPLAINED: Mapping[str, str] = MappingProxyType(
    {
        "invocation.finished": "a call has ended: succeeded, failed or in doubt",
        "invocation.resolved": "a doubt about a call was resolved",
        "invocation.contradicted": (
            "evidence, or a late answer, says another outcome than the one by which a doubt "
            "was resolved"
        ),
        "connection.failing": "a connection has begun to fail",
        "connection.recovered": "a failing connection works again",
        "connection.expired": "a provider refuses the credentials of a connection",
        "connection.changed": "values, name or account of a connection have changed",
        "connection.paused": "a guard has paused a connection",
        "connection.resumed": "a paused connection was resumed",
        "connection.declined": "a person or the provider has declined to approve a connection",
        "quota.low": "a tenth of a provider's daily quota is left",
        "callback.failing": "a callback has failed for four days",
        "callback.exhausted": "the last attempt of a delivery has failed",
        "callback.paused": "a callback was paused for its failures",
        "callback.resumed": "a callback answers again",
        "approval.requested": "a call waits until a person approves it",
        "approval.approved": "a person has approved a call",
        "approval.declined": "a person has declined a call",
        "approval.expired": "nobody has decided about a call in time",
        "schedule.missed": "a schedule did not run at its time",
        "schedule.stopped": "a schedule has stopped, since the rights that it runs with have ended",
        "connect.completed": "a customer has connected an account",
        "connect.failed": "a connect session has ended without an account",
        "connect.blocked": "a customer cannot go on in a connect session",
        "workspace.suspended": "the workspace was suspended",
        "workspace.resumed": "the workspace was resumed",
        "subscription.failing": "a subscription has failed three times in a row",
        "subscription.recovered": "a failing subscription works again",
        "subscription.late": "a poll was late",
        "subscription.restarted": "a subscription has begun again from now on",
        "subscription.gap": "a registration had ended, so events may be missing",
        "subscription.withheld": "so much of a list is gone that its deletions are not reported",
        "subscription.refused": "the call that an event was to start was refused",
    }
)
"""Descriptions of the time at which each type of jackfield's own events happens."""


def which_events() -> Markup:
    """Render an explanation of the calls that send events."""
    return h.p(
        "Events of calls: queued and scheduled calls, calls that events start, and jobs send "
        "them. A call whose caller waits for its Result, as one "
        "that is run from a form here, sends them only if it asks for that: ",
        h.strong("Tell callbacks how it ends"),
        ", among the options of its form (",
        h.code("context.notify"),
        ").",
        class_="hint",
    )


def fields(there: Mapping[str, Any] = MappingProxyType({})) -> list[Node]:
    """Render the fields, filled with the values of an existing callback."""
    types, wanted = there.get("types", []), there.get("filter") or {}
    is_failed = not there or {"types": types, "filter": wanted} == dict(_FAILED)
    choice = "failed" if is_failed else "chosen" if types or wanted else "all"
    ticks = [
        check_field(f"{_TICK}{name}", name, name in types, f"When {text}.")
        for name, text in EXPLAINED.items()
    ]
    hint = [
        "One per line: types of connectors such as ",
        h.code("github.pushed"),
        ", beginnings such as ",
        h.code("connection.*"),
        ".",
    ]
    others = [name for name in types if name not in EXPLAINED]
    filtered = [
        (
            "JSON: members of the data with the value, or one of the values, that they must "
            "have, such as "
        ),
        h.code('{"action": "sendEmail"}'),
        ".",
    ]
    return [
        text_field(
            "url",
            "URL",
            there.get("url"),
            "An HTTPS URL that the internet can reach, unless the operator allows its host.",
        ),
        choice_field("events", "Tell about", _CHOICES, choice),
        h.div(
            h.fieldset(h.legend("Events"), h.div(ticks, class_="pair")),
            lines_field("types", "Further types", others, hint, rows=2),
            lines_field(
                "filter",
                "Filter",
                json_text(wanted).splitlines() if wanted else (),
                filtered,
                rows=2,
            ),
            class_="chosen-events stack",
        ),
        which_events(),
        text_field(
            "description", "Description", there.get("description"), "For people.", maxlength=200
        ),
    ]


def read(given: Mapping[str, str]) -> dict[str, Any]:
    """Read the members of a callback from the fields that a browser has sent.

    :raises InvalidInvocation: if the filter is no JSON, or no event is chosen.
    """
    found: dict[str, Any] = {
        "url": given.get("url", "").strip(),
        "description": given.get("description", "").strip(),
    }
    choice = given.get("events", "chosen")
    if choice == "failed":
        return {**found, **{name: value.copy() for name, value in _FAILED.items()}}
    if choice == "all":
        return {**found, "types": [], "filter": None}
    ticked = [name for name in EXPLAINED if given.get(f"{_TICK}{name}") == "on"]
    types = list(dict.fromkeys([*ticked, *given.get("types", "").split()]))
    if not types and "events" in given:
        raise InvalidInvocation(
            "no event is chosen",
            details=[Detail("/types", "tick an event, or choose all of them")],
            hint="Choose events.",
        )
    try:
        return {
            **found,
            "types": types,
            "filter": decode(given["filter"]) if given.get("filter", "").strip() else None,
        }
    except InvalidInvocation as error:
        raise InvalidInvocation(
            "the filter is not valid", details=[Detail("/filter", error.message)], hint=error.hint
        ) from None
