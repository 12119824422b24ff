"""Thread pool that keeps working when the process runs out of threads or memory."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

_LOG = logging.getLogger("jackfield.call")


class Threads(ThreadPoolExecutor):
    """Pool of worker threads that continues with its current threads when no further thread can be
    started.

    Python's own pool queues the work but still raises: the caller gets an error, and the work is
    done later. The first thread is started at once, so that there is always one.
    """

    def __init__(self, most: int, name: str) -> None:
        super().__init__(most, name)
        self._short = False
        self.submit(_nothing)

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except (RuntimeError, MemoryError):
            if not self._threads:
                raise
            if not self._short:
                _LOG.error(
                    "no more threads can be started; '%s' continues with %d threads",
                    self._thread_name_prefix,
                    len(self._threads),
                )
            self._short = True
        else:
            self._short = False


def _nothing() -> None:
    """Do nothing; the first thread runs this."""
