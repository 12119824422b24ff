"""Create and change a catalogue: a static site of verified wheels that is a package index, a
machine-readable list and pages for people.

Releases accumulate: a build adds a folder's wheels to the site. A published release never changes.
Nothing is written before every wheel is verified; only files of the connectors that change are
rendered again, and the same releases give the same files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tuf.api.metadata import TargetFile

from jackfield_market.admission import (
    Candidate,
    NotPublished,
    admit,
    check_versions,
    verified,
    wheels_in,
)
from jackfield_market.attestations import SUFFIX
from jackfield_market.files import write_file
from jackfield_market.publishers import read_publisher
from jackfield_market.registry import Registry
from jackfield_market.releases import LIST, Release
from jackfield_market.repository import CATALOGUE, Edit, Repository, create, require_catalogue, utc
from jackfield_market.role_keys import RoleKeys
from jackfield_market.site import pages, shelf, site_files
from jackfield_market.site.reports import VersionReport, read_reports
from jackfield_market.site.shelf import Shelved
from jackfield_market.wheels import read_bounded

WITHDRAWN = ".withdrawn"
"""Suffix of the folder next to the site that withdrawn wheels are moved to."""
_LARGEST_LIST = 1 << 28


def init(site: str, keys: str, *, now: datetime | None = None) -> dict[str, Any]:
    """Create a catalogue without connectors, and its keys; return their paths and key ids.

    :raises InvalidInvocation: if it or a key exists, or the keys would be published with the site.
    """
    created = create(site, keys, now or datetime.now(UTC))
    with _changing(site, keys, now) as work:
        work.publish()
    return created


def build(
    dist: str,
    site: str,
    keys: str,
    *,
    allowed: Sequence[str] = (),
    checks: str | None = None,
    all_pages: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Add the signed wheels in ``dist`` to ``site`` and publish it. ``allowed`` are names accepted
    although they look like other names.

    ``checks`` is a folder of reports of ``jackfield check``, whose grades and rules are published.

    :raises InvalidInvocation: if the site is no catalogue, a file cannot be read, or a wheel breaks
        a rule of wheels.
    :raises NotAllowed: if a wheel does not match its signature, or a rule of names refuses it.
    """
    with _changing(site, keys, now) as work:
        known = {
            release.wheel: release
            for shelved in work.shelves.values()
            for release in (*shelved.revoked, *shelved.releases)
        }
        paths = wheels_in(dist)
        added = [found for path in paths if (found := verified(path, known)) is not None]
        check_versions(added, known.values())
        admit(added, work.shelves, work.registry, allowed, utc(work.now))
        work.require_keys()
        work.check_files({os.path.basename(path) for path in paths})
        for candidate in added:
            work.add(candidate)
        if checks is not None:
            work.grade(read_reports(checks))
        work.write_wheels(added)
        written = work.publish(all_pages=all_pages)
        about = {"added": [candidate.release.wheel for candidate in added], "pagesWritten": written}
        return {"site": work.site, **work.numbers(), **about, **work.published}


def revoke(
    site: str,
    keys: str,
    key_id: str,
    *,
    successor: str | None = None,
    keep_releases: bool = False,
    reason: str = "",
    now: datetime | None = None,
) -> dict[str, Any]:
    """End a publisher's key, so that it signs nothing new, and withdraw its releases unless
    ``keep_releases`` is set. Return the command's answer.

    ``successor`` is a public key file of the same publisher, whose key takes over the names.

    :raises InvalidInvocation: if no publisher has the key, or the successor does not fit.
    """
    with _changing(site, keys, now) as work:
        at = utc(work.now)
        ended = work.registry.end(key_id, "retired" if keep_releases else "revoked", at, reason)
        if successor is not None:
            work.registry.succeed(ended, read_publisher(successor), at)
        work.require_keys()
        gone = [] if keep_releases else work.withdraw(key_id, at, reason)
        work.publish()
        for release in gone:
            _put_away(work.site, release)
        about = {
            "publisher": ended["publisher"],
            "keyId": key_id,
            "status": ended["status"],
            "withdrawn": [one.wheel for one in gone],
        }
        return {"site": work.site, **about, **work.numbers(), **work.published}


def refresh(
    site: str, keys: str, *, within: timedelta | None = None, now: datetime | None = None
) -> dict[str, Any]:
    """Sign again all metadata that has less than half of its lifetime left, or expires ``within``
    the given time; return the command's answer.
    """
    with _changing(site, keys, now) as work:
        work.published = work.repository.publish(work.edit({}), work.now, within)
        return {"site": work.site, **work.published}


