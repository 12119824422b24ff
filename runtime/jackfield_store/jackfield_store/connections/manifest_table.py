"""Accepted manifests of live MCP servers: a workspace's own, and the servers that ``default``
shares.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.catalog.loading import BINDINGS, LIVE, chosen
from jackfield.kernel.bounded_cache import BoundedCache
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import InvalidInvocation, UnknownConnector
from jackfield.kernel.hints import NextStep
from jackfield.manifest.manifest import Manifest
from jackfield_store.database import Row, SealBroken, Transaction, UniqueViolation
from jackfield_store.database.epoch import EpochCache
from jackfield_store.database.setting_rows import LIVE_PREFIX
from jackfield_store.keys.vault import SealedTable, Vault

if TYPE_CHECKING:
    from jackfield.catalog.live import LiveKind
    from jackfield.connections.named_connection import Origin
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Database

SERVER = "default"
"""Workspace whose shared servers all workspaces can use."""
COLUMNS = (
    "workspace, name, version, url, trust, origin, is_shared, tools, sealed, created_at, "
    "accepted_at"
)
_KEPT = 64
"""Maximum number of manifests that a runtime caches, older versions included."""
_VISIBLE = f"(workspace = :workspace OR (workspace = '{SERVER}' AND is_shared = 1))"
_NEAREST = "ORDER BY CASE WHEN workspace = :workspace THEN 0 ELSE 1 END"
_KEYS = (
    f"SELECT workspace, name, version, origin, created_at FROM mcp_servers WHERE {_VISIBLE} "
    f"{_NEAREST} DESC, name"
)
_FIND = f"SELECT {COLUMNS} FROM mcp_servers WHERE name = :name AND {_VISIBLE} {_NEAREST} LIMIT 1"
_ONE = f"SELECT {COLUMNS} FROM mcp_servers WHERE workspace = :workspace AND name = :name"
_ANYWHERE = "SELECT workspace FROM mcp_servers WHERE name = :name ORDER BY workspace LIMIT 1"
_LIST = f"""
SELECT {COLUMNS} FROM mcp_servers own WHERE name > :after AND (workspace = :workspace OR (
    workspace = '{SERVER}' AND is_shared = 1 AND NOT EXISTS (
        SELECT 1 FROM mcp_servers hiding WHERE hiding.workspace = :workspace AND hiding.name = own.name
))) ORDER BY name LIMIT :limit
"""
_INSERT = f"""
INSERT INTO mcp_servers ({COLUMNS})
VALUES (:workspace, :name, 1, :url, :trust, :origin, :is_shared, :tools, :sealed, :now, :now)
"""
_UPDATE = """
UPDATE mcp_servers SET version = version + 1, tools = :tools, sealed = :sealed, accepted_at = :now
WHERE workspace = :workspace AND name = :name AND version = :version
"""
_REMOVE = "DELETE FROM mcp_servers WHERE workspace = :workspace AND name = :name"
_USERS = (
    "SELECT workspace, name FROM connections WHERE type LIKE :type ESCAPE '!' {where} ORDER "
    "BY workspace, name LIMIT 1000"
)
_CHANGED = "Remove it and add it again. Then find out who else writes to the database."

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredServer:
    """Row of a live server: its workspace, and its accepted manifest. ``origin`` is the origin of
    the person who added the server.
    """

    workspace: str
    name: str
    version: int
    url: str
    trust: str
    origin: str
    is_shared: bool
    manifest: dict[str, Any]
    created_at: float
    accepted_at: float


def kind() -> LiveKind:
    """Return the installed package's knowledge of MCP servers.

    :raises InvalidInvocation: if no installed package knows MCP servers.
    """
    found: LiveKind | None = chosen(BINDINGS, f"mcp.{LIVE}")
    if found is None:
        raise InvalidInvocation(
            "MCP servers need the package jackfield-mcp, which is not installed",
            hint="Install it: pip install jackfield-mcp.",
        )
    return found


class ManifestTable(SealedTable):
    """Live servers of one workspace, for its installed connectors and its managers. Thread-safe."""

    prefix = LIVE_PREFIX

    def __init__(
        self, database: Database, vault: Callable[[], Vault], workspace: str, clock: Clock
    ) -> None:
        super().__init__(database, vault, workspace, clock)
        self._seen: EpochCache[str, Mapping[str, Row]] = EpochCache(database.epoch, 1)
        self._manifests: BoundedCache[tuple[object, ...], Manifest] = BoundedCache(_KEPT)
        self._versions: BoundedCache[tuple[str, str], tuple[Manifest, str]] = BoundedCache(_KEPT)
        """Manifests by key and version, each with the origin of its server."""
        self._connectors: BoundedCache[tuple[str, str], Any] = BoundedCache(_KEPT)

    def keys(self) -> Sequence[str]:
        """Return the keys of the connectors that the workspace sees, sorted.

        :raises Unavailable: if the database cannot be read.
        """
        return sorted(LIVE_PREFIX + name for name in self._rows())

    def find(self, key: str) -> Manifest | None:
        """Return the manifest of a connector; None if the workspace sees no connector with this
        key.

        :raises UnknownConnector: if its row was changed in the database.
        """
        name = key.removeprefix(LIVE_PREFIX)
        row = self._rows().get(name)
        if row is None:
            return None
        about = row.workspace, name, row.version, row.created_at
        found = self._manifests.get(about)
        if found is None:
            whole = self.visible_row(name)
            if whole is None:  # removed since
                return None
            found = _read(self._vault(), whole, key)
            self._manifests.put(about, found)
            self._versions.put((key, found.version), (found, row.origin))
        return found

    def load(self, key: str, version: str | None = None) -> Any:
        """Return the connector of a manifest, of the version that ``find`` has returned.

        :raises UnknownConnector: if there is no such connector.
        """
        present = self.find(key) if version is None else None
        known = self._versions.get(
            (key, version if version is not None else "" if present is None else present.version)
        )
        if known is None:
            raise UnknownConnector(
                f"no connector '{key[:80]}' of this version is installed any more",
                hint=NextStep("connectors"),
            )
        manifest, origin = known
        about = key, manifest.version
        found = self._connectors.get(about)
        if found is None:
            hint = NextStep("mcp_server_review", name=key.removeprefix(LIVE_PREFIX))
            found = kind().connector(manifest, hint, abroad=origin == "remote")
            self._connectors.put(about, found)
        return found

    def has_loaded(self, key: str, version: str | None = None) -> bool:
        """Return whether ``load`` needs neither the database nor an import."""
        return version is not None and self._connectors.get((key, version)) is not None

    def visible_row(self, name: str) -> Row | None:
        """Return the row of the workspace's own server, else of a shared one; None without such a
        server.
        """
        return self._database.look_up(_FIND, {"workspace": self._workspace, "name": name})

    def row(self, name: str) -> Row | None:
        """Return the row of the workspace's own server; None without such a server."""
        return self._database.look_up(_ONE, {"workspace": self._workspace, "name": name})

    def page(self, after: str, limit: int) -> Sequence[Row]:
        """Return rows by name: the workspace's own servers, and the shared servers of other
        names.
        """
        with self._database.read(flush=False) as transaction:
            return transaction.execute(
                _LIST, {"workspace": self._workspace, "after": after, "limit": limit}
            )

    def taken(self, transaction: Transaction, name: str) -> str | None:
        """Return the workspace that has a server of this name which a new server would hide; None
        without such a workspace.
        """
        found = transaction.find(_FIND, {"workspace": self._workspace, "name": name})
        return None if found is None else str(found.workspace)

    def anywhere(self, transaction: Transaction, name: str) -> str | None:
        """Return a workspace that has a server of this name; None if none has."""
        found = transaction.find(_ANYWHERE, {"name": name})
        return None if found is None else str(found.workspace)

    def add(
        self,
        transaction: Transaction,
        name: str,
        url: str,
        trust: str,
        origin: Origin,
        manifest: Json,
        *,
        is_shared: bool,
    ) -> bool:
        """Store a new server; return False if the name is taken."""
        about = url, trust, origin, is_shared
        values = {
            "workspace": self._workspace,
            "name": name,
            "url": url,
            "trust": trust,
            "origin": origin,
            "is_shared": int(is_shared),
            "tools": len(manifest["actions"]),
            "sealed": self._sealed(name, 1, about, manifest),
            "now": self._clock.time(),
        }
        try:
            with transaction.savepoint():
                transaction.change(_INSERT, values)
        except UniqueViolation:
            return False
        return True

    def replace(self, transaction: Transaction, row: StoredServer, manifest: Json) -> bool:
        """Store another manifest of a server; return False if ``row`` is not the present
        version.
        """
        about = row.url, row.trust, row.origin, row.is_shared
        values = {
            "workspace": self._workspace,
            "name": row.name,
            "version": row.version,
            "tools": len(manifest["actions"]),
            "sealed": self._sealed(row.name, row.version + 1, about, manifest),
            "now": self._clock.time(),
        }
        return transaction.change(_UPDATE, values) == 1

    def remove(self, transaction: Transaction, name: str) -> bool:
        """Delete a server; return False if it does not exist."""
        return transaction.change(_REMOVE, {"workspace": self._workspace, "name": name}) == 1

    def users(
        self, transaction: Transaction, name: str, *, everywhere: bool
    ) -> list[tuple[str, str]]:
        """Return workspace and name of up to 1,000 connections of a server's types, of this
        workspace or of all.
        """
        where = "" if everywhere else "AND workspace = :workspace"
        values = {"workspace": self._workspace, "type": f"{LIVE_PREFIX}{name}/%"}
        return [
            (row.workspace, row.name)
            for row in transaction.execute(_USERS.format(where=where), values)
        ]

    def prepare(self) -> None:
        """Get the keys before a transaction needs them."""
        self._vault().prepare(self._workspace)

    def _rows(self) -> Mapping[str, Row]:
        return self._seen.find("", partial(self._look, {"workspace": self._workspace}))

    def _look(self, values: Json) -> Mapping[str, Row]:
        with self._database.read(flush=False) as transaction:
            return {row.name: row for row in transaction.execute(_KEYS, values)}

    def _sealed(
        self, name: str, version: int, about: tuple[str, str, str, bool], manifest: Json
    ) -> bytes:
        content = zlib.compress(
            json.dumps(manifest, ensure_ascii=False, separators=(",", ":")).encode(
                "utf-8", "surrogatepass"
            )
        )
        return self._vault().seal(self._workspace, server_place(name, version, *about), content)


