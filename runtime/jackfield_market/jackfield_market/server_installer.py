"""Installer of a server, from the catalogues that its operator names into the data folder that the
server reads.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from jackfield.kernel.clock import Clock, SystemClock
from jackfield.kernel.errors import InvalidInvocation, JackfieldError
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.local import home
from jackfield_market.installing.operations import Operations, Options
from jackfield_market.installing.receipts import Installed
from jackfield_market.installing.sources import Source, read_root

_LOG = logging.getLogger("jackfield.market")
_PATH = re.compile(r"(?<![\w:/.<>$])(?:/[\w.+~-]+){2,}/?")
"""Regular expression of an absolute path that is not part of a URL."""
_KEPT = 300.0
"""Seconds for which pages display the cached comparison with the catalogues."""
_SHOWN = (
    "name",
    "version",
    "publisher",
    "sha256",
    "source",
    "grade",
    "permissions",
    "hosts",
    "installedAt",
)
_RELEASE = (
    "name",
    "version",
    "title",
    "description",
    "publisher",
    "grade",
    "permissions",
    "hosts",
    "licence",
)


def installer_of(sources: Sequence[str], roots: Sequence[str]) -> Callable[[], ServerInstaller]:
    """Return a factory of installers, one for each server process. ``roots`` are files of the
    trusted ``root.json`` of each source, or none.

    :raises InvalidInvocation: if a source is neither a URL nor a folder, or is read over plain HTTP
        without a root of trust.
    """
    known = tuple(Source.parse(text) for text in sources)
    for source in known if not roots else ():
        source.require_privacy()
    trusted = {source.url: read_root(path) for source, path in zip(known, roots, strict=False)}
    return partial(
        ServerInstaller, home(os.environ), tuple(source.url for source in known), trusted
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """Cached rows of ``outdated``, the installed versions that they describe, and the time of their
    expiry.
    """

    index: bytes
    rows: list[dict[str, Any]]
    until: float


class ServerInstaller(ProcessLocal):
    """Operations on the connectors of the data folder ``home``.

    ``sources`` are the only permitted catalogues; ``roots`` are contents of their trusted
    ``root.json``, by URL. Each call except ``newer`` reads the catalogues and the policy again,
    since it may come days after the previous call. Thread-safe.
    """

    def __init__(
        self,
        home: str,
        sources: Sequence[str],
        roots: Mapping[str, bytes] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._home = home
        self._clock = clock or SystemClock()
        self._compared: _Compared | None = None
        self._comparing = threading.Lock()
        self._roots = roots or {}
        self.sources = tuple(sources)

    def installed(self) -> list[dict[str, Any]]:
        """Return a row for each installed version, the default version of each key first."""
        installed = Installed(self._home)
        pins, seen, rows = installed.pins(), set(), []
        for key in sorted({str(receipt["key"]) for receipt in installed.receipts()}):
            mine = sorted(
                installed.of(key),
                key=lambda receipt: receipt["version"] != pins.get(receipt["key"]),
            )
            for receipt in mine:
                rows.append({**_row(receipt, _SHOWN), "default": key not in seen})
                seen.add(key)
        return rows

    def available(self) -> list[dict[str, Any]]:
        """Return a row for each connector of the catalogues, with its highest version.

        :raises JackfieldError: if a catalogue cannot be read, or is not the pinned one.
        """
        present = {row["connector"]: row["version"] for row in reversed(self.installed())}
        rows = []
        with self._without_paths():
            operations = self._operations()
            for source in self.sources:
                for release, versions in operations.newest(source):
                    row = {**_row(release.data, _RELEASE), "versions": versions, "source": source}
                    if row["connector"] in present:
                        row["installed"] = present[row["connector"]]
                    rows.append(row)
        return sorted(rows, key=lambda row: str(row["title"]).casefold())

    def outdated(self) -> list[dict[str, Any]]:
        """Return a row for each connector with a newer release, a revoked key, or a source that
        cannot be read.
        """
        with self._without_paths():
            rows = self._operations().outdated()
        return [
            {name: self._plain(value) if name == "error" else value for name, value in row.items()}
            for row in rows
        ]

    def newer(self) -> list[dict[str, Any]]:
        """Return the cached rows of ``outdated``, for a page that many people open. Concurrent
        calls wait for one reading of the catalogues.

        The rows expire after five minutes, and as soon as a process has installed, chosen or
        removed a version.
        """
        with self._comparing:
            index, now = Installed(self._home).index(), self._clock.monotonic()
            found = self._compared
            if found is None or found.index != index or now >= found.until:
                found = self._compared = _Compared(index, self.outdated(), now + _KEPT)
            return found.rows

    def revoked(self) -> list[dict[str, Any]]:
        """Read the revocations of installed connectors and return a row for each. A new one is
        logged as a warning, once for all processes.
        """
        with self._without_paths():
            return self._operations().revoked()

    def install(self, name: str, source: str | None, *, pin: bool = False) -> dict[str, Any]:
        """Verify and install a connector; ``pin`` makes this version the default.

        :raises InvalidInvocation: if ``source`` is not one of the server's catalogues, or is
            missing although there are several.
        :raises JackfieldError: if the connector is refused.
        """
        if source is None and len(self.sources) == 1:
            source = self.sources[0]
        if source not in self.sources:
            raise InvalidInvocation(
                "the catalogue is not one of this server's",
                hint=f"Give one of these as 'from': {', '.join(self.sources)}.",
            )
        with self._without_paths():
            done = self._operations().install(name, source, pin=pin)
        return {**_row(done.receipt, _SHOWN), "changed": done.changed}

    def upgrade(self, name: str, *, breaking: bool, dry_run: bool) -> dict[str, Any]:
        """Upgrade a connector, or only compare versions with ``dry_run``. Return changes and
        refusals.
        """
        with self._without_paths():
            found = self._operations().upgrade([name], breaking=breaking, dry_run=dry_run)
        refused = [{**row, "error": self._plain(row["error"])} for row in found["refused"]]
        return {**found, "refused": refused}

    def uninstall(self, name: str) -> list[dict[str, str]]:
        """Remove the matching versions of a connector and return a row for each.

        :raises UnknownConnector: if no matching version is installed.
        """
        with self._without_paths():
            return self._operations().uninstall(name)

    @contextmanager
    def _without_paths(self) -> Iterator[None]:
        """Remove this machine's paths from an error, since its readers are callers of the
        server.
        """
        try:
            yield
        except JackfieldError as error:
            error.message, error.hint = self._plain(error.message), self._plain(error.hint)
            error.details = tuple(
                replace(detail, message=self._plain(detail.message)) for detail in error.details
            )
            raise

    def _plain(self, found: Any) -> Any:
        if isinstance(found, str):
            for home in {self._home, os.path.abspath(self._home)}:
                found = found.replace(home, "JACKFIELD_HOME")
            return _PATH.sub("(a path of the server)", found)
        if isinstance(found, dict):
            return {
                name: value if name == "path" else self._plain(value)
                for name, value in found.items()
            }
        return [self._plain(value) for value in found] if isinstance(found, list) else found

    def _operations(self) -> Operations:
        return Operations(self._home, Options(warn=_LOG.warning, roots=self._roots))


def _row(data: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {"connector": data["key"], **{name: data[name] for name in names if name in data}}
