"""Composition of a runtime from the installed packages: the framework alone, or with a package that
stores rows in a database.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from jackfield.call import unstored
from jackfield.catalog.loading import PARTS, has_part, of_one, package_of, part
from jackfield.connector.hooks import Plugins
from jackfield.gates.unrecorded import ordered
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.database_urls import NONE, is_none, named_url, no_database, own_file
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.failures import BrokenPart, Raised, attempt, contained

if TYPE_CHECKING:
    from jackfield.call.events import Events
    from jackfield.call.gate import Gate
    from jackfield.call.how import How
    from jackfield.call.pipe import Pipe, Recording
    from jackfield.call.ports import Access, Files, Journal, Storage
    from jackfield.call.tally import Dependencies
    from jackfield.call.work import Looked, Work, WorkRow
    from jackfield.callers import Authorizer, Caller
    from jackfield.callers.actor import Actor
    from jackfield.catalog import Catalog, EntryPoint
    from jackfield.catalog.live import StoredManifests
    from jackfield.catalog.offering import Audience
    from jackfield.connections.ports import SharedLeases, StoredConnections
    from jackfield.connector import Grants
    from jackfield.connector.context import Answer
    from jackfield.connector.lending import Lent
    from jackfield.gates.policies import Policies
    from jackfield.invocation import Result
    from jackfield.kernel.clock import Clock
    from jackfield.kernel.secrecy import Hidden
    from jackfield.pacing.pace import Paces
    from jackfield.ports import Approvals, ManagedConnections, SeenJournal

_LOG = logging.getLogger("jackfield.answers")
_SAID: list[str] = []
"""Message that there is no database, once this process has printed it."""


class Management(Protocol):
    """Management of one workspace: its connections, and the parts of journal and events that a
    caller may see.
    """

    def connections(self, audience: Audience, authorizer: Authorizer) -> ManagedConnections:
        """Return the connections that an audience sees and a caller may use."""

    def journal(self, authorizer: Authorizer, owner: str | None) -> SeenJournal:
        """Return the part of the journal that a caller may see.

        :raises InvalidInvocation: if there is no journal.
        """

    def events(
        self, authorizer: Authorizer, after: str | int | None, types: Sequence[str], wait: float
    ) -> Events:
        """Return the events after a cursor that a caller may see.

        :raises InvalidInvocation: if there is no database, or cursor or types are not valid;
            ``CursorExpired`` if events are gone.
        """

    def lend(self, name: str, connector: str | None) -> Lent:
        """Open a connection for a program's own use.

        :raises JackfieldError: if the connection cannot be opened, or the rules do not allow every
            action over it.
        """

    def diagnose(
        self,
        catalog: Catalog,
        tested: Mapping[str, Any],
        inputs: Mapping[str, Any],
        invoke: Callable[[Mapping[str, Any]], Result],
    ) -> dict[str, Any]:
        """Run the action ``doctor`` of each connector that a ``tested`` connection serves, and
        return its diagnosis.
        """

    def options(
        self, connector: str, source: str, connection: str | None, caller: Caller, given: Hidden
    ) -> list[dict[str, str]]:
        """Return the choices of an option source.

        :raises JackfieldError: if the source does not exist, an input is missing, or a live source
            fails.
        """


class Store(Protocol):
    """Port to the stored state of one runtime: the distribution with the database, or null
    objects.
    """

    @property
    def storage(self) -> Storage:
        """Database and vault of the process."""

    @property
    def connection_table(self) -> Callable[[], StoredConnections] | None:
        """Function that opens the table of the stored connections; None without a database."""

    @property
    def manifests(self) -> StoredManifests | None:
        """Manifests of servers that the workspace has stored; None without a database."""

    def files(self) -> Files:
        """Return the stored files."""

    def access(self, names: Callable[[], Iterable[tuple[str, str]]]) -> Access:
        """Return settings and access decisions of the workspace; ``names`` lists its connections by
        name and type.
        """

    @property
    def current(self) -> Journal | None:
        """Journal, once it is open; None before."""

    def journal(self) -> Journal | None:
        """Return the journal, opened on first use; None without a database.

        :raises Unavailable: if the database cannot be opened.
        :raises UnknownWorkspace: if the database has no such workspace.
        """

    def opened(self) -> Journal:
        """Return the journal. The first use opens it, recovers calls of lost processes, and starts
        to watch for such calls.

        :raises InvalidInvocation: if there is no database; otherwise as ``journal`` does.
        """

    def recording(
        self, dependencies: Dependencies, paces: Paces, judge: Callable[..., Any] | None
    ) -> Recording:
        """Return the recording of calls, and share the rate limits among all processes. ``judge``
        asks the policies again about a recorded output.
        """

    def gates(self, policies: Policies) -> Sequence[Gate]:
        """Return the features that take part in calls, in order."""

    def leases(self, name: str, kind: str, values: Mapping[str, Any]) -> SharedLeases | None:
        """Return the leases that processes share for one version of a connection's values; None
        without a database.
        """

    def grants(self, identifier: str, name: str) -> Grants | None:
        """Return the grant of a stored connection; None without a database."""

    def refuse_foreign(self, schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Refuse values that contain the External ID of another workspace."""

    def row(self, how: How, work: Work) -> WorkRow:
        """Return the row of a program's own function, as ``WorkStore`` does."""

    @property
    def clock(self) -> Clock:
        """Clock of the calls."""

    @property
    def place(self) -> tuple[str, str]:
        """URL of the database, and name of the workspace."""

    def looked(self, identifier: str, found: Looked) -> Result:
        """Record the finding of a look at work in doubt, as ``WorkStore`` does."""

    def told(self, result: Result) -> Result:
        """Return the Result of work in doubt, as ``WorkStore`` does."""

    def digest(self, value: Any) -> str:
        """Return a keyed digest of a value."""

    def approvals(self, pipeline: Pipe, caller: Caller, actor: Actor | None) -> Approvals:
        """Return the calls that wait for an approval and that a caller may see.

        :raises InvalidInvocation: if there is no journal.
        """

    def management(self, pipeline: Pipe) -> Management:
        """Return the management of the workspace.

        :raises InvalidInvocation: if no installed package has a management.
        """


