"""Installation of connectors from a catalogue: choose a release, verify it without running its
code, and place it in the data folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from jackfield.catalog.discovery import entry_points
from jackfield.kernel.errors import InvalidInvocation, UnknownConnector, did_you_mean
from jackfield_market.attestations import Verified, read_attestation, verify, verify_digest
from jackfield_market.dependency_rules import Dependency
from jackfield_market.installing.environments import (
    DEPENDENCIES,
    SITE,
    add_dependencies,
    check_host,
    unpack,
)
from jackfield_market.installing.policy import Policy
from jackfield_market.installing.receipts import Installed
from jackfield_market.installing.sources import Catalogue
from jackfield_market.names import LookAlikes
from jackfield_market.publishers import Publisher
from jackfield_market.refusals import NotInstalled
from jackfield_market.releases import Release, release_of
from jackfield_market.static_check import check_source
from jackfield_market.wheels import Wheel, parse_wheel

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_RECEIPT_VERSION = 1
_FORGED = (
    "Do not install it, and tell the catalogue's operator: a key of the catalogue may be stolen."
)
_SUMMARY = ("name", "version", "publisher", "sha256", "source", "grade", "permissions", "hosts")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Requested connector, with a version specifier."""

    key: str
    specifier: SpecifierSet

    @staticmethod
    def parse(text: str) -> Wanted:
        """Read ``acme``, ``jackfield-acme`` or ``acme>=1,<2``.

        :raises InvalidInvocation: if the text has another form.
        """
        try:
            found = Requirement(text)
        except InvalidRequirement as error:
            raise InvalidInvocation(
                f"'{text[:200]}' names no connector: {error}",
                hint="Write NAME, NAME==1.2.0 or 'NAME>=1,<2'.",
            ) from None
        if found.url or found.extras or found.marker:
            raise InvalidInvocation(
                f"'{text[:200]}' has more than a name and versions",
                hint="Write NAME, NAME==1.2.0 or 'NAME>=1,<2'.",
            )
        return Wanted(canonicalize_name(found.name).removeprefix("jackfield-"), found.specifier)


