"""botocore's debug log, which tells session tokens, signatures and whole messages: not of jackfield's calls."""

from __future__ import annotations

import logging

from jackfield_aws.limits import current_deadline

__all__ = ["hush"]


class _Hush(logging.Filter):
    """Refuses what is below WARNING while a call of jackfield's runs in this thread; other users of botocore keep their log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or current_deadline() is None


_HUSH = _Hush()


def hush() -> None:
    """Put the filter on all of botocore's loggers that there are; a logger's filters do not see the records of those below it."""
    for name in [name for name in logging.Logger.manager.loggerDict if name.partition(".")[0] == "botocore"]:
        logging.getLogger(name).addFilter(_HUSH)