def composed(
    workspace: str,
    url: str | None,
    environment: Mapping[str, str],
    clock: Clock,
    check: Callable[[], object],
    storage: Storage | None,
    groups: Mapping[str, Sequence[EntryPoint]] | None = None,
) -> Store:
    """Return the storage side of a runtime: over ``storage`` if given, else over the database of
    ``url`` or the environment. ``groups`` are the entry points, if they have been read. ``check``
    raises where the journal must not be opened.

    If no installed package has a store, no URL means ``none``, which is reported once on stderr.

    :raises InvalidInvocation: if a database is requested, or is in the data folder, and no
        installed package can open it. Otherwise its rules, guards and journal would seem to be
        gone.
    """
    wanted = url if storage is not None or url is not None else named_url(environment)
    if storage is None and wanted is not None and is_none(wanted):
        return NoStore(environment)
    keeping: Callable[..., Store] | None = part("store", groups)
    if keeping is not None:
        return keeping(workspace, url, environment, clock, check, storage)
    package, command = package_of(PARTS, "store")
    if wanted is not None:
        raise _missing("a database", "store")
    if os.path.exists(path := own_file(environment)):
        text = (
            f"there is a database at '{path}', and the package {package}, which opens it, is "
            "not installed"
        )
        or_none = (
            "Or set JACKFIELD_DATABASE_URL to 'none': no rule, guard or journal of it holds then."
        )
        raise InvalidInvocation(text, hint=f"Install it: {command}. {or_none}")
    if not _SAID:
        _SAID.append(
            "jackfield: nothing is kept: there is no journal and no stored connection without "
            f"the package {package}"
        )
        sys.stderr.write(f"{_SAID[0]}\n")
    return NoStore(environment)


def answers_of(groups: Mapping[str, Sequence[EntryPoint]]) -> dict[str, Answer]:
    """Return the functions that answer a provider's questions to a person within a call, by the
    connector's key. Packages declare them in the entry points ``jackfield.answers``. Each is
    imported when a question comes; if that fails, the question has no answer.
    """
    found: dict[str, list[EntryPoint]] = {}
    for point in groups.get("jackfield.answers", ()):
        found.setdefault(point.name, []).append(point)
    return {key: partial(_answer, points) for key, points in found.items()}


