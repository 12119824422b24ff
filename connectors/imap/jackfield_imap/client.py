"""Open client of a connection: the requests of an action, over one session at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from jackfield.connector.sessions import SessionClient
from jackfield_imap.faults import MEANINGS
from jackfield_imap.session import Session

if TYPE_CHECKING:
    from jackfield_imap.session import Server

T = TypeVar("T")


class ImapClient(SessionClient[Session]):
    """Client that sends commands of IMAP over a pool's sessions."""

    __slots__ = ()
    meanings = MEANINGS

    def read(self, step: str, work: Callable[[Server], T]) -> T:
        """Run ``work``, whose commands change nothing, and return its value. ``step`` names it in
        errors.

        :raises JackfieldError: if the server refuses a command or is not reached, or the deadline
            passes.
        """
        return self.used(step, lambda session: session.ask(work), safe=True)

    def change(self, step: str, work: Callable[[Server], T]) -> T:
        """Run ``work``, whose last command alone changes something, and return its value. ``step``
        names it in errors.

        :raises JackfieldError: with ``sent``: refused if the server refuses, unknown if an answer
            is lost, otherwise nothing.
        """
        return self.used(step, lambda session: session.ask(work), safe=False)
