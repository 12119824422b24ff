"""One connection to a server, signed in. IMAPClient writes commands and reads answers over
jackfield's own socket.
"""

# mypy: allow-subclassing-any
from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from jackfield.connector import Deadline, Guard, NotFound, Sent, Unauthenticated
from jackfield.connector.servers import DISABLE, Address, Reading, no_tls
from jackfield.connector.sessions import Login, Refusal, ServerSession
from jackfield.connector.timed_socket import TimedSocket
from jackfield.kernel.failures import OnFailure
from jackfield_imap.faults import refusal_of

T = TypeVar("T")
_LEAVING_SECONDS = 2.0
_REFUSES = frozenset({"NO", "BAD"})
_CHANGES = re.compile(rb"[A-Z0-9]+ (?:UID )?(?:APPEND|STORE|MOVE|EXPUNGE)\b")
"""Pattern of commands that change something; all other commands may be repeated."""


class Value(bytes):
    """Search text. It is quoted or sent as a literal, since a bare text could be read as grammar
    (RFC 9051, section 9).
    """


class _Protocol(imaplib.IMAP4):
    """imaplib's connection over an already open socket."""

    told = ""
    """Status that ended the last command: OK, NO, BAD or another text; empty while a command
    runs.
    """
    changing = False
    """True once a changing command was sent."""

    def __init__(self, sock: TimedSocket) -> None:
        self._open_socket = sock
        super().__init__("")

    def send(self, data: Any) -> None:
        """Send a part of a command, and record in ``changing`` whether the command changes
        something.
        """
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
        """Begin TLS and return the server's answer. Capabilities from before are discarded, since
        they may be forged.
        """
        said: tuple[str, list[Any]] = self._simple_command("STARTTLS")
        if said[0] == "OK":
            encrypt()
            self.open("", 0)  # a new reader, without what came in clear text
            self._get_capabilities()
        return said


