"""One connection to a server, signed in, with a channel for files. paramiko speaks SSH; each wait ends at the deadline of its call."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from paramiko import (
    AuthenticationException,
    ECDSAKey,
    Ed25519Key,
    PKey,
    RSAKey,
    SFTPClient,
    SFTPError,
    SSHException,
    Transport,
)

from jackfield.connector import Deadline, Detail, Guard, InvalidConnection, JackfieldError, Sent, Unauthenticated, Unavailable
from jackfield.connector.servers import Address, broken, lost
from jackfield.connector.timed_socket import TimedSocket
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield_sftp.faults import Refusal

T = TypeVar("T")
_KINDS: tuple[type[PKey], ...] = (Ed25519Key, ECDSAKey, RSAKey)
_LOST = (SSHException, SFTPError, EOFError, struct.error)
"""Errors of a connection that has ended, or has brought what is no answer."""
_STEP_SECONDS = 15.0
"""Longest time for signing in."""


@dataclass(frozen=True, slots=True, repr=False)
class Login(SecretHolder):
    """User, with a password or a private key, and the fingerprint of the server's key."""

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
        fault = Detail("/privateKey", "is no Ed25519, ECDSA or RSA key in OpenSSH's or PEM form, or the passphrase does not fit")
        raise InvalidConnection("the connection's private key cannot be read", details=[fault], hint="Paste the whole file.")


def fingerprint(key: PKey) -> str:
    """Return a key's fingerprint, as OpenSSH writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


class _Files(SFTPClient):
    """paramiko's client, over a socket that is no channel of its own."""

    def _log(self, *_said: Any, **_more: Any) -> None:
        """Log nothing: paramiko names its channel in each line, and callers' paths."""


class Session:
    """Connection to one server, signed in."""

    def __init__(self, address: Address, login: Login, guard: Guard, deadline: Deadline) -> None:
        self._place = address.place
        self._key = login.key
        self._transport = Transport(address.connect(guard, deadline))
        self._transport.daemon = True
        self._channel: TimedSocket | None = None
        self._client: _Files | None = None
        self._deadline = deadline

    @property
    def deadline(self) -> Deadline:
        """Deadline of the current attempt."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._deadline = deadline
        if self._channel is not None:
            self._channel.serve(deadline)

    @property
    def worn(self) -> bool:
        """True if it has ended."""
        return not self._transport.is_active() or self._client is None

    def sign_in(self, login: Login) -> None:
        """Agree on keys, check the server's, sign in and open the channel.

        :raises JackfieldError: if the server is another one, refuses the login, or the connection ends; nothing was done.
        """
        watch = threading.Timer(self._left(), self._transport.close)  # paramiko waits for some answers without a limit
        watch.daemon = True
        watch.start()
        try:
            self._sign_in(login)
        except AuthenticationException:
            raise self._refused() from None
        except (*_LOST, OSError):
            raise self._ended("it ended while signing in, or is no SSH server") from None
        finally:
            watch.cancel()

    def _sign_in(self, login: Login) -> None:
        transport = self._transport
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = self._left()
        transport.start_client(timeout=self._left())
        self._check(transport.get_remote_server_key(), login.host_key)
        if self._key is not None:
            transport.auth_publickey(login.username, self._key)
        else:
            transport.auth_password(login.username, login.password or "", fallback=False)
        channel = transport.open_session(timeout=self._left())
        channel.settimeout(self._left())
        channel.invoke_subsystem("sftp")
        self._channel = TimedSocket(channel, self._deadline)
        self._client = _Files(self._channel)

    def _refused(self) -> JackfieldError:
        if not self._transport.is_active():  # paramiko takes that for a refusal, and a server may end so what it refuses
            return self._ended("it ended while signing in, and may have refused the login")
        hint = "Check user name, password or private key of the connection, and how the server lets users sign in."
        return Unauthenticated("the server refused the login", sent=Sent.REFUSED, hint=hint)

    def _ended(self, said: str) -> JackfieldError:
        if self._deadline.remaining() <= 0:
            return self._deadline.passed(Sent.NOTHING)
        error = lost(said, self._place)
        error.repeatable = False  # logins that are tried again may lock the user out
        return error

    def ask(self, work: Callable[[Any], T], *, safe: bool) -> T:
        """Return what ``work`` returns of paramiko's client. A wait for the answer to what is not ``safe`` does not end when the caller
        leaves.

        :raises Refusal: if the server refuses it.
        :raises JackfieldError: if the connection ends or the deadline passes; whether it was done is unknown.
        """
        channel = self._channel
        if channel is None:
            raise lost("it is not open", self._place)
        channel.obeys = safe
        try:
            return work(self._client)
        except _LOST:
            self.close()
            raise broken(channel, self._place, Sent.UNKNOWN) from None
        except OSError as error:
            if channel.failure is not None:
                self.close()
                raise broken(channel, self._place, Sent.UNKNOWN) from None
            raise Refusal(error.errno or 0, error.strerror or str(error)) from None

    def close(self) -> None:
        """Close it."""
        self._client = None
        self._transport.close()

    leave = close

    def _left(self) -> float:
        return max(0.001, min(self._deadline.remaining(), _STEP_SECONDS))

    def _check(self, key: PKey, expected: str) -> None:
        found = fingerprint(key)
        if found != expected.strip().rstrip("="):
            hint = "Compare it with the server's, and correct 'hostKey'. If the server has not changed, somebody may be in between."
            text = f"{self._place} has the host key {found} ({key.get_name()}), which is not the connection's"
            raise Unavailable(text, sent=Sent.NOTHING, hint=hint, repeatable=False)


def connect(address: Address, login: Login, guard: Guard, deadline: Deadline) -> Session:
    """Open a session, signed in, to an address that the guard has checked.

    :raises JackfieldError: if the server is not reached, is another one, or refuses the login.
    """
    session = Session(address, login, guard, deadline)
    with OnFailure(session.close):
        session.sign_in(login)
    return session
