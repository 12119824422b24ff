"""Access of connections to the server: unlimited for an operator's connections, limited by the
workspace for connections of remote callers. A remote caller's secret references need patterns such
as ``env:ACME_*``; exclusions override the patterns. External IDs of roles are generated, or chosen
with the operator's permission; ``external_ids`` stores them.

``docs/reference/connections.md`` has the rules.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidConnection
from jackfield.kernel.hints import NextStep

_CREDENTIALS = re.compile(
    r"(AWS|AZURE|OTEL|VAULT)_|PG|((DAPR|APP)_API_TOKEN|DATABASE_URL|GOOGLE_APPLICATION_CREDENTIALS|SSH_AUTH_SOCK)\Z"
)
"""Prefixes and names of environment variables with which libraries of the process sign in, or find
their configuration (PG: libpq).
"""
_NAMED = re.compile(r"env:(AWS_|AZURE_|OTEL_|VAULT_|PG|DAPR_|APP_API|DATABASE|GOOGLE|SSH_)")
_ALWAYS = ("~/.aws", "~/.ssh", "~/.pgpass", "/etc/shadow")
_MOST = 1000


def is_credential(variable: str) -> bool:
    """Return whether an environment variable may hold, or name, a credential of the process."""
    return _CREDENTIALS.match(variable.upper()) is not None


def names_credentials(pattern: str) -> bool:
    """Return whether a pattern begins with the name or prefix of a variable for credentials."""
    return _NAMED.match(pattern) is not None


def credential_files(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the files that variables for credentials name, and the usual places of the user's
    credentials.
    """
    named = (
        os.path.expanduser(value) for name, value in environment.items() if is_credential(name)
    )
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


Allowed = bool | tuple[str, ...]
"""Workspace setting for references: none (False), all but jackfield's own (True), or those matching
a pattern.
"""

