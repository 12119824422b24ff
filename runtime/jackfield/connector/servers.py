"""Servers that connections name by host and port, and reach over TCP or TLS: fields of a connection
type, and the connection to them.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol

from jackfield.connector.models import Field
from jackfield.connector.timed_socket import CountedSocket, TimedSocket, TooMuchError
from jackfield.kernel.clock import Deadline
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import (
    Detail,
    InvalidConnection,
    JackfieldError,
    Rejected,
    Sent,
    Unavailable,
)
from jackfield.kernel.interrupts import let_out
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.connection import WireSettings, connect
from jackfield.wire.faults import Kind, WireFault, printable
from jackfield.wire.guard import Guard
from jackfield.wire.head import Target
from jackfield.wire.tls import client_context


class LibraryConnection(Protocol):
    """Protocol of a connection that a library uses. ``failure`` is the reason if it is unusable;
    ``ended`` is True once the server has ended it.
    """

    deadline: Deadline
    failure: OSError | None
    ended: bool


_HOST = {"minLength": 1, "maxLength": 253, "pattern": "^[A-Za-z0-9._:\\[\\]-]+$"}
_PASSWORD = {"minLength": 1, "maxLength": 1000}
VERIFY, DISABLE = "verify", "disable"
"""Values of ``tls_field``; its third value is 'encrypt'."""
_REASONS = {
    Kind.RESOLVE: "its name cannot be found",
    Kind.REFUSED: "it refuses connections",
    Kind.UNREACHABLE: "there is no way to it",
    Kind.RESOLVER: "its name could not be looked up: the resolver did not answer",
    Kind.CONNECT_LATE: "it does not answer",
    Kind.EXHAUSTED: "this process has no descriptors left",
}


def hostname_field(example: str) -> Any:
    """Return the field for the server's name or address."""
    return Field(
        title="Host Name",
        description="The server's name or address.",
        examples=[example],
        trim=True,
        lowercase=True,
        destination=True,
        audience="user",
        expects=f"a host name such as {example}",
        schema=_HOST,
    )


def port_field(port: int, description: str = "The server's port.") -> Any:
    """Return the field for the server's port, with its default."""
    return Field(
        port,
        title="Port",
        description=description,
        blank="absent",
        destination=True,
        audience="user",
        schema={"minimum": 1, "maximum": 65535},
    )


def password_field(
    description: str, default: Any = ..., *, blank: Literal["absent"] | None = None
) -> Any:
    """Return the field for a password."""
    return Field(
        default,
        title="Password",
        description=description,
        secret=True,
        blank=blank,
        schema=_PASSWORD,
    )


def tls_field() -> Any:
    """Return the field that says whether the connection is encrypted, and the server verified."""
    return Field(
        VERIFY,
        title="TLS",
        blank="absent",
        destination=True,
        audience="user",
        description=(
            "'verify' encrypts, and checks the server's certificate and name. 'encrypt' does not "
            "check them, so that somebody between "
            "could read everything. 'disable' sends everything in clear text."
        ),
    )


def authority_field() -> Any:
    """Return the field for the authority that has issued the server's certificate."""
    return Field(
        None,
        title="CA Certificate",
        description="The certificate authority of the server, in PEM form; the machine's by default.",
        multiline=True,
        blank="absent",
        audience="user",
        schema={"maxLength": 100_000},
    )


@dataclass(frozen=True, slots=True, repr=False)
class Address(SecretHolder):
    """Host and port of a server; ``tls`` and ``authority`` come from ``tls_field`` and
    ``authority_field``.
    """

    hostname: str
    port: int
    tls: str
    authority: str | None = field(repr=False, default=None)

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.hostname}:{self.port}"

    def trust(self) -> ssl.SSLContext:
        """Return the TLS context; unless ``tls`` is 'verify', it checks neither certificate nor
        name.

        :raises InvalidConnection: if the connection's own authority is not a certificate.
        """
        if self.tls != VERIFY:
            context = client_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            return context
        return trusting(self.authority)

    def reach(self, guard: Guard, deadline: Deadline, *, encrypted: bool = True) -> TimedSocket:
        """Connect to the first permitted address that accepts; ``encrypted`` starts TLS unless
        ``tls`` disables it.

        :raises InvalidConnection: if the guard does not permit the server.
        :raises JackfieldError: if the server is not reached, or TLS fails; nothing was sent.
        """
        return TimedSocket(self._connected(guard, deadline, encrypted=encrypted), deadline)

    def connect(self, guard: Guard, deadline: Deadline, *, encrypted: bool = True) -> CountedSocket:
        """Connect as ``reach`` does, for a library that waits in its own thread.

        :raises JackfieldError: as ``reach`` does.
        """
        return CountedSocket(self._connected(guard, deadline, encrypted=encrypted), deadline)

    def _connected(self, guard: Guard, deadline: Deadline, *, encrypted: bool) -> socket.socket:
        scheme = "https" if encrypted and self.tls != DISABLE else "tcp"
        settings = WireSettings(guard, "/hostname", tls=self.trust)
        try:
            return connect(
                Target(scheme, self.hostname, self.port), settings, deadline.remaining
            ).sock
        except WireFault as fault:
            raise self._unreached(fault, deadline) from None

    def _unreached(self, fault: WireFault, deadline: Deadline) -> JackfieldError:
        if fault.kind in (Kind.CERTIFICATE, Kind.TLS):
            return no_tls(fault.reason or "the server does not speak it", self.place)
        reason = _REASONS.get(fault.kind) or fault.reason or "it failed"
        said = lost(
            reason + ", or not in TLS" * (fault.kind is Kind.CONNECT_LATE and self.tls != DISABLE),
            self.place,
        )
        return deadline.passed(Sent.NOTHING, said) if deadline.remaining() <= 0 else said