@dataclass(frozen=True, slots=True)
class Installation:
    """Result of an installation. ``changed`` is False if exactly this release was installed
    before.
    """

    receipt: dict[str, Any]
    path: str
    changed: bool

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``jackfield install``."""
        about = {name: self.receipt[name] for name in _SUMMARY if name in self.receipt}
        return {
            "connector": self.receipt["key"],
            **about,
            "path": self.path,
            "changed": self.changed,
        }


def choose(wanted: Wanted, catalogue: Catalogue) -> Release:
    """Return the highest release that fits; a prerelease only if no final version fits.

    :raises NotInstalled: if the key that signed the connector is revoked.
    :raises UnknownConnector: if the catalogue has no release that fits.
    """
    offer = catalogue.connector(wanted.key)
    if not (offer.releases or offer.revoked):
        raise UnknownConnector(
            f"no connector '{wanted.key[:80]}' is in the catalogue "
            f"{catalogue.source.url}{did_you_mean(wanted.key, catalogue.owners())}",
            hint="'catalogue.json' of the site lists what it has.",
        )
    fitting = [
        release
        for release in offer.releases
        if wanted.specifier.contains(release.version, prereleases=True)
    ]
    if not fitting:
        for release in offer.revoked:
            if wanted.specifier.contains(release.version, prereleases=True):
                raise _revoked(release, release.data["revoked"])
        versions = ", ".join(release.version for release in offer.releases) or "none"
        raise UnknownConnector(
            f"no version of '{wanted.key}' matches '{wanted.specifier}'; the catalogue has "
            f"{versions}",
            hint="Choose one of these.",
        )
    return max(fitting, key=preference)


def preference(release: Release) -> tuple[bool, Version]:
    """Return the sort key of releases: the highest version is the best, a prerelease only if there
    is no final version.
    """
    version = Version(release.version)
    return not version.is_prerelease, version


@dataclass(frozen=True, slots=True)
class Installer:
    """Installer from one catalogue into one data folder."""

    catalogue: Catalogue
    installed: Installed
    policy: Policy
    allowed_names: Sequence[str] = field(default_factory=tuple)

    def install(self, release: Release, locked: Sequence[Dependency] | None = None) -> Installation:
        """Verify a release and install it. The caller holds the data folder's lock. ``locked`` are
        the dependencies that a lock file names.

        :raises NotInstalled: naming the rule that refuses the release. No code of the package has
            run then, and no file remains.
        """
        self.check(release, exact=locked is not None)
        for receipt in self.installed.of(release.key):
            if Version(receipt["version"]) == release.order():
                return self._same(receipt, release)
        wheel, verified = self.verified(release)

        def build(folder: str) -> dict[str, Any]:
            unpack(wheel, folder)
            dependencies = add_dependencies(wheel, folder, self.policy, locked)
            return self._receipt(release, wheel, verified, dependencies)

        path = self.installed.place(release.key, release.version, build)
        receipt = next(
            found for found in self.installed.of(release.key) if found["version"] == release.version
        )
        return Installation(receipt, path, changed=True)

    def verified(self, release: Release) -> tuple[Wheel, Verified]:
        """Download a release and verify it: attestation and hash before the archive is opened, then
        every rule of wheels.

        :raises NotVerified: if its publisher has not attested it.
        :raises WheelRefused: if the wheel breaks a rule.
        :raises NotInstalled: if it differs from the catalogue's statements, or this host cannot run
            it.
        """
        content, attested = self.catalogue.fetch(release)
        try:
            publishers = [Publisher.from_json(release.publisher)]
        except ValueError as error:
            raise NotInstalled(
                "publisher",
                f"the publisher of '{release.wheel}' is not valid: {error}",
                "Ask the operator.",
            ) from None
        attestation = read_attestation(attested)
        verify_digest(release.wheel, hashlib.sha256(content).hexdigest(), attestation, publishers)
        wheel = parse_wheel(release.wheel, content)
        verified = verify(wheel, attestation, publishers)
        stated = {name: value for name, value in release.custom().items() if name != "grade"}
        if release_of(wheel, verified).custom() != stated:
            message = f"the catalogue's statement about '{release.wheel}' differs from the wheel"
            raise NotInstalled("mixed", message, "Ask the catalogue's operator to build it again.")
        check_host(wheel)
        check_source(wheel)
        return wheel, verified

    def check(self, release: Release, *, exact: bool = False) -> None:
        """Check everything about a release that needs no download: revocation, policy, owner of the
        key, look-alikes.

        ``exact`` means that a lock file names the release by hash and root; then the release may
        come from another address.

        :raises NotInstalled: naming the rule that refuses the release.
        """
        row = self.catalogue.revoked().get(str(release.publisher["keyId"]))
        if row is not None:
            raise _revoked(release, row)
        self.policy.check(release)
        self._check_owner(release, self.installed.of(release.key), exact=exact)
        if not self.catalogue.lets_sign(release.publisher, release.key):
            message = (
                f"the catalogue lists '{release.key}' {release.version} with a key that it "
                "does not let sign this connector"
            )
            raise NotInstalled("publisher", f"{message} ({release.publisher['keyId']})", _FORGED)

    def _check_owner(
        self, release: Release, mine: Sequence[dict[str, Any]], *, exact: bool
    ) -> None:
        """Check that the connector's key is new, or belongs to this publisher and source, and that
        it resembles no other key.
        """
        taken = next(
            (
                point
                for point in entry_points().get("jackfield.connectors", ())
                if point.name == release.key
            ),
            None,
        )
        if taken is not None:
            message = (
                f"the connector '{release.key}' is installed in this Python environment "
                f"already, by {taken.distribution}"
            )
            raise NotInstalled(
                "duplicate", message, f"Remove it first: pip uninstall {taken.distribution}."
            )
        for receipt in mine:
            if not exact:
                self._check_source(receipt)
            theirs, publisher = receipt["publisher"], release.publisher
            if theirs["keyId"] != publisher["keyId"] and not self.catalogue.succeeds(
                theirs, publisher
            ):
                message = (
                    f"'{release.key}' is installed from '{theirs['publisher']}' "
                    f"({theirs['keyId']}), this one is of"
                )
                hint = f"If the change of publisher is intended: jackfield uninstall {release.key}."
                raise NotInstalled(
                    "owner", f"{message} '{publisher['publisher']}' ({publisher['keyId']})", hint
                )
        if not mine and release.key not in self.allowed_names:
            self._check_name(release)

    def _check_source(self, receipt: Mapping[str, Any]) -> None:
        """Check that an installed version came from this source, under a root of its pinned chain;
        another root could name other owners.
        """
        key, url, source = receipt["key"], self.catalogue.source.url, receipt["source"]
        if source["url"] != url:
            hint = f"To change the source: jackfield uninstall {key}."
            raise NotInstalled(
                "source", f"'{key}' is installed from {source['url']}, not from {url}", hint
            )
        if source["rootSha256"] not in self.catalogue.roots:
            message = (
                f"'{key}' was verified with another root of {url} (SHA-256 "
                f"{source['rootSha256']}) than the pinned one"
            )
            hint = (
                "If the catalogue was set up anew, and its operator confirms it: jackfield "
                f"uninstall {key}."
            )
            raise NotInstalled("root", message, hint)

    def _check_name(self, release: Release) -> None:
        others = {
            receipt["key"]: receipt["publisher"]["keyId"] for receipt in self.installed.receipts()
        }
        others |= dict.fromkeys(
            (point.name for point in entry_points().get("jackfield.connectors", ())), ""
        )
        listed = self.catalogue.owners()
        for name in LookAlikes({**listed, **others}).find(release.key):
            if name in others:
                imitates = others[name] != release.publisher["keyId"]
            else:  # of two alike in a catalogue, the later one imitates
                imitates = listed[name] != release.publisher["keyId"] and self._since(
                    name
                ) <= self._since(release.key)
            if imitates:
                message = f"the name '{release.key}' looks like '{name}' of another publisher"
                raise NotInstalled(
                    "look-alike", message, f"If you mean it: --allow-name {release.key}."
                )

    def _since(self, key: str) -> str:
        offer = self.catalogue.connector(key)
        return min(
            (str(release.data["signedAt"]) for release in (*offer.releases, *offer.revoked)),
            default="",
        )

    def _same(self, receipt: dict[str, Any], release: Release) -> Installation:
        if receipt["sha256"] != release.sha256:
            message = (
                f"'{release.key}' {release.version} is installed with other content, and a "
                "release never changes"
            )
            raise NotInstalled("immutable", message, "Ask the catalogue's operator.")
        return Installation(
            receipt,
            os.path.join(self.installed.folder, release.key, receipt["version"]),
            changed=False,
        )

    def _receipt(
        self, release: Release, wheel: Wheel, verified: Verified, dependencies: Sequence[Dependency]
    ) -> dict[str, Any]:
        receipt = {
            "receiptVersion": _RECEIPT_VERSION,
            "key": release.key,
            "name": wheel.name,
            "version": release.version,
            "title": wheel.manifest.title,
            "entryPoint": wheel.entry_points["jackfield.connectors"][release.key].strip(),
            "wheel": wheel.file,
            "sha256": wheel.sha256,
            "publisher": verified.publisher.to_json(),
            "signedAt": verified.statement["signedAt"],
            "source": {"url": self.catalogue.source.url, "rootSha256": self.catalogue.root_sha256},
            "grade": release.data.get("grade"),
            "licence": release.data.get("licence"),
            "permissions": release.data.get("permissions", {}),
            "hosts": release.data.get("hosts"),
            "paths": [SITE, *([DEPENDENCIES] if dependencies else [])],
            "dependencies": [dependency.to_json() for dependency in dependencies],
            "installedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return {name: value for name, value in receipt.items() if value is not None}


def _revoked(release: Release, about: Mapping[str, Any]) -> NotInstalled:
    publisher, reason = release.publisher, f": {about['reason']}" if about.get("reason") else ""
    key = (
        f"a key of '{publisher['publisher']}' ({publisher['keyId']}) that was revoked on "
        f"{about['at']}{reason}"
    )
    message = f"'{release.key}' {release.version} is signed with {key}"
    return NotInstalled("revoked", message, "Do not use it. Wait for a release with another key.")
