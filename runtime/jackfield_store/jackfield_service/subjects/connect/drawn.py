"""States that forms of a connect session's pages are drawn from: what their buttons would do, and for which account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield_service.subjects.connect.connecting import Connecting
    from jackfield_service.subjects.connect.session import ConnectSession


def session_state(sessions: Connecting, found: ConnectSession) -> list[Any]:
    """Return what a session is about to do: the next step, with what was entered, tested and approved for it, and its connection."""
    approval = sessions.approvals.state(found)["status"] if found.task == "authorize" else ""
    return [found.id, found.status, found.state, approval, named_state(sessions, found, found.connection)]


def named_state(sessions: Connecting, found: ConnectSession, connection: str) -> list[Any] | None:
    """Return the state of one of the stored connections that a session is about, by its name; None if it is about no such one."""
    rows = sessions.managed(found) if connection else []
    return next((row_state(row) for row in rows if row["name"] == connection), None)


def row_state(row: Mapping[str, Any]) -> list[Any]:
    """Return what is shown of a stored connection: its values have a version, and it may have another account by now."""
    return [row.get(member) for member in ("name", "type", "version", "account")]
