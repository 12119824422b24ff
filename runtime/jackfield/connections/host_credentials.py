"""Credentials of the process that runs jackfield: environment variables and files that only a pattern with their name allows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

__all__ = ["credential_files", "files_in", "is_credential", "names_credentials"]

_CREDENTIALS = re.compile(r"(AWS|AZURE|OTEL|VAULT)_|PG|((DAPR|APP)_API_TOKEN|DATABASE_URL|GOOGLE_APPLICATION_CREDENTIALS|SSH_AUTH_SOCK)\Z")
"""Prefixes and names of variables by which libraries of the process sign in, or find their configuration (PG: libpq)."""
_NAMED = re.compile(r"env:(AWS_|AZURE_|OTEL_|VAULT_|PG|DAPR_|APP_API|DATABASE|GOOGLE|SSH_)")
_ALWAYS = ("~/.aws", "~/.ssh", "~/.pgpass", "/etc/shadow")
_MOST = 1000


def is_credential(variable: str) -> bool:
    """Return whether an environment variable may hold, or name, a credential of the process."""
    return _CREDENTIALS.match(variable.upper()) is not None


def names_credentials(pattern: str) -> bool:
    """Return whether a pattern begins with the name or prefix of such variables."""
    return _NAMED.match(pattern) is not None


def credential_files(environment: Mapping[str, str]) -> tuple[str, ...]:
    """List the files that such variables name, and the places where the user's credentials are by convention."""
    named = (os.path.expanduser(value) for name, value in environment.items() if is_credential(name))
    return (*(path for path in named if _is_file(path)), *map(os.path.expanduser, _ALWAYS))


def files_in(place: str) -> Iterator[str]:
    """Yield a place and, if it is a folder, up to 1,000 of its entries."""
    yield place
    try:
        with os.scandir(place) as entries:
            yield from (entry.path for entry, _ in zip(entries, range(_MOST), strict=False))
    except OSError:  # a file, or nothing
        return


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)
    except ValueError:  # a NUL
        return False
