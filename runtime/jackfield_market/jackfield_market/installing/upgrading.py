"""Upgrades: newer releases of installed connectors, with the changes that callers would notice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from jackfield.kernel.errors import JackfieldError
from jackfield_market.installing.environments import SITE
from jackfield_market.installing.installing import Installer, Wanted, choose
from jackfield_market.installing.receipts import Installed
from jackfield_market.manifest_changes import compare, read_described
from jackfield_market.refusals import NotInstalled

if TYPE_CHECKING:
    from jackfield.manifest.manifest import Manifest
    from jackfield_market.releases import Release


def manifest_of(installed: Installed, receipt: Mapping[str, Any]) -> Manifest:
    """Return the manifest of an installed version."""
    package = str(receipt["entryPoint"]).partition(":")[0].partition(".")[0]
    return read_described(
        os.path.join(
            installed.folder, receipt["key"], receipt["version"], SITE, package, "connector.json"
        )
    )


def newer(installer: Installer, current: Mapping[str, Any], wanted: Wanted) -> Release | None:
    """Return the newest release that fits; None if it is not newer than the ``current`` receipt.

    :raises JackfieldError: as for ``choose``.
    """
    release = choose(Wanted(str(current["key"]), wanted.specifier), installer.catalogue)
    return release if Version(release.version) > Version(current["version"]) else None


def upgrade(
    installer: Installer,
    current: Mapping[str, Any],
    release: Release,
    *,
    breaking: bool,
    dry_run: bool,
) -> dict[str, Any]:
    """Install a newer release alongside the current one, unless it breaks callers. Return the
    changes, and ``error`` if it was refused.
    """
    row: dict[str, Any] = {
        "connector": current["key"],
        "from": current["version"],
        "to": release.version,
    }
    try:
        installer.check(release)
        wheel, _ = installer.verified(release)
        found = compare(manifest_of(installer.installed, current), wheel.manifest)
        row |= {"level": found.level, "changes": [change.to_json() for change in found.changes]}
        if found.level == "breaking" and not breaking:
            message = (
                f"the upgrade of '{current['key']}' from {current['version']} to "
                f"{release.version} breaks callers"
            )
            raise NotInstalled(
                "breaking",
                message,
                "Read the changes; then repeat with --allow-breaking. Callers may ask for the "
                "old one.",
            )
        if not dry_run:
            installer.install(release)
    except JackfieldError as error:
        row["error"] = error.to_json("cli")
    return row
