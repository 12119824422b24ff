"""One connection to a server, signed in, with a channel for files. paramiko speaks SSH; each wait
ends at the deadline of its call.
"""

# mypy: allow-subclassing-any
from __future__ import annotations

import base64
import errno
import hashlib
import io
import struct
import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from paramiko import (
    AuthenticationException,
    ECDSAKey,
    Ed25519Key,
    Message,
    PKey,
    RSAKey,
    SFTPClient,
    SSHException,
    Transport,
)
from paramiko.packet import Packetizer
from paramiko.sftp import (
    CMD_CLOSE,
    CMD_FSTAT,
    CMD_LSTAT,
    CMD_NAME,
    CMD_OPEN,
    CMD_OPENDIR,
    CMD_READ,
    CMD_READDIR,
    CMD_READLINK,
    CMD_REALPATH,
    CMD_STAT,
    CMD_STATUS,
)

from jackfield.connector import (
    Deadline,
    Detail,
    Guard,
    InvalidConnection,
    JackfieldError,
    Sent,
    Unauthenticated,
    Unavailable,
)
from jackfield.connector.servers import (
    Address,
    LibraryConnection,
    Reading,
    broken,
    lost,
    unreadable,
)
from jackfield.connector.sessions import Refusal, ServerSession
from jackfield.connector.timed_socket import CountedSocket, TimedSocket, TooMuchError
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.secrecy import SecretHolder

T = TypeVar("T")
_KINDS: tuple[type[PKey], ...] = (Ed25519Key, ECDSAKey, RSAKey)
LONGEST, _LONGEST_SEALED = 35_000, 262_144
"""Maximum bytes of a packet before the key exchange (RFC 4253, section 6.1), and after it
(OpenSSH's limit).
"""
MOST_NAMES = 100_000
"""Maximum number of names in a folder that a call reads: each becomes an object of some hundred
bytes.
"""
_MOST_MISSING = 64
"""Maximum number of fields that a packet may lack at its end, as some servers' packets do, and
maximum bytes of such a field.
"""
_TOLD = frozenset(
    {
        CMD_FSTAT,
        CMD_LSTAT,
        CMD_OPEN,
        CMD_OPENDIR,
        CMD_READ,
        CMD_READDIR,
        CMD_READLINK,
        CMD_REALPATH,
        CMD_STAT,
    }
)
"""Requests whose answers hold more than a status."""
_ENDED = (SSHException, EOFError, OSError)
"""Errors of paramiko that mean a broken connection. An OSError of paramiko's SFTP client may
instead be a refusal.
"""
_CODE_BYTES = 4
_STEP_SECONDS = 15.0
"""Maximum seconds for signing in."""


@dataclass(frozen=True, slots=True, repr=False)
class Login(SecretHolder):
    """User name with a password or a private key, and the fingerprint of the server's host key."""

    username: str
    host_key: str
    password: str | None = field(repr=False, default=None)
    private_key: str | None = field(repr=False, default=None)
    passphrase: str | None = field(repr=False, default=None)

    @property
    def key(self) -> PKey | None:
        """The private key; None for a login by password.

        :raises InvalidConnection: if it cannot be read.
        """
        if self.private_key is None:
            return None
        for kind in _KINDS:
            try:
                return kind.from_private_key(io.StringIO(self.private_key), self.passphrase)
            except (SSHException, ValueError, TypeError, IndexError, struct.error):
                continue
        fault = Detail(
            "/privateKey",
            "is no Ed25519, ECDSA or RSA key in OpenSSH's or PEM form, or the passphrase does "
            "not fit",
        )
        raise InvalidConnection(
            "the connection's private key cannot be read",
            details=[fault],
            hint="Paste the whole file.",
        )


