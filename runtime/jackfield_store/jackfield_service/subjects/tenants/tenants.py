"""The workspaces that one platform manages: those whose names match the pattern of its token. All others do not exist for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.callers.rules import Rules
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Detail, InvalidInvocation, NotAllowed
from jackfield.kernel.exports import late_hints
from jackfield_service.subjects.tenants.purge import keep_at_providers, kept_by, purge
from jackfield_store.access import Tokens, UnknownWorkspace, Workspace, WorkspaceExists, Workspaces
from jackfield_store.access.kept_rules import forget_rules, keep_rules, kept_rules
from jackfield_store.access.platform_tokens import manages
from jackfield_store.access.sessions import end_sessions
from jackfield_store.access.settings import Settings, require_own
from jackfield_store.database.faults import RowDamaged

if TYPE_CHECKING:
    from jackfield.callers.actor import Actor
    from jackfield.kernel.clock import Clock
    from jackfield_store.files import Files
    from jackfield_store.resources.storage import Storage

_OPERATORS = ("allowReferences", "allowAmbient")
"""Settings that let connections made over HTTP use the server's environment and identity, which are not the platform's."""


class WorkspaceInUse(InvalidInvocation):
    """The workspace cannot be purged now."""

    http_status = 409


class Tenants:
    """The workspaces of a platform. ``pattern`` is that of its token, ``actor`` the author in the audit logs, and ``revoke`` tells
    providers of the approvals that are due (``management.revoking``)."""

    def __init__(
        self, storage: Storage, files: Files, clock: Clock, pattern: str, actor: Actor, revoke: Callable[[], Mapping[str, bool]] = dict
    ) -> None:
        self._storage = storage
        self._files = files
        self._clock = clock
        self._pattern = pattern
        self._actor = actor
        self._revoke = revoke
        self._workspaces = Workspaces(storage.database, storage.vault, clock, actor)

    def put(self, name: str, changes: Mapping[str, Any]) -> tuple[Workspace, bool]:
        """Create a workspace, or change the given settings of one that exists; repeating it, at once or later, ends in the same.

        :return: the workspace, and whether it is new.
        :raises UnknownWorkspace: if the platform manages no workspace of this name.
        :raises InvalidInvocation: if the name or a setting is not valid.
        :raises NotAllowed: if only the operator may change a setting so.
        """
        self._require(name)
        check = partial(self._check_allowances, changes)
        check(self._present(name))
        try:
            return self._workspaces.create(name, changes), True
        except WorkspaceExists:
            return (self._workspaces.set(name, changes, check) if changes else self._workspaces.find(name)), False

    def list(self, prefix: str, after: str, limit: int) -> tuple[list[Workspace], str | None]:
        """List workspaces by name whose names begin with ``prefix``, after the name ``after``, and the cursor of the next page."""
        own = self._pattern.removesuffix("*")
        begin = max(prefix, own)
        if not begin.startswith(own) or not begin.startswith(prefix):
            return [], None
        page = self._workspaces.list(after=after, limit=limit + 2, begin=begin)  # one more than asked, and ``default``, which none manages
        found = [one for one in page if one.name.startswith(begin) and manages(self._pattern, one.name)]
        return found[:limit], found[limit - 1].name if len(found) > limit else None

    def find(self, name: str) -> Workspace:
        """Return a workspace.

        :raises UnknownWorkspace: if there is none of this name, or the platform does not manage it.
        """
        self._require(name)
        try:
            return self._workspaces.find(name)
        except UnknownWorkspace:  # its message would suggest names of other platforms' workspaces
            raise _unknown(name) from None

    def change(self, name: str, changes: Mapping[str, Any]) -> Workspace:
        """Change the given settings of a workspace; ``suspended`` refuses all calls at once.

        :raises UnknownWorkspace: if there is none of this name, or the platform does not manage it.
        :raises InvalidInvocation: if a setting is not valid.
        :raises NotAllowed: if only the operator may change a setting so.
        """
        self.find(name)
        return self._workspaces.set(name, changes, partial(self._check_allowances, changes))

    def tokens(self, name: str) -> Tokens:
        """Return the tokens of a workspace.

        :raises UnknownWorkspace: if there is none of this name, or the platform does not manage it.
        """
        self.find(name)
        return Tokens(self._storage.database, self._storage.vault, name, self._clock, self._actor)

    def suspend(self, name: str) -> dict[str, Any]:
        """Suspend a workspace and revoke its tokens: the first step of its deletion, which a change can still take back.

        :return: what was revoked, and what a purge would delete.
        :raises UnknownWorkspace: if there is none of this name, or the platform does not manage it.
        """
        tokens = self.tokens(name)
        self._workspaces.set(name, {"suspended": True})
        with self._storage.database.write() as transaction:
            revoked = tokens.revoke_all(transaction)
            sessions = end_sessions(transaction, name)
        kept = kept_by(self._storage.database, name)
        return {"name": name, "status": "suspended", "revoked": {"tokens": revoked, "sessions": sessions}, "kept": kept}

    def purge(self, name: str) -> dict[str, Any]:
        """Delete a suspended workspace for good: its connections, grants, keys, files, journal and settings. Providers are told that its
        approvals are no longer needed; those that do not answer now are told later. If a platform does so, the rules are kept: they bind
        whoever creates a workspace of that name. The operator also deletes one whose settings cannot be read, in which nothing is allowed.

        :return: how many of each were deleted, and how many approvals were revoked or wait for that; and webhooks that are removed at
            their providers from now on.
        :raises UnknownWorkspace: if there is none of this name, or the platform does not manage it.
        :raises WorkspaceInUse: if it is not suspended, or calls of it still run.
        :raises RowDamaged: if a platform deletes one whose settings cannot be read.
        """
        settings = self._readable(name)
        if settings is not None and not settings.suspended:
            hint = "Delete it without 'purge' first: that suspends it, and says what would be deleted."
            raise WorkspaceInUse(f"the workspace '{name}' is not suspended", hint=hint)
        kept = kept_by(self._storage.database, name)
        if kept["running"]:
            text = f"{kept['running']:,} invocations of the workspace '{name}' are still running"
            raise WorkspaceInUse(text, hint="Try again when they have ended, at the latest when their deadlines have passed.")
        with self._storage.database.write() as transaction:
            if settings is not None and self._actor.kind == "platform":
                kept_asking = (*settings.rules.approve, "effect:change") if settings.writes == "ask" else settings.rules.approve
                keep_rules(transaction, self._storage.vault, name, replace(settings.rules, approve=kept_asking))
            else:
                forget_rules(transaction, name)
        webhooks, noted = keep_at_providers(self._storage, name, self._clock)
        purge(self._storage, self._files, name, self._clock, self._actor)
        told = self._revoke() if noted else {}
        revoked = {"approvals": sum(told.get(one, False) for one in noted), "pending": sum(one not in told for one in noted)}
        deleted = {key: count for key, count in kept.items() if key != "running"}
        return {"name": name, "status": "purged", "deleted": deleted, "revoked": {**revoked, "webhooks": webhooks}}

    def _check_allowances(self, changes: Mapping[str, Any], present: Settings) -> None:
        """Refuse a platform what would let its tenants read the server's secrets, or act with the server's identity, and to loosen the
        rules under which calls wait for a person; and everybody what guards count themselves. ``present`` are the settings that are
        replaced."""
        if changes.get("guards"):
            require_own(changes, present.guards)
        if self._actor.kind != "platform":
            return
        if isinstance(changes.get("rules"), Mapping) and "approve" in changes["rules"]:
            _require_approvals(changes["rules"]["approve"], present)
        if present.writes == "ask":
            _require_asking(changes, present)
        known = present.to_json()
        faults = [
            Detail(f"/{member}", "only the operator sets it")
            for member in _OPERATORS
            if changes.get(member) and changes[member] != known.get(member)
        ]
        if faults:
            text = f"a platform's token cannot set '{faults[0].path[1:]}', which concerns the server's own secrets"
            raise NotAllowed(text, details=faults, hint="Ask the operator of jackfield: 'jackfield workspaces set' has these settings.")

    def _present(self, name: str) -> Settings:
        try:
            return self._workspaces.find(name).settings
        except UnknownWorkspace:
            return Settings(rules=kept_rules(self._storage.database, self._storage.vault, name))

    def _readable(self, name: str) -> Settings | None:
        """Return the settings of a workspace that is to be deleted; None for the operator if they cannot be read."""
        try:
            return self.find(name).settings
        except RowDamaged:
            if self._actor.kind == "platform":  # its rules would be lost with it
                raise
            return None

    def _require(self, name: str) -> None:
        if not manages(self._pattern, name):
            raise _unknown(name)


def _require_asking(changes: Mapping[str, Any], present: Settings) -> None:
    """Refuse a platform to let writes that wait for a person be made at once.

    :raises NotAllowed: if it turns that off, or names one more action.
    """
    rules = changes.get("rules")
    allow = rules.get("allow") if isinstance(rules, Mapping) else None
    wanted = Rules(tuple(text for text in allow if isinstance(text, str))) if isinstance(allow, list) else present.rules
    off = Detail("/writes", "only the operator sets it to 'allow'") if changes.get("writes", "ask") != "ask" else None
    named = Detail("/rules/allow", "only the operator names an action, whose writes would not wait")
    more = named if wanted.naming - present.rules.naming else None
    faults = [fault for fault in (off, more) if fault is not None]
    if faults:
        text = "a platform's token cannot loosen the rules under which calls wait for a person"
        raise NotAllowed(text, details=faults, hint="Ask the operator of jackfield: 'jackfield workspaces set' has these settings.")


def _require_approvals(wanted: Any, present: Settings) -> None:
    """Refuse a platform to remove patterns under which calls wait for a person: it may add some.

    :raises NotAllowed: if one is missing.
    """
    if isinstance(wanted, list) and not {*present.rules.approve} <= {text for text in wanted if isinstance(text, str)}:
        fault = Detail("/rules/approve", "only the operator removes a pattern")
        text = "a platform's token cannot loosen the rules under which calls wait for a person"
        raise NotAllowed(text, details=[fault], hint="Ask the operator of jackfield: 'jackfield workspaces set' has these rules.")


def _unknown(name: str) -> UnknownWorkspace:
    """Return one error for workspaces that do not exist and for those of others."""
    hint = (
        "GET /v1/workspaces lists those that the platform's token manages; PUT /v1/workspaces/{name} creates one whose name fits the token."
    )
    return UnknownWorkspace(f"no workspace is named '{name[:100]}'", hint=hint)


late_hints(__name__)
