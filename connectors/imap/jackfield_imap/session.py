"""One connection to a server, signed in. IMAPClient writes commands and reads answers; the socket under it is ours."""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from jackfield.connector import Deadline, Guard, JackfieldError, NotFound, Sent, Unauthenticated
from jackfield.connector.servers import DISABLE, Address, Reading, no_tls, tried_once
from jackfield.connector.timed_socket import SocketSession, TimedSocket
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield_imap.faults import Refusal, refused_login

T = TypeVar("T")
_LEAVING_SECONDS = 2.0
_REFUSES = frozenset({"NO", "BAD"})
_CHANGES = re.compile(rb"[A-Z0-9]+ (?:UID )?(?:APPEND|STORE|MOVE|EXPUNGE)\b")
"""Commands of actions that change something. All others may be sent again."""


@dataclass(frozen=True, slots=True, repr=False)
class Login(SecretHolder):
    """User and password; ``starts_clear``: TLS begins after the server's greeting."""

    username: str
    password: str = field(repr=False)
    starts_clear: bool = False


class Value(bytes):
    """Text that a server searches for. It is written in quotes, or as a literal: bare, some texts are grammar (RFC 9051, section 9)."""


class _Protocol(imaplib.IMAP4):
    """imaplib's connection over a socket that is open already."""

    told = ""
    """How the server has ended the last command: OK, NO, BAD or what it likes; empty until it has."""
    changing = False
    """True once a command was begun that changes something."""

    def __init__(self, sock: TimedSocket) -> None:
        self._open_socket = sock
        super().__init__("")

    def send(self, data: Any) -> None:
        """Send a part of a command."""
        self.changing = self.changing or _CHANGES.match(data) is not None
        super().send(data)

    def _new_tag(self) -> bytes:
        self.told = ""
        tag: bytes = super()._new_tag()  # type: ignore[misc]  # typeshed does not know it
        return tag

    def _get_tagged_response(self, tag: bytes, expect_bye: bool = False) -> Any:
        found = super()._get_tagged_response(tag, expect_bye)  # type: ignore[misc]  # typeshed does not know it
        self.told = found[0]
        return found

    def _command(self, name: str, *args: Any) -> bytes:
        tag: bytes = super()._command(name, *args)  # type: ignore[misc]  # typeshed does not know it
        early: Any = self.tagged_commands[tag]
        if name == "APPEND" and early is not None and early[0] == "OK":
            raise ValueError(early)  # it has not been sent the message
        return tag

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

    @property
    def refuses(self) -> bool:
        """True if the server has refused the last command: other errors are of what its answer says, or how it says it."""
        return self._imap.told in _REFUSES

    @property
    def changing(self) -> bool:
        """True once a command was begun that changes something."""
        return bool(self._imap.changing)

    @changing.setter
    def changing(self, changing: bool) -> None:
        self._imap.changing = changing

    def _create_IMAP4(self) -> _Protocol:
        return _Protocol(self._open_socket)

    def _raw_command(self, command: bytes, args: Any, uid: bool = True) -> Any:
        if isinstance(
            args, list
        ):  # IMAPClient has quoted those with a space, a quote or a backslash, and sends what is not ASCII as literals
            args = [b'"' + one + b'"' if isinstance(one, Value) and one.isascii() else one for one in args]
        return super()._raw_command(command, args, uid)

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
            told = self._imap.told
            if self.folder_exists(mailbox):
                self._imap.told = told  # what counts is the answer to the command that has failed
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
            self.ask(_greeted, safe=True, sent=Sent.NOTHING)
            with tried_once():
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
        if self._server is not None:
            self._server.changing = False
        reading = Reading(self._sock, self._address.place, sent, passes=(Refusal,), ends=(IMAPClientAbortError,))
        with reading:
            try:
                with OnFailure(self._wear, reading):
                    if self._server is None:
                        self._server = Server(self._sock, self._address.hostname)
                    return work(self._server)
            except IMAPClientAbortError:
                raise
            except IMAPClientError as error:
                if self._sock.failure is not None or not self._refuses(error):
                    raise
                self.worn = False  # a refusal is an answer
                raise Refusal(str(error)) from None

    def _refuses(self, error: IMAPClientError) -> bool:
        return _says_goodbye(error) if self._server is None else self._server.refuses

    def _wear(self, reading: Reading) -> None:
        self.worn = True
        if self._server is None or not self._server.changing:
            reading.sent = Sent.NOTHING

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


def _greeted(_server: Server) -> None:
    """Do nothing: the greeting was read before."""


def _says_goodbye(error: IMAPClientError) -> bool:
    """Return True for the error of a greeting that lets nobody in."""
    return any(isinstance(said, bytes) and said.startswith(b"* BYE") for said in error.args)


def connect(address: Address, login: Login, guard: Guard, deadline: Deadline) -> Session:
    """Open a session, signed in, to an address that the guard has checked.

    :raises JackfieldError: if the server is not reached or refuses the login.
    """
    session = Session(address.reach(guard, deadline, encrypted=not login.starts_clear), address)
    with OnFailure(session.close):
        session.sign_in(login)
    return session
