"""URLs of PostgreSQL databases: libpq's reading of them, detection of poolers, and errors without
any part of a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import psycopg
from psycopg.conninfo import conninfo_to_dict

from jackfield_store.database.faults import DatabaseUnfit

_UNKNOWN = re.compile(r'invalid URI query parameter: "(\w+)"')
_FOREIGN = frozenset(
    {
        "schema",
        "currentSchema",
        "search_path",
        "connection_limit",
        "pool_size",
        "pool_timeout",
        "pool_mode",
        "max_overflow",
        "socket_timeout",
        "sslaccept",
        "statement_cache_size",
        "prepared_statements",
        "charset",
        "idle_timeout",
        "max_lifetime",
        "endpoint",
    }
)
"""Parameters of other libraries in hosting providers' URLs. Errors name only these: other names
could be a part of a password.
"""


_POOLER = re.compile(r"[?&]pgbouncer=(true|false)(?=&|$)")
"""Regular expression of Prisma's parameter, in the URLs of hosting providers' poolers."""
_HOSTS = (
    re.compile(r"\.pooler\.supabase\.com(:6543)?$"),
    re.compile(r"-pooler\.([a-z0-9-]+\.)*neon\.tech(:\d+)?$"),
    re.compile(r"\.ondigitalocean\.com:25061$"),
    re.compile(r"\.postgres\.database\.azure\.com:6432$"),
)
"""Regular expressions of the hosts, with ports, of the poolers of Supabase
(https://supabase.com/docs/guides/database/connecting-to-postgres), Neon
(https://neon.com/faqs/enable-disable-connection-pooling-neon), DigitalOcean (25061 from memory: no
page that was read names it) and Azure
(https://learn.microsoft.com/en-us/azure/postgresql/flexible-server/concepts-pgbouncer).
"""


def options_of(url: str) -> tuple[dict[str, str], bool]:
    """Return libpq's options of a URL, and whether it names a pooler: by a known pooler's host, or
    by ``pgbouncer=true``.

    :raises DatabaseUnfit: if the text is no such URL, has a parameter of another library, or a
        password that is not percent-encoded.
    """
    try:
        given, asked = _parse_options(url)
    except psycopg.Error as fault:
        raise _url_error(str(fault)) from None
    if "@" in given.get("host", ""):
        raise DatabaseUnfit(
            "the password in the database's URL contains '@', which ends it there",
            hint="Write the character percent-encoded: %40.",
        )
    return given, asked or _is_pooler(given)


def _parse_options(url: str) -> tuple[dict[str, str], bool]:
    try:
        return _options(url), False
    except psycopg.Error as fault:
        unknown, said = _UNKNOWN.search(str(fault)), _POOLER.search(url)
        if unknown is None or unknown[1] != "pgbouncer" or said is None:
            raise
    rest = url[said.end() :]
    return _options(url[: said.start()] + (f"{said[0][0]}{rest[1:]}" if rest else "")), said[
        1
    ] == "true"


def _options(url: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}


def _is_pooler(given: Mapping[str, str]) -> bool:
    hosts, ports = given.get("host", "").lower().split(","), given.get("port", "5432").split(",")
    places = [f"{host}:{ports[min(place, len(ports) - 1)]}" for place, host in enumerate(hosts)]
    return any(known.search(place) for place in places for known in _HOSTS)


def _url_error(said: str) -> DatabaseUnfit:
    """Return the error for a URL that libpq cannot read. libpq's message may quote the URL, and is
    not used.
    """
    unknown = _UNKNOWN.search(said)
    if unknown is not None and unknown[1] == "pgbouncer":
        return DatabaseUnfit(
            "the database's URL has 'pgbouncer' with another value than true or false, or twice",
            hint="Write pgbouncer=true.",
        )
    if unknown is not None and unknown[1] in _FOREIGN:
        return DatabaseUnfit(
            f"the database's URL has the parameter '{unknown[1]}', which PostgreSQL does not know",
            hint=(
                "Remove it. It belongs to another library; those of PostgreSQL are in its "
                "documentation, 'Parameter Key Words'."
            ),
        )
    hint = (
        "Write it as postgresql://user:password@host:5432/name, special characters percent-encoded."
    )
    return DatabaseUnfit("the database's URL is not a PostgreSQL URL", hint=hint)
