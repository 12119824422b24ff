"""Sealing of a call's exchanges with its provider, for the entry of the call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from jackfield.kernel.failures import Raised, attempt

if TYPE_CHECKING:
    from jackfield.call.reached import Reached
    from jackfield.invocation import Result
    from jackfield_store.journal.journal import Journal

_LOG = logging.getLogger("jackfield.journal")


def sealed_exchanges(call: Reached, result: Result, journal: Journal) -> bytes | None:
    """Return the stored exchanges of an ended call, masked and sealed for its entry; None if none
    are stored. A failure here never loses the call's outcome.
    """
    # most calls succeed, and need none of it
    from jackfield_store.recording.exchanges import exchanges_of

    found = attempt(exchanges_of, call, result)
    if isinstance(found, Raised):
        _LOG.error(
            "the exchanges of the invocation %s could not be kept: %s",
            call.how.meta.invocation_id,
            type(found.error).__name__,
        )
        return None
    return (
        None
        if found is None
        else journal.sealed_inputs(call.how.meta.invocation_id, found, "exchanges")
    )
