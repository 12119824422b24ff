"""Loggers of the libraries that call providers."""

from __future__ import annotations

import logging

LIBRARIES = (
    "h2",
    "hpack",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "imapclient",
    "paramiko",
    "pika",
    "psycopg",
    "psycopg2",
    "pymysql",
    "redis",
)
"""Loggers of libraries that call providers. They quote foreign texts, and each failure is reported
as an error with a code.
"""


def silence_libraries() -> None:
    """Silence the loggers of these libraries, so that strangers' texts stay out of the log of this
    process.
    """
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
