"""Open client of a connection: what an action sends, over one session at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from jackfield.connector import JackfieldError
from jackfield.connector.session_client import SessionClient
from jackfield_imap.faults import Refusal, refused
from jackfield_imap.session import Session

if TYPE_CHECKING:
    from jackfield_imap.session import Server

T = TypeVar("T")


class ImapClient(SessionClient[Session]):
    """Client that sends commands of IMAP over a pool's sessions."""

    __slots__ = ()
    refusal = Refusal

    def stands(self, session: Session) -> bool:
        """Return True if an idle session answers. Answers name their commands, so a late one is taken for no other."""
        session.ask(lambda server: server.noop(), safe=True)
        return True

    def refused(self, refusal: Refusal) -> JackfieldError:
        """Return the error for a refusal."""
        return refused(refusal)

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

    def _ask(self, step: str, work: Callable[[Server], T], *, safe: bool) -> T:
        return self.used(step, lambda session: session.ask(work, safe=safe), safe=safe)
