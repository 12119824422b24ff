"""The connection type ``login``: a server, and a user with a password."""

from __future__ import annotations

from typing import ClassVar, Literal

from jackfield.connector import (
    Account,
    Deadline,
    Field,
    Guard,
    JackfieldError,
    Sent,
    Unauthenticated,
)
from jackfield.connector.servers import (
    authority_field,
    hostname_field,
    password_field,
    port_field,
    tls_field,
)
from jackfield.connector.sessions import Login, Refusal, ServerLogin
from jackfield.kernel.exports import late_hints
from jackfield_imap.client import ImapClient
from jackfield_imap.faults import LOGIN, MEANINGS
from jackfield_imap.session import Session

_GUIDE = """
1. Find host name and port of the IMAP server in your provider's help pages. Most answer at port 993.
2. Make a password for jackfield, if your provider has such ("app passwords"): many refuse the password of the account itself.
3. Enter host name, port, user name (most often the whole address) and password. A server that begins in clear text at port 143 needs *Start
   TLS*. If the server's certificate comes from an authority of its own, paste that authority's certificate into *CA Certificate*.
"""
_USER = {"minLength": 1, "maxLength": 1000, "pattern": "^[^\\u0000-\\u001f\\u007f]+$"}


class LoginType(ServerLogin):
    """A mailbox of an IMAP server, by user name and password."""

    key: ClassVar[str] = "login"
    title: ClassVar[str] = "Mailbox"
    setup: ClassVar[str] = _GUIDE
    client: ClassVar[type[ImapClient]] = ImapClient

    hostname: str = hostname_field("imap.example.com")
    port: int = port_field(993)
    username: str = Field(
        title="User Name",
        description="The user that signs in, most often a mail address.",
        trim=True,
        audience="user",
        examples=["shop@example.com"],
        schema=_USER,
    )
    password: str = password_field(
        "The user's password, or the one that the provider has made for this program."
    )
    tls: Literal["verify", "encrypt", "disable"] = tls_field()
    start_tls: bool = Field(
        False,
        title="Start TLS",
        blank="absent",
        destination=True,
        audience="user",
        description=(
            "True for a server that begins in clear text, and encrypts before the login: at "
            "port 143."
        ),
    )
    ca_certificate: str | None = authority_field()

    def session(self, guard: Guard, deadline: Deadline) -> Session:
        """Connect, without signing in."""
        return Session(
            self.address,
            Login(self.username, self.password),
            guard,
            deadline,
            starts_clear=self.start_tls,
        )

    def account(self, client: ImapClient) -> tuple[str, Account]:
        """Check that the server answers; read and change nothing."""
        client.read("NOOP", lambda server: server.noop())
        return "The server", Account(
            f"{self.username}@{self.address.place}", f"{self.username} at {self.hostname}"
        )

    def refused_login(self, refusal: Refusal) -> JackfieldError:
        """Return the error for a refused login. It does not quote an unknown refusal, since a
        server may repeat the command with the password.
        """
        if refusal.code in MEANINGS.rows:
            return MEANINGS.explain(Refusal(refusal.code, f"[{refusal.code}]"))
        return Unauthenticated("the server refused the login", sent=Sent.REFUSED, hint=LOGIN)


late_hints(__name__)
