"""Confirmation of a connect session by its platform: the accepted proofs and users, and the answer
to a repeated confirmation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield_service.subjects.connect.table import SessionMoved, same

if TYPE_CHECKING:
    from jackfield_service.subjects.connect.session import ConnectSession

ANOTHER = "another user came back"


class RefusedConfirmation(InvalidInvocation):
    """Error for a proof or a user that does not belong to the session."""

    http_status = 403


def require_texts(proof: str, user: str) -> None:
    """Require a proof and a user.

    :raises InvalidInvocation: if one is empty.
    """
    for name, text in (("proof", proof), ("user", user)):
        if not text.strip():
            raise InvalidInvocation(
                f"'{name}' is empty", details=[Detail(f"/{name}", "must not be empty", "minLength")]
            )


def is_repeated(found: ConnectSession, proof: str, user: str) -> bool:
    """Return whether the same confirmation has granted a session, or is in progress: a platform
    that has lost the answer confirms again.
    """
    return (
        found.status in ("saved", "granted")
        and same(found.confirmed, proof)
        and user == found.wanted.user
    )


def of_another_user() -> RefusedConfirmation:
    """Return the error for a confirmation by another user than the session's."""
    text = "the connect session is for another user, and has ended"
    return RefusedConfirmation(
        text, hint="Somebody else opened its link. Create a session for the user who is signed in."
    )


def being_confirmed() -> SessionMoved:
    """Return the error for a confirmation that another request still performs."""
    return SessionMoved(
        "the connect session is being confirmed",
        hint="Repeat the confirmation with the same proof.",
    )


def require_proof(found: ConnectSession, proof: str) -> None:
    """Require that a session waits for its confirmation, and that the proof is its own.

    :raises SessionMoved: if it is over, its person has not finished, or the confirmation is in
        progress.
    :raises RefusedConfirmation: if the proof is wrong.
    """
    if found.is_over:
        why = f": {found.reason}" if found.reason else ""
        hint = (
            "It is connected: its confirmation is answered again for the same proof and user."
            if found.status == "granted"
            else None
        )
        raise SessionMoved(
            f"the connect session is over: it is {found.status}{why}",
            hint=hint or "Create another one.",
        )
    if same(found.confirmed, proof):
        raise being_confirmed()
    if found.status != "saved" or not found.proof:
        raise SessionMoved(
            "nobody has finished the connect session yet",
            hint="Confirm it when the person comes back with a proof.",
        )
    if not same(found.proof, proof):
        raise RefusedConfirmation(
            "the proof is not that of this connect session",
            hint="Send the one of the person's last return.",
        )