def rotate(site: str, keys: str, role: str, *, now: datetime | None = None) -> dict[str, Any]:
    """Replace the key of a role, and return the command's answer; the old key is moved into the
    folder of retired keys.

    :raises InvalidInvocation: if a key that must sign the change is missing.
    """
    with _changing(site, keys, now) as work:
        key_id = work.repository.rotate(role, work.now)
        work.published = work.repository.publish(work.edit({}), work.now)
        return {
            "site": work.site,
            "role": role,
            "keyId": key_id,
            "rootVersion": work.repository.root.signed.version,
            **work.published,
        }


@contextmanager
def _changing(site: str, keys: str, now: datetime | None) -> Iterator[_Work]:
    require_catalogue(site)
    with RoleKeys(os.path.abspath(keys)).locked():
        repository = Repository.load(site, keys)
        registry = Registry(repository.publishers, repository.delegated)
        yield _Work(repository, registry, _shelves(repository, registry), now or datetime.now(UTC))


@dataclass
class _Work:
    """Catalogue that one command changes."""

    repository: Repository
    registry: Registry
    shelves: dict[str, Shelved]
    now: datetime

    def __post_init__(self) -> None:
        self.site = self.repository.site
        self.published: Mapping[str, Any] = {}
        self._before = dict(self.shelves)
        self._attestations: dict[str, bytes] = {}
        self._reports: dict[str, list[VersionReport]] = {}

    def require_keys(self) -> None:
        """Check that the keys for publishing are present; the key of ``targets`` is needed only for
        new connectors, publishers and keys.

        :raises InvalidInvocation: if a key is missing, or belongs to another catalogue.
        """
        repository, edit = self.repository, self.edit({})
        is_same = (list(repository.publishers), dict(repository.delegated)) == (
            list(edit.publishers),
            dict(edit.delegated),
        )
        repository.require_keys(
            "releases", "snapshot", "timestamp", *(() if is_same else ("targets",))
        )

    def numbers(self) -> dict[str, int]:
        """Return the numbers of published connectors and releases."""
        offered = [shelved for shelved in self.shelves.values() if shelved.releases]
        return {
            "connectors": len(offered),
            "releases": sum(len(shelved.releases) for shelved in offered),
        }

    def add(self, candidate: Candidate) -> None:
        """Add a release to its connector."""
        release = candidate.release
        self.shelves[release.key] = self.shelves.get(release.key, Shelved(())).with_release(release)
        self._attestations[release.path] = candidate.attestation

    def withdraw(self, key_id: str, at: str, reason: str) -> list[Release]:
        """Withdraw the releases that a key has signed, and return them."""
        gone = [
            one
            for shelved in self.shelves.values()
            for one in shelved.releases
            if one.publisher["keyId"] == key_id
        ]
        for key in {one.key for one in gone}:
            self.shelves[key] = self.shelves[key].without_key(key_id, at, reason)
        return gone

    def grade(self, reports: Iterable[VersionReport]) -> None:
        """Add the reports of published releases, and their grades."""
        offered = {
            (one.key, one.version) for shelved in self.shelves.values() for one in shelved.releases
        }
        for report in reports:
            if (report.connector, report.version) in offered:
                self._reports.setdefault(report.connector, []).append(report)
        for key, found in self._reports.items():
            self.shelves[key] = self.shelves[key].graded(
                {(key, one.version): one.grade for one in found}
            )

    def check_files(self, touched: Iterable[str]) -> None:
        """Check published wheels against the signed metadata: the sizes of all, and the hashes of
        the wheels in ``touched``.

        :raises NotPublished: if a wheel was altered.
        """
        names = set(touched)
        for shelved in self.shelves.values():
            for release in shelved.releases:
                path = os.path.join(self.site, release.path)
                size = os.stat(path).st_size if os.path.exists(path) else -1
                same = size == release.data["size"]
                if not same or (
                    release.wheel in names
                    and hashlib.sha256(read_bounded(path)).hexdigest() != release.sha256
                ):
                    message = (
                        f"the published wheel '{path}' was altered: it does not match the "
                        "signed metadata"
                    )
                    raise NotPublished(
                        "altered", message, "Restore the file from the publisher's wheel."
                    )

    def write_wheels(self, added: Iterable[Candidate]) -> None:
        """Write the files of new releases."""
        for candidate in added:
            path = os.path.join(self.site, candidate.release.path)
            write_file(f"{path}.metadata", candidate.metadata)
            write_file(f"{path}{SUFFIX}", candidate.attestation)
            write_file(path, candidate.read())

    def publish(self, *, all_pages: bool = False) -> int:
        """Write and publish the changes; return the number of changed files, without wheels and
        metadata.
        """
        touched = {
            key
            for key, shelved in self.shelves.items()
            if all_pages or self._is_changed(key, shelved)
        }
        new = {
            key: self._write({one.path: one.content() for one in found})
            for key, found in self._reports.items()
        }
        touched |= {key for key, count in new.items() if count}
        written, lists = sum(new.values()), {}
        for key in sorted(touched):
            files = site_files.of_connector(
                self.site, self.shelves[key], None if all_pages else self._published(key)
            )
            lists[key] = files[shelf.path_of(key)]
            written += self._write(files)
        listed = shelf.render_list(self.shelves)
        files = {
            **site_files.of_all(self.shelves, self.registry),
            **site_files.of_publishers(self.registry),
        }
        written += self._write({**files, shelf.NEXT: listed}) - 1
        self.published = self.repository.publish(self.edit(lists, listed), self.now)
        os.replace(os.path.join(self.site, shelf.NEXT), os.path.join(self.site, LIST))
        return written

    def _published(self, key: str) -> bytes | None:
        """Return the published list of a connector's releases; None if it is missing or differs
        from the signed list.
        """
        path = shelf.path_of(key)
        target = self.repository.targets(self.registry.role_of(key)).get(path)
        file = os.path.join(self.site, path)
        if target is None or not os.path.exists(file):
            return None
        content = read_bounded(file, _LARGEST_LIST)
        return content if hashlib.sha256(content).hexdigest() == target.hashes["sha256"] else None

    def _is_changed(self, key: str, shelved: Shelved) -> bool:
        return shelved != self._before.get(key) or not os.path.exists(
            os.path.join(self.site, pages.path_of(key))
        )

    def _write(self, files: Mapping[str, bytes]) -> int:
        return sum(
            write_file(os.path.join(self.site, path), content) for path, content in files.items()
        )

    def edit(self, lists: Mapping[str, bytes], listed: bytes | None = None) -> Edit:
        """Return the edit to sign. ``lists`` are the lists of the changed connectors, ``listed`` is
        the list of all connectors.
        """
        roles: dict[str, dict[str, TargetFile]] = {}
        for key, content in lists.items():
            role = self.registry.role_of(key)
            targets = roles.setdefault(role, dict(self.repository.targets(role)))
            self._enter(targets, self.shelves[key])
            targets[shelf.path_of(key)] = TargetFile.from_data(
                shelf.path_of(key), content, ["sha256"]
            )
        if listed is not None:
            roles[CATALOGUE] = {LIST: TargetFile.from_data(LIST, listed, ["sha256"])}
        files = site_files.of_publishers(self.registry)
        own = {
            path: TargetFile.from_data(path, content, ["sha256"]) for path, content in files.items()
        }
        return Edit(self.registry.rows, {CATALOGUE: [LIST], **self.registry.delegated}, roles, own)

    def _enter(self, targets: dict[str, TargetFile], shelved: Shelved) -> None:
        """Set the signed entries of a connector to its releases."""
        for release in shelved.revoked:
            targets.pop(release.path, None)
            targets.pop(f"{release.path}{SUFFIX}", None)
        for release in shelved.releases:
            beside = f"{release.path}{SUFFIX}"
            signed = targets.get(beside)
            targets.update(release.targets(self._attestations.get(release.path, b"")))
            if signed is not None and release.path not in self._attestations:
                targets[beside] = signed


