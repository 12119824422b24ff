"""URLs of PostgreSQL databases: what libpq reads in them, and what is wrong with one in words that hold no part of a password."""

from __future__ import annotations

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict

from jackfield.database.faults import DatabaseUnfit

_UNKNOWN = re.compile(r'invalid URI query parameter: "(\w+)"')
_FOREIGN = frozenset({
    "schema", "currentSchema", "search_path", "pgbouncer", "connection_limit", "pool_size", "pool_timeout", "pool_mode", "max_overflow",
    "socket_timeout", "sslaccept", "statement_cache_size", "prepared_statements", "charset", "idle_timeout", "max_lifetime", "endpoint",
})  # fmt: skip
"""Parameters of other libraries that hosters print: any other name could be a part of a password."""


def options_of(url: str) -> dict[str, str]:
    """Return libpq's options of a URL.

    :raises DatabaseUnfit: if it is none, has a parameter of another library, or a password that is not percent-encoded.
    """
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.Error as fault:
        raise _refused(str(fault)) from None
    if "@" in given.get("host", ""):
        raise DatabaseUnfit(
            "the password in the database's URL contains '@', which ends it there", hint="Write the character percent-encoded: %40."
        )
    return given


def _refused(said: str) -> DatabaseUnfit:
    """Return the error for a URL that libpq does not read. Its message may quote the URL, and is not used."""
    unknown = _UNKNOWN.search(said)
    if unknown is not None and unknown[1] in _FOREIGN:
        return DatabaseUnfit(
            f"the database's URL has the parameter '{unknown[1]}', which PostgreSQL does not know",
            hint="Remove it. It belongs to another library; those of PostgreSQL are in its documentation, 'Parameter Key Words'.",
        )
    hint = "Write it as postgresql://user:password@host:5432/name, special characters percent-encoded."
    return DatabaseUnfit("the database's URL is not a PostgreSQL URL", hint=hint)
