"""One connection to a server, signed in. IMAPClient writes commands and reads answers; the socket under it is ours."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from jackfield.connector import Deadline, Guard, JackfieldError, NotFound, Sent, Unauthenticated
from jackfield.connector.servers import DISABLE, Address, broken, no_tls
from jackfield.connector.timed_socket import SocketSession, TimedSocket
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield_imap.faults import Refusal, refused_login

T = TypeVar("T")
_LEAVING_SECONDS = 2.0


@dataclass(frozen=True, slots=True, repr=False)
class Login(SecretHolder):
    """User and password; ``starts_clear``: TLS begins after the server's greeting."""

    username: str
    password: str = field(repr=False)
    starts_clear: bool = False


class _Protocol(imaplib.IMAP4):
    """imaplib's connection over a socket that is open already."""

    def __init__(self, sock: TimedSocket) -> None:
        self._open_socket = sock
        super().__init__("")

    def _create_socket(self, _timeout: float | None) -> Any:
        return self._open_socket

    def begin_tls(self, encrypt: Callable[[], None]) -> tuple[str, list[Any]]:
        """Begin TLS, and forget what the server has said before: anybody could have. Return the server's answer."""
        said: tuple[str, list[Any]] = self._simple_command("STARTTLS")
        if said[0] == "OK":
            encrypt()
            self.open("", 0)  # a new reader, without what came in clear text
            self._get_capabilities()
        return said


class Server(IMAPClient):
    """IMAPClient over a socket that is open already: what actions send commands with."""

    def __init__(self, sock: TimedSocket, hostname: str) -> None:
        self._open_socket = sock
        super().__init__(hostname, ssl=False)
        self._imap.debug = 0  # its log would have what is said
        self.normalise_times = False  # else times are the machine's

    def _create_IMAP4(self) -> _Protocol:
        return _Protocol(self._open_socket)

    def sign_in(self, login: Login) -> None:
        """Sign in: as SASL's mechanism PLAIN, which takes any text (RFC 4616), or by LOGIN where the server has not that.

        :raises Unauthenticated: if LOGIN cannot send the text.
        """
        if self.has_capability("AUTH=PLAIN"):
            self.plain_login(login.username, login.password)
            return
        words = [login.username, login.password]
        if not all(word.isascii() and word.isprintable() for word in words):
            raise Unauthenticated(
                "user name or password has characters that this server takes in no login", sent=Sent.NOTHING,
                hint="Use a password of ASCII characters.",
            )  # fmt: skip
        user = login.username.replace("\\", "\\\\").replace('"', '\\"')
        self.login(f'"{user}"', login.password)  # imaplib quotes the password only

    def opened(self, mailbox: str, *, changes: bool) -> Any:
        """Open a mailbox for the next commands; ``changes`` are allowed or not. Return what the server says of it.

        :raises NotFound: if there is none of this name.
        """
        try:
            return self.select_folder(mailbox, readonly=not changes)
        except IMAPClientAbortError:
            raise
        except IMAPClientError:
            if self.folder_exists(mailbox):
                raise
            text, hint = f"there is no mailbox '{mailbox}'", "List the mailboxes ('listMailboxes'): names are as the server writes them."
            raise NotFound(text, sent=Sent.REFUSED, hint=hint) from None

    def begin_tls(self, encrypt: Callable[[], None]) -> None:
        """Begin TLS: the server's capabilities are those that it tells afterwards."""
        self._checkok("STARTTLS", *self._imap.begin_tls(encrypt))
        self._cached_capabilities = None


class Session(SocketSession):
    """Connection to one server, signed in."""

    def __init__(self, sock: TimedSocket, address: Address) -> None:
        self._sock, self._address = sock, address
        self._server: Server | None = None
        self.worn = False
        """True once a command has failed in the middle: what the server would say next is unknown."""

    def sign_in(self, login: Login) -> None:
        """Begin TLS where it is still to begin, and sign in.

        :raises JackfieldError: if the server refuses that, or the connection ends.
        """
        try:
            if login.starts_clear and self._address.tls != DISABLE:
                self.ask(self._encrypted, safe=True, sent=Sent.NOTHING)
            self.ask(lambda server: server.sign_in(login), safe=True, sent=Sent.NOTHING)
        except Refusal as refusal:
            raise refused_login(refusal) from None

    def _encrypted(self, server: Server) -> None:
        if not server.has_capability("STARTTLS"):
            raise no_tls("the server does not offer it", self._address.place)
        try:
            server.begin_tls(lambda: self._sock.encrypt(self._address.trust(), self._address.hostname))
        except ssl.SSLError as error:
            raise no_tls(str(error), self._address.place) from None

    def ask(self, work: Callable[[Server], T], *, safe: bool, sent: Sent = Sent.UNKNOWN) -> T:
        """Let ``work`` send commands, and return what it returns. A wait for the answer to what is not ``safe`` goes on when the caller
        leaves.

        :raises Refusal: if the server refuses one of them.
        :raises JackfieldError: with ``sent``, if the connection ends or the deadline passes.
        """
        self.obeys = safe
        try:
            with OnFailure(self._wear):
                if self._server is None:
                    self._server = Server(self._sock, self._address.hostname)
                return work(self._server)
        except (IMAPClientAbortError, OSError, EOFError):
            raise broken(self._sock, self._address.place, sent) from None
        except (LoginError, IMAPClientError) as error:
            if self._sock.failure is not None:
                raise broken(self._sock, self._address.place, sent) from None
            self.worn = False  # a refusal is an answer
            raise Refusal(str(error)) from None

    def _wear(self) -> None:
        self.worn = True

    def leave(self) -> None:
        """Say goodbye, and close it."""
        if self._server is not None and not self.worn:
            self.deadline = Deadline.after(min(_LEAVING_SECONDS, self.deadline.remaining()), self.deadline.clock)
            with suppress(JackfieldError, Refusal):
                self.ask(lambda server: server.logout(), safe=False)
        self.close()

    def close(self) -> None:
        """Close it."""
        self.worn = True
        self._sock.close()


def connect(address: Address, login: Login, guard: Guard, deadline: Deadline) -> Session:
    """Open a session, signed in, to an address that the guard has checked.

    :raises JackfieldError: if the server is not reached or refuses the login.
    """
    session = Session(address.reach(guard, deadline, encrypted=not login.starts_clear), address)
    with OnFailure(session.close):
        session.sign_in(login)
    return session
