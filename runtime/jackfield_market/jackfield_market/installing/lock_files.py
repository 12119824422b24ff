"""Lock files: exactly which connectors and dependencies were installed, so that another machine
installs the same bytes or nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.dependency_rules import Dependency
from jackfield_market.files import write_file
from jackfield_market.names import is_key
from jackfield_market.refusals import NotInstalled
from jackfield_market.releases import Release
from jackfield_market.wheels import is_canonical, read_bounded

_VERSION = 1
_MAX_BYTES = 32 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TEXTS = ("connector", "name", "version", "wheel", "sha256", "keyId", "source")


@dataclass(frozen=True, slots=True)
class Locked:
    """One connector of a lock file."""

    row: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Connector's key."""
        return str(self.row["connector"])

    @property
    def version(self) -> str:
        """Version of the connector."""
        return str(self.row["version"])

    @property
    def source(self) -> str:
        """URL of the catalogue that the connector was installed from."""
        return str(self.row["source"])

    @property
    def dependencies(self) -> list[Dependency]:
        """Dependencies of the connector beyond the host's packages."""
        return [Dependency.from_json(row) for row in self.row["dependencies"]]

    def check(self, release: Release) -> None:
        """Check that a release is the locked one.

        :raises NotInstalled: if its name, hash or publisher differs.
        """
        actual = {
            "name": release.name,
            "wheel": release.wheel,
            "sha256": release.sha256,
            "keyId": release.publisher["keyId"],
        }
        for member, value in actual.items():
            if self.row[member] != value:
                message = (
                    f"'{self.key}' {self.version} differs from the lock file: {member} is "
                    f"'{value}', locked is '{self.row[member]}'"
                )
                raise NotInstalled(
                    "lock", message, "Ask who wrote the lock file, and the catalogue's operator."
                )


@dataclass(frozen=True, slots=True)
class LockFile:
    """Content of a lock file: the pinned root of each source, and the connectors."""

    roots: Mapping[str, str]
    connectors: Sequence[Locked]

    @staticmethod
    def of(receipts: Iterable[Mapping[str, Any]]) -> LockFile:
        """Return the lock file of installed connectors."""
        roots: dict[str, str] = {}
        rows = []
        for receipt in receipts:
            roots[receipt["source"]["url"]] = receipt["source"]["rootSha256"]
            about = {name: receipt[name] for name in ("name", "version", "wheel", "sha256")}
            owner = {
                "publisher": receipt["publisher"]["publisher"],
                "keyId": receipt["publisher"]["keyId"],
            }
            more = {"source": receipt["source"]["url"], "dependencies": receipt["dependencies"]}
            rows.append(Locked({"connector": receipt["key"], **about, **owner, **more}))
        return LockFile(roots, rows)

    def updated(self, other: LockFile) -> LockFile:
        """Return this lock file with the connectors of ``other``, which replace connectors with the
        same keys.
        """
        new = {locked.key for locked in other.connectors}
        connectors = [
            *(locked for locked in self.connectors if locked.key not in new),
            *other.connectors,
        ]
        used = {locked.source for locked in connectors}
        roots = {
            url: digest for url, digest in {**self.roots, **other.roots}.items() if url in used
        }
        return LockFile(roots, sorted(connectors, key=lambda locked: locked.key))

    def write(self, path: str) -> None:
        """Write the file; the same content gives the same bytes.

        :raises InvalidInvocation: if it cannot be written.
        """
        sources = {url: {"rootSha256": digest} for url, digest in sorted(self.roots.items())}
        data = {
            "lockVersion": _VERSION,
            "sources": sources,
            "connectors": [dict(locked.row) for locked in self.connectors],
        }
        write_file(path, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())


def read_lock(path: str) -> LockFile:
    """Read a lock file.

    :raises InvalidInvocation: if the file cannot be read or is not a lock file.
    """
    try:
        data = json.loads(read_bounded(path, _MAX_BYTES))
        if data["lockVersion"] != _VERSION:
            raise InvalidInvocation(
                f"the lock file '{path}' has the version {data['lockVersion']!r}, not {_VERSION}"
            )
        rows = [Locked(row) for row in data["connectors"]]
        roots = {url: source["rootSha256"] for url, source in data["sources"].items()}
        complete = all(isinstance(locked.row[name], str) for locked in rows for name in _TEXTS)
        complete &= all(
            locked.source in roots and locked.dependencies is not None for locked in rows
        )
        complete &= all(is_key(locked.key) and is_canonical(locked.version) for locked in rows)
        complete &= all(
            _SHA256.fullmatch(digest)
            for digest in (*roots.values(), *(locked.row["sha256"] for locked in rows))
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        complete, rows, roots = False, [], {}
    if not complete:
        raise InvalidInvocation(
            f"'{path}' is not a lock file",
            hint="Write one with 'jackfield install NAME --from URL --lock FILE'.",
        )
    return LockFile(roots, rows)
