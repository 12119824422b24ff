"""Clients over a pool of sessions, for protocols whose sign-in costs more than a request: one session serves one attempt at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from jackfield.connector.context import Call, OpenContext, current_call
from jackfield.kernel.clock import Deadline
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.guard import Guard
from jackfield.wire.sessions import Session, SessionPool

S = TypeVar("S", bound=Session)
T = TypeVar("T")


def session_pool(context: OpenContext, connect: Callable[[Guard, Deadline], S]) -> SessionPool[S]:
    """Return the pool that a connection's clients share; no session is opened yet. ``connect`` signs in, and raises a JackfieldError if the
    server is not reached or refuses the login."""
    return context.cached("session-pool", lambda: SessionPool(partial(connect, context.guard), context.clock))


class SessionClient(SecretHolder, Generic[S]):
    """Base of a client over a pool's sessions. Created for each attempt, so it only references shared objects.

    ``refusal`` is what sessions raise if the server refuses something, which leaves the session of use.
    """

    __slots__ = ("_call", "_pool")
    refusal: ClassVar[type[Exception]]

    def __init__(self, pool: SessionPool[S], call: Call) -> None:
        self._pool = pool
        self._call = call

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def stands(self, session: S) -> bool:
        """Return whether an idle session is of use, by a question that changes nothing."""
        raise NotImplementedError

    def refused(self, refusal: Any) -> JackfieldError:
        """Return the error for a refusal."""
        raise NotImplementedError

    def used(self, step: str, work: Callable[[S], T], *, safe: bool) -> T:
        """Announce ``step`` as a request, let ``work`` make it over a session that stands, and return what that returns. A ``safe`` one
        changes nothing.

        :raises JackfieldError: if the server refuses it or is not reached, or the deadline passes.
        """
        call = current_call() or self._call
        call.begin(step, safe=safe)
        session, failure = self._pool.proven(call.deadline, self._is_proven), None
        with OnFailure(session.close):
            call.check()
            try:
                found = work(session)
            except self.refusal as refusal:
                failure = self.refused(refusal)
        self._pool.give(session)
        if failure is not None:
            raise failure
        return found

    def _is_proven(self, session: S) -> bool:
        with suppress(self.refusal):
            return self.stands(session)
        return False
