"""URLs of databases and other services that contain passwords: from a variable, or from the file
that another variable names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import home

NONE = "none"
"""URL that means no database: no stored connections, no journal, idempotency keys refused
(docs/reference/cli.md).
"""
SQLITE = "sqlite:///"
"""Prefix of the URL of a SQLite database, before its path."""
_FILE = "jackfield.db"
_URL_HINT = "Write the URL into the file, and let the account that runs jackfield read it."
_LONGEST_URL = 64 * 1024


def is_none(url: str) -> bool:
    """Return whether a URL means that there is no database."""
    return url.strip().lower() == NONE


def no_database() -> InvalidInvocation:
    """Return the error for a feature that needs a missing database."""
    return InvalidInvocation(
        "there is no database: JACKFIELD_DATABASE_URL is 'none'",
        hint="Unset it, or set it to a database URL.",
    )


def database_url(environment: Mapping[str, str]) -> str:
    """Return the environment's URL of the database, else the SQLite file ``jackfield.db`` in the
    data folder.

    :raises InvalidInvocation: if the file that should contain the URL cannot be read or is empty,
        or the URL has a relative path.
    """
    found = named_url(environment)
    return f"{SQLITE}{own_file(environment)}" if found is None else found


def named_url(environment: Mapping[str, str]) -> str | None:
    """Return the URL of the database that the environment names; None if it names none.

    :raises InvalidInvocation: as ``database_url`` does.
    """
    found = secret_url(environment, "JACKFIELD_DATABASE_URL", "JACKFIELD_DATABASE_URL_FILE")
    return _with_whole_path(found) if found else None


def own_file(environment: Mapping[str, str]) -> str:
    """Return the path of the SQLite database in the data folder."""
    return os.path.join(home(environment), _FILE)


def _with_whole_path(url: str) -> str:
    """Return a URL of the environment with its path expanded. A URL of another form is refused when
    it is opened.

    :raises InvalidInvocation: if the path is relative: another working directory would mean another
        database.
    """
    named = url.removeprefix(SQLITE)
    if named in {url, "", ":memory:"}:
        return url
    path = os.path.expanduser(named)
    if not os.path.isabs(path):
        raise InvalidInvocation(
            f"JACKFIELD_DATABASE_URL names the SQLite file '{named[:200]}' by a path that is not "
            "absolute",
            hint=(
                "Write the whole path behind 'sqlite:///', such as "
                "sqlite:////var/lib/jackfield/jackfield.db."
            ),
        )
    return f"{SQLITE}{path}"


def secret_url(environment: Mapping[str, str], name: str, file_name: str) -> str | None:
    """Return the value of the variable ``name``, else the content of the file that ``file_name``
    names; None if neither is set.

    URLs contain passwords, which orchestrators mount as files.

    :raises InvalidInvocation: if the file cannot be read or is empty.
    """
    if environment.get(name):
        return environment[name]
    path = environment.get(file_name)
    return url_in_file(path, file_name) if path else None


def url_in_file(path: str, named_by: str) -> str:
    """Return the URL that a file contains.

    :raises InvalidInvocation: if the file cannot be read or is empty.
    """
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            text = file.read(_LONGEST_URL).strip()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InvalidInvocation(
            f"the file '{path}' of {named_by} cannot be read: {reason}", hint=_URL_HINT
        ) from None
    if not text:
        raise InvalidInvocation(f"the file '{path}' of {named_by} is empty", hint=_URL_HINT)
    return text