def server_place(
    name: str, version: int, url: str, trust: str, origin: str, is_shared: object
) -> tuple[str, ...]:
    """Return the place that a manifest is sealed for: the facts that decide who calls which
    server.
    """
    return ("mcp-server", name, str(version), url, trust, origin, str(bool(is_shared)))


def opened_server(vault: Vault, row: Row) -> StoredServer:
    """Return the server in a row.

    :raises SealBroken: if the row was changed in the database.
    """
    place = server_place(row.name, row.version, row.url, row.trust, row.origin, row.is_shared)
    content = zlib.decompress(vault.open(row.workspace, place, row.sealed))
    manifest: dict[str, Any] = json.loads(content.decode("utf-8", "surrogatepass"))
    return StoredServer(
        row.workspace,
        row.name,
        row.version,
        row.url,
        row.trust,
        row.origin,
        bool(row.is_shared),
        manifest,
        row.created_at,
        row.accepted_at,
    )


def opened(vault: Vault, row: Row) -> StoredServer:
    """Return the server in a row, for its workspace.

    :raises UnknownConnector: if the row was changed in the database.
    """
    try:
        return opened_server(vault, row)
    except SealBroken:
        text = f"the MCP server '{row.name}' cannot be used: its row was changed in the database"
        raise UnknownConnector(text, hint=_CHANGED) from None


def _read(vault: Vault, row: Row, key: str) -> Manifest:
    raw = opened(vault, row).manifest
    return Manifest.from_json({**raw, "key": "mcp"}).part(key=key, raw=raw)
