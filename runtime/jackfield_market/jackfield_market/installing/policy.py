"""Operator's policy: which connectors may be installed, and where their dependencies may come
from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.refusals import NotInstalled
from jackfield_market.releases import Release
from jackfield_market.wheels import read_bounded

FILE = "install-policy.toml"
"""Name of the policy file in the data folder, used if no other file is named."""
GRADES = ("bronze", "silver", "gold", "platinum")
"""Grades of ``jackfield check``, from the lowest."""
_MAX_BYTES = 256 * 1024
_CHANGE = "Choose another connector, or change the policy file."


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules for installations; None allows everything. Lists hold exact values, permissions also
    patterns with ``*``.
    """

    path: str = ""
    minimum_grade: str | None = None
    publishers: Sequence[str] | None = None
    """Key ids of accepted publishers."""
    licences: Sequence[str] | None = None
    sources: Sequence[str] | None = None
    connectors: Sequence[str] | None = None
    """Patterns of keys of connectors that may be installed."""
    permissions: Mapping[str, Sequence[str]] | None = None
    hosts: Sequence[str] | None = None
    """Patterns of hosts that a connector may name; hosts of connections do not count."""
    index: str | None = None
    """Package index for dependencies that the host does not have."""
    find_links: Sequence[str] = ()
    """Folders with wheels of dependencies that the host does not have."""

    def check_source(self, url: str) -> None:
        """Check the address of a catalogue.

        :raises NotInstalled: if the policy does not list it.
        """
        if self.sources is not None and url not in {source.rstrip("/") for source in self.sources}:
            raise self._refusal(f"the source {url} is not among its 'sources'")

    def check(self, release: Release) -> None:
        """Check a release by the statements of the signed metadata.

        :raises NotInstalled: if the policy forbids the release; the error names the first member
            that forbids it.
        """
        name, data = f"'{release.key}' {release.version}", release.data
        if self.connectors is not None and not _fits(release.key, self.connectors):
            raise self._refusal(f"{name} is not among its 'connectors'")
        key_id = str(release.publisher["keyId"])
        if self.publishers is not None and key_id not in self.publishers:
            raise self._refusal(
                f"{name} is published by '{release.publisher['publisher']}' ({key_id}), which is "
                "not among its 'publishers'"
            )
        if self.licences is not None and data.get("licence") not in self.licences:
            raise self._refusal(
                f"{name} has the licence {data.get('licence') or 'none'}, which is not among its "
                "'licences'"
            )
        grade = data.get("grade")
        if self.minimum_grade is not None and _rank(grade) < _rank(self.minimum_grade):
            raise self._refusal(
                f"{name} has the grade {grade or 'none'}; its 'minimumGrade' is "
                f"{self.minimum_grade}"
            )
        excess = next(
            (
                host
                for host in data.get("hosts", ())
                if self.hosts is not None and not _fits(host, self.hosts)
            ),
            None,
        )
        if excess is not None:
            raise self._refusal(f"{name} connects to {excess}, which is not among its 'hosts'")
        if self.permissions is not None:
            self._check_permissions(name, data.get("permissions", {}), self.permissions)

    def _check_permissions(
        self, name: str, wanted: Mapping[str, Sequence[str]], allowed: Mapping[str, Sequence[str]]
    ) -> None:
        for system, permissions in wanted.items():
            excess = [item for item in permissions if not _fits(item, allowed.get(system, ()))]
            if excess:
                raise self._refusal(
                    f"{name} needs the permission {excess[0]} ({system}), which its "
                    "'permissions' do not allow"
                )

    def _refusal(self, reason: str) -> NotInstalled:
        return NotInstalled("policy", f"the policy '{self.path}' forbids it: {reason}", _CHANGE)


def _fits(text: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _rank(grade: object) -> int:
    return GRADES.index(grade) if grade in GRADES else -1


MEMBERS = {
    "minimumGrade": "minimum_grade",
    "publishers": "publishers",
    "licences": "licences",
    "sources": "sources",
    "connectors": "connectors",
    "permissions": "permissions",
    "hosts": "hosts",
    "index": "index",
    "findLinks": "find_links",
}
"""Attributes of ``Policy`` by the names of members in the file."""


def read_policy(home: str, path: str | None) -> Policy:
    """Read the policy at ``path``, else the data folder's, else allow everything.

    :raises InvalidInvocation: if it cannot be read or is not valid: a policy with a fault never
        counts as no policy.
    """
    if path is None:
        path = os.path.join(home, FILE)
        if not os.path.lexists(path):
            return Policy()
    try:
        data = tomllib.loads(read_bounded(path, _MAX_BYTES).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid(path, f"it is not TOML: {error}") from None
    unknown = next((name for name in data if name not in MEMBERS), None)
    if unknown is not None:
        raise _invalid(path, f"it has no member '{unknown[:80]}'; known are {', '.join(MEMBERS)}")
    for name, value in data.items():
        _check_kind(path, name, value)
    folder = os.path.dirname(os.path.abspath(path))
    links = tuple(
        os.path.join(folder, os.path.expanduser(link)) for link in data.pop("findLinks", ())
    )
    return Policy(path, find_links=links, **{MEMBERS[name]: value for name, value in data.items()})


def _check_kind(path: str, name: str, value: Any) -> None:
    if name == "minimumGrade":
        if value not in GRADES:
            raise _invalid(path, f"'minimumGrade' must be one of {', '.join(GRADES)}")
    elif name == "index":
        if not isinstance(value, str):
            raise _invalid(path, "'index' must be a URL")
    elif name == "permissions":
        if not isinstance(value, dict) or not all(_strings(item) for item in value.values()):
            raise _invalid(path, "'permissions' must be a table of arrays of strings")
    elif not _strings(value):
        raise _invalid(path, f"'{name}' must be an array of strings")


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _invalid(path: str, reason: str) -> InvalidInvocation:
    return InvalidInvocation(
        f"the policy '{path}' is not valid: {reason}",
        hint="See 'Operating installed connectors' in the documentation.",
    )
