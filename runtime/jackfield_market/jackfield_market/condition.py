"""Condition of a catalogue: expiry of its metadata, presence of its keys, and equality of published
and signed files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.attestations import (
    MAX_BYTES,
    SUFFIX,
    NotVerified,
    read_attestation,
    verify_digest,
)
from jackfield_market.publishers import Publisher
from jackfield_market.registry import Registry
from jackfield_market.repository import Repository, require_catalogue, utc
from jackfield_market.role_keys import OFFLINE, ROLES, RoleKeys
from jackfield_market.wheels import read_bounded

if TYPE_CHECKING:
    from tuf.api.metadata import TargetFile

_LARGEST = 1 << 30
_BROKEN_INTO = "if you have not published it, the key of 'releases' was stolen"


def condition(
    site: str, keys: str, now: datetime, within: timedelta, *, files: bool = False
) -> dict[str, Any]:
    """Return the roles of a catalogue with their expiry, its keys, its publishers and its
    ``faults``.

    Faults are metadata that expires ``within`` the given time, and files that are altered or not
    the publisher's. With ``files``, all published files are compared with the signed metadata, and
    all attestations verified.

    :raises InvalidInvocation: if the site is no catalogue, or its metadata was altered.
    """
    require_catalogue(site)
    repository = Repository.load(site, keys)
    registry = Registry(repository.publishers, repository.delegated)
    roles, faults = [], []
    for name, metadata in repository.roles():
        expires = metadata.signed.expires
        roles.append({"role": name, "version": metadata.signed.version, "expires": utc(expires)})
        if expires - now <= within:
            faults.append(
                f"the metadata of '{name}' {'has expired' if expires <= now else 'expires'} on "
                f"{utc(expires)}: {_cure(name)}"
            )
    faults += _foreign(repository, registry)
    if files:
        faults += _altered(repository)
        faults += _unattested(repository, registry)
    here = {role: RoleKeys(os.path.abspath(keys)).has(role) for role in ROLES}
    return {
        "site": repository.site,
        "roles": roles,
        "keysHere": here,
        "publishers": registry.listed,
        "faults": faults,
    }


def _cure(role: str) -> str:
    key = role if role in ROLES else "releases"
    return "run 'jackfield catalogue refresh'" + (f" with the {key} key" if key in OFFLINE else "")


def _releases(
    repository: Repository, registry: Registry
) -> Iterator[tuple[str, TargetFile, str, Mapping[str, Any] | None]]:
    """Yield path, entry, owner's name and signing key of each wheel; the key is None if it may not
    sign for the owner.
    """
    for role in registry.delegated:
        name = registry.publisher_of(role)
        for path, target in repository.targets(role).items():
            if path.endswith(".whl"):
                row = registry.find(str((target.custom or {}).get("publisher", {}).get("keyId")))
                known = row is not None and row["publisher"] == name and row["status"] != "revoked"
                yield path, target, name, row if known else None


def _foreign(repository: Repository, registry: Registry) -> Iterator[str]:
    """Yield a fault for each listed release that no valid key of its publisher has signed."""
    for path, _, name, row in _releases(repository, registry):
        if row is None:
            yield f"'{path}' is signed with a key that is not one of '{name}': {_BROKEN_INTO}"


def _unattested(repository: Repository, registry: Registry) -> Iterator[str]:
    """Yield a fault for each release whose attestation is not by the key that the targets metadata
    lists.
    """
    for path, target, _, row in _releases(repository, registry):
        if row is not None:
            try:
                attested = read_attestation(
                    read_bounded(os.path.join(repository.site, f"{path}{SUFFIX}"), MAX_BYTES)
                )
                verify_digest(
                    os.path.basename(path),
                    target.hashes["sha256"],
                    attested,
                    [Publisher.from_json(row)],
                )
            except (NotVerified, InvalidInvocation) as error:
                yield f"'{path}' is not attested by its publisher ({error.message}): {_BROKEN_INTO}"


def _altered(repository: Repository) -> Iterator[str]:
    """Yield a fault for each listed file that is missing or altered."""
    for name, metadata in repository.roles():
        if name in {"root", "snapshot", "timestamp"}:
            continue
        for path, target in metadata.signed.targets.items():
            try:
                content = read_bounded(os.path.join(repository.site, *path.split("/")), _LARGEST)
            except InvalidInvocation as error:
                yield error.message
                continue
            if (
                len(content) != target.length
                or hashlib.sha256(content).hexdigest() != target.hashes["sha256"]
            ):
                yield (
                    f"the published file '{path}' was altered: it does not match the signed "
                    "metadata"
                )
