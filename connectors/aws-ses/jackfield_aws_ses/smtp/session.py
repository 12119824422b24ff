"""One SMTP connection: encrypted and verified before any data is sent, with bounded waits and
complete replies.
"""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import ssl
from typing import Any

from jackfield.connector import Deadline, Sent, Unavailable
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.interrupts import let_out
from jackfield.wire.addresses import first_connected
from jackfield_aws_ses.smtp.replies import Reply, refused, refused_greeting
from jackfield_aws_ses.smtp.server import Login, Server

CONNECT_SECONDS = 5.0
"""Maximum wait for each step until the connection is encrypted, and for the first reply after an
idle period.
"""

MESSAGES = 100
"""Maximum number of messages per connection: SES asks for new connections after a fixed number,
since its servers are replaced (its troubleshooting page).
"""

_OUR_NAME = "[127.0.0.1]"
"""Name for EHLO (RFC 5321 §4.1.4): smtplib would query the DNS for one, which may take long."""
_PIECE = 64 * 1024  # octets per write, so that the deadline is checked in between
MAX_LINE = 4096
"""Maximum bytes of a reply's line; RFC 5321 §4.5.3.1.5 requires 512."""
_MAX_LINES = 100
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*?))?\r?\n")
_READY, _DONE, _CHALLENGE = 220, 250, 334
_SEPARATOR = "\0"  # RFC 4616 §2
_FAREWELL = b"421"  # "may be a reply to any command", and comes without one, too (RFC 5321 §3.8)
_SHOWN = 200


class Garbled(smtplib.SMTPException):
    """Error of a server that does not speak SMTP."""


