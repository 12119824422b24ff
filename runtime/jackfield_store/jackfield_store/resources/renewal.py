"""Renewal of a process that goes on: what a SIGHUP asks it to read again, all of it or nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from jackfield.kernel.errors import JackfieldError

if TYPE_CHECKING:
    from jackfield_store.resources.storage import Storage

_LOG = logging.getLogger("jackfield.renewal")


def renew(storage: Storage | None, more: Iterable[Callable[[], Callable[[], None]]] = ()) -> bool:
    """Read again what a process has read from files, then put all of it to use; return False if nothing of it was.

    Each of ``more`` reads something and returns what uses it. A file that is broken is said in one line of the log.
    """
    try:
        steps = [read() for read in more]
        if storage is not None:
            steps += storage.renewed()
    except JackfieldError as error:
        _LOG.warning("what was read before stays in use: %s", error.message)
        return False
    for use in steps:
        use()
    _LOG.info("renewed: files are in use as they are now")
    return True