def trusting(authority: str | None) -> ssl.SSLContext:
    """Return the TLS context that trusts a connection's own authority, in PEM form; None means the
    machine's authorities.

    :raises InvalidConnection: if the text is not a certificate authority.
    """
    try:
        return client_context(cadata=authority)
    except (ssl.SSLError, ValueError):
        fault = Detail("/caCertificate", "is not a certificate in PEM form")
        hint = "Paste the whole PEM text, with its lines '-----BEGIN' and '-----END'."
        raise InvalidConnection(
            "the connection's certificate cannot be used", details=[fault], hint=hint
        ) from None


def no_tls(said: str, place: str, sent: Sent = Sent.NOTHING) -> JackfieldError:
    """Return the error for failed TLS; ``said`` is the reason, ``place`` host and port."""
    hint = (
        "Check 'hostname', 'tls' and 'caCertificate'. A server without TLS needs tls: "
        "disable, which sends all data in clear text."
    )
    return Unavailable(
        f"TLS with {place} failed: {printable(said)}", sent=sent, hint=hint, repeatable=False
    )


def lost(said: str, place: str, sent: Sent = Sent.NOTHING) -> JackfieldError:
    """Return the error for a connection that failed or ended; ``said`` is the reason, ``place``
    host and port.
    """
    hint = (
        "Check 'hostname' and 'port', and whether the server is running and lets this "
        "machine through."
    )
    return Unavailable(
        f"{place} cannot be reached or ended the connection: {printable(said)}",
        sent=sent,
        hint=hint,
    )


def unreadable(place: str, sent: Sent) -> JackfieldError:
    """Return the error for bytes that a library cannot read as an answer; ``sent`` is the state of
    the request.
    """
    hint = "Check 'hostname' and 'port', and what answers there: it does not keep to its protocol."
    return Unavailable(
        f"{place}: the server's answer cannot be read", sent=sent, hint=hint, repeatable=False
    )


class Reading:
    """Context manager around a library's code that sends a request and reads its answer.

    Any exception within becomes an error with a code and with ``sent``, the state of the request.
    The error says that the connection has ended or failed, or else that the answer cannot be read:
    a hostile server may make a parser raise anything, even a ``MemoryError``.

    Errors with a code pass through, and so do the classes in ``passes``. The library reports an
    ended connection by the classes in ``ends``. ``refusal`` returns the exception to raise instead,
    if the library's exception means that the server refused the request. In a block with several
    requests, ``sent`` may be changed between them.
    """

    __slots__ = ("_ends", "_passes", "_place", "_refusal", "_sock", "sent")

    def __init__(
        self,
        sock: LibraryConnection | None,
        place: str,
        sent: Sent,
        passes: tuple[type[Exception], ...] = (),
        ends: tuple[type[Exception], ...] = (),
        refusal: Callable[[Exception], Exception | None] | None = None,
    ) -> None:
        self._sock, self._place, self.sent, self._refusal = sock, place, sent, refusal
        self._passes: tuple[type[Exception], ...] = (JackfieldError, *passes)
        self._ends: tuple[type[Exception], ...] = (OSError, EOFError, *ends)

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, self._passes):
            return
        let_out(error)
        error.__traceback__ = None  # its frames hold what has arrived
        if self._refusal is not None and (refusal := self._refusal(error)) is not None:
            raise refusal from None
        sock = self._sock
        if sock is None or (
            sock.failure is None and not sock.ended and not isinstance(error, self._ends)
        ):
            raise unreadable(self._place, self.sent) from None
        raise broken(sock, self._place, self.sent) from None


@contextmanager
def tried_once(is_sent: Callable[[], object] | None = None) -> Iterator[None]:
    """Sign in within the block. Once the login ``is_sent`` (by default from the beginning), a
    failure is not repeated.

    The server may have refused the login without an answer. Raise a clear refusal outside the
    block, where it may be repeated.
    """
    try:
        yield
    except JackfieldError as error:
        # tried again, it may lock the user out
        error.repeatable = error.repeatable and is_sent is not None and not is_sent()
        raise


def broken(sock: LibraryConnection, place: str, sent: Sent) -> JackfieldError:
    """Return the error for an open connection on which a library has failed; ``sent`` is the state
    of its request.
    """
    failure = sock.failure
    if isinstance(failure, TimeoutError):
        return sock.deadline.passed(sent)
    if isinstance(failure, TooMuchError):
        return Rejected(f"{place}: {failure}", sent=sent, hint="Ask for less at a time.")
    if isinstance(failure, ssl.SSLError):
        return no_tls(getattr(failure, "verify_message", None) or str(failure), place, sent)
    return lost(str(failure or "it ended"), place, sent)
