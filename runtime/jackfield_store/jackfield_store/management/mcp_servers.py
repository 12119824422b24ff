"""Live MCP servers of a workspace: added, compared with the accepted state, accepted tool by tool,
removed; all in the audit log.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from jackfield.kernel.canonical import canonical
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidInvocation, NotAllowed
from jackfield.kernel.hints import NextStep
from jackfield.kernel.stored_values import problem_of_times
from jackfield.wire.guard import ANYWHERE, Guard
from jackfield_store.access import Audit
from jackfield_store.access.tokens import is_operators
from jackfield_store.connections.manifest_table import (
    SERVER,
    ManifestTable,
    StoredServer,
    kind,
    opened,
)
from jackfield_store.database.setting_rows import LIVE_PREFIX, MCP_SERVERS

if TYPE_CHECKING:
    from jackfield.callers.actor import Actor
    from jackfield.catalog.live import Described, Pin
    from jackfield.connections.named_connection import Origin
    from jackfield.runtime import Jackfield
    from jackfield_store.database import Row
    from jackfield_store.resources.storage import Storage

TRUST = ("none", "annotations")
MOST = 100
"""Maximum number of a workspace's own servers."""
_NAME = re.compile(r"(?=.{1,40}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME_EXPECTED = "must be in kebab-case, at most 40 characters: acme-notes"
_LARGEST = 4 * 1024 * 1024
"""Maximum size of a manifest, in bytes."""
_MOST_NAMED = 10
_DIGITS = 8
_TEXTS = ("title", "description")

Json = Mapping[str, Any]


class ServerTaken(InvalidInvocation):
    """Error for the name of a new server that another server has already."""

    http_status = 409
    problem = "name_taken"


class ServerInUse(InvalidInvocation):
    """Error for a server that has connections of its types, or was changed meanwhile."""

    http_status = 409
    problem = "conflict"


@dataclass(frozen=True, slots=True)
class ServerWish:
    """Server to add. ``credentials`` are a header field and its value for listing the tools; they
    are not stored.
    """

    name: str
    url: str
    title: str = ""
    trust: str = "none"
    shared: bool = False
    credentials: tuple[str, str] | None = None


class McpServers:
    """Live MCP servers of one workspace. Servers that ``default`` shares are visible in all
    workspaces, but changed only in ``default``.
    """

    def __init__(self, jackfield: Jackfield, actor: Actor, origin: Origin, guard: Guard) -> None:
        storage = cast("Storage", jackfield.storage)
        self._jackfield, self._storage, self._workspace = jackfield, storage, jackfield.workspace
        self._table = ManifestTable(
            storage.database, lambda: storage.vault, self._workspace, jackfield.clock
        )
        self._audit = Audit(
            storage.database, lambda: storage.vault, self._workspace, jackfield.clock, actor
        )
        self._origin, self._guard, self._actor = origin, guard, actor

    def add(self, wish: ServerWish, found: Described | None = None) -> dict[str, Any]:
        """List a server's tools, unless ``found`` has them, accept them unchanged, and store the
        server. If the list requires a sign-in, the server has no tools yet: connect it, then accept
        them over the connection.

        :raises InvalidInvocation: with all faults at once, or if the name is taken.
        :raises NotAllowed: if the workspace may not add servers, or not this one.
        :raises JackfieldError: if the server cannot be reached.
        """
        self._require_allowed(wish)
        _check(wish)
        if found is None:
            found = asked(wish, self._guard if self._origin == "remote" else None)
        manifest = _versioned(found.manifest, 1)
        self._table.prepare()
        with self._storage.database.write() as transaction:
            if len(self._table.page("", MOST + 1)) > MOST:
                raise InvalidInvocation(
                    f"the workspace has {MOST} MCP servers, which is the limit",
                    hint="Remove one that is not used.",
                )
            taken = (
                self._table.anywhere(transaction, wish.name)
                if wish.shared
                else self._table.taken(transaction, wish.name)
            )
            if taken is not None:
                where = (
                    ""
                    if taken == self._workspace
                    else " that all workspaces share"
                    if taken == SERVER
                    else " in a workspace"
                )
                raise ServerTaken(
                    f"there is an MCP server '{wish.name}'{where} already",
                    hint="Choose another name, or remove that one.",
                )
            left = self._table.users(transaction, wish.name, everywhere=wish.shared)
            if left:
                raise ServerInUse(
                    f"{_counted(left, wish.name)}, which were made for another server",
                    hint="Remove them first.",
                )
            url = str(manifest["servers"][0]["url"])
            if not self._table.add(
                transaction,
                wish.name,
                url,
                wish.trust,
                self._origin,
                manifest,
                is_shared=wish.shared,
            ):
                raise ServerTaken(
                    f"there is an MCP server '{wish.name}' already", hint="Choose another name."
                )
            about = {
                "url": url,
                "trust": wish.trust,
                "shared": wish.shared,
                "tools": len(manifest["actions"]),
            }
            self._audit.append(transaction, "mcp_server.created", f"mcp-server:{wish.name}", about)
        return {**self.show(wish.name), **_reported(found)}

    def page(
        self, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of servers by name, including shared ones, and the cursor of the next page,
        None on the last page.
        """
        rows = self._table.page(cursor or "", limit + 1)
        return [self._summary(row) for row in rows[:limit]], rows[limit - 1].name if len(
            rows
        ) > limit else None

    def show(self, name: str) -> dict[str, Any]:
        """Return a server and its tools as they were accepted.

        :raises InvalidInvocation: if the workspace sees no such server.
        """
        row = self._table.visible_row(name)
        if row is None:
            raise unknown(name)
        stored = opened(self._storage.vault, row)
        left = stored.manifest.get("mcp", {}).get("leftOut")
        found = {
            **self._summary(row),
            "tools": _tools(kind().pins(stored.manifest), stored.manifest),
        }
        return {**found, "leftOut": left} if left else found

    def review(
        self,
        name: str,
        *,
        connection: str | None = None,
        credentials: tuple[str, str] | None = None,
    ) -> dict[str, Any]:
        """Compare a server's tools with the accepted ones: ``changed`` with the members that
        differ, ``new``, ``gone`` and ``leftOut``. The server is called over ``connection``, if one
        is given.

        :raises InvalidInvocation: if the workspace has no such server of its own.
        :raises JackfieldError: if the server cannot be called.
        """
        stored = self._own(name)
        found = self._described(stored, connection, credentials)
        return {
            "name": name,
            "version": stored.version,
            **_difference(stored.manifest, found),
            **_reported(found),
        }

    def accept(
        self,
        name: str,
        tools: Collection[str] = (),
        *,
        connection: str | None = None,
        credentials: tuple[str, str] | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Accept the current form of ``tools``, or of all; tools that the server no longer has are
        left out. ``digests`` are the digests of the reviewed tools: a tool with another digest is
        refused.

        :raises InvalidInvocation: if the workspace has no such server of its own, or a tool is
            neither the server's nor an accepted one.
        :raises ServerInUse: if it was changed meanwhile, or a tool differs from the reviewed one.
        :raises JackfieldError: if the server cannot be called.
        """
        stored = self._own(name)
        found = self._described(stored, connection, credentials)
        if found.needs_sign_in:
            raise InvalidInvocation(
                "the server lists its tools for those who sign in only",
                hint="Name a connection over which to ask it.",
            )
        wanted = _tools_to_accept(stored.manifest, found, tools, digests or {})
        merged = kind().accepted(stored.manifest, found.manifest, wanted)
        changes = _difference(stored.manifest, found)
        if any(row["tool"] in wanted for rows in changes.values() for row in rows):
            about = {
                group: [row["tool"] for row in rows if row["tool"] in wanted][:_MOST_NAMED]
                for group, rows in changes.items()
            }
            self._store(stored, merged, about)
        return self.show(name)

    def overlay(self, name: str, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Set properties of tools, which override the server's. For each tool, give the members to
        change (``effect``, ``idempotencyKey``, ``toolError``, ``pagination``). None resets a
        member, and an object without members resets all. The server is not called.

        :raises InvalidInput: if a member is unknown, or does not fit the tool.
        :raises InvalidInvocation: if the workspace has no such server of its own, or the server no
            such tool.
        :raises ServerInUse: if it was changed meanwhile.
        """
        stored = self._own(name)
        pins, said = kind().pins(stored.manifest), kind().overlays(stored.manifest)
        keys = {
            **{pin.action: pin.action for pin in pins.values()},
            **{tool: pin.action for tool, pin in pins.items()},
        }
        for tool in changes:
            if tool not in keys:
                raise InvalidInvocation(
                    f"no tool '{tool[:100]}' of the server was accepted",
                    hint="Show the server: it lists them.",
                )
        merged = {
            keys[tool]: _settings_of_tool(said.get(keys[tool], {}), change)
            for tool, change in changes.items()
        }
        if merged:
            manifest = kind().overlaid(stored.manifest, merged)
            if manifest != stored.manifest:
                self._store(
                    stored, manifest, {"overlaid": dict(list(merged.items())[:_MOST_NAMED])}
                )
        return self.show(name)

    def remove(self, name: str) -> dict[str, Any]:
        """Delete a server without connections: its actions are gone, and calls that wait for an
        approval are refused.

        :raises ServerInUse: if there are connections of its types.
        :raises InvalidInvocation: if the workspace has no such server of its own.
        """
        stored = self._own(name)
        with self._storage.database.write() as transaction:
            users = self._table.users(transaction, name, everywhere=stored.is_shared)
            if users:
                raise ServerInUse(
                    f"{_counted(users, name)}: {_text_of_users(users, self._workspace)}",
                    hint="Remove them first.",
                )
            if not self._table.remove(transaction, name):
                raise unknown(name)
            self._audit.append(
                transaction, "mcp_server.removed", f"mcp-server:{name}", {"url": stored.url}
            )
        return {"removed": name}

    def _store(self, stored: StoredServer, merged: Json, about: Mapping[str, Any]) -> None:
        self._table.prepare()
        with self._storage.database.write() as transaction:
            if not self._table.replace(transaction, stored, _versioned(merged, stored.version + 1)):
                raise ServerInUse(
                    f"the MCP server '{stored.name}' was changed meanwhile", hint="Review it again."
                )
            self._audit.append(
                transaction, "mcp_server.changed", f"mcp-server:{stored.name}", about
            )

    def _own(self, name: str) -> StoredServer:
        row = self._table.row(name)
        if row is None:
            if self._table.visible_row(name) is not None:
                raise NotAllowed(
                    f"the MCP server '{name[:100]}' is the operator's, who shares it",
                    hint="Ask the operator to change it.",
                )
            raise unknown(name)
        if row.is_shared:
            self._require_operator()
        return opened(self._storage.vault, row)

    def _require_operator(self) -> None:
        """Refuse a change of data that all workspaces see, unless the operator makes it.

        :raises NotAllowed: if the caller is not the operator.
        """
        storage = self._storage
        if self._origin == "operator" or is_operators(
            storage.database, storage.vault, self._workspace, self._jackfield.clock, self._actor
        ):
            return
        text = (
            "not allowed: all workspaces see a shared MCP server, and only the operator changes it"
        )
        raise NotAllowed(
            text, hint="Ask a platform-admin, or add it to the workspace that uses it."
        )

    def _described(
        self, stored: StoredServer, connection: str | None, credentials: tuple[str, str] | None
    ) -> Described:
        pins = kind().pins(stored.manifest)
        options: dict[str, Any] = {
            "title": str(stored.manifest["title"]),
            "trust": stored.trust,
            "pins": pins,
        }
        options["overlay"] = kind().overlays(stored.manifest)
        if connection is not None:
            lent = self._jackfield.lend(connection, LIVE_PREFIX + stored.name)
            return kind().described(
                LIVE_PREFIX + stored.name, stored.url, client=lent.client(), **options
            )
        guard = self._guard if "remote" in (self._origin, stored.origin) else None
        return kind().described(
            LIVE_PREFIX + stored.name, stored.url, credentials=credentials, guard=guard, **options
        )

    def _require_allowed(self, wish: ServerWish) -> None:
        """Refuse a server that this caller may not add.

        :raises NotAllowed: if the caller may not add it.
        """
        if wish.shared and self._workspace != SERVER:
            raise NotAllowed(
                f"only the workspace '{SERVER}' shares MCP servers with all",
                hint="Add it to this workspace alone.",
            )
        if self._origin != "remote":
            return
        if wish.shared:
            self._require_operator()
        if self._workspace != SERVER and self._storage.shared_setting(MCP_SERVERS) != "workspaces":
            hint = f"The operator can allow it: the setting {MCP_SERVERS} is 'workspaces' then."
            raise NotAllowed("this workspace may not add MCP servers", hint=hint)
        try:
            parts = urlsplit(wish.url)
            host, is_plain = parts.hostname or "", parts.scheme == "http"
        except ValueError:
            return
        if host and (not self._guard.permits(host) or (is_plain and Guard().permits(host))):
            raise NotAllowed(
                "the server has no public https address",
                hint="Give one that begins with https:// and is public.",
            )

    def _summary(self, row: Row) -> dict[str, Any]:
        return {
            "name": row.name,
            "connector": LIVE_PREFIX + row.name,
            "url": row.url,
            "trust": row.trust,
            "shared": bool(row.is_shared),
            "inherited": row.workspace != self._workspace,
            "actions": row.tools,
            "version": row.version,
            "createdAt": iso(row.created_at),
            "acceptedAt": iso(row.accepted_at),
            **problem_of_times(row.created_at, row.accepted_at),
        }


def asked(wish: ServerWish, guard: Guard | None) -> Described:
    """List a server's tools; ``guard`` limits the hosts that may be reached.

    :raises InvalidInvocation: if the server has no tools.
    :raises JackfieldError: if the server cannot be reached.
    """
    options: dict[str, Any] = {
        "title": wish.title,
        "trust": wish.trust,
        "credentials": wish.credentials,
        "guard": guard,
    }
    found = kind().described(LIVE_PREFIX + wish.name, wish.url, **options)
    if not found.manifest["actions"] and not found.needs_sign_in:
        text, reasons = kind().unusable(found.report)
        details = [Detail("/url", reason) for reason in reasons]
        raise InvalidInvocation(
            text, details=details, hint="See its documentation, and whether it wants a sign-in."
        )
    return found


def mcp_servers(
    jackfield: Jackfield, actor: Actor, origin: Origin, guard: Guard = ANYWHERE
) -> McpServers:
    """Return the live MCP servers of a runtime's workspace; the audit log attributes changes to
    ``actor``. ``guard`` limits the hosts that a remote ``origin`` reaches.

    :raises InvalidInvocation: if there is no database.
    """
    if not jackfield.storage.enabled:
        raise InvalidInvocation(
            "MCP servers need a database, and there is none",
            hint="Set JACKFIELD_DATABASE_URL to a database URL.",
        )
    return McpServers(jackfield, actor, origin, guard)


def unknown(name: str) -> InvalidInvocation:
    """Return the error for a server that the workspace does not have."""
    return InvalidInvocation(f"no MCP server is named '{name[:100]}'", hint=NextStep("mcp_servers"))


def _check(wish: ServerWish) -> None:
    faults = [] if _NAME.fullmatch(wish.name) else [Detail("/name", _NAME_EXPECTED, "pattern")]
    faults += (
        [] if wish.trust in TRUST else [Detail("/trust", f"must be {' or '.join(TRUST)}", "enum")]
    )
    faults += (
        []
        if len(wish.url) <= 2_000
        else [Detail("/url", "must have at most 2,000 characters", "maxLength")]
    )
    faults += (
        []
        if len(wish.title) <= 60 and wish.title.isprintable()
        else [Detail("/title", "must be a line of at most 60 characters", "maxLength")]
    )
    if faults:
        count = (
            "1 member of the MCP server is"
            if len(faults) == 1
            else f"{len(faults)} members of the MCP server are"
        )
        raise InvalidInvocation(f"{count} not valid", details=faults)


def _versioned(manifest: Json, number: int) -> dict[str, Any]:
    """Return a manifest with its version: the number of the acceptance, and a digest, so that no
    other manifest has that version.

    :raises InvalidInvocation: if it is too large.
    """
    digest, size = hashlib.sha256(), 0
    for piece in canonical({**manifest, "version": ""}):
        digest.update(piece)
        size += len(piece)
    if size > _LARGEST:
        raise InvalidInvocation(
            f"the server's tools are larger than {_LARGEST:,} bytes together",
            hint="Accept some of its tools only.",
        )
    return {**manifest, "version": f"1.0.{number}+{digest.hexdigest()[:_DIGITS]}"}


def _difference(stored: Json, found: Described) -> dict[str, list[dict[str, Any]]]:
    was, now = kind().pins(stored), kind().pins(found.manifest)
    before, after = _rows(stored), _rows(found.manifest)
    changed = [
        _changed(tool, (was[tool], before[was[tool].action]), (pin, after[pin.action]))
        for tool, pin in sorted(now.items())
        if tool in was and was[tool].digest != pin.digest
    ]
    fresh = _tools({tool: pin for tool, pin in now.items() if tool not in was}, found.manifest)
    gone = (
        []
        if found.needs_sign_in
        else [
            {"tool": tool, "action": pin.action}
            for tool, pin in sorted(was.items())
            if tool not in now
        ]
    )
    return {"changed": changed, "new": fresh, "gone": gone}


def _changed(tool: str, was: tuple[Pin, Json], now: tuple[Pin, Json]) -> dict[str, Any]:
    """Return the changes of a tool; ``effect`` is its effect after acceptance."""
    (pinned, before), (pin, after) = was, now
    members = sorted(
        name
        for name in {*pinned.parts, *pin.parts}
        if pinned.parts.get(name) != pin.parts.get(name)
    )
    texts = {
        name: {"was": before.get(name, ""), "is": after.get(name, "")}
        for name in _TEXTS
        if before.get(name) != after.get(name)
    }
    schemas = {
        name: {"was": before[name], "is": after[name]}
        for name in ("inputs", "output")
        if before[name] != after[name]
    }
    about = {
        "tool": tool,
        "action": pin.action,
        "effect": after["effect"],
        "digest": pin.digest,
        "members": members,
    }
    return {**about, **texts, **schemas}


def _tools(pins: Mapping[str, Pin], manifest: Json) -> list[dict[str, Any]]:
    """Return the tools of a manifest for display, by name; ``overlay`` has the operator's settings
    of a tool.
    """
    rows, said = _rows(manifest), kind().overlays(manifest)
    found = []
    for tool, pin in sorted(pins.items()):
        row = rows[pin.action]
        shown = {
            "tool": tool,
            "action": pin.action,
            "title": row["title"],
            "effect": row["effect"],
            "digest": pin.digest,
        }
        shown |= {"notes": row["mcp"]["notes"]} if "notes" in row["mcp"] else {}
        found.append({**shown, "overlay": said[pin.action]} if pin.action in said else shown)
    return found


def _settings_of_tool(said: Json, change: Json) -> Json:
    """Return the settings of a tool after a change."""
    merged = {**said, **change} if change else {}
    return {name: value for name, value in merged.items() if value is not None}


def _rows(manifest: Json) -> dict[str, Json]:
    return {row["key"]: row for row in manifest["actions"]}


def _reported(found: Described) -> dict[str, Any]:
    shown: dict[str, Any] = {"leftOut": found.report["leftOut"]}
    return {**shown, "needsSignIn": True} if found.needs_sign_in else shown


def _tools_to_accept(
    stored: Json, found: Described, tools: Collection[str], digests: Mapping[str, str]
) -> set[str]:
    """Return the names of the tools to accept. ``tools`` may also name a tool by its action's key.

    :raises InvalidInvocation: if a tool is unknown.
    :raises ServerInUse: if a tool differs from the reviewed one.
    """
    was, now = kind().pins(stored), kind().pins(found.manifest)
    names = {
        **{pin.action: tool for tool, pin in {**was, **now}.items()},
        **{tool: tool for tool in {**was, **now}},
    }
    unheard = sorted({*tools, *digests} - names.keys())
    if unheard:
        raise InvalidInvocation(
            f"the server has no tool '{unheard[0][:100]}', and none was accepted",
            hint="Review the server: it lists them.",
        )
    for name, digest in digests.items():
        present = now.get(names[name])
        if present is None or present.digest != digest:
            raise ServerInUse(
                f"the tool '{name[:100]}' is not the reviewed one any more",
                hint="Review the server again.",
            )
    return {names[name] for name in {*tools, *digests}} or {*was, *now}


def _counted(users: Collection[tuple[str, str]], name: str) -> str:
    return (
        f"1 connection is for the MCP server '{name}'"
        if len(users) == 1
        else f"{len(users):,} connections are for the MCP server '{name}'"
    )


def _text_of_users(users: Collection[tuple[str, str]], own: str) -> str:
    shown = [name if workspace == own else f"{workspace}/{name}" for workspace, name in users][
        :_MOST_NAMED
    ]
    return ", ".join(shown) + (", …" if len(users) > _MOST_NAMED else "")
