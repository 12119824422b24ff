"""Settings of workspaces that only the operator may change, not a platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.callers.rules import Rules
from jackfield.kernel.errors import Detail, NotAllowed
from jackfield_store.access.settings import Settings, require_own

if TYPE_CHECKING:
    from jackfield.callers.actor import Actor

_OPERATORS = ("allowReferences", "allowAmbient")
"""Settings that let connections made over HTTP use the server's environment and identity."""


def check_settings(actor: Actor, changes: Mapping[str, Any], present: Settings) -> None:
    """Refuse changes that only the operator may make. A platform may not let its tenants read the
    server's secrets or act with its identity, nor loosen the rules of approvals. Nobody sets the
    counts of guards. ``present`` are the replaced settings.

    :raises NotAllowed: if only the operator may make these changes.
    """
    if changes.get("guards"):
        require_own(changes, present.guards)
    if actor.kind != "platform":
        return
    if isinstance(changes.get("rules"), Mapping) and "approve" in changes["rules"]:
        _require_approvals(changes["rules"]["approve"], present)
    if present.writes == "ask":
        _require_asking(changes, present)
    known = present.to_json()
    faults = [
        Detail(f"/{member}", "only the operator sets it")
        for member in _OPERATORS
        if changes.get(member) and changes[member] != known.get(member)
    ]
    if faults:
        text = (
            f"a platform's token cannot set '{faults[0].path[1:]}', which concerns the "
            "server's own secrets"
        )
        raise NotAllowed(
            text,
            details=faults,
            hint="Ask the operator of jackfield: 'jackfield workspaces set' has these settings.",
        )


def _require_asking(changes: Mapping[str, Any], present: Settings) -> None:
    """Refuse a platform's changes that let a write run which now waits for a person.

    :raises NotAllowed: if ``writes`` is no longer ``ask``, or allow patterns name one more action.
    """
    rules = changes.get("rules")
    allow = rules.get("allow") if isinstance(rules, Mapping) else None
    wanted = (
        Rules(tuple(text for text in allow if isinstance(text, str)))
        if isinstance(allow, list)
        else present.rules
    )
    off = (
        Detail("/writes", "only the operator sets it to 'allow'")
        if changes.get("writes", "ask") != "ask"
        else None
    )
    named = Detail("/rules/allow", "only the operator names an action, whose writes would not wait")
    more = named if wanted.naming - present.rules.naming else None
    faults = [fault for fault in (off, more) if fault is not None]
    if faults:
        text = "a platform's token cannot loosen the rules under which calls wait for a person"
        raise NotAllowed(
            text,
            details=faults,
            hint="Ask the operator of jackfield: 'jackfield workspaces set' has these settings.",
        )


def _require_approvals(wanted: Any, present: Settings) -> None:
    """Refuse a platform's removal of patterns under which calls wait for a person; it may add
    patterns.

    :raises NotAllowed: if a pattern is missing.
    """
    if isinstance(wanted, list) and not {*present.rules.approve} <= {
        text for text in wanted if isinstance(text, str)
    }:
        fault = Detail("/rules/approve", "only the operator removes a pattern")
        text = "a platform's token cannot loosen the rules under which calls wait for a person"
        raise NotAllowed(
            text,
            details=[fault],
            hint="Ask the operator of jackfield: 'jackfield workspaces set' has these rules.",
        )