def fingerprint(key: PKey) -> str:
    """Return a key's fingerprint, as OpenSSH writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


class _Bounded(Message):
    """Packet that ends where its bytes end. paramiko's own returns zeros for as many fields as a
    server declares: up to 4,294,967,295.
    """

    _missing = 0

    @classmethod
    def of(cls, message: Message) -> _Bounded:
        """Return the unread rest of a packet."""
        found = cls()
        found.packet, found.seqno = message.packet, getattr(message, "seqno", 0)
        return found

    def need(self, size: int) -> None:
        """Check that ``size`` more bytes exist.

        :raises ValueError: if one is missing.
        """
        at = self.packet.tell()
        if len(self.packet.read(size)) < size:
            raise ValueError(size)
        self.packet.seek(at)

    def get_bytes(self, n: int) -> bytes:
        """Return the next bytes, padded with zeros if a few are missing.

        :raises ValueError: if too many fields are missing, or one of more than ``_MOST_MISSING``
            bytes.
        """
        found = self.packet.read(n)
        if len(found) == n:
            return bytes(found)
        self._missing += 1
        if n > _MOST_MISSING or self._missing > _MOST_MISSING:
            raise ValueError(n)
        return bytes(found) + bytes(n - len(found))


class _Files(SFTPClient):
    """paramiko's SFTP client over a socket that is not one of its channels."""

    names = 0
    """Number of file names that the server has sent during one call."""

    def _read_response(self, waitfor: Any = None) -> Any:
        kind, message = super()._read_response(waitfor)
        if message is None:
            return kind, None
        found = _Bounded.of(message)
        if kind == CMD_NAME:
            at = found.packet.tell()
            self.names += found.get_int()
            found.packet.seek(at)
            if self.names > MOST_NAMES:
                self.sock.refuse(f"the server sent more than {MOST_NAMES:,} names for one call")
        return kind, found

    def _request(self, kind: Any, *words: Any) -> Any:
        answer, message = super()._request(kind, *words)
        if kind not in _TOLD and answer != CMD_STATUS:
            # what is no status confirms nothing; of questions, paramiko checks the answers itself
            raise ValueError(answer)
        return answer, message

    def _convert_status(self, message: Any) -> None:
        found = _Bounded.of(message)
        found.need(_CODE_BYTES)  # zeros would be success
        told = Message()
        told.add_int(found.get_int())
        told.add_string(found.get_string().decode("utf-8", "replace"))
        told.rewind()
        super()._convert_status(told)

    def end(self, file: Any) -> None:
        """Flush and close a written file. paramiko would ignore an error that the server reports
        only here, such as a full disk.

        :raises OSError: if the server reports an error.
        """
        file.flush()
        self._request(CMD_CLOSE, file.handle)
        file._closed = True  # noqa: SLF001 (else it would be closed twice, and the handle may be another file's by then)

    def _log(self, *_said: Any, **_more: Any) -> None:
        """Log nothing: paramiko's messages contain callers' paths."""


class _Packets(Packetizer):
    """paramiko's packet reader with a limit: without it, a server may declare packets of up to 4
    GiB.
    """

    def __init__(self, sock: CountedSocket) -> None:
        super().__init__(sock)
        self._sock, self._longest, self._greeted = sock, LONGEST, 0

    def set_inbound_cipher(self, *given: Any, **named: Any) -> None:
        """Raise the limit of a packet's length once packets are encrypted."""
        super().set_inbound_cipher(*given, **named)
        self._longest = _LONGEST_SEALED

    def read_all(self, n: int, check_rekey: bool = False) -> Any:
        """Read ``n`` bytes of a packet.

        :raises TooMuchError: if ``n`` exceeds the limit of a packet.
        """
        if n > self._longest:
            self._refuse()
        return super().read_all(n, check_rekey)

    def read_message(self) -> tuple[int, Message]:
        """Read a packet whose missing fields raise an error."""
        kind, message = super().read_message()
        return kind, _Bounded.of(message)

    def _read_timeout(self, timeout: float) -> Any:
        """Read a part of the lines before the first packet.

        :raises TooMuchError: if the lines exceed the limit of a packet.
        """
        found = super()._read_timeout(timeout)
        self._greeted += len(found)
        if self._greeted > self._longest:
            self._refuse()
        return found

    def _log(self, *_said: Any) -> None:
        """Log nothing: a message could quote the server."""

    def _refuse(self) -> NoReturn:
        self._sock.refuse(f"the server sent a packet of more than {self._longest:,} bytes")


class _Transport(Transport):
    """paramiko transport that logs nothing: its messages could put text of an untrusted server into
    the application's log.
    """

    def _log(self, *_said: Any) -> None:
        """Log nothing."""


