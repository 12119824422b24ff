"""Access to a workspace: its settings, and the authorizer of a caller. The workspace's rules bind
every call, a token's rules only its own calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield.callers.caller import Caller
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.exports import late_hints
from jackfield_store.database.setting_rows import SETTLE_RULES, TWIN_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jackfield.callers import Authorizer
    from jackfield.callers.caller import PersonKey
    from jackfield.kernel.clock import Clock
    from jackfield_store.access.ports import SealedStorage
    from jackfield_store.access.settings import Settings
    from jackfield_store.access.workspaces import Workspaces

_TWINS, _SETTLE = "JACKFIELD_TWINS", "JACKFIELD_SETTLE"
SUSPENDED = "the workspace is suspended"
_GONE = "the workspace does not exist"


def _check_twins(environment: Mapping[str, str]) -> None:
    """Check ``JACKFIELD_TWINS``.

    :raises InvalidInvocation: if it has another value.
    """
    found = environment.get(_TWINS)
    if found and found not in TWIN_RULES:
        raise InvalidInvocation(
            f"{_TWINS} is '{found[:80]}', which has no meaning",
            hint=(
                "Set it to 'join' if a write without a key is to join an equal one that is "
                "open, or to 'allow' (the default)."
            ),
        )


def _check_settle(environment: Mapping[str, str]) -> None:
    """Check ``JACKFIELD_SETTLE``.

    :raises InvalidInvocation: if it has another value.
    """
    found = environment.get(_SETTLE)
    if found and found not in SETTLE_RULES:
        raise InvalidInvocation(
            f"{_SETTLE} is '{found[:80]}', which has no meaning",
            hint=(
                "Set it to 'off', to 'show' (the default: evidence about a doubt is shown), "
                "or to 'on' (it settles the doubt)."
            ),
        )


class WorkspaceAccess:
    """Settings and access decisions of one workspace. ``names`` returns the names and types of its
    connections.
    """

    def __init__(
        self,
        storage: SealedStorage,
        workspace: str,
        clock: Clock,
        names: Callable[[], Iterable[tuple[str, str]]] = tuple,
    ) -> None:
        self._names = names
        self.storage = storage
        self._workspace = workspace
        self._clock = clock
        _check_twins(storage.environment)
        _check_settle(storage.environment)
        self._workspaces: Workspaces | None = None
        self._known: tuple[int, Settings] | None = None
        self.is_gone = False
        """True if ``settings`` were asked for and there was no such workspace: nothing is recorded
        in it any more.
        """
        self.lacks_policy = False
        """True if, as ``settings`` were read last, a policy judges the calls of this database, and
        this process has none.
        """
        self.epoch = storage.epoch
        """Returns a reading that moves with connections, tokens, rules and settings
        (``Database.epoch``).
        """

    @property
    def twins(self) -> str:
        """Rule for a write without a key while an equal one is open, where the workspace's settings
        have none: ``join`` or ``allow``.
        """
        return self.storage.shared_setting("twins") or "allow"

    @property
    def settle(self) -> str:
        """Use of evidence about a doubt: the stricter of the operator's setting and the
        workspace's.
        """
        if not self.storage.enabled:
            return "off"
        known = (self.storage.shared_setting("settle") or "show", self.settings.settle or "on")
        return min(known, key=SETTLE_RULES.index)

    @property
    def settings(self) -> Settings:
        """Present settings of the workspace; the defaults if there is no database. A purged
        workspace counts as suspended.
        """
        from jackfield_store.access.settings import Settings

        if not self.storage.enabled:
            return Settings()
        from jackfield_store.access.workspaces import DEFAULT, UnknownWorkspace

        epoch, known = self.epoch(), self._known
        if known is not None and known[0] == epoch:
            return known[1]
        try:
            found = self.workspaces.settings(self._workspace)
        except UnknownWorkspace:
            found = Settings(suspended=self._workspace != DEFAULT)
            self.is_gone = found.suspended
        else:
            self.is_gone = False
        self.lacks_policy = self.storage.lacks_policy()
        self._known = epoch, found
        return found

    @property
    def workspaces(self) -> Workspaces:
        """Source of the settings.

        :raises InvalidInvocation: if there is no database.
        """
        if self._workspaces is None:
            from jackfield_store.access.workspaces import Workspaces

            self._workspaces = Workspaces(self.storage.database, self.storage.vault, self._clock)
        return self._workspaces

    def queued_by(self, stored: Mapping[str, Any]) -> Caller:
        """Return the caller of a queued invocation with their current rights; ``stored`` is the
        output of ``Caller.to_json``.

        A JWT, or a console session opened by a link, is valid only at the time of the request. For
        these callers, only the scope and the workspace's rules are checked again. A person who
        signed in has the rights of the present roles.
        """
        from jackfield_store.access.tokens import Tokens, UnknownToken

        audience = stored.get("audience", "tenant")
        authors = tuple(stored.get("authors", ()))
        caller = Caller(
            stored["caller"],
            stored.get("scope"),
            remote=stored.get("remote", False),
            audience=audience,
            authors=authors,
        )
        identifier = stored.get("token")
        if (person := stored.get("person")) is not None:
            return self._with_roles(caller, (person[0], person[1], tuple(person[2])))
        if identifier is None:
            return caller
        try:
            token, ended = Tokens(
                self.storage.database, self.storage.vault, self._workspace, self._clock
            ).standing(identifier)
        except UnknownToken:
            return replace(caller, ended="no longer exists")
        return replace(caller, scope=token.scope, rules=token.rules, token=token.id, ended=ended)

    def _with_roles(self, caller: Caller, person: PersonKey) -> Caller:
        """Return a person as caller, with the rights that the present roles give."""
        from jackfield_store.access.present_roles import present_rights

        rights = present_rights(self.storage, self._workspace, self._clock, person)
        if rights is None:
            return replace(caller, person=person, ended="has no role in this workspace any more")
        return replace(caller, person=person, scope=rights.scope, rules=rights.rules)

    def authorizer(self, caller: Caller) -> Authorizer:
        """Build the authorizer of a caller under the present settings."""
        from jackfield.callers.authorizer import Authorizer

        settings = self.settings
        ended = caller.end
        if settings.suspended:
            ended = _GONE if self.is_gone else SUSPENDED
        return Authorizer(
            settings.binding,
            caller.rules,
            caller.scope,
            self._names,
            ended=ended,
            remote=caller.remote,
        )


late_hints(__name__)
