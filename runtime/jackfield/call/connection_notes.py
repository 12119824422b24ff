"""Notes about a stored connection by the calls over it: from time to time that it works, or that its credentials are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield.call.settle import settled
from jackfield.kernel.errors import JackfieldError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.call.attempts import Attempts
    from jackfield.call.reached import Attempting, Ended
    from jackfield.connections.connection_lookup import Connections
    from jackfield.kernel.clock import Clock

_USED_EVERY, _EXPIRED_EVERY = 600.0, 60.0
"""Seconds within which a process notes once that a connection works, or that its credentials are refused: both may go on in turns."""


def note_expired(known: Connections, clock: Clock, attempts: Attempting | None, error: Exception) -> None:
    """Mark the stored connection of a call whose credentials the provider refuses, and note the next success over it again."""
    if attempts is None or not isinstance(error, JackfieldError) or not attempts.lost_credentials(error):
        return
    target, opening, moment = attempts.plan.target, attempts.opening, clock.monotonic()
    if target is not None and target.id is not None and opening is not None:
        identifier, version = target.id, target.version

        def note() -> bool:
            known.note_expired(identifier, version)
            opening.cache.forget(("used", moment // _USED_EVERY))
            return True

        opening.cache.cached(("expired", moment // _EXPIRED_EVERY), note)


def settled_and_noted(known: Connections, attempts: Attempts, output: Mapping[str, Any]) -> Ended:
    """Judge and mask the output; note from time to time that a named connection works: another process may not know."""
    ended, target, opening = settled(attempts, output), attempts.plan.target, attempts.opening
    if target is not None and opening is not None and target.name is not None:
        name, identifier, version = target.name, target.id, target.version
        opening.cache.cached(("used", attempts.opened_at // _USED_EVERY), lambda: known.note_used(name, identifier, version))
    return ended
