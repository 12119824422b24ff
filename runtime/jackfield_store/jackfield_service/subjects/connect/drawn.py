"""States that the forms of a connect session's pages are rendered from: the actions of their
buttons, and the account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield_service.subjects.connect.connecting import Connecting
    from jackfield_service.subjects.connect.session import ConnectSession


def session_state(sessions: Connecting, found: ConnectSession) -> list[Any]:
    """Return the session's next step, with the values entered, tested and approved for it, and its
    connection.
    """
    approval = sessions.approvals.state(found)["status"] if found.task == "authorize" else ""
    return [
        found.id,
        found.status,
        found.state,
        approval,
        named_state(sessions, found, found.connection),
    ]


def named_state(sessions: Connecting, found: ConnectSession, connection: str) -> list[Any] | None:
    """Return the state of one of the session's stored connections, by its name; None if the session
    has no such connection.
    """
    rows = sessions.managed(found) if connection else []
    return next((row_state(row) for row in rows if row["name"] == connection), None)


def row_state(row: Mapping[str, Any]) -> list[Any]:
    """Return the displayed state of a stored connection: its name, type, version and account."""
    return [row.get(member) for member in ("name", "type", "version", "account")]
