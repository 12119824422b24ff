"""The workspaces that one platform manages: their names match the pattern of its token. Other
workspaces do not exist for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.exports import late_hints
from jackfield_service.subjects.tenants.purge import keep_at_providers, kept_by, purge
from jackfield_store.access import (
    Tokens,
    UnknownWorkspace,
    Workspace,
    Workspaces,
    unknown_to_platform,
)
from jackfield_store.access.kept_rules import forget_rules, keep_rules
from jackfield_store.access.platform_settings import check_settings
from jackfield_store.access.platform_tokens import manages
from jackfield_store.access.sessions import end_sessions
from jackfield_store.access.settings import Settings
from jackfield_store.database.faults import RowDamaged

if TYPE_CHECKING:
    from jackfield.callers.actor import Actor
    from jackfield.kernel.clock import Clock
    from jackfield_store.files import Files
    from jackfield_store.resources.storage import Storage


class WorkspaceInUse(InvalidInvocation):
    """Error for a workspace that cannot be purged now."""

    http_status = 409


class Tenants:
    """The workspaces of a platform. ``pattern`` is its token's, ``actor`` the author in the audit
    logs, and ``revoke`` sends due revocations of approvals to providers (``management.revoking``).
    """

    def __init__(
        self,
        storage: Storage,
        files: Files,
        clock: Clock,
        pattern: str,
        actor: Actor,
        revoke: Callable[[], Mapping[str, bool]] = dict,
    ) -> None:
        self._storage = storage
        self._files = files
        self._clock = clock
        self._pattern = pattern
        self._actor = actor
        self._revoke = revoke
        self._workspaces = Workspaces(storage.database, storage.vault, clock, actor)

    def put(self, name: str, changes: Mapping[str, Any]) -> tuple[Workspace, bool]:
        """Create a workspace, or change the given settings of an existing one; repeating it, at
        once or later, has the same result.

        :return: the workspace, and whether it is new.
        :raises UnknownWorkspace: if the platform manages no workspace of this name.
        :raises InvalidInvocation: if the name or a setting is not valid.
        :raises NotAllowed: if only the operator may make this change of a setting.
        """
        self._require(name)
        return self._workspaces.put(name, changes, partial(check_settings, self._actor, changes))

    def list(self, prefix: str, after: str, limit: int) -> tuple[list[Workspace], str | None]:
        """Return the workspaces whose names begin with ``prefix``, by name, after the name
        ``after``, and the cursor of the next page; None on the last page.
        """
        own = self._pattern.removesuffix("*")
        begin = max(prefix, own)
        if not begin.startswith(own) or not begin.startswith(prefix):
            return [], None
        # one more than asked, and ``default``, which none manages
        page = self._workspaces.list(after=after, limit=limit + 2, begin=begin)
        found = [
            one for one in page if one.name.startswith(begin) and manages(self._pattern, one.name)
        ]
        return found[:limit], found[limit - 1].name if len(found) > limit else None

    def find(self, name: str) -> Workspace:
        """Return a workspace.

        :raises UnknownWorkspace: if no workspace has this name, or the platform does not manage it.
        """
        self._require(name)
        try:
            return self._workspaces.find(name)
        except UnknownWorkspace:  # its message would suggest names of other platforms' workspaces
            raise unknown_to_platform(name) from None

    def change(self, name: str, changes: Mapping[str, Any]) -> Workspace:
        """Change the given settings of a workspace; ``suspended`` refuses all calls at once.

        :raises UnknownWorkspace: if no workspace has this name, or the platform does not manage it.
        :raises InvalidInvocation: if a setting is not valid.
        :raises NotAllowed: if only the operator may change a setting so.
        """
        self.find(name)
        return self._workspaces.set(name, changes, partial(check_settings, self._actor, changes))

    def tokens(self, name: str) -> Tokens:
        """Return the tokens of a workspace.

        :raises UnknownWorkspace: if no workspace has this name, or the platform does not manage it.
        """
        self.find(name)
        return Tokens(self._storage.database, self._storage.vault, name, self._clock, self._actor)

    def suspend(self, name: str) -> dict[str, Any]:
        """Suspend a workspace and revoke its tokens: the first step of its deletion, which a change
        of ``suspended`` can still undo.

        :return: the revoked tokens, and the rows that a purge would delete.
        :raises UnknownWorkspace: if no workspace has this name, or the platform does not manage it.
        """
        tokens = self.tokens(name)
        self._workspaces.set(name, {"suspended": True})
        with self._storage.database.write() as transaction:
            revoked = tokens.revoke_all(transaction)
            sessions = end_sessions(transaction, name)
        kept = kept_by(self._storage.database, name)
        return {
            "name": name,
            "status": "suspended",
            "revoked": {"tokens": revoked, "sessions": sessions},
            "kept": kept,
        }

    def purge(self, name: str) -> dict[str, Any]:
        """Delete a suspended workspace permanently: its connections, grants, keys, files, journal
        and settings. Providers get the notice that its approvals are no longer needed, now or once
        they answer. If a platform deletes it, its rules stay stored, and bind the next workspace of
        that name. The operator can also delete a workspace with unreadable settings, in which
        nothing is allowed.

        :return: the numbers of deleted rows, of revoked and of pending approvals, and of webhooks
            that are removed at their providers from now on.
        :raises UnknownWorkspace: if no workspace has this name, or the platform does not manage it.
        :raises WorkspaceInUse: if it is not suspended, or some of its calls still run.
        :raises RowDamaged: if a platform deletes a workspace with unreadable settings.
        """
        settings = self._readable(name)
        if settings is not None and not settings.suspended:
            hint = (
                "Delete it without 'purge' first: that suspends it, and says what would be deleted."
            )
            raise WorkspaceInUse(f"the workspace '{name}' is not suspended", hint=hint)
        kept = kept_by(self._storage.database, name)
        if kept["running"]:
            text = f"{kept['running']:,} invocations of the workspace '{name}' are still running"
            raise WorkspaceInUse(
                text,
                hint=(
                    "Try again when they have ended, at the latest when their deadlines have "
                    "passed."
                ),
            )
        with self._storage.database.write() as transaction:
            if settings is not None and self._actor.kind == "platform":
                kept_asking = (
                    (*settings.rules.approve, "effect:change")
                    if settings.writes == "ask"
                    else settings.rules.approve
                )
                keep_rules(
                    transaction,
                    self._storage.vault,
                    name,
                    replace(settings.rules, approve=kept_asking),
                )
            else:
                forget_rules(transaction, name)
        webhooks, noted = keep_at_providers(self._storage, name, self._clock)
        purge(self._storage, self._files, name, self._clock, self._actor)
        told = self._revoke() if noted else {}
        revoked = {
            "approvals": sum(told.get(one, False) for one in noted),
            "pending": sum(one not in told for one in noted),
        }
        deleted = {key: count for key, count in kept.items() if key != "running"}
        return {
            "name": name,
            "status": "purged",
            "deleted": deleted,
            "revoked": {**revoked, "webhooks": webhooks},
        }

    def _readable(self, name: str) -> Settings | None:
        """Return the settings of a workspace that is to be deleted; None for the operator if they
        cannot be read.
        """
        try:
            return self.find(name).settings
        except RowDamaged:
            if self._actor.kind == "platform":  # its rules would be lost with it
                raise
            return None

    def _require(self, name: str) -> None:
        if not manages(self._pattern, name):
            raise unknown_to_platform(name)


late_hints(__name__)
