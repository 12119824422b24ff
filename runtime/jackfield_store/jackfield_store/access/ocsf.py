"""Entries of the audit log as events of the Open Cybersecurity Schema Framework 1.3
(https://schema.ocsf.io/1.3.0), for SIEMs.

A sign-in or its end is Authentication (3002); any other act is API Activity (6003). Facts without a
member in the framework are in ``unmapped``: the details, and the digest by which the chain is
checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_ACTS: Mapping[str, int] = {
    **dict.fromkeys(("created", "installed"), _CREATE),
    **dict.fromkeys(("tested", "draft_tested", "exported", "lent", "anchored"), _READ),
    **dict.fromkeys(("removed", "revoked", "purged", "forgotten"), _DELETE),
    **dict.fromkeys(
        (
            "applied",
            "assigned",
            "changed",
            "granted",
            "held",
            "offered",
            "paused",
            "redriven",
            "released",
            "renamed",
            "replaced",
            "resolved",
            "restarted",
            "resumed",
            "rotated",
            "run",
            "suspended",
            "unassigned",
            "upgraded",
            "approval_ended",
            "approved",
            "declined",
            "cancelled",
            "begun",
            "returned",
            "disabled",
            "enabled",
            "stopped",
        ),
        _UPDATE,
    ),
}
"""Activity ID of API Activity, by the last word of an event."""
_SESSION = {"session.started": 1, "session.ended": 2}
"""Activity ID of Authentication: logon, logoff."""
_AUTHENTICATION, _API = (3, 3002), (6, 6003)
_KINDS = {"user": 1, "cli": 1, "link": 2}
"""Type ID of a user in the framework: user, administrator; all others are system."""
_SYSTEM = 3


def ocsf_event(entry: Mapping[str, Any], workspace: str, version: str) -> dict[str, Any]:
    """Convert an entry of the audit log, as ``AuditEntry.to_json`` returns it, to an event.
    ``version`` is jackfield's.

    The event of a damaged entry lacks the unreadable parts, has the damage in ``unmapped``, and the
    severity High.
    """
    event, is_damaged = str(entry.get("event", "")), "damage" in entry
    (category, kind), activity = (
        (_AUTHENTICATION, _SESSION[event])
        if event in _SESSION
        else (_API, _ACTS.get(event.rpartition(".")[2], _OTHER))
    )
    actor = entry.get("actor", {})
    sort = actor.get("kind", "unknown")
    uid = actor.get("id") or sort
    who = " on behalf of ".join(filter(None, (actor.get("name"), actor.get("onBehalfOf"))))
    user = {"uid": uid, "name": who or uid, "type_id": _KINDS.get(sort, _SYSTEM)}
    noun, _, name = str(entry.get("object", "")).partition(":")
    return {
        "category_uid": category,
        "class_uid": kind,
        "activity_id": activity,
        "type_uid": kind * 100 + activity,
        "time": _milliseconds(entry.get("at")),
        "severity_id": 4 if is_damaged else 1,
        "status_id": 1,
        "message": event,
        "metadata": {
            "version": "1.3.0",
            "product": {"name": "jackfield", "vendor_name": "jackfield", "version": version},
            "log_name": "audit",
            "sequence": entry["sequence"],
            "uid": f"{workspace}:{entry['sequence']}",
            "tenant_uid": workspace,
            "event_code": event,
        },
        "actor": {"user": user},
        **({"user": user} if kind == _AUTHENTICATION[1] else _request(event, noun, name)),
        "unmapped": {
            name: entry[name]
            for name in ("details", "unsealed", "digest", "damage")
            if name in entry
        },
    }


def _request(event: str, noun: str, name: str) -> dict[str, Any]:
    """Return the members of API Activity. The log does not contain the origin of a request."""
    return {
        "api": {"operation": event, "service": {"name": "jackfield"}},
        "src_endpoint": {"svc_name": "jackfield"},
        "resources": [{"type": noun, "name": name or noun}],
    }


def _milliseconds(at: object) -> int:
    """Return a time of the log in milliseconds since 1970, 0 if it cannot be read."""
    try:
        return round(datetime.fromisoformat(str(at)).timestamp() * 1000)
    except ValueError:
        return 0
