"""Signing side of a catalogue's TUF metadata (The Update Framework,
https://theupdateframework.github.io/specification/).

``root`` names the keys of the roles. ``targets`` lists the publishers and delegates to the role
``catalogue`` and to roles of each publisher (``publisher.NAME.1``, and further ones when a role is
full). The publishers' roles list the files of their connectors with hashes, the role ``catalogue``
the site's own files. ``snapshot`` and ``timestamp`` name the newest version of each. A release
therefore changes one small file in addition to snapshot and timestamp, and an installer reads one
of the delegated files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.files import write_file
from jackfield_market.role_keys import ROLES, RoleKeys
from jackfield_market.wheels import read_bounded

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import TargetFile

METADATA = "metadata"
"""Folder of the metadata in a site."""
CATALOGUE = "catalogue"
"""Delegated role of the site's own files."""
PUBLISHERS = "publishers"
"""Member of the targets metadata that lists the publishers."""
_LARGEST = 1 << 28
_RESTORE = "Restore the site from a backup."
LIFETIMES = {
    "root": timedelta(days=730),
    "targets": timedelta(days=365),
    "releases": timedelta(days=180),
    "snapshot": timedelta(days=60),
    "timestamp": timedelta(days=30),
}
"""Lifetime of the metadata of each role; ``releases`` is every delegated role. Metadata with less
than half of its lifetime left is renewed.
"""


def create(site: str, keys: str, now: datetime) -> dict[str, Any]:
    """Create the keys of a new catalogue's roles and its first root metadata; overwrite nothing.
    Return their paths and key ids.

    :raises InvalidInvocation: if the catalogue or a key exists, or the keys would be published with
        the site.
    """
    site, keys = os.path.abspath(site), os.path.abspath(keys)
    if os.path.commonpath([site, keys]) == site:
        raise InvalidInvocation(
            f"the folder of the keys '{keys}' lies in the site, which is published",
            hint="Choose another with --keys.",
        )
    files = RoleKeys(keys)
    for path in (os.path.join(site, METADATA, "1.root.json"), *map(files.path, ROLES)):
        if os.path.lexists(path):
            raise InvalidInvocation(
                f"the file '{path}' exists: nothing is overwritten",
                hint="Choose another SITE or --keys.",
            )
    signers = {role: files.create(role) for role in ROLES}
    root = Metadata(Root(version=1, expires=now + LIFETIMES["root"], consistent_snapshot=True))
    for role, signer in signers.items():
        if role in root.signed.roles:
            root.signed.add_key(signer.public_key, role)
    root.sign(signers["root"])
    _write_root(site, root)
    ids = {role: signer.public_key.keyid for role, signer in signers.items()}
    return {
        "site": site,
        "keys": keys,
        "root": os.path.join(site, METADATA, "root.json"),
        "keyIds": ids,
    }


@dataclass(frozen=True, slots=True)
class Edit:
    """Changes to publish: ``roles`` has the targets of the delegated roles that change; the other
    members are the whole new state.
    """

    publishers: Sequence[Mapping[str, Any]]
    delegated: Mapping[str, Sequence[str]]
    """Path patterns of each delegated role."""
    roles: Mapping[str, Mapping[str, TargetFile]] = field(default_factory=dict)
    own: Mapping[str, TargetFile] = field(default_factory=dict)
    """Targets of the top-level role."""