class Unsolicited(smtplib.SMTPException):
    """Error of an unrequested reply, with its text in ``reason``; it must not be read as the answer
    to another command.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Session(smtplib.SMTP):
    """Connection to one server; the steps are ``reach``, ``encrypt``, ``sign_in``.

    ``deadline`` is the current attempt's. While ``hurried``, no single wait is longer than
    ``CONNECT_SECONDS``. ``sent`` counts messages; ``login_sent`` is True once the user name was
    sent. OSErrors are left to the caller; refusals are raised as JackfieldErrors.
    """

    def __init__(self, server: Server, trust: ssl.SSLContext, deadline: Deadline) -> None:
        super().__init__(local_hostname=server.helo_name or _OUR_NAME)
        self.server = server
        self.deadline = deadline
        self.hurried = True
        self.sent = 0
        self.login_sent = False
        self._trust = trust
        self._until = 0.0
        self._unread = bytearray()

    def reach(self) -> None:
        """Connect (with TLS if the server speaks it from the first byte), and read the server's
        greeting.
        """
        code, text = self.connect(self.server.hostname, self.server.port)
        self._expect(Reply(code, text.decode("utf-8", "replace")), _READY)

    def encrypt(self) -> None:
        """Begin TLS unless it has begun.

        :raises JackfieldError: if the server does not offer it: nothing is sent unencrypted.
        """
        self._introduce()
        if not self.server.tls:
            if not self.has_extn("starttls"):
                raise self._in_clear("does not offer STARTTLS")
            reply = self.say("STARTTLS")
            if reply.code != _READY:
                raise (
                    refused(reply, self.server)
                    if reply.passing
                    else self._in_clear(f"refused STARTTLS ({reply.code})")
                )
            # an attacker's injected bytes would be read as the server's after encryption
            # (CVE-2011-0411)
            if self._unread:
                raise self._in_clear("sent more data after STARTTLS")
            self.sock = self._encrypted(self._plain())
            self._introduce()
        self.hurried = False

    def sign_in(self, login: Login) -> Reply:
        """Authenticate with user name and password, and return the reply.

        :raises JackfieldError: if the server offers no supported method.
        """
        offered = self.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in offered:
            return self._log_in(
                "AUTH",
                f"PLAIN {_base64(_SEPARATOR + login.username + _SEPARATOR + login.password)}",
            )
        if "LOGIN" in offered:
            reply = self._log_in("AUTH", f"LOGIN {_base64(login.username)}")
            return self._log_in(_base64(login.password)) if reply.code == _CHALLENGE else reply
        raise Unavailable(
            f"{self.server.place} supports neither AUTH PLAIN nor AUTH LOGIN",
            hint="Is it an SMTP endpoint of Amazon SES?",
            sent=Sent.NOTHING,
            repeatable=False,
        )

    def _log_in(self, verb: str, argument: str = "") -> Reply:
        self.putcmd(verb, argument)
        self.login_sent = True
        return self.reply()

    def say(self, verb: str, argument: str = "") -> Reply:
        """Send a command and read its reply."""
        self.putcmd(verb, argument)
        return self.reply()

    def reply(self) -> Reply:
        """Read a complete reply."""
        code, text = self.getreply()
        return Reply(code, text.decode("utf-8", "replace"))

    def interruption(self) -> Reply | None:
        """Return an unsolicited reply; None if none has arrived. It is called just before the final
        dot.
        """
        return self.reply() if self._has_arrived() else None

    def check_last(self) -> None:
        """Check that the last reply is followed by nothing but a farewell.

        :raises Unsolicited: otherwise, since the last reply may answer another command.
        """
        if self._unread and not self._unread.startswith(_FAREWELL):
            raise self._unsolicited()

    def certificate_names(self) -> list[str]:
        """Return the names in the server's certificate."""
        shown: Any = self.sock.getpeercert() if isinstance(self.sock, ssl.SSLSocket) else None
        return [name for _, name in (shown or {}).get("subjectAltName", ())]

    @property
    def worn(self) -> bool:
        """True if the session has reached its message limit."""
        return self.sent >= MESSAGES

    def leave(self, *, politely: bool = False) -> None:
        """Send QUIT and close the connection; ``politely`` waits for the reply."""
        self.hurried = True
        try:
            self.putcmd("QUIT")
            if politely:
                self.reply()
        except OSError as error:  # the server had already closed the connection
            let_out(error)
        finally:
            self.close()

    # The methods below replace smtplib's: these wait as long as they like, and take any reply for
    # that of the last command.

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Send a command, unless an unread reply has arrived.

        :raises Unsolicited: if one has.
        """
        if self._has_arrived():
            raise self._unsolicited()
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        """Read a complete reply; return its code and its joined lines."""
        self._begin_step()
        code, lines = b"", list[bytes]()
        while len(lines) < _MAX_LINES:
            found = _LINE.fullmatch(self._line())
            code = found[1] if found and not lines else code
            if found is None or found[1] != code:
                raise Garbled
            lines.append((found[3] or b"").strip())
            if found[2] != b"-":
                return int(code), b"\n".join(lines)
        raise Garbled

    def send(self, s: Any) -> None:
        """Send all bytes."""
        self._begin_step()
        rest = memoryview(s.encode("ascii") if isinstance(s, str) else s)
        sock = self._plain()
        while rest:
            sock.settimeout(self._patience())
            rest = rest[sock.send(rest[:_PIECE]) :]

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002 (smtplib's; the deadline is ours)
        self._begin_step()
        addresses = self.server.guard.resolve(host, port, "/hostname", self._patience())
        sock = first_connected(addresses, self._patience())
        return self._encrypted(sock) if self.server.tls else sock

    def _encrypted(self, sock: socket.socket) -> ssl.SSLSocket:
        with OnFailure(sock.close):
            self._begin_step()
            sock.settimeout(self._patience())
            return self._trust.wrap_socket(sock, server_hostname=self.server.name)

    def _introduce(self) -> None:
        self.ehlo_resp = None
        self.esmtp_features = {}
        code, text = self.ehlo()
        reply = Reply(code, text.decode("utf-8", "replace"))
        if reply.code != _DONE:
            raise refused_greeting(reply, self.server)

    def _line(self) -> bytes:
        while (end := self._unread.find(b"\n")) < 0:
            if len(self._unread) > MAX_LINE:
                raise Garbled
            sock = self._plain()
            sock.settimeout(self._patience())
            more = sock.recv(MAX_LINE)
            if not more:
                raise smtplib.SMTPServerDisconnected
            self._unread += more
        line = bytes(self._unread[: end + 1])
        del self._unread[: end + 1]
        return line

    def _has_arrived(self) -> bool:
        """Return whether the server has sent unread bytes, without waiting for them."""
        sock = self._plain()
        sock.setblocking(False)
        try:
            more = sock.recv(MAX_LINE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return bool(self._unread)
        if not more:
            raise smtplib.SMTPServerDisconnected
        self._unread += more
        return True

    def _unsolicited(self) -> Unsolicited:
        return Unsolicited(
            self._unread.partition(b"\n")[0][:_SHOWN].decode("utf-8", "replace").strip()
        )

    def _plain(self) -> socket.socket:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected
        return self.sock

    def _begin_step(self) -> None:
        """Set the time limit of the next step, which slow bytes do not extend."""
        clock = self.deadline.clock
        self._until = (
            min(self.deadline.at, clock.monotonic() + CONNECT_SECONDS)
            if self.hurried
            else self.deadline.at
        )

    def _patience(self) -> float:
        left = self._until - self.deadline.clock.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def _expect(self, reply: Reply, code: int) -> None:
        if reply.code != code:
            raise refused(reply, self.server)

    def _in_clear(self, reason: str) -> Unavailable:
        return Unavailable(
            f"{self.server.place} {reason}; nothing was sent, because jackfield never sends "
            "unencrypted",
            hint="Amazon SES offers STARTTLS on ports 25, 587 and 2587: check 'hostname' and "
            "'port', and whether a proxy or firewall in "
            "between alters the connection.",
            sent=Sent.NOTHING,
            repeatable=False,
        )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode("ascii")
