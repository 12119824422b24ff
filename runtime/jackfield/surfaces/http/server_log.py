"""Uvicorn's log as a part of ours: its errors only, without those that a regular stop makes."""

from __future__ import annotations

import logging

__all__ = ["adopt_server_log"]

_LOG = logging.getLogger("jackfield.http")


class _Regular(logging.Filter):
    """Pass everything but the record of a stop whose time is over, which is logged as the event that it is."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is an error."""
        if not record.msg.startswith("Cancel %s running task(s)"):
            return True
        _LOG.info("the time to stop is over: %s requests were given up, and the journal holds their outcome", *(record.args or (0,)))
        return False


def adopt_server_log() -> None:
    """Send uvicorn's errors to our log."""
    uvicorns = logging.getLogger("uvicorn")
    uvicorns.parent, uvicorns.propagate = logging.getLogger("jackfield.http"), True
    uvicorns.setLevel(logging.ERROR)
    errors = logging.getLogger("uvicorn.error")
    if not any(isinstance(found, _Regular) for found in errors.filters):
        errors.addFilter(_Regular())
