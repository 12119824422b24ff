"""Base of connectors whose protocol begins with a sign-in: sessions in a pool, the client over
them, and the connection type.

A connector implements its session (connect, sign in, check that it is alive), the meanings of the
server's refusals as rows, and its actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from jackfield.connector.connection_steps import Account, Step
from jackfield.connector.context import Call, OpenContext, current_call
from jackfield.connector.models import ConnectionType
from jackfield.connector.servers import Address, LibraryConnection, Reading, tried_once
from jackfield.connector.timed_socket import TimedSocket
from jackfield.kernel.clock import Deadline
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import JackfieldError, Provider, Sent, TimedOut
from jackfield.kernel.exports import late_hints
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.guard import Guard
from jackfield.wire.sessions import SessionPool

Meaning = tuple[type[JackfieldError], str, str]
"""Meaning of a refusal: error, message and hint."""


class Refusal(Exception):
    """Refusal of a request by the server, with its code and message; the session remains usable.

    ``key`` is its row of ``Meanings``: its code by default. ``hint`` replaces the row's hint, and
    ``more`` follows the server's message.
    """

    def __init__(
        self, code: str, text: str, key: str = "", *, hint: str = "", more: str = ""
    ) -> None:
        super().__init__(text)
        self.code, self.text, self.key, self.hint, self.more = code, text, key or code, hint, more


@dataclass(frozen=True, slots=True)
class Meanings:
    """Meanings of a server's refusals, by code. ``other`` is the meaning of a code without a
    row.
    """

    rows: Mapping[str, Meaning]
    other: Meaning

    def explain(self, refusal: Refusal, sent: Sent = Sent.REFUSED) -> JackfieldError:
        """Return the error for a refusal."""
        kind, message, hint = self.rows.get(refusal.key, self.other)
        said = Provider(code=refusal.code or None, message=refusal.text[:1000])
        text = f"{message}: {refusal.text[:500]}{refusal.more}"
        # a server that ends a request at the deadline has left no time for another one
        return kind(
            text,
            sent=sent,
            provider=said,
            hint=refusal.hint or hint,
            repeatable=kind is not TimedOut,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Login(SecretHolder):
    """User and password; ``database`` is the database, or the virtual host, to sign in to."""

    username: str
    password: str = field(repr=False)
    database: str = ""


class ServerSession:
    """Base of a session of a ``SessionPool``: a connection to one server, whose socket a library
    uses.
    """

    _sock: TimedSocket
    ends: ClassVar[tuple[type[Exception], ...]] = ()
    """Exceptions by which the library reports that the connection has ended."""

    def __init__(
        self, address: Address, guard: Guard, deadline: Deadline, *, encrypted: bool = True
    ) -> None:
        self.address = address
        self._sock = address.reach(guard, deadline, encrypted=encrypted)

    def sign_in(self) -> None:
        """Sign in.

        :raises Refusal: if the server refuses the login; JackfieldError if the connection ends.
        """
        raise NotImplementedError

    def stands(self) -> bool:
        """Return whether the idle session is usable, by a request that changes nothing."""
        raise NotImplementedError

    def refusal(self, error: Exception) -> Refusal | None:  # noqa: ARG002 (for subclasses)
        """Return the refusal that a library's exception reports; None if the connection has
        failed.
        """
        return None

    def reading(self, sent: Sent) -> Reading:
        """Return the context manager around code that sends a request and reads its answer.
        ``sent`` is the state of the request if the answer is lost.

        :raises Refusal: from the block, if the server refuses the request; JackfieldError for any
            other exception in the block.
        """
        return Reading(
            self.wire,
            self.address.place,
            sent,
            passes=(Refusal,),
            ends=self.ends,
            refusal=self.refusal,
        )

    @property
    def wire(self) -> LibraryConnection:
        """Connection on which the library works."""
        return self._sock

    @property
    def login_sent(self) -> bool:
        """True from the login to the server's answer. If the answer is lost, the server may have
        refused the login, which is not sent again.
        """
        return False

    @property
    def worn(self) -> bool:
        """True if the session should be ended instead of returning to the pool."""
        raise NotImplementedError

    @property
    def deadline(self) -> Deadline:
        """Deadline of the current attempt."""
        return self._sock.deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._sock.serve(deadline)

    @property
    def obeys(self) -> bool:
        """True if a wait ends when the caller leaves; False once something may have changed."""
        return self._sock.obeys

    @obeys.setter
    def obeys(self, obeys: bool) -> None:
        self._sock.obeys = obeys

    @property
    def is_quiet(self) -> bool:
        """True if no unexpected bytes have arrived, such as the server's goodbye."""
        return self._sock.is_quiet

    def leave(self) -> None:
        """End the session as the protocol requires. An exception here is not a failure of the
        previous request.
        """
        self.close()

    def close(self) -> None:
        """End the session at once."""
        self._sock.close()


