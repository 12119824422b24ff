"""Operations on installed connectors, for commands and other surfaces: install, upgrade, uninstall,
compare.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jackfield.catalog.installations import read_revocations
from jackfield.kernel.errors import (
    InvalidInvocation,
    JackfieldError,
    UnknownConnector,
    did_you_mean,
)
from jackfield.kernel.failures import OnFailure
from jackfield_market.installing.installing import (
    Installation,
    Installer,
    Wanted,
    choose,
    preference,
)
from jackfield_market.installing.lock_files import Locked, LockFile, read_lock
from jackfield_market.installing.policy import Policy, read_policy
from jackfield_market.installing.receipts import Installed
from jackfield_market.installing.sources import Anchor, Catalogue, Source, open_catalogue
from jackfield_market.installing.upgrading import newer, upgrade
from jackfield_market.refusals import NotInstalled
from jackfield_market.releases import Release
from jackfield_market.wheels import read_bounded

_ROOT_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """Options of an installation. ``root`` is the path of a trusted root for all sources; ``roots``
    are contents of trusted roots, by URL of the source. ``warn`` gets messages for a person.
    """

    policy: str | None = None
    root: str | None = None
    find_links: Sequence[str] = field(default_factory=tuple)
    allowed_names: Sequence[str] = field(default_factory=tuple)
    warn: Callable[[str], None] = lambda _: None
    roots: Mapping[str, bytes] = field(default_factory=dict)


class Operations:
    """Operations on the connectors of one data folder."""

    def __init__(self, home: str, options: Options) -> None:
        self._installed = Installed(home)
        self._options = options
        policy = read_policy(home, options.policy)
        self._policy: Policy = replace(policy, find_links=(*policy.find_links, *options.find_links))
        self._catalogues: dict[str, Catalogue] = {}

    def install(
        self, name: str, source: str | None, *, lock: str | None = None, pin: bool = False
    ) -> Installation:
        """Install the best release of ``name``, and record it in the lock file. ``pin`` makes this
        version the default.

        :raises NotInstalled: naming the rule that refuses the release.
        """
        wanted = Wanted.parse(name)
        with self._installed.exclusive():
            known = None if lock is None or not os.path.exists(lock) else read_lock(lock)
            catalogue = self._open(self._source(wanted, source))
            done = self._installer(catalogue).install(choose(wanted, catalogue))
            key = str(done.receipt["key"])
            pins = {
                other: version for other, version in self._installed.pins().items() if other != key
            }
            self._installed.publish({**pins, key: str(done.receipt["version"])} if pin else pins)
            if lock is not None:
                LockFile(known.roots if known else {}, known.connectors if known else ()).updated(
                    LockFile.of([done.receipt])
                ).write(lock)
        return done

    def install_locked(self, lock: str, source: str | None = None) -> list[Installation]:
        """Install exactly the versions in a lock file, and make them the defaults. ``source`` is
        another address of the catalogue.

        :raises NotInstalled: if one of these versions is not available.
        """
        found = read_lock(lock)
        if source is not None and len(set(found.roots.values())) > 1:
            raise InvalidInvocation(
                f"'{lock}' has connectors of several catalogues, which one --from cannot replace",
                hint="Leave it out.",
            )
        with self._installed.exclusive():
            done: list[Installation] = []
            with OnFailure(self._undo, done):
                done.extend(
                    self._frozen(locked, source or locked.source, found.roots[locked.source])
                    for locked in found.connectors
                )
            self._installed.publish(
                {
                    **self._installed.pins(),
                    **{locked.key: locked.version for locked in found.connectors},
                }
            )
        return done

    def _undo(self, done: Sequence[Installation]) -> None:
        for one in done:
            if one.changed:
                self._installed.remove(one.receipt["key"], one.receipt["version"])

    def _frozen(self, locked: Locked, source: str, root_sha256: str) -> Installation:
        catalogue = self._open(Source.parse(source), root_sha256)
        release = choose(Wanted.parse(f"{locked.key}==={locked.version}"), catalogue)
        locked.check(release)
        done = self._installer(catalogue).install(release, locked.dependencies)
        if done.receipt["dependencies"] != [
            dependency.to_json() for dependency in locked.dependencies
        ]:
            message = (
                f"'{locked.key}' {locked.version} is installed with other dependencies than "
                "the lock file has"
            )
            raise NotInstalled(
                "lock",
                message,
                f"Remove it first: jackfield uninstall {locked.key}=={locked.version}.",
            )
        return done

    def upgrade(
        self,
        names: Sequence[str],
        *,
        breaking: bool = False,
        dry_run: bool = False,
        lock: str | None = None,
    ) -> dict[str, Any]:
        """Upgrade the named connectors, by default all that are not pinned. A connector whose
        upgrade is refused keeps its version.
        """
        rows, current, kept = [], [], []
        with self._installed.exclusive():
            pins = self._installed.pins()
            for receipt, wanted in self._chosen(names, pins):
                row = self._upgrade(receipt, wanted, breaking=breaking, dry_run=dry_run)
                if row is None:
                    current.append({"connector": receipt["key"], "version": receipt["version"]})
                else:
                    rows.append(row)
            done = [row for row in rows if "error" not in row]
            if not names:
                kept = [
                    {"connector": key, "version": version} for key, version in sorted(pins.items())
                ]
            if not dry_run:
                self._installed.publish(
                    {
                        key: version
                        for key, version in pins.items()
                        if key not in {row["connector"] for row in done}
                    }
                )
                if lock is not None:
                    LockFile.of(self._defaults().values()).write(lock)
        return {
            "upgraded": done,
            "refused": [row for row in rows if "error" in row],
            "current": current,
            "pinned": kept,
            "dryRun": dry_run,
        }

    def _upgrade(
        self, receipt: Mapping[str, Any], wanted: Wanted, *, breaking: bool, dry_run: bool
    ) -> dict[str, Any] | None:
        try:
            installer = self._installer(self._open(Source.parse(receipt["source"]["url"])))
            release = newer(installer, receipt, wanted)
        except JackfieldError as error:
            return {
                "connector": receipt["key"],
                "from": receipt["version"],
                "error": error.to_json("cli"),
            }
        return (
            None
            if release is None
            else upgrade(installer, receipt, release, breaking=breaking, dry_run=dry_run)
        )

    def uninstall(self, name: str) -> list[dict[str, str]]:
        """Remove the matching versions of a connector and return a row for each; its connections
        and journal stay.

        :raises UnknownConnector: if no matching version is installed.
        """
        wanted = Wanted.parse(name)
        with self._installed.exclusive():
            mine = [
                receipt for receipt in self._installed.receipts() if wanted.key == receipt["key"]
            ]
            gone = [
                receipt
                for receipt in mine
                if wanted.specifier.contains(receipt["version"], prereleases=True)
            ]
            if not gone:
                raise self._unknown(name, wanted.key)
            for receipt in gone:
                self._installed.remove(receipt["key"], receipt["version"])
            self._installed.publish(self._installed.pins())
        return [{"connector": receipt["key"], "version": receipt["version"]} for receipt in gone]

    def newest(self, source: str) -> list[tuple[Release, list[str]]]:
        """Return the highest release of each connector in a catalogue, with all its versions, the
        best first.

        :raises JackfieldError: if the catalogue cannot be read, or is not the pinned one.
        """
        ranked = [
            sorted(offer.releases, key=preference, reverse=True)
            for offer in self._open(Source.parse(source)).connectors()
        ]
        return [
            (releases[0], [release.version for release in releases])
            for releases in ranked
            if releases
        ]

    def outdated(self) -> list[dict[str, Any]]:
        """Return a row for each installed connector that has a newer release, a revoked key, or a
        source that cannot be read.
        """
        if not self._installed.receipts():
            return []
        with self._installed.exclusive():
            self._note_revoked()
            return [
                row
                for receipt in self._defaults().values()
                if (row := self._compared(receipt)) is not None
            ]

    def revoked(self) -> list[dict[str, Any]]:
        """Read the revocations of installed connectors from the catalogues, and record them for
        every process of the data folder.

        Return a row for each. ``warn`` is called once for a new revocation. If a catalogue cannot
        be read, its recorded revocations remain.
        """
        if not self._installed.receipts():
            return []
        with self._installed.exclusive():
            return self._note_revoked()

    def _note_revoked(self) -> list[dict[str, Any]]:
        receipts, known = self._installed.receipts(), read_revocations(self._installed.folder)
        rows: list[dict[str, Any]] = []
        for receipt in receipts:
            try:
                row = _revocation(receipt, self._open(Source.parse(receipt["source"]["url"])))
            except JackfieldError:
                place = receipt["key"], receipt["version"]
                row = next(
                    (old for old in known if (old["connector"], old["version"]) == place), None
                )
            rows += [row] if row is not None else []
        for new in self._installed.note_revoked(rows):
            why = f": {new['reason']}" if new.get("reason") else ""
            self._options.warn(
                f"the connector '{new['connector']}' {new['version']} is installed, and its "
                f"publisher's key {new['keyId'][:16]} was revoked"
                f" on {new['at']}{why}; calls go on until you upgrade or remove it"
            )
        return rows

    def _compared(self, receipt: Mapping[str, Any]) -> dict[str, Any] | None:
        row = {
            "connector": receipt["key"],
            "version": receipt["version"],
            "source": receipt["source"]["url"],
        }
        try:
            installer = self._installer(self._open(Source.parse(receipt["source"]["url"])))
            if _revocation(receipt, installer.catalogue) is not None:
                return {**row, "status": "revoked"}
            release = newer(installer, receipt, Wanted.parse(str(receipt["key"])))
            if release is None:
                return None
            row["latest"] = release.version
            installer.check(release)
        except JackfieldError as error:
            return {**row, "status": "refused", "error": error.message}
        return {**row, "status": "outdated"}

    def _installer(self, catalogue: Catalogue) -> Installer:
        return Installer(catalogue, self._installed, self._policy, self._options.allowed_names)

    def _open(self, source: Source, root_sha256: str | None = None) -> Catalogue:
        """Open a catalogue, at most once per command."""
        self._policy.check_source(source.url)
        if source.url not in self._catalogues:
            given = self._options.root
            content = (
                self._options.roots.get(source.url)
                if given is None
                else read_bounded(given, _ROOT_BYTES)
            )
            anchor = Anchor(content, root_sha256)
            self._catalogues[source.url] = open_catalogue(
                source, self._installed.home, anchor, self._options.warn
            )
        return self._catalogues[source.url]

    def _source(self, wanted: Wanted, text: str | None) -> Source:
        if text is not None:
            return Source.parse(text)
        known = {
            receipt["source"]["url"]
            for receipt in self._installed.receipts()
            if wanted.key == receipt["key"]
        }
        known = known or set(self._policy.sources or ())
        if len(known) != 1:
            raise InvalidInvocation(
                f"the source of '{wanted.key}' is not known",
                hint="Name the catalogue: --from URL or --from SITE.",
            )
        return Source.parse(known.pop())

    def _defaults(self) -> dict[str, dict[str, Any]]:
        """Return the receipt of the default version of each connector."""
        pins, found = self._installed.pins(), {}
        for key in sorted({str(receipt["key"]) for receipt in self._installed.receipts()}):
            mine = self._installed.of(key)
            found[key] = next(
                (receipt for receipt in mine if receipt["version"] == pins.get(key)), mine[0]
            )
        return found

    def _chosen(
        self, names: Sequence[str], pins: Mapping[str, str]
    ) -> Iterator[tuple[dict[str, Any], Wanted]]:
        defaults = self._defaults()
        if not names:
            yield from (
                (receipt, Wanted.parse(key)) for key, receipt in defaults.items() if key not in pins
            )
        for name in names:
            wanted = Wanted.parse(name)
            receipt = next((one for one in defaults.values() if wanted.key == one["key"]), None)
            if receipt is None:
                raise self._unknown(name, wanted.key)
            yield receipt, wanted

    def _unknown(self, text: str, name: str) -> UnknownConnector:
        tail = did_you_mean(name, {receipt["key"] for receipt in self._installed.receipts()})
        hint = "Connectors that pip has installed are upgraded and removed by pip."
        return UnknownConnector(
            f"'jackfield install' has installed no connector '{text[:80]}'{tail}", hint=hint
        )


def _revocation(receipt: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any] | None:
    """Return the revocation of an installed release or of its publisher's key; None if neither is
    revoked.
    """
    publisher = receipt["publisher"]
    about = catalogue.revoked().get(publisher["keyId"])
    if about is None:
        gone = next(
            (
                one
                for one in catalogue.connector(str(receipt["key"])).revoked
                if one.sha256 == receipt["sha256"]
            ),
            None,
        )
        about = None if gone is None else {"at": ""}
    if about is None:
        return None
    reason = {"reason": str(about["reason"])} if about.get("reason") else {}
    return {
        "connector": receipt["key"],
        "version": receipt["version"],
        **publisher,
        "at": str(about["at"]),
        **reason,
    }
