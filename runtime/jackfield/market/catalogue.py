"""Build a catalogue: a static site of verified wheels that is a package index, a machine-readable list and pages for people.

Releases accumulate: a build adds the wheels of a folder to those that the site has. A published release never changes. Nothing is written
before every wheel is verified, and the same releases give the same files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jackfield.errors import Detail, InvalidInvocation, NotAllowed
from jackfield.market import pages, simple_index
from jackfield.market.attestations import MAX_BYTES, SUFFIX, read_attestation, verify
from jackfield.market.files import write_file
from jackfield.market.names import LookAlikes
from jackfield.market.releases import Release, release_of
from jackfield.market.repository import Repository
from jackfield.market.wheels import Wheel, WheelRefused, parse_wheel, read_bounded

if TYPE_CHECKING:
    from tuf.api.metadata import TargetFile

LIST = "catalogue.json"
"""Machine-readable list of a site."""
_LIST_VERSION = 1
_SOURCES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".zip", ".egg")


class NotPublished(NotAllowed):
    """A wheel that a catalogue does not take; ``rule`` names the reason."""

    def __init__(self, rule: str, message: str, hint: str) -> None:
        super().__init__(f"{message} (rule '{rule}')", details=[Detail("", message, rule)], hint=hint)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class _New:
    """Verified wheel that the site does not have."""

    release: Release
    wheel: bytes
    attestation: bytes
    metadata: bytes


def build(dist: str, site: str, keys: str, *, allowed: Sequence[str] = (), now: datetime | None = None) -> dict[str, Any]:
    """Add the signed wheels in ``dist`` to ``site`` and publish it. ``allowed`` are names accepted although they look like others.

    :raises InvalidInvocation: if the site is no catalogue, a file cannot be read, or a wheel breaks a rule of wheels.
    :raises NotAllowed: if a wheel is not signed as it is, or a rule of names refuses it.
    """
    repository = Repository.load(site, keys)
    from tuf.api.metadata import TargetFile

    listed = repository.targets()
    known = _known(site, listed)
    added = [new for path in _wheels(dist) if (new := _verified(path, known)) is not None]
    _check_names(known.values(), [new.release for new in added], allowed)
    releases = sorted([*known.values(), *(new.release for new in added)], key=_order)
    targets = {path: target for path, target in listed.items() if path != LIST}
    for new in added:
        _write_wheel(site, new)
        targets.update(_targets_of(new))
    catalogue = _list(releases)
    written = _write_pages(site, releases, {new.release.name for new in added})
    written += write_file(os.path.join(site, LIST), catalogue)
    targets[LIST] = TargetFile.from_data(LIST, catalogue)
    published = repository.publish(targets, now or datetime.now(UTC))
    names = {release.name for release in releases}
    about = {"connectors": len(names), "releases": len(releases), "added": [new.release.wheel for new in added], "pagesWritten": written}
    return {"site": os.path.abspath(site), **about, **published}


def _known(site: str, listed: Mapping[str, TargetFile]) -> dict[str, Release]:
    """Return the releases of the site by wheel, each checked against the signed metadata."""
    wheels = {path: target for path, target in listed.items() if path.endswith(".whl")}
    for path, target in wheels.items():
        _check_hash(os.path.join(site, path), target)
    if not wheels:
        return {}
    content = read_bounded(os.path.join(site, LIST), 1 << 30)
    if listed[LIST].hashes["sha256"] == hashlib.sha256(content).hexdigest():
        rows = [row for connector in json.loads(content)["connectors"] for row in connector["releases"]]
        return {row["wheel"]: Release(row) for row in rows}
    # a build was interrupted, or the list was edited: it is derived from the wheels anew
    found = (_verified(os.path.join(site, path), {}) for path in wheels)
    return {new.release.wheel: new.release for new in found if new is not None}


def _check_hash(path: str, target: TargetFile) -> None:
    if hashlib.sha256(read_bounded(path)).hexdigest() != target.hashes["sha256"]:
        message = f"the published wheel '{path}' was altered: it does not match the signed metadata"
        raise NotPublished("altered", message, "Restore the file from the publisher's wheel.")


def _wheels(dist: str) -> list[str]:
    try:
        names = sorted(os.listdir(dist))
    except OSError as error:
        raise InvalidInvocation(f"the folder '{dist}' cannot be read: {error.strerror}") from None
    source = next((name for name in names if name.endswith(_SOURCES)), None)
    if source is not None:
        raise WheelRefused(source, "wheel-only", "it is not a .whl file; source distributions run code when they are installed")
    return [os.path.join(dist, name) for name in names if name.endswith(".whl")]


def _verified(path: str, known: Mapping[str, Release]) -> _New | None:
    """Read a wheel and its attestation; return None if exactly this wheel is published."""
    file, content = os.path.basename(path), read_bounded(path)
    published = known.get(file)
    if published is not None:
        if published.data["sha256"] == hashlib.sha256(content).hexdigest():
            return None
        message = f"the release '{file}' is published with other content, and a release never changes"
        raise NotPublished("immutable", message, "Publish the change as a new version.")
    wheel: Wheel = parse_wheel(file, content)
    if not os.path.exists(f"{path}{SUFFIX}"):
        raise NotPublished("unsigned", f"the wheel '{file}' has no attestation beside it", "Sign it: jackfield sign WHEEL --key KEYFILE.")
    attested = read_bounded(f"{path}{SUFFIX}", MAX_BYTES)
    return _New(release_of(wheel, verify(wheel, read_attestation(attested))), content, attested, wheel.raw_metadata)


def _check_names(known: Iterable[Release], added: Iterable[Release], allowed: Sequence[str]) -> None:
    """Refuse a name of another publisher, and one that looks like it."""
    by_name: dict[str, Release] = {}
    alike = LookAlikes()
    owners: dict[tuple[str, str], Release] = {}
    for release in known:
        _own(release, by_name, owners)
        alike.add(release.key)
    keys = {release.key: release for release in by_name.values()}
    for release in added:
        _check_owner(release, by_name, owners)
        if release.name not in by_name and release.key not in allowed:
            for other in alike.find(release.key):
                if keys[other].publisher["keyId"] != release.publisher["keyId"]:
                    _refuse_alike(release, keys[other])
        _own(release, by_name, owners)
        alike.add(release.key)
        keys[release.key] = release


def _own(release: Release, by_name: dict[str, Release], owners: dict[tuple[str, str], Release]) -> None:
    by_name[release.name] = release
    owners["key", release.key] = owners["package", str(release.data["package"])] = release


def _check_owner(release: Release, by_name: Mapping[str, Release], owners: Mapping[tuple[str, str], Release]) -> None:
    first = by_name.get(release.name)
    if first is not None and first.publisher["keyId"] != release.publisher["keyId"]:
        theirs, mine = first.publisher, release.publisher
        message = (
            f"'{release.name}' belongs to '{theirs['publisher']}' ({theirs['keyId']}), '{release.wheel}' is signed by '{mine['publisher']}'"
        )
        raise NotPublished("owner", f"{message} ({mine['keyId']})", "Publish it under another name.")
    for noun, name in (("key", release.key), ("package", str(release.data["package"]))):
        other = owners.get((noun, name))
        if other is not None and other.name != release.name:
            message = f"the {noun} '{name}' of '{release.wheel}' belongs to '{other.name}'"
            raise NotPublished("duplicate", message, "Publish it under another name.")


def _refuse_alike(release: Release, other: Release) -> None:
    message = f"the name '{release.key}' looks like '{other.key}' of '{other.publisher['publisher']}'"
    raise NotPublished("look-alike", message, f"Rename it, or accept it with --allow-name {release.key}.")


def _order(release: Release) -> tuple[str, Any]:
    from packaging.version import Version

    return release.name, Version(release.version)


def _write_wheel(site: str, new: _New) -> None:
    path = os.path.join(site, new.release.path)
    write_file(f"{path}.metadata", new.metadata)
    write_file(f"{path}{SUFFIX}", new.attestation)
    write_file(path, new.wheel)


def _targets_of(new: _New) -> dict[str, TargetFile]:
    from tuf.api.metadata import TargetFile

    path, attestation = new.release.path, f"{new.release.path}{SUFFIX}"
    wheel = TargetFile.from_data(path, new.wheel)
    wheel.unrecognized_fields["custom"] = new.release.custom()
    return {path: wheel, attestation: TargetFile.from_data(attestation, new.attestation)}


def _by_name(releases: Iterable[Release]) -> dict[str, list[Release]]:
    found: dict[str, list[Release]] = {}
    for release in releases:
        found.setdefault(release.name, []).append(release)
    return found


def _list(releases: Sequence[Release]) -> bytes:
    rows = []
    for name, mine in _by_name(releases).items():
        newest = mine[-1]
        about = {
            member: newest.data[member]
            for member in ("key", "title", "description", "publisher", "licence", "permissions")
            if member in newest.data
        }
        versions = [release.version for release in mine]
        rows.append({"name": name, **about, "versions": versions, "releases": [dict(release.data) for release in mine]})
    return (json.dumps({"catalogueVersion": _LIST_VERSION, "connectors": rows}, indent=1, ensure_ascii=False) + "\n").encode()


def _write_pages(site: str, releases: Sequence[Release], changed: set[str]) -> int:
    """Write the index, and the pages of connectors with new releases; return the number of files that changed."""
    mine = _by_name(releases)
    contents = {**simple_index.root(mine), **pages.index([found[-1] for found in mine.values()])}
    for name, found in mine.items():
        page = pages.path_of(found[-1])
        if name in changed or not os.path.exists(os.path.join(site, page)):
            newest = os.path.join(site, found[-1].path)
            contents |= simple_index.project(name, found)
            contents[page] = pages.connector(found, parse_wheel(os.path.basename(newest), read_bounded(newest)).manifest)
    return sum(write_file(os.path.join(site, path), text.encode()) for path, text in contents.items())
