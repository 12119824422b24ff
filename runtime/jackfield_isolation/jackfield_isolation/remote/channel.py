"""Channel from a connector's proxy to the child that runs the connector's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.kernel.clock import Deadline, SharedDeadline, SystemClock
from jackfield.kernel.errors import InvalidInput
from jackfield.wire.guard import Guard
from jackfield.wire.head import Route
from jackfield_isolation.egress import Egress, NamedHost
from jackfield_isolation.lazy_threads import LazyThreads
from jackfield_isolation.questions import ACTS, Asked, CallFacts, ConnectionFacts, Question
from jackfield_isolation.remote.conversation import Conversation
from jackfield_isolation.sessions import Session, Sessions

if TYPE_CHECKING:
    from jackfield.connector.context import Call, OpenContext
    from jackfield.manifest.manifest import Manifest
    from jackfield_isolation.supervisor import Supervisor

    class Kind(Protocol):
        """Protocol of the connection that a question is about."""

        is_stale: bool

        @property
        def key(self) -> str:
            """Return the key of the connection's type."""

        @property
        def values(self) -> Mapping[str, Any]:
            """Return the values of the connection."""

        @property
        def reports_begin(self) -> bool:
            """Return whether the connection's client reports the start of a request."""

        def hosts(self) -> Mapping[str, NamedHost]:
            """Return permissions for the hosts in the connection's values, by host."""

    class Client(Protocol):
        """Protocol of a client whose credentials may be renewed."""

        def allow_renewal(self) -> None:
            """Allow the next question to renew the credentials."""


_MOST_THREADS = 64
_SECONDS = 30.0
"""Deadline, in seconds, of a question outside of a call, such as for the choices of a form."""


class Channel:
    """Channel to the children of one connector version. ``find`` returns the supervisor for a
    workspace.
    """

    def __init__(
        self,
        manifest: Manifest,
        find: Callable[[str], Supervisor],
        sessions: Sessions,
        route: Route | None,
    ) -> None:
        self.manifest = manifest
        self._route = route
        self._told: set[str] = set()
        self._find = find
        self._sessions = sessions
        self.threads = LazyThreads(_MOST_THREADS, f"jackfield-{manifest.key}")
        """Threads in which an event loop's calls wait for a child: calls that hang take none of
        other connectors.
        """

    def ask(
        self,
        question: Question,
        *given: Any,
        call: Call | None = None,
        kind: Kind | None = None,
        context: OpenContext | None = None,
        client: Client | None = None,
        workspace: str = "",
    ) -> Any:
        """Ask a child and return its answer. A child whose answer does not have the question's
        shape has sent garbage.

        ``kind`` and ``context`` are the connection that the question is about. The asking workspace
        is the context's, the call's, or ``workspace``.

        :raises JackfieldError: the error that the child answers with, or the reason why there is no
            answer.
        """
        deadline = call.deadline if call is not None else Deadline.after(_SECONDS, SystemClock())
        session = None if context is None else self._sessions.find(context.leases)
        workspace = (
            context.workspace
            if context is not None
            else call.workspace
            if call is not None
            else workspace
        )
        supervisor = self._find(workspace)
        child = supervisor.child()
        renews = kind is not None and kind.is_stale and question in ACTS
        if kind is not None and renews:
            kind.is_stale = False
        about = None if kind is None else _connection(kind, context, session)
        asked = Asked(
            question.name,
            given,
            _call(call, deadline),
            about,
            renews,
            tuple(supervisor.dropped.take()),
        )
        reports = kind is not None and kind.reports_begin
        dial = self._egress(kind, context).connect
        talk = Conversation(
            child, deadline, dial, call=call, context=context, session=session, reports=reports
        )
        try:
            return talk.ask(question, asked)
        except ValueError as error:
            raise InvalidInput(
                f"the inputs cannot be passed to the connector's process: {error}"
            ) from None
        finally:
            if talk.renewable and client is not None:
                client.allow_renewal()

    def _egress(self, kind: Kind | None, context: OpenContext | None) -> Egress:
        if kind is None:
            return Egress(
                self.manifest.key, self.manifest.hosts, route=self._route, told=self._told
            )
        guard = Guard() if context is None else context.guard
        return Egress(
            self.manifest.key, self.manifest.hosts, kind.hosts(), guard, self._route, self._told
        )


def _call(call: Call | None, deadline: Deadline) -> CallFacts:
    longest = deadline.longest if isinstance(deadline, SharedDeadline) else deadline.at
    facts = CallFacts(deadline.remaining(), longest - deadline.clock.monotonic(), deadline.seconds)
    if call is None:
        return facts
    return replace(
        facts,
        invocation_id=call.invocation_id,
        key=call.key.value,
        files=call.files is not None,
        follows=call.follows,
        sees=call.exchanges is not None,
        bodies=call.sees_bodies,
    )


def _connection(
    kind: Kind, context: OpenContext | None, session: Session | None
) -> ConnectionFacts:
    if context is None or session is None:
        return ConnectionFacts(kind.key, kind.values)
    return ConnectionFacts(
        kind.key,
        kind.values,
        context.connection,
        session.number,
        context.workspace,
        context.inputs,
        session.fresh(),
        context.grants is not None,
    )