@dataclass(frozen=True, slots=True)
class Repository:
    """Verified metadata of a catalogue and its keys, loaded again for each command."""

    site: str
    keys: RoleKeys
    root: Metadata[Root]
    current: dict[str, Metadata[Any]]
    """Newest metadata by role, as far as it was read. ``outdated`` names roles to sign again after
    an interrupted rotation.
    """
    outdated: set[str]

    @staticmethod
    def load(site: str, keys: str) -> Repository:
        """Read and verify the top-level metadata.

        :raises InvalidInvocation: if the catalogue was not initialised, or its metadata was
            altered.
        """
        found = Repository(
            os.path.abspath(site), RoleKeys(os.path.abspath(keys)), _newest_root(site), {}, set()
        )
        found.read_top_level()
        return found

    def read_top_level(self) -> None:
        """Read and verify the metadata that the timestamp leads to.

        :raises InvalidInvocation: if the metadata was altered.
        """
        name = "timestamp.json"
        for role, following in (
            ("timestamp", "snapshot"),
            ("snapshot", "targets"),
            ("targets", ""),
        ):
            metadata = self._of_root(role, name)
            if metadata is None:
                if role != "timestamp":
                    raise InvalidInvocation(
                        f"the metadata '{os.path.join(self.site, METADATA, name)}' is missing",
                        hint=_RESTORE,
                    )
                return
            self.current[role] = metadata
            if following:
                meta = (
                    metadata.signed.snapshot_meta
                    if role == "timestamp"
                    else metadata.signed.meta["targets.json"]
                )
                name = f"{meta.version}.{following}.json"

    @property
    def publishers(self) -> Sequence[Mapping[str, Any]]:
        """Return the publishers that the targets metadata lists."""
        found: Sequence[Mapping[str, Any]] = self._top_level.unrecognized_fields.get(PUBLISHERS, ())
        return found

    @property
    def delegated(self) -> Mapping[str, Sequence[str]]:
        """Return the path patterns of each delegated role."""
        delegations = self._top_level.delegations
        return (
            {}
            if delegations is None
            else {name: role.paths or () for name, role in (delegations.roles or {}).items()}
        )

    @property
    def _top_level(self) -> Targets:
        found = self.current.get("targets")
        return Targets() if found is None else found.signed

    def targets(self, role: str) -> Mapping[str, TargetFile]:
        """Return the files that a delegated role lists; an empty mapping if the role has no
        metadata yet.

        :raises InvalidInvocation: if its metadata was altered.
        """
        found = self._delegated_role(role)
        return {} if found is None else found.signed.targets

    def require_keys(self, *roles: str) -> None:
        """Check that the keys for a change are present, before anything is written.

        :raises InvalidInvocation: if a key is missing, or belongs to another catalogue.
        """
        for role in roles:
            self._signer(role)

    def publish(self, edit: Edit, now: datetime, within: timedelta | None = None) -> dict[str, Any]:
        """Sign and write new metadata where ``edit`` or the dates require it.

        Metadata is renewed if it has less than half of its lifetime left, or expires ``within`` the
        given time. The timestamp is written last, so that readers see all of a build or nothing of
        it.

        :raises InvalidInvocation: if a required key is missing.
        """
        due = partial(_is_due, now=now, within=within)
        self._renew_root(due, now)
        targets = self._publish_targets(edit, due, now)
        versions = {"targets.json": targets.signed.version} | self._publish_roles(
            edit, targets.signed, due, now
        )
        snapshot = self.current.get("snapshot")
        old = (
            {}
            if snapshot is None
            else {name: meta.version for name, meta in snapshot.signed.meta.items()}
        )
        # of a role that is gone, too: clients refuse a snapshot that lacks one
        versions = {**old, **versions}
        if (
            snapshot is None
            or versions != old
            or "snapshot" in self.outdated
            or due("snapshot", snapshot.signed.expires)
        ):
            snapshot = self._successor("snapshot", Snapshot, now)
            snapshot.signed.meta = {
                name: MetaFile(version=version) for name, version in versions.items()
            }
            self._sign("snapshot", snapshot, f"{snapshot.signed.version}.snapshot.json")
        stamped, timestamp = snapshot.signed.version, self.current.get("timestamp")
        is_old = (
            timestamp is None
            or timestamp.signed.snapshot_meta.version != stamped
            or "timestamp" in self.outdated
        )
        if timestamp is None or is_old or due("timestamp", timestamp.signed.expires):
            timestamp = self._successor("timestamp", Timestamp, now)
            timestamp.signed.snapshot_meta = MetaFile(version=stamped)
            self._sign("timestamp", timestamp, "timestamp.json")
        self._finish_rotations()
        expires = timestamp.signed.expires.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "targetsVersion": targets.signed.version,
            "snapshotVersion": stamped,
            "expires": expires,
        }

    def rotate(self, role: str, now: datetime) -> str:
        """Begin the rotation of a role's key, and return the id of the new key; ``publish`` signs
        with it and ends the rotation.

        Only for ``root`` is the old key required; any other old key may be lost.

        :raises InvalidInvocation: if the root key (for ``releases``: the targets key) is missing.
        """
        if role == "releases":  # its key is in the targets metadata, which ``publish`` writes
            self._signer("targets")
            return self.keys.following(role).public_key.keyid
        former = self._signer("root")
        successor = self.keys.following(role)
        ids = self.root.signed.roles[role].keyids
        if successor.public_key.keyid not in ids:
            for old in list(ids):
                self.root.signed.revoke_key(old, role)
            self.root.signed.add_key(successor.public_key, role)
            self._write_next_root(now, former, successor if role == "root" else former)
        self.outdated.add(role)
        return successor.public_key.keyid

    def roles(self) -> Iterable[tuple[str, Metadata[Any]]]:
        """Yield every role with its newest metadata, verified.

        :raises InvalidInvocation: if metadata was altered.
        """
        yield "root", self.root
        yield from (
            (role, self.current[role])
            for role in ("targets", "snapshot", "timestamp")
            if role in self.current
        )
        for role in self.delegated:
            found = self._delegated_role(role)
            if found is not None:
                yield role, found

    def _signer(self, role: str) -> CryptoSigner:
        if role == "releases":
            delegations = self._top_level.delegations
            known = None if delegations is None else delegations.keys
            return self.keys.signer(role, known or None)
        return self.keys.signer(role, self.root.signed.roles[role].keyids)

    def _publish_targets(self, edit: Edit, due: Any, now: datetime) -> Metadata[Targets]:
        if self.keys.rotating("releases"):
            for role in self.delegated:  # they are verified by the key before
                self._delegated_role(role)
            key = self.keys.following("releases").public_key
        else:
            key = self._signer("releases").public_key
        roles = {
            name: DelegatedRole(name, [key.keyid], 1, terminating=True, paths=list(paths))
            for name, paths in edit.delegated.items()
        }
        delegations = Delegations({key.keyid: key}, roles)
        listed = [dict(publisher) for publisher in edit.publishers]
        old = self.current.get("targets")
        if old is not None:
            same = (old.signed.delegations, old.signed.targets, list(self.publishers)) == (
                delegations,
                dict(edit.own),
                listed,
            )
            if (
                same
                and "targets" not in self.outdated
                and not (due("targets", old.signed.expires) and self.keys.has("targets"))
            ):
                return old
        new = self._successor("targets", Targets, now)
        new.signed.delegations = delegations
        new.signed.targets = dict(edit.own)
        new.signed.unrecognized_fields[PUBLISHERS] = listed
        self._sign("targets", new, f"{new.signed.version}.targets.json")
        return new

    def _publish_roles(
        self, edit: Edit, parent: Targets, due: Any, now: datetime
    ) -> dict[str, int]:
        """Sign the delegated roles that change, are due or have a new key; return the versions of
        the signed roles.
        """
        versions = {}
        signer = self.keys.signer(
            "releases", set(parent.delegations.keys if parent.delegations else ())
        )
        for role in edit.delegated:
            if role not in edit.roles and self._is_fresh(role, signer.public_key.keyid, due):
                continue
            old = self._delegated_role(role)
            targets = edit.roles.get(role, {} if old is None else old.signed.targets)
            is_signed = old is not None and signer.public_key.keyid in old.signatures
            if (
                old is not None
                and is_signed
                and old.signed.targets == targets
                and not due("releases", old.signed.expires)
            ):
                continue
            version = 1 if old is None else old.signed.version + 1
            new = Metadata(
                Targets(version=version, expires=now + LIFETIMES["releases"], targets=dict(targets))
            )
            new.sign(signer)
            _write(self.site, f"{version}.{role}.json", new)
            self.current[role] = new
            versions[f"{role}.json"] = version
        return versions

    def _is_fresh(self, role: str, key_id: str, due: Any) -> bool:
        """Return whether a delegated role can stay unchanged. It is not verified here, since
        metadata is verified before it is signed again.
        """
        path = self._path_of(role)
        if path is None or role in self.current:
            return False
        try:
            found = json.loads(read_bounded(path, _LARGEST))
            expires = datetime.fromisoformat(found["signed"]["expires"])
            return key_id in {signature["keyid"] for signature in found["signatures"]} and not due(
                "releases", expires
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            return False

    def _path_of(self, role: str) -> str | None:
        """Return the path of the newest metadata of a delegated role; None if the role has none
        yet.
        """
        snapshot = self.current.get("snapshot")
        meta = None if snapshot is None else snapshot.signed.meta.get(f"{role}.json")
        return (
            None
            if meta is None
            else os.path.join(self.site, METADATA, f"{meta.version}.{role}.json")
        )

    def _delegated_role(self, role: str) -> Metadata[Targets] | None:
        if role in self.current:
            return self.current[role]
        path = self._path_of(role)
        if path is None:
            return None
        found = self._load_metadata(path, [partial(self._top_level.verify_delegate, role)])
        if found is None:
            raise InvalidInvocation(f"the metadata '{path}' is missing", hint=_RESTORE)
        self.current[role] = found
        return found

    def _of_root(self, role: str, name: str) -> Metadata[Any] | None:
        """Read top-level metadata; None if it is missing. During a rotation, the former key is
        accepted too, and the role is then marked as outdated.
        """
        checks = [partial(self.root.signed.verify_delegate, role)]
        path = os.path.join(self.site, METADATA, f"{self.root.signed.version - 1}.root.json")
        if self.keys.rotating(role) and os.path.exists(path):
            former = _read_root(self.site, path).signed
            if former.get_verification_result("root", self.root.signed_bytes, self.root.signatures):
                checks.append(partial(former.verify_delegate, role))
        return self._load_metadata(os.path.join(self.site, METADATA, name), checks, role)

    def _load_metadata(
        self, path: str, checks: Sequence[Any], role: str = ""
    ) -> Metadata[Any] | None:
        if not os.path.exists(path):
            return None
        try:
            found: Metadata[Any] = Metadata.from_bytes(read_bounded(path, _LARGEST))
            for number, check in enumerate(checks):
                try:
                    check(found.signed_bytes, found.signatures)
                except UnsignedMetadataError:
                    if number + 1 == len(checks):
                        raise
                    self.outdated.add(role)
                else:
                    break
        except (RepositoryError, ValueError) as error:
            raise InvalidInvocation(
                f"the metadata '{path}' is not signed by this catalogue's key: {error}"
            ) from None
        return found

    def _successor(self, role: str, kind: type[Any], now: datetime) -> Metadata[Any]:
        old = self.current.get(role)
        return Metadata(
            kind(
                version=1 if old is None else old.signed.version + 1, expires=now + LIFETIMES[role]
            )
        )

    def _sign(self, role: str, metadata: Metadata[Any], name: str) -> None:
        metadata.sign(self._signer(role))
        _write(self.site, name, metadata)
        self.current[role] = metadata
        self.outdated.discard(role)

    def _renew_root(self, due: Any, now: datetime) -> None:
        if self.keys.has("root") and due("root", self.root.signed.expires):
            signer = self._signer("root")
            self._write_next_root(now, signer, signer)

    def _write_next_root(self, now: datetime, *signers: CryptoSigner) -> None:
        self.root.signed.version += 1
        self.root.signed.expires = now + LIFETIMES["root"]
        self.root.signatures.clear()
        for signer in signers:
            self.root.sign(signer, append=True)
        _write_root(self.site, self.root)

    def _finish_rotations(self) -> None:
        for role in ROLES:
            if self.keys.rotating(role):
                ids = (
                    self._top_level.delegations.keys  # type: ignore[union-attr]
                    if role == "releases"
                    else self.root.signed.roles[role].keyids
                )
                if self.keys.following(role).public_key.keyid in ids:
                    self.keys.finish(role)


def _is_due(role: str, expires: datetime, *, now: datetime, within: timedelta | None) -> bool:
    left = expires - now
    return left <= LIFETIMES[role] / 2 or (within is not None and left <= within)


def require_catalogue(site: str) -> None:
    """Check that ``site`` is an initialised catalogue.

    :raises InvalidInvocation: if the site is not a catalogue.
    """
    _newest_root(site)


def _newest_root(site: str) -> Metadata[Root]:
    return _read_root(site, os.path.join(site, METADATA, "root.json"))


def _read_root(site: str, path: str) -> Metadata[Root]:
    hint = f"Create one with 'jackfield catalogue init {site}'."
    if not os.path.exists(path):
        raise InvalidInvocation(
            f"'{site}' is not a catalogue: it has no {METADATA}/{os.path.basename(path)}", hint=hint
        )
    try:
        found: Metadata[Root] = Metadata.from_bytes(read_bounded(path, _LARGEST))
        found.signed.verify_delegate("root", found.signed_bytes, found.signatures)
    except (RepositoryError, ValueError) as error:
        raise InvalidInvocation(
            f"'{site}' is not a catalogue: {path} is not valid ({error})", hint=hint
        ) from None
    return found


def _write_root(site: str, root: Metadata[Root]) -> None:
    _write(site, f"{root.signed.version}.root.json", root)
    _write(site, "root.json", root)


def _write(site: str, name: str, metadata: Metadata[Any]) -> None:
    write_file(os.path.join(site, METADATA, name), metadata.to_bytes(JSONSerializer(compact=True)))


def utc(moment: datetime) -> str:
    """Format a time in UTC for metadata and lists."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