class Session(ServerSession):
    """Connection to one server, signed in."""

    ends = (SSHException,)
    login_sent = True
    """Always True: paramiko does not report when it sends the login."""

    def __init__(self, address: Address, login: Login, guard: Guard, deadline: Deadline) -> None:
        self.address, self._login, self._key = address, login, login.key
        self._counted = address.connect(guard, deadline)
        self._transport = _Transport(self._counted, packetizer_class=_Packets)
        self._transport.daemon = True
        self._client: _Files | None = None

    @property
    def wire(self) -> LibraryConnection:
        """Channel for files; until it is open, the connection itself."""
        return self._counted if self._client is None else self._sock

    @property
    def deadline(self) -> Deadline:
        """Deadline of the current attempt."""
        return self._counted.deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._counted.serve(deadline)
        if self._client is not None:
            self._sock.serve(deadline)
            self._client.names = 0

    @property
    def worn(self) -> bool:
        """True if the session has ended."""
        return not self._transport.is_active() or self._client is None

    def stands(self) -> bool:
        """Return True if the server answers a harmless request. Answers carry the number of their
        request, so a late answer cannot be mistaken.
        """
        self.ask(lambda server: server.normalize("."))
        return True

    def sign_in(self) -> None:
        """Exchange keys, check the server's host key, sign in and open the channel.

        :raises JackfieldError: if the host key differs, the server refuses the login, or the
            connection ends; nothing was done.
        """
        # paramiko waits for some answers without a limit
        watch = threading.Timer(self._left(), self._transport.close)
        watch.daemon = True
        watch.start()
        try:
            with Reading(self._counted, self.address.place, Sent.NOTHING, passes=_ENDED):
                self._sign_in()
        except AuthenticationException:
            raise self._login_refusal() from None
        except _ENDED as error:
            error.__traceback__ = None  # its frames hold what has arrived
            raise self._ended("it ended while signing in, or is no SSH server") from None
        finally:
            watch.cancel()

    def _sign_in(self) -> None:
        transport, login = self._transport, self._login
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = (
            self._left()
        )
        transport.start_client(timeout=self._left())
        self._check(transport.get_remote_server_key(), login.host_key)
        if self._key is not None:
            transport.auth_publickey(login.username, self._key)
        else:
            transport.auth_password(login.username, login.password or "", fallback=False)
        channel = transport.open_session(timeout=self._left())
        channel.settimeout(self._left())
        channel.invoke_subsystem("sftp")
        self._sock = TimedSocket(channel, self.deadline)
        self._client = _Files(self._sock)

    def _login_refusal(self) -> JackfieldError:
        # paramiko takes that for a refusal, and a server may end so what it refuses
        if not self._transport.is_active():
            return self._ended("it ended while signing in, and may have refused the login")
        hint = (
            "Check user name, password or private key of the connection, and how the server "
            "lets users sign in."
        )
        return Unauthenticated("the server refused the login", sent=Sent.REFUSED, hint=hint)

    def _ended(self, said: str) -> JackfieldError:
        if self.deadline.remaining() <= 0:
            return self.deadline.passed(Sent.NOTHING)
        if isinstance(self._counted.failure, TooMuchError):
            return broken(self._counted, self.address.place, Sent.NOTHING)
        return (
            unreadable(self.address.place, Sent.NOTHING)
            if self._is_unread
            else lost(said, self.address.place)
        )

    def ask(self, work: Callable[[Any], T]) -> T:
        """Run ``work`` with paramiko's client and return its value.

        :raises Refusal: if the server refuses a request.
        :raises JackfieldError: if the connection ends or the deadline passes; the outcome is then
            unknown.
        """
        if self._client is None:
            raise lost("it is not open", self.address.place)
        with self.reading(Sent.UNKNOWN):
            return work(self._client)

    def refusal(self, error: Exception) -> Refusal | None:
        """Return the server's refusal in an error of paramiko's client; None if the error holds
        none.

        :raises JackfieldError: if the server's answer could not be read.
        """
        # it has failed under paramiko's thread
        self._sock.failure = self._sock.failure or self._counted.failure
        if not isinstance(error, _ENDED):
            return None
        if self._is_unread:
            raise unreadable(self.address.place, Sent.UNKNOWN)
        if not isinstance(error, OSError) or self._sock.failure is not None:
            return None
        return Refusal("", error.strerror or str(error), errno.errorcode.get(error.errno or 0, ""))

    @property
    def _is_unread(self) -> bool:
        """True if paramiko's thread ended the connection because it could not read a packet. Other
        threads see only the end.
        """
        met = self._transport.saved_exception
        return met is not None and not isinstance(met, _ENDED)

    def close(self) -> None:
        """Close the session."""
        self._client = None
        self._transport.close()
        self._transport.saved_exception = None

    def _left(self) -> float:
        return max(0.001, min(self.deadline.remaining(), _STEP_SECONDS))

    def _check(self, key: PKey, expected: str) -> None:
        found = fingerprint(key)
        if found != expected.strip().rstrip("="):
            hint = (
                "Compare it with the server's, and correct 'hostKey'. If the server has not "
                "changed, somebody may be in between."
            )
            text = (
                f"{self.address.place} has the host key {found} ({key.get_name()}), which is "
                "not the connection's"
            )
            raise Unavailable(text, sent=Sent.NOTHING, hint=hint, repeatable=False)