_OWN = "is jackfield's own; connections created by remote callers cannot read it"
_CREDENTIAL = (
    "is a credential of the jackfield process; only a pattern that begins with its name "
    "allows reading it"
)
_READS_HOST = "a secret reference reads from the server, which this connection is not allowed to do"
_KEY_FILE = "master.key"
_TRIES = 3
"""Maximum attempts to resolve a path: on Linux it fails if a link is replaced by a file
meanwhile.
"""
_KUBERNETES = re.compile(r"/\.\.[^/]+(?=/)")
"""Regular expression of the folder of a mounted secret's version: ``/etc/acme/token`` is a link to
``/etc/acme/..2026_01_31/token``.
"""
_WILDCARD = re.compile(r"[*?\[]")
_SEPARATORS = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class ReferenceRules:
    """Secret references that one workspace allows in connections of remote callers. ``barred`` are
    files and folders that no pattern allows; ``credentials`` are files and folders that only a
    pattern with their path allows.
    """

    allowed: Allowed
    barred: tuple[str, ...]
    credentials: tuple[str, ...] = ()

    def fault(self, kind: str, target: object, folder: str) -> str | None:
        """Return why a reference may not be read, None if it may. For a file, only its path is
        checked; the file itself is checked when it is opened.

        Paths are compared after symbolic links and ``..`` are resolved. Files of processes under
        ``/proc`` contain environments and keys, so they are never read.
        """
        if not self.allowed:
            return _READS_HOST
        text = target if isinstance(target, str) else ""
        if kind == "$file":
            return self.path_fault(_real(folder, text))
        if kind == "$env" and text.upper().startswith("JACKFIELD_"):
            return f"'{text[:80]}' {_OWN}"
        if kind == "$env" and is_credential(text) and not self._names_credentials(text):
            return f"'{text[:80]}' {_CREDENTIAL}"
        if (
            kind != "$env"
            and _has_detour(text)
            and {"*", f"{kind[1:]}:*"}.isdisjoint(self._patterns or ("*",))
        ):
            return (
                "a reference with an empty part, '.' or '..' needs a pattern for all of "
                f"'{kind[:40]}': its store may read another path"
            )
        return self._unfitting(kind, text)

    def path_fault(self, resolved: str) -> str | None:
        """Return why the file at a path without links may not be read, None if it may."""
        if not self.allowed:
            return _READS_HOST
        if not resolved:
            return "the path of the file cannot be resolved"
        if _is_barred(resolved, self.barred):
            return f"the file {_OWN}"
        if any(
            _is_in(resolved, place) and not self._names_file(resolved, place)
            for place in self._credential_places()
        ):
            return f"the file {_CREDENTIAL}"
        return self._unfitting("$file", resolved) and self._unfitting(
            "$file", _KUBERNETES.sub("", resolved)
        )

    def opened_fault(self, found: os.stat_result) -> str | None:
        """Return why an open file may not be read, None if it may, regardless of its path.

        A file with several names (hard links) is refused, since one of them may be in jackfield's
        home, or another tenant's.
        """
        places = [place for path in self.barred for place in (path, os.path.join(path, _KEY_FILE))]
        if any(_is_same_file(place, found) for place in places) or found.st_dev == _device("/proc"):
            return f"the file {_OWN}"
        for place in self._credential_places():
            if any(
                _is_same_file(path, found) and not self._names_file(_real("", path), place)
                for path in files_in(place)
            ):
                return f"the file {_CREDENTIAL}"
        if found.st_nlink > 1:
            return (
                "the file has several names (hard links); connections created by remote "
                "callers can read only files with one"
            )
        return None

    def _unfitting(self, kind: str, text: str) -> str | None:
        if self.allowed is True or (
            self.allowed and any(_fits(kind, text, pattern) for pattern in self.allowed)
        ):
            return None
        return f"no pattern in the workspace's setting 'allowReferences' matches this '{kind[:40]}'"

    def _names_credentials(self, text: str) -> bool:
        return any(
            names_credentials(pattern) and _fits("$env", text, pattern)
            for pattern in self._patterns
        )

    def _names_file(self, path: str, place: str) -> bool:
        """Return whether a pattern that fits ``path`` has ``path`` or ``place`` as its literal
        beginning, with links resolved.
        """
        paths = {path, _KUBERNETES.sub("", path)}
        starts = paths | {place, _KUBERNETES.sub("", place)}
        return any(
            any(_fits("$file", form, pattern) for form in paths)
            and any(_is_in(_literal(pattern), start) for start in starts)
            for pattern in self._patterns
            if pattern.startswith("file:")
        )

    @property
    def _patterns(self) -> tuple[str, ...]:
        return () if isinstance(self.allowed, bool) else self.allowed

    def _credential_places(self) -> list[str]:
        return [place for place in (_real("", path) for path in self.credentials) if place]


def _is_same_file(path: str, found: os.stat_result) -> bool:
    try:
        there = os.stat(path)
    except (OSError, ValueError):
        return False
    return (there.st_dev, there.st_ino) == (found.st_dev, found.st_ino)


def _device(path: str) -> int | None:
    try:
        return os.stat(path).st_dev
    except OSError:
        return None


def _fits(kind: str, text: str, pattern: str) -> bool:
    if pattern == "*":
        return True
    wanted, _, rest = pattern.partition(":")
    if f"${wanted}" != kind:
        return False
    return fnmatchcase(text, _real_pattern(rest) if kind == "$file" else rest)


def _has_detour(text: str) -> bool:
    """Return whether a store may resolve a path to a different one than written: ``acme/../other``,
    ``acme//other``, or either of them percent-encoded.
    """
    return any(
        not {"", ".", ".."}.isdisjoint(_SEPARATORS.split(form.strip("/")))
        for form in (text, unquote(text))
        if form
    )


def _is_barred(path: str, barred: tuple[str, ...]) -> bool:
    places = (*(_real("", place) for place in barred), "/proc")
    return os.path.basename(path) == _KEY_FILE or any(_is_in(path, place) for place in places)


def _is_in(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip(os.sep) + os.sep)