S = TypeVar("S", bound=ServerSession)
T = TypeVar("T")


class SessionClient(SecretHolder, Generic[S]):
    """Base of a client over a pool's sessions. It is created for each attempt, so it only
    references shared objects.
    """

    __slots__ = ("_call", "_pool")
    meanings: ClassVar[Meanings]

    def __init__(self, pool: SessionPool[S], call: Call) -> None:
        self._pool = pool
        self._call = call

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @property
    def call(self) -> Call:
        """Current call; outside of a call, the call that the client was opened for."""
        return current_call() or self._call

    def refused(self, refusal: Refusal, _session: S) -> JackfieldError:
        """Return the error for a refusal."""
        return self.meanings.explain(refusal)

    def used(
        self,
        step: str,
        work: Callable[[S], T],
        *,
        safe: bool,
        obeys: bool | None = None,
        stands: Callable[[S], bool] | None = None,
    ) -> T:
        """Report ``step`` as a request, let ``work`` make it over a live session, and return its
        value.

        A ``safe`` request changes nothing. Waits of a safe request end when the caller leaves,
        waits of a change do not, unless ``obeys`` overrides this. ``stands`` replaces the session's
        own check that it is alive.

        :raises JackfieldError: if the server refuses the request or is not reached, or the deadline
            passes.
        """
        call = self.call
        call.begin(step, safe=safe)
        session, failure = self._pool.proven(call.deadline, partial(_is_proven, stands)), None
        with OnFailure(session.close):
            call.check()
            session.obeys = safe if obeys is None else obeys
            try:
                found = work(session)
            except Refusal as refusal:
                failure = self.refused(refusal, session)
        self._pool.give(session)
        if failure is not None:
            raise failure
        return found


def _is_proven(stands: Callable[[S], bool] | None, session: S) -> bool:
    with suppress(Refusal):
        return session.stands() if stands is None else stands(session)
    return False


class ServerLogin(ConnectionType):
    """Base of a connection type for a server and a user of the server, with the fields of
    ``servers``. Its clients share a pool of sessions.
    """

    auth: ClassVar[str] = "basic"
    reports_begin: ClassVar[bool] = True
    client: ClassVar[type[SessionClient[Any]]]

    if TYPE_CHECKING:  # a subclass declares them, in the order of its form
        hostname: str
        port: int
        tls: str
        ca_certificate: str | None

    @property
    def address(self) -> Address:
        """Server that the values describe."""
        return Address(self.hostname.strip("[]"), self.port, self.tls, self.ca_certificate)

    def session(self, guard: Guard, deadline: Deadline) -> ServerSession:
        """Return a session that is connected but not signed in.

        :raises JackfieldError: if the guard does not permit the server, or it is not reached.
        """
        raise NotImplementedError

    def account(self, client: Any) -> tuple[str, Account]:
        """Send the server a request that changes nothing. Return the kind of server, for a
        sentence, and the account.
        """
        raise NotImplementedError

    def refused_login(self, refusal: Refusal) -> JackfieldError:
        """Return the error for a refused login."""
        return self.client.meanings.explain(refusal)

    def connect(self, guard: Guard, deadline: Deadline) -> Any:
        """Return a session that is signed in.

        :raises JackfieldError: if the server is not reached or refuses the login.
        """
        session = self.session(guard, deadline)
        with OnFailure(session.close):
            try:
                with tried_once(lambda: session.login_sent):
                    session.sign_in()
            except Refusal as refusal:
                raise self.refused_login(refusal) from None
        return session

    def open(self, context: OpenContext) -> Any:
        """Open a client over the connection's pool; no session is opened yet."""
        pool = context.cached(
            "session-pool", lambda: SessionPool(partial(self.connect, context.guard), context.clock)
        )
        return self.client(pool, context.call)

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Sign in, and read the account; nothing is changed."""
        try:
            with Reading(None, self.address.place, Sent.NOTHING):
                server, account = self.account(self.open(context))
        except JackfieldError as error:
            yield Step.failed("signIn", "Sign in", error)
            return
        yield Step("signIn", "Sign in", passed=True, message=f"{server} accepted the login.")
        yield account


late_hints(__name__)
