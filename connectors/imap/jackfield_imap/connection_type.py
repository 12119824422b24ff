"""The connection type ``login``: a server, and a user with a password."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from jackfield.connector import Account, ConnectionType, Deadline, Field, Guard, JackfieldError, OpenContext, Step
from jackfield.connector.servers import Address, authority_field, hostname_field, password_field, port_field, tls_field
from jackfield.connector.session_client import session_pool
from jackfield.kernel.exports import late_hints
from jackfield_imap.client import ImapClient
from jackfield_imap.session import Login, Session, connect

_GUIDE = """
1. Find host name and port of the IMAP server in your provider's help pages. Most answer at port 993.
2. Make a password for jackfield, if your provider has such ("app passwords"): many refuse the password of the account itself.
3. Enter host name, port, user name (most often the whole address) and password. A server that begins in clear text at port 143 needs *Start
   TLS*. If the server's certificate comes from an authority of its own, paste that authority's certificate into *CA Certificate*.
"""
_USER = {"minLength": 1, "maxLength": 1000, "pattern": "^[^\\u0000-\\u001f\\u007f]+$"}


class LoginType(ConnectionType):
    """A mailbox of an IMAP server, by user name and password."""

    key: ClassVar[str] = "login"
    title: ClassVar[str] = "Mailbox"
    auth: ClassVar[str] = "basic"
    setup: ClassVar[str] = _GUIDE
    reports_begin: ClassVar[bool] = True

    hostname: str = hostname_field("imap.example.com")
    port: int = port_field(993)
    username: str = Field(
        title="User Name", description="The user that signs in, most often a mail address.", trim=True, audience="user",
        examples=["shop@example.com"], schema=_USER,
    )  # fmt: skip
    password: str = password_field("The user's password, or the one that the provider has made for this program.")
    tls: Literal["verify", "encrypt", "disable"] = tls_field()
    start_tls: bool = Field(
        False, title="Start TLS", blank="absent", destination=True, audience="user",
        description="True for a server that begins in clear text, and encrypts before the login: at port 143.",
    )  # fmt: skip
    ca_certificate: str | None = authority_field()

    @property
    def address(self) -> Address:
        """Server that the values describe."""
        return Address(self.hostname.strip("[]"), self.port, self.tls, self.ca_certificate)

    def open(self, context: OpenContext) -> ImapClient:
        """Open a client with the connection's pool; no connection is opened yet."""
        return ImapClient(session_pool(context, self._connect), context.call)

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Sign in; nothing is read or changed."""
        client = self.open(context)
        try:
            client.read("NOOP", lambda server: server.noop())
        except JackfieldError as error:
            yield Step.failed("signIn", "Sign in", error)
            return
        yield Step("signIn", "Sign in", passed=True, message="The server accepted the login.")
        yield Account(f"{self.username}@{self.address.place}", f"{self.username} at {self.hostname}")

    def _connect(self, guard: Guard, deadline: Deadline) -> Session:
        return connect(self.address, Login(self.username, self.password, self.start_tls), guard, deadline)


late_hints(__name__)
