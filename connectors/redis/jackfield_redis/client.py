"""Open client of a connection: commands, one at a time, and their answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from jackfield.connector import Detail, InvalidInput
from jackfield.connector.sessions import SessionClient
from jackfield_redis.faults import MEANINGS
from jackfield_redis.session import Argument, Session

T = TypeVar("T")


class RedisClient(SessionClient[Session]):
    """Client that sends commands over a pool's sessions."""

    __slots__ = ()
    meanings = MEANINGS

    def read(self, answered: Callable[[Any], T], *command: Argument) -> T:
        """Send a command that changes nothing; return its answer as ``answered`` reads it.

        :raises JackfieldError: if the server refuses the command or is not reached, the deadline
            passes, or the answer cannot be read.
        """
        return self._ask(answered, command, safe=True)

    def change(self, answered: Callable[[Any], T], *command: Argument) -> T:
        """Send a command that changes data; return its answer as ``answered`` reads it.

        :raises JackfieldError: with ``sent``: refused if the server refuses, unknown if the answer
            is lost, otherwise nothing.
        """
        return self._ask(answered, command, safe=False)

    def _ask(self, answered: Callable[[Any], T], command: tuple[Argument, ...], *, safe: bool) -> T:
        words = [_bytes(word) for word in command]
        return self.used(str(command[0]), lambda session: session.ask(answered, *words), safe=safe)


def _bytes(word: Argument) -> Argument:
    try:
        return word.encode() if isinstance(word, str) else word
    except UnicodeEncodeError:
        text = "has half of a surrogate pair, which is no character"
        raise InvalidInput(
            "a name cannot be sent", details=[Detail("", text)], hint="Correct the name."
        ) from None
