"""Loggers of the libraries that speak to providers."""

from __future__ import annotations

import logging

LIBRARIES = (
    "h2", "hpack", "httpcore", "httpcore2", "httpx", "httpx2", "imapclient", "paramiko", "pika", "psycopg", "psycopg2", "pymysql", "redis",
)  # fmt: skip
"""Loggers of libraries that speak to providers: they quote foreign texts, and each failure is an error with a code anyway."""


def silence_libraries() -> None:
    """Let no such library write a stranger's text into the log of this process."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
