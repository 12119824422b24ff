"""Releases in a catalogue: the entries of each wheel in its index, its pages and its signed
metadata.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from packaging.version import Version
from tuf.api.metadata import TargetFile

from jackfield_market.attestations import SUFFIX, Verified
from jackfield_market.listings import summary
from jackfield_market.names import is_key
from jackfield_market.wheels import Wheel, is_canonical

PACKAGES = "packages"
"""Folder of the wheels in a site."""
LIST = "catalogue.json"
"""Name of the machine-readable list of a site."""
ICONS = ("data:image/svg+xml", "data:image/png;base64,")
"""Prefixes of the icons that pages display."""
_LISTED_ICON = 2_048
"""Maximum length of an icon in lists, in characters, as lists are loaded whole; a connector's own
page displays larger icons.
"""
REVOKED = "revoked.json"
"""Name of the list of revoked publisher keys of a site."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a connector. ``data`` is its row in ``catalogue.json`` and has all its
    properties.
    """

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
    def sha256(self) -> str:
        """SHA-256 of the wheel."""
        return str(self.data["sha256"])

    @property
    def is_revoked(self) -> bool:
        """Return whether the release was withdrawn with its publisher's key."""
        return "revoked" in self.data

    @property
    def publisher(self) -> Mapping[str, str]:
        """Content of the publisher's public key file."""
        found: Mapping[str, str] = self.data["publisher"]
        return found

    @property
    def path(self) -> str:
        """Path of the wheel in the site."""
        return f"{PACKAGES}/{self.wheel}"

    def revoked(self, at: str, reason: str) -> Release:
        """Return the release with its withdrawal."""
        return Release(
            {**self.data, "revoked": {"at": at, **({"reason": reason} if reason else {})}}
        )

    def graded(self, grade: str) -> Release:
        """Return the release with a grade."""
        return Release({**self.data, "grade": grade})

    def order(self) -> Version:
        """Return the version as a sort key."""
        return Version(self.version)

    def targets(self, attestation: bytes) -> dict[str, TargetFile]:
        """Return the signed metadata's entries for the wheel and its attestation."""
        beside = f"{self.path}{SUFFIX}"
        wheel = TargetFile(
            int(self.data["size"]), {"sha256": self.sha256}, self.path, {"custom": self.custom()}
        )
        return {self.path: wheel, beside: TargetFile.from_data(beside, attestation, ["sha256"])}

    def custom(self) -> dict[str, Any]:
        """Return the facts about the wheel in signed metadata, beyond length and hash. An installer
        decides by them alone.
        """
        names = (
            "key",
            "name",
            "version",
            "publisher",
            "licence",
            "permissions",
            "hosts",
            "requiresPython",
            "grade",
        )
        return {name: self.data[name] for name in names if name in self.data}


_TEXTS = ("key", "name", "version", "title", "wheel", "sha256", "package", "signedAt")
_MAYBE = ("grade", "licence", "description", "requiresPython", "metadataSha256")
_WHEEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.!+-]*\.[a-z]+", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OWNER = ("publisher", "keyId", "publicKey")


def read_release(row: Any) -> Release:
    """Read a row of another author's list.

    :raises ValueError: if a member that an installer needs is missing or of another type.
    """
    if (
        not isinstance(row, dict)
        or not all(isinstance(row.get(name), str) for name in _TEXTS)
        or not isinstance(row.get("size"), int)
    ):
        raise ValueError(f"a release lacks one of {', '.join(_TEXTS)}, size")
    owner, permissions, revoked = (
        row.get("publisher"),
        row.get("permissions", {}),
        row.get("revoked", {}),
    )
    if not isinstance(owner, dict) or not all(isinstance(owner.get(name), str) for name in _OWNER):
        raise ValueError(f"a release's publisher lacks one of {', '.join(_OWNER)}")
    if not isinstance(permissions, dict) or not all(map(_is_texts, permissions.values())):
        raise ValueError("a release's permissions are not lists of names by system")
    if not isinstance(revoked, dict) or (
        "revoked" in row and not isinstance(revoked.get("at"), str)
    ):
        raise ValueError("a withdrawn release does not state when it was")
    if not all(isinstance(row.get(name, ""), str) for name in _MAYBE) or not _is_texts(
        row.get("hosts", [])
    ):
        raise ValueError(
            f"one of {', '.join(_MAYBE)} of a release is no text, or its hosts are no list of texts"
        )
    if not (
        is_key(row["key"])
        and is_canonical(row["version"])
        and _WHEEL.fullmatch(row["wheel"])
        and _SHA256.fullmatch(row["sha256"])
    ):
        raise ValueError("a release's key, version, wheel or sha256 is not one")
    return Release(row)


def _small_icon(icon: object) -> str | None:
    """Return an icon for lists: an image within the page, in which browsers run no scripts and load
    nothing. Return None for any other icon.
    """
    return (
        icon
        if isinstance(icon, str) and icon.startswith(ICONS) and len(icon) <= _LISTED_ICON
        else None
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


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
        "hosts": list(manifest.hosts) or None,
        "requiresPython": str(metadata.requires_python or "") or None,
        "categories": manifest.raw.get("categories"),
        "icon": _small_icon(manifest.raw.get("icon")),
        "listing": summary(manifest.raw),
        "actions": [
            {"key": action.key, "title": action.title, "effect": action.rule_effect}
            for action in manifest.actions.values()
        ],
        "triggers": [
            {"key": one.key, "title": one.title, "kind": one.kind}
            for one in manifest.triggers.values()
        ]
        or None,
    }
    return Release({name: value for name, value in data.items() if value is not None})