def _answer(points: Sequence[EntryPoint], question: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = attempt(lambda: contained(of_one(points, "answers entry point"), question))
    if not isinstance(found, Raised):
        answer: Mapping[str, Any] | None = found
        return answer
    told = (
        str(found.error)
        if isinstance(found.error, BrokenPart)
        else f"it raised {type(found.error).__name__}"
    )
    _LOG.warning("a question of '%s' is not answered: %s", points[0].name, told)
    return None


def plugins_of(
    environment: Mapping[str, str], points: Iterable[EntryPoint], given: Iterable[object] = ()
) -> Plugins:
    """Return the plugins of a process: installed ones, ``given`` ones, and the policy service's if
    its variables are set.

    :raises InvalidInvocation: if the variables are not valid.
    """
    if "JACKFIELD_POLICY_URL" in environment or "JACKFIELD_POLICY_SECRET" in environment:
        from jackfield.call.policy_service import policy_of

        given = (*given, *policy_of(environment))
    return Plugins(points, given)


class NoStore:
    """Composition of a runtime without storage: its database is ``none``, or no installed package
    has a store.

    The management needs no database for connections from files.
    """

    connection_table = current = manifests = None
    place = NONE, ""
    clock = SystemClock()

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.storage: Storage = unstored.NoStorage(environment)

    def files(self) -> Files:
        """Return a store of files that is always empty."""
        return unstored.NoFiles(self.storage)

    def access(self, names: Callable[[], Iterable[tuple[str, str]]]) -> Access:
        """Return access to the workspace without rules."""
        return unstored.NoAccess(self.storage, names)

    def journal(self) -> None:
        """Return None."""

    def opened(self) -> Journal:
        """Refuse to open a journal.

        :raises InvalidInvocation: always.
        """
        raise no_database()

    def recording(
        self, dependencies: Dependencies, paces: Paces, judge: Callable[..., Any] | None
    ) -> Recording:
        """Return a recording that records nothing. Each process has its own rate limits."""
        del dependencies, paces, judge
        return unstored.Unrecorded(_advice)

    def gates(self, policies: Policies) -> Sequence[Gate]:
        """Return the features that need no database."""
        return ordered(policies)

    def leases(self, name: str, kind: str, values: Mapping[str, Any]) -> None:
        """Return None: leases are not shared."""

    def grants(self, identifier: str, name: str) -> None:
        """Return None: only stored connections have grants."""

    def refuse_foreign(self, schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Accept all values: no other workspace has an External ID."""

    def _refuse(self, *_given: object) -> NoReturn:
        raise no_database()

    row = looked = told = digest = _refuse

    def approvals(self, pipeline: Pipe, caller: Caller, actor: Actor | None) -> NoReturn:
        """Refuse, since no call waits.

        :raises InvalidInvocation: always.
        """
        del pipeline, caller, actor
        raise no_database()

    def management(self, pipeline: Pipe) -> Management:
        """Return the management of the connections in files.

        :raises InvalidInvocation: if no installed package has a management.
        """
        managing: Callable[..., Management] | None = part("management")
        if managing is None:
            raise _missing("managing connections", "management")
        return managing(self.storage, pipeline)


def searching() -> Any:
    """Return the installed package's class of indexes of a catalog's actions.

    :raises InvalidInvocation: if no installed package has a search.
    """
    found = part("search")
    if found is None:
        text = "a search needs the package jackfield-search, which is not installed"
        raise InvalidInvocation(text, hint="Install it: pip install 'jackfield[search]'.")
    return found


def _missing(what: str, name: str) -> InvalidInvocation:
    package, command = package_of(PARTS, name)
    return InvalidInvocation(
        f"{what} needs the package {package}, which is not installed",
        hint=f"Install it: {command}.",
    )


def _advice() -> str:
    if has_part("store"):
        return ""
    package, command = package_of(PARTS, "store")
    return f" Install {package}, which keeps a journal: {command}."
