"""Open client of a connection: commands, one at a time, and their answers."""

from __future__ import annotations

from contextlib import suppress
from secrets import token_hex
from typing import Any

from jackfield.connector import Call, Detail, InvalidInput, JackfieldError, current_call
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.sessions import SessionPool
from jackfield_redis.faults import Refusal, refused
from jackfield_redis.session import Argument, Session


class RedisClient(SecretHolder):
    """Client that sends commands over a pool's sessions. Created for each attempt, so it only references shared objects."""

    __slots__ = ("_call", "_pool")

    def __init__(self, pool: SessionPool[Session], call: Call) -> None:
        self._pool = pool
        self._call = call

    def __repr__(self) -> str:
        return "RedisClient()"

    def read(self, *command: Argument) -> Any:
        """Send a command that changes nothing, and return its answer: bytes, an integer, a list of them, or None.

        :raises JackfieldError: if the server refuses it or is not reached, or the deadline passes.
        """
        return self._ask(command, safe=True)

    def change(self, *command: Argument) -> Any:
        """Send a command that changes data, and return its answer.

        :raises JackfieldError: with ``sent``: refused if the server says so, unknown if the answer is lost, otherwise nothing.
        """
        return self._ask(command, safe=False)

    def _ask(self, command: tuple[Argument, ...], *, safe: bool) -> Any:
        words = [_bytes(word) for word in command]
        call = current_call() or self._call
        call.begin(str(command[0]), safe=safe)
        session = self._pool.proven(call.deadline, _stands)
        with OnFailure(session.close):
            call.check()
            try:
                answer = session.ask(*words, safe=safe)
            except Refusal as refusal:
                found: JackfieldError | None = refused(refusal)
            else:
                found = None
        self._pool.give(session)
        if found is not None:
            raise found
        return answer


def _stands(session: Session) -> bool:
    """Return True if an idle session echoes a text of this moment: no late answer is taken for the next one then."""
    nonce = token_hex(8)
    with suppress(Refusal):
        return session.is_quiet and session.ask("PING", nonce, safe=True) == nonce.encode()
    return False


def _bytes(word: Argument) -> Argument:
    try:
        return word.encode() if isinstance(word, str) else word
    except UnicodeEncodeError:
        text = "has half of a surrogate pair, which is no character"
        raise InvalidInput("a name cannot be sent", details=[Detail("", text)], hint="Correct the name.") from None
