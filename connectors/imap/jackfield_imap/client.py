"""Open client of a connection: what an action sends, over one session at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.connector import Call, current_call
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.sessions import SessionPool
from jackfield_imap.faults import Refusal, refused
from jackfield_imap.session import Session

if TYPE_CHECKING:
    from jackfield_imap.session import Server

T = TypeVar("T")


class ImapClient(SecretHolder):
    """Client over a pool's sessions. Created for each attempt, so it only references shared objects."""

    __slots__ = ("_call", "_pool")

    def __init__(self, pool: SessionPool[Session], call: Call) -> None:
        self._pool = pool
        self._call = call

    def __repr__(self) -> str:
        return "ImapClient()"

    def read(self, step: str, work: Callable[[Server], T]) -> T:
        """Let ``work`` send commands that change nothing, and return what it returns. ``step`` names it.

        :raises JackfieldError: if the server refuses one or is not reached, or the deadline passes.
        """
        return self._ask(step, work, safe=True)

    def change(self, step: str, work: Callable[[Server], T]) -> T:
        """Let ``work`` send commands, of which the last one changes something, and return what it returns.

        :raises JackfieldError: with ``sent``: refused if the server says so, unknown if an answer is lost, otherwise nothing.
        """
        return self._ask(step, work, safe=False)

    def _ask(self, step: str, work: Callable[[Any], T], *, safe: bool) -> T:
        call = current_call() or self._call
        call.begin(step, safe=safe)
        session = self._pool.proven(call.deadline, _stands)
        with OnFailure(session.close):
            call.check()
            found = session_answer(session, work, safe=safe)
        self._pool.give(session)
        if isinstance(found, Refusal):
            raise refused(found)
        return found


def _stands(session: Session) -> bool:
    """Return True if an idle session answers. Answers name their commands, so a late one is taken for no other."""
    with suppress(Refusal):
        session.ask(lambda server: server.noop(), safe=True)
        return True
    return False


def session_answer(session: Session, work: Callable[[Any], T], *, safe: bool) -> T | Refusal:
    """Return what ``work`` returns, or the server's refusal."""
    try:
        return session.ask(work, safe=safe)
    except Refusal as refusal:
        return refusal
