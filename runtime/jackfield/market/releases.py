"""Releases in a catalogue: what its index, its pages and its signed metadata say about each wheel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.market.attestations import Verified
from jackfield.market.wheels import Wheel

PACKAGES = "packages"
"""Folder of the wheels in a site."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a connector. ``data`` is its row in ``catalogue.json``, which has members for each property."""

    data: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Connector's key."""
        return str(self.data["key"])

    @property
    def name(self) -> str:
        """Distribution's name, normalised."""
        return str(self.data["name"])

    @property
    def version(self) -> str:
        """Version, as the file name states it."""
        return str(self.data["version"])

    @property
    def wheel(self) -> str:
        """Name of the wheel file."""
        return str(self.data["wheel"])

    @property
    def publisher(self) -> Mapping[str, str]:
        """Content of the publisher's public key file."""
        found: Mapping[str, str] = self.data["publisher"]
        return found

    @property
    def path(self) -> str:
        """Path of the wheel in the site."""
        return f"{PACKAGES}/{self.wheel}"

    def custom(self) -> dict[str, Any]:
        """Return what the signed metadata says about the wheel beside length and hash: all that an installer decides by."""
        names = ("key", "name", "version", "publisher", "licence", "permissions", "requiresPython", "grade")
        return {name: self.data[name] for name in names if name in self.data}


def release_of(wheel: Wheel, verified: Verified) -> Release:
    """Return the release of a verified wheel."""
    manifest, metadata = wheel.manifest, wheel.metadata
    permissions: dict[str, set[str]] = {}
    for action in manifest.raw["actions"]:
        for system, names in action.get("permissions", {}).items():
            permissions.setdefault(system, set()).update(map(str, names))
    data = {
        "key": manifest.key,
        "name": wheel.name,
        "version": wheel.version,
        "title": manifest.title,
        "description": manifest.description,
        "wheel": wheel.file,
        "sha256": wheel.sha256,
        "metadataSha256": hashlib.sha256(wheel.raw_metadata).hexdigest(),
        "size": wheel.size,
        "package": wheel.package,
        "publisher": verified.publisher.to_json(),
        "signedAt": verified.statement["signedAt"],
        "licence": manifest.raw.get("license") or metadata.license_expression or metadata.license,
        "permissions": {system: sorted(names) for system, names in sorted(permissions.items())},
        "requiresPython": str(metadata.requires_python or "") or None,
        "actions": [{"key": action.key, "title": action.title, "effect": action.effect} for action in manifest.actions.values()],
    }
    return Release({name: value for name, value in data.items() if value is not None})
