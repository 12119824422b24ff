"""Published connectors of a catalogue in its lists: ``catalogue.json`` for all,
``connectors/KEY/releases.json`` for one.

Each connector is one line of ``catalogue.json``, so that a build renders only the lines of changed
connectors.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jackfield_market.registry import CONNECTORS
from jackfield_market.releases import LIST, Release
from jackfield_market.wheels import read_bounded

NEXT = "catalogue.next.json"
"""Name of the list of a build whose metadata may not be published yet."""
_VERSION = 1
_LARGEST = 1 << 30
_ABOUT = (
    "key",
    "title",
    "description",
    "publisher",
    "licence",
    "permissions",
    "categories",
    "grade",
    "icon",
    "listing",
)


_ONCE = ("icon", "listing")
"""Members of a connector's row that the rows of its releases omit."""


@dataclass(frozen=True)
class Shelved:
    """One connector with its published and its withdrawn releases, each in the order of
    versions.
    """

    releases: tuple[Release, ...]
    revoked: tuple[Release, ...] = ()
    line: str | None = field(default=None, compare=False)
    """Line of the connector in the list that was read; None if it has changed."""

    @property
    def newest(self) -> Release:
        """Return the newest release; the newest withdrawn one if every release is withdrawn."""
        return (self.releases or self.revoked)[-1]

    @property
    def all(self) -> tuple[Release, ...]:
        """Return every release in the order of versions."""
        return tuple(sorted((*self.releases, *self.revoked), key=Release.order))

    @property
    def row(self) -> Mapping[str, Any]:
        """Return the connector's entry in the list."""
        newest = self.newest
        about = {member: newest.data[member] for member in _ABOUT if member in newest.data}
        versions = [release.version for release in self.releases]
        withdrawn = (
            {"revoked": [_without_icon(release) for release in self.revoked]}
            if self.revoked
            else {}
        )
        return {
            "name": newest.name,
            **about,
            "versions": versions,
            "releases": [_without_icon(one) for one in self.releases],
            **withdrawn,
        }

    def with_release(self, release: Release) -> Shelved:
        """Return the connector with one more release, which replaces a withdrawn release of the
        same file.
        """
        revoked = tuple(one for one in self.revoked if one.wheel != release.wheel)
        return Shelved(tuple(sorted((*self.releases, release), key=Release.order)), revoked)

    def without_key(self, key_id: str, at: str, reason: str) -> Shelved:
        """Return the connector without the releases that a key has signed, which count as
        withdrawn.
        """
        gone = [
            one.revoked(at, reason) for one in self.releases if one.publisher["keyId"] == key_id
        ]
        kept = tuple(one for one in self.releases if one.publisher["keyId"] != key_id)
        return (
            Shelved(kept, tuple(sorted((*self.revoked, *gone), key=Release.order)))
            if gone
            else self
        )

    def graded(self, grades: Mapping[tuple[str, str], str]) -> Shelved:
        """Return the connector with grades by key and version."""
        pairs = ((one, grades.get((one.key, one.version))) for one in self.releases)
        mine = tuple(one if grade is None else one.graded(grade) for one, grade in pairs)
        return self if mine == self.releases else replace(self, releases=mine, line=None)


def _without_icon(release: Release) -> dict[str, Any]:
    """Return the row of a release without icon and listing, which the connector's own row
    contains.
    """
    return {name: value for name, value in release.data.items() if name not in _ONCE}


def path_of(key: str) -> str:
    """Return the path of the list of a connector's releases."""
    return f"{CONNECTORS}/{key}/releases.json"


def read_list(site: str, sha256: str) -> dict[str, Shelved] | None:
    """Read the list that the signed metadata names, by connectors' keys; None if no list has this
    hash.

    A build that was interrupted after it published its metadata has left the list as ``NEXT``.
    """
    for name in (LIST, NEXT):
        path = os.path.join(site, name)
        if os.path.exists(path):
            content = read_bounded(path, _LARGEST)
            if hashlib.sha256(content).hexdigest() == sha256:
                return {shelved.newest.key: shelved for shelved in _parsed(content.decode("utf-8"))}
    return None


def _parsed(text: str) -> Iterator[Shelved]:
    for line in text.split("\n")[1:-2]:  # not splitlines: strings may have other line separators
        row = line.removesuffix(",")
        yield _shelved(json.loads(row), row)


def _shelved(row: Mapping[str, Any], line: str) -> Shelved:
    found = Shelved(
        tuple(map(Release, row["releases"])), tuple(map(Release, row.get("revoked", ()))), line
    )
    once = {name: row[name] for name in _ONCE if name in row}
    if not once:
        return found
    shown = Release({**found.newest.data, **once})
    is_offered = bool(found.releases)
    return (
        replace(found, releases=(*found.releases[:-1], shown))
        if is_offered
        else replace(found, revoked=(*found.revoked[:-1], shown))
    )


def render_list(shelved: Mapping[str, Shelved]) -> bytes:
    """Return the content of the list of all connectors."""
    lines = (
        one.line or json.dumps(one.row, ensure_ascii=False) for _, one in sorted(shelved.items())
    )
    body = ",\n".join(lines)
    return (
        f'{{"catalogueVersion": {_VERSION}, "connectors": [\n'
        + (f"{body}\n" if body else "")
        + "]}\n"
    ).encode()


def render_releases(shelved: Shelved, changes: Mapping[str, Any]) -> bytes:
    """Return the content of a connector's own list, with ``changes`` by version."""
    row = dict(shelved.row)
    row["changes"] = changes
    return (
        json.dumps({"catalogueVersion": _VERSION, **row}, indent=1, ensure_ascii=False) + "\n"
    ).encode()
