"""Condition of a catalogue: what expires when, which keys are here, and whether the published files are those that were signed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from jackfield.errors import InvalidInvocation
from jackfield.market.registry import Registry
from jackfield.market.repository import Repository, require_catalogue, utc
from jackfield.market.role_keys import OFFLINE, ROLES, RoleKeys
from jackfield.market.wheels import read_bounded

_LARGEST = 1 << 30


def condition(site: str, keys: str, now: datetime, within: timedelta, *, files: bool = False) -> dict[str, Any]:
    """Return roles with their expiry, keys, publishers, and ``faults``: what expires ``within`` a time, or was altered.

    With ``files``, every published file is read and compared with the signed metadata.

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
            faults.append(f"the metadata of '{name}' {'has expired' if expires <= now else 'expires'} on {utc(expires)}: {_cure(name)}")
    if files:
        faults += _altered(repository)
    here = {role: RoleKeys(os.path.abspath(keys)).has(role) for role in ROLES}
    return {"site": repository.site, "roles": roles, "keysHere": here, "publishers": registry.listed, "faults": faults}


def _cure(role: str) -> str:
    key = role if role in ROLES else "releases"
    return "run 'jackfield catalogue refresh'" + (f" with the {key} key" if key in OFFLINE else "")


def _altered(repository: Repository) -> Iterator[str]:
    """Yield what is wrong with each file that the metadata lists."""
    for name, metadata in repository.roles():
        if name in {"root", "snapshot", "timestamp"}:
            continue
        for path, target in metadata.signed.targets.items():
            try:
                content = read_bounded(os.path.join(repository.site, *path.split("/")), _LARGEST)
            except InvalidInvocation as error:
                yield error.message
                continue
            if len(content) != target.length or hashlib.sha256(content).hexdigest() != target.hashes["sha256"]:
                yield f"the published file '{path}' was altered: it does not match the signed metadata"