class Server(IMAPClient):
    """IMAPClient over an already open socket, by which actions send commands."""

    def __init__(self, sock: TimedSocket, hostname: str) -> None:
        self._open_socket = sock
        super().__init__(hostname, ssl=False)
        self._imap.debug = 0  # its log would have what is said
        self.normalise_times = False  # else times are the machine's

    @property
    def refuses(self) -> bool:
        """True if the server refused the last command. Other errors concern the content or form of
        its answer.
        """
        return self._imap.told in _REFUSES

    @property
    def changing(self) -> bool:
        """True once a changing command was sent."""
        return bool(self._imap.changing)

    @changing.setter
    def changing(self, changing: bool) -> None:
        self._imap.changing = changing

    def _create_IMAP4(self) -> _Protocol:
        return _Protocol(self._open_socket)

    def _raw_command(self, command: bytes, args: Any, uid: bool = True) -> Any:
        if isinstance(
            args,
            list,
            # IMAPClient has quoted those with a space, a quote or a backslash, and sends what is
            # not ASCII as literals
        ):
            args = [
                b'"' + one + b'"' if isinstance(one, Value) and one.isascii() else one
                for one in args
            ]
        return super()._raw_command(command, args, uid)

    def sign_in(self, login: Login) -> None:
        """Sign in by SASL's PLAIN, which accepts any text (RFC 4616), or by LOGIN if the server
        lacks PLAIN.

        :raises Unauthenticated: if LOGIN cannot send the user name or password.
        """
        if self.has_capability("AUTH=PLAIN"):
            self.plain_login(login.username, login.password)
            return
        words = [login.username, login.password]
        if not all(word.isascii() and word.isprintable() for word in words):
            raise Unauthenticated(
                "user name or password has characters that this server takes in no login",
                sent=Sent.NOTHING,
                hint="Use a password of ASCII characters.",
            )
        user = login.username.replace("\\", "\\\\").replace('"', '\\"')
        self.login(f'"{user}"', login.password)  # imaplib quotes the password only

    def opened(self, mailbox: str, *, changes: bool) -> Any:
        """Open a mailbox for the next commands, read-only unless ``changes``; return the server's
        data about it.

        :raises NotFound: if no mailbox has this name.
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
            text, hint = (
                f"there is no mailbox '{mailbox}'",
                "List the mailboxes ('listMailboxes'): names are as the server writes them.",
            )
            raise NotFound(text, sent=Sent.REFUSED, hint=hint) from None

    def begin_tls(self, encrypt: Callable[[], None]) -> None:
        """Begin TLS, and discard the capabilities that were read before it."""
        self._checkok("STARTTLS", *self._imap.begin_tls(encrypt))
        self._cached_capabilities = None


class Session(ServerSession):
    """Connection to one server, signed in. With ``starts_clear``, TLS begins after the server's
    greeting.
    """

    ends = (IMAPClientAbortError,)
    login_sent = False

    def __init__(
        self,
        address: Address,
        login: Login,
        guard: Guard,
        deadline: Deadline,
        *,
        starts_clear: bool,
    ) -> None:
        super().__init__(address, guard, deadline, encrypted=not starts_clear)
        self._login, self._starts_clear = login, starts_clear
        self._server: Server | None = None
        self._is_closed = False

    @property
    def worn(self) -> bool:
        """True if the session is closed, as after a command that failed midway: the next answer
        could belong to it.
        """
        return self._is_closed

    def sign_in(self) -> None:
        """Begin TLS if the connection still needs it, and sign in.

        :raises Refusal: if the server refuses the login; JackfieldError if the connection ends.
        """
        if self._starts_clear and self.address.tls != DISABLE:
            self.ask(self._encrypted, sent=Sent.NOTHING)
        self.ask(_greeted, sent=Sent.NOTHING)
        self.login_sent = True
        self.ask(lambda server: server.sign_in(self._login), sent=Sent.NOTHING)

    def stands(self) -> bool:
        """Return True if the server answers a NOOP. Answers name their command, so a late answer
        cannot be mistaken.
        """
        self.ask(lambda server: server.noop())
        return True

    def _encrypted(self, server: Server) -> None:
        if not server.has_capability("STARTTLS"):
            raise no_tls("the server does not offer it", self.address.place)
        try:
            server.begin_tls(
                lambda: self._sock.encrypt(self.address.trust(), self.address.hostname)
            )
        except ssl.SSLError as error:
            raise no_tls(str(error), self.address.place) from None

    def ask(self, work: Callable[[Server], T], *, sent: Sent = Sent.UNKNOWN) -> T:
        """Run ``work`` with the server and return its value.

        :raises Refusal: if the server refuses a command.
        :raises JackfieldError: with ``sent``, if the connection ends or the deadline passes.
        """
        if self._server is not None:
            self._server.changing = False
        reading = self.reading(sent)
        with reading, OnFailure(self._weigh, reading):
            if self._server is None:
                self._server = Server(self._sock, self.address.hostname)
            return work(self._server)

    def refusal(self, error: Exception) -> Refusal | None:
        """Return the refusal in the server's last answer; None if ``error`` is no refusal."""
        if (
            not isinstance(error, IMAPClientError)
            or isinstance(error, IMAPClientAbortError)
            or self._sock.failure is not None
        ):
            return None
        refuses = _says_goodbye(error) if self._server is None else self._server.refuses
        return refusal_of(str(error)) if refuses else None

    def _weigh(self, reading: Reading) -> None:
        """Set the reading's ``sent`` to nothing if no changing command was sent."""
        if self._server is None or not self._server.changing:
            reading.sent = Sent.NOTHING

    def leave(self) -> None:
        """Log out and close the session."""
        if self._server is not None and not self.worn:
            self.deadline = Deadline.after(
                min(_LEAVING_SECONDS, self.deadline.remaining()), self.deadline.clock
            )
            self.obeys = False
            self.ask(lambda server: server.logout())
        self.close()

    def close(self) -> None:
        """Close the session."""
        self._is_closed = True
        super().close()


def _greeted(_server: Server) -> None:
    """Do nothing: opening a session reads the greeting."""


def _says_goodbye(error: IMAPClientError) -> bool:
    """Return True if a greeting refused the connection."""
    return any(isinstance(said, bytes) and said.startswith(b"* BYE") for said in error.args)
