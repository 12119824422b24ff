"""Renewal of a running process: a SIGHUP makes it read files again, all of them or none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from jackfield.kernel.errors import JackfieldError

if TYPE_CHECKING:
    from jackfield_store.resources.storage import Storage

_LOG = logging.getLogger("jackfield.renewal")


def renew(storage: Storage | None, more: Iterable[Callable[[], Callable[[], None]]] = ()) -> bool:
    """Read the process's files again, then put all of them into use; return False if none was.

    Each of ``more`` reads something and returns a function that puts it into use. A broken file is
    reported in one line of the log.
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