def _real(folder: str, path: str) -> str:
    """Return a path with its links resolved; an empty string if that is impossible."""
    for _ in range(_TRIES):
        try:
            return os.path.realpath(os.path.join(folder, os.path.expanduser(path)))
        except OSError:  # a link of it was replaced by a file
            continue
        except ValueError:  # a NUL, or a lone surrogate
            return ""
    return ""


def _literal(pattern: str) -> str:
    return _WILDCARD.split(_real_pattern(pattern.partition(":")[2]), maxsplit=1)[0]


def _real_pattern(pattern: str) -> str:
    """Return a pattern with the links of the folders before its first wildcard resolved, since
    paths are compared resolved. The file's name is not resolved: it may be a link that others can
    point elsewhere.
    """
    wildcard = _WILDCARD.search(pattern)
    place, slash, rest = pattern[: wildcard.start() if wildcard else len(pattern)].rpartition(
        os.sep
    )
    return (
        _real("", place + slash).rstrip(os.sep)
        + os.sep
        + rest
        + (pattern[wildcard.start() :] if wildcard else "")
    )


def allowed_by(setting: str) -> NextStep:
    """Return the hint that names the workspace's setting by which the operator allows more."""
    return NextStep("host_access", setting=setting)


@dataclass(frozen=True, slots=True)
class HostAccess:
    """Rights that the operator grants to one workspace's connections of remote callers, by default
    none. They are secret references (all but jackfield's own, or those matching a pattern), the
    server's own identity, and External IDs that callers choose.
    """

    references: Allowed = False
    ambient: bool = False
    own_external_id: bool = False

    @classmethod
    def from_settings(cls, text: str | None) -> HostAccess:
        """Read the rights from a workspace's settings (JSON): ``allowReferences``,
        ``allowAmbient``, ``allowOwnExternalId``. Only ``true`` grants a right; ``allowReferences``
        may also be a list of patterns.

        :raises ValueError, TypeError: if the settings cannot be read.
        """
        from jackfield.kernel.stored_values import parsed_object

        settings = parsed_object(text) if text else {}
        named = settings.get("allowReferences")
        patterns = (
            tuple(item for item in named if isinstance(item, str))
            if isinstance(named, list)
            else named is True
        )
        return cls(
            patterns,
            settings.get("allowAmbient") is True,
            settings.get("allowOwnExternalId") is True,
        )


def refuse_ambient(path: str) -> None:
    """Refuse a connection that would use the server's own identity; ``path`` points to the value to
    give instead.

    :raises InvalidConnection: always.
    """
    text = "this connection would use the server's identity, which is not allowed"
    raise InvalidConnection(
        "the connection is not allowed to use the server's identity",
        details=[Detail(path, text)],
        hint=allowed_by("allowAmbient"),
    )


_BYTES = 24
"""Number of random bytes of an External ID (192 bits)."""


def generate() -> str:
    """Generate an External ID of 35 characters that AWS accepts."""
    return "jf-" + secrets.token_urlsafe(_BYTES)


def generated_fields(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the values of a connection type that are External IDs, which its schema marks
    ``"generated": "externalId"``.
    """
    fields = schema.get("properties", {})
    marks = {
        name: field.get("x-jackfield", {})
        for name, field in fields.items()
        if isinstance(field, Mapping)
    }
    return tuple(name for name, mark in marks.items() if mark.get("generated") == "externalId")


def refused(fields: Iterable[str]) -> InvalidConnection:
    """Return the error for External IDs that a caller may not choose, or that another workspace
    has.

    The message is the same for both, so that nobody learns which External IDs others use.
    """
    return InvalidConnection(
        "the External ID cannot be used",
        details=[Detail(f"/{field}", "is not one that this workspace may use") for field in fields],
        hint="Store the connection without it: jackfield generates one and shows it. To keep the "
        "one that a role demands already, ask "
        "the operator or the platform, who can store the connection with it or let the workspace "
        "choose ('allowOwnExternalId').",
    )