def _shelves(repository: Repository, registry: Registry) -> dict[str, Shelved]:
    """Read the published connectors from their list, or from the wheels if the list was edited or
    removed.
    """
    listed = repository.targets(CATALOGUE).get(LIST)
    if listed is None:
        return {}
    found = shelf.read_list(repository.site, listed.hashes["sha256"])
    return _derived(repository, registry) if found is None else found


def _derived(repository: Repository, registry: Registry) -> dict[str, Shelved]:
    """Derive the published connectors from the wheels."""
    found: dict[str, Shelved] = {}
    for role in registry.delegated:
        for path, target in repository.targets(role).items():
            if path.endswith(".whl"):
                candidate = verified(os.path.join(repository.site, path), {})
                if candidate is None or candidate.release.sha256 != target.hashes["sha256"]:
                    message = (
                        f"the published wheel '{path}' was altered: it does not match the "
                        "signed metadata"
                    )
                    raise NotPublished(
                        "altered", message, "Restore the file from the publisher's wheel."
                    )
                release = candidate.release
                grade = target.custom.get("grade") if target.custom else None
                release = release if grade is None else release.graded(grade)
                found[release.key] = found.get(release.key, Shelved(())).with_release(release)
    return found


def _put_away(site: str, release: Release) -> None:
    """Move the files of a withdrawn release out of the site, where they remain for an
    investigation.
    """
    folder = f"{site}{WITHDRAWN}"
    os.makedirs(folder, exist_ok=True)
    for ending in ("", ".metadata", SUFFIX):
        path = os.path.join(site, f"{release.path}{ending}")
        if os.path.exists(path):
            os.replace(path, os.path.join(folder, os.path.basename(path)))
