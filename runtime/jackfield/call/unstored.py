"""A runtime without a database: null objects behind the ports, which store nothing and refuse steps
that need storage.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from jackfield.call.how import How
from jackfield.call.settle import failed
from jackfield.callers.authorizer import Authorizer
from jackfield.callers.caller import Caller
from jackfield.callers.rules import Rules
from jackfield.connections.connection_lookup import barred_paths
from jackfield.invocation import MAX_BYTES
from jackfield.kernel.database_urls import NONE, no_database
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.wire.guard import allowed_hosts

if TYPE_CHECKING:
    from jackfield.call.pipe import Pipe, RawInvocation
    from jackfield.call.ports import Storage
    from jackfield.call.reached import Asked, Reached
    from jackfield.call.waiter import Waiter
    from jackfield.invocation import Enqueued, Result

T = TypeVar("T")
_ALWAYS = "default"
_SET = "Give the runtime a database, such as by JACKFIELD_DATABASE_URL."


def _refuse(*_given: object, **_options: object) -> NoReturn:
    raise no_database()


def required(journal: T | None) -> T:
    """Return the journal.

    :raises InvalidInvocation: if there is no journal.
    """
    if journal is None:
        raise _unrecorded()
    return journal


def _unrecorded(advice: str = "") -> InvalidInvocation:
    return InvalidInvocation(
        "this runtime has no journal", hint=f"Set JACKFIELD_DATABASE_URL.{advice}"
    )


class NoStorage:
    """Storage of a process without a database."""

    url = NONE
    enabled = is_open = False
    answers_locally = migrates = True
    database = vault = limits = blocked = shared = property(_refuse)

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._barred: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "<NoStorage>"

    def require(self, workspace: str) -> None:
        """Refuse any workspace but ``default``, which always exists.

        :raises InvalidInvocation: for any other workspace.
        """
        if workspace != _ALWAYS:
            raise no_database()

    def epoch(self) -> int:
        """Return 0, since nothing changes."""
        return 0

    def one_state(self) -> AbstractContextManager[object]:
        """Return an empty context: without a database the state never changes."""
        return nullcontext()

    def held(self, reading: int) -> AbstractContextManager[object]:
        """Return an empty context: without a database the state never changes."""
        del reading
        return nullcontext()

    def in_one_state(
        self, work: Callable[[], Coroutine[Any, Any, T]], reading: int | None = None
    ) -> Coroutine[Any, Any, T]:
        """Return ``work()``: without a database the state never changes."""
        del reading
        return work()

    async def fix_state(self) -> None:
        """Do nothing: without a database the state never changes."""

    def bar(self, *paths: str) -> None:
        """Add files of this process to the paths that no tenant's ``$file`` reference may read."""
        self._barred += paths

    def barred_paths(self) -> tuple[str, ...]:
        """Return the paths that no tenant's ``$file`` reference may read."""
        return barred_paths(self.environment, self._barred)

    def allowed_hosts(self) -> tuple[str, ...]:
        """Return the internal hosts of the environment."""
        return allowed_hosts((), self.environment)

    def shared_setting(self, name: str) -> str:
        """Return an empty string: no setting is shared."""
        del name
        return ""

    def renewed(self) -> list[Callable[[], None]]:
        """Return an empty list: there is no file to read again."""
        return []

    def close(self) -> None:
        """Do nothing."""


class NoFiles:
    """Store of files that is always empty. Files that a caller passes need no storage."""

    enabled = is_shared = False
    together = MAX_BYTES
    content = open = open_by_id = store = discard_lost = delete = renew = digests = is_full = (
        staticmethod(_refuse)
    )
    time = property(_refuse)

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def find(self, workspace: str, identifier: str, owner: str | None = None) -> None:
        """Return None, so that an input that refers to a file is refused at its place."""


class NoAccess:
    """Access of a workspace without rules: only the caller's own limits apply. ``names`` returns
    the names and types of its connections.
    """

    is_gone, lacks_policy, twins, settle = False, False, "allow", "off"
    settings = workspaces = property(_refuse)

    def __init__(self, storage: Storage, names: Callable[[], Iterable[tuple[str, str]]]) -> None:
        self.storage, self.epoch, self._names = storage, storage.epoch, names

    def authorizer(self, caller: Caller) -> Authorizer:
        """Return the authorizer of a caller."""
        ended = caller.end
        return Authorizer(
            Rules(), caller.rules, caller.scope, self._names, ended=ended, remote=caller.remote
        )

    def queued_by(self, stored: Mapping[str, Any]) -> Caller:
        """Refuse, since nothing was queued.

        :raises InvalidInvocation: always.
        """
        del stored
        raise no_database()


class Unrecorded:
    """Recording of a runtime without a journal: it stores nothing, and refuses steps that need a
    journal. ``advice`` returns an addition to the hint.
    """

    def __init__(self, advice: Callable[[], str] = str) -> None:
        self._advice = advice

    async def drafted(self, asked: Asked, call: Reached) -> None:
        """Refuse members of a call that need a journal."""
        del call
        invocation = asked.invocation
        if invocation.idempotency_key is not None and not invocation.dry_run:
            raise _refusal(
                "/idempotencyKey",
                "idempotency keys need a journal",
                "idempotencyKey",
                self._advice(),
            )
        if invocation.context.get("notify"):
            raise _refusal("/context/notify", "events need a database", "notify", self._advice())

    def enqueue_many(
        self, pipeline: Pipe, given: Iterable[RawInvocation], caller: Caller, waiter: Waiter
    ) -> list[Enqueued | Result]:
        """Return a refusal for each invocation."""
        del pipeline
        return [failed(How(waiter, caller).ended(), _unrecorded(self._advice())) for _ in given]

    def _refuse(self, *_given: object, **_options: object) -> NoReturn:
        raise _unrecorded(self._advice())

    enqueue = prepared = again = cancel = awaited = polled = _refuse


def _refusal(path: str, need: str, member: str, advice: str) -> InvalidInvocation:
    fault = Detail(path, f"{need}, and this runtime has none")
    return InvalidInvocation(
        "1 member of the invocation is not valid",
        details=[fault],
        hint=f"{advice.strip() or _SET} Or leave '{member}' out.",
    )
