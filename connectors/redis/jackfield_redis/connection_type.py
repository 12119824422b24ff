"""The connection type ``login``: a server, a database, and a user with a password."""

from __future__ import annotations

from typing import ClassVar, Literal

from jackfield.connector import (
    Account,
    Deadline,
    Field,
    Guard,
    JackfieldError,
    Rejected,
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
from jackfield_redis import answers
from jackfield_redis.client import RedisClient
from jackfield_redis.faults import LOGIN, MEANINGS
from jackfield_redis.session import Session

_GUIDE = """
1. Make a user for jackfield with the least rights, such as
   `ACL SETUSER jackfield on >PASSWORD ~cart:* &cart:* +@read +@write +publish +ping`. Whoever may call these actions can do whatever this
   user may. Servers before Redis 6 have one password (`requirepass`) and no users: leave *User Name* empty.
2. Let the server accept connections from this machine: `bind` in `redis.conf`, or the network settings of your provider.
3. Enter host name, port, user name and password. If the server's certificate comes from an authority of your provider's own, paste that
   authority's certificate into *CA Certificate*. A server without TLS needs `disable`, which sends the password in clear text.
"""
_USER = {"minLength": 1, "maxLength": 1000, "pattern": "^[^\\u0000-\\u0020]+$"}


class LoginType(ServerLogin):
    """A Redis server, and a user with a password."""

    key: ClassVar[str] = "login"
    title: ClassVar[str] = "Redis User"
    setup: ClassVar[str] = _GUIDE
    client: ClassVar[type[RedisClient]] = RedisClient

    hostname: str = hostname_field("redis.example.com")
    port: int = port_field(6379)
    username: str | None = Field(
        None,
        title="User Name",
        description="The user that signs in; empty for the server's user 'default'.",
        trim=True,
        blank="absent",
        schema=_USER,
    )
    password: str | None = password_field(
        "The user's password; empty for a server that wants none.", None, blank="absent"
    )
    database: int = Field(
        0,
        title="Database",
        description="The number of the database.",
        blank="absent",
        audience="user",
        schema={"minimum": 0, "maximum": 1_000_000},
    )
    tls: Literal["verify", "encrypt", "disable"] = tls_field()
    ca_certificate: str | None = authority_field()

    def session(self, guard: Guard, deadline: Deadline) -> Session:
        """Connect, without signing in."""
        return Session(
            self.address,
            Login(self.username or "", self.password or "", str(self.database)),
            guard,
            deadline,
        )

    def account(self, client: RedisClient) -> tuple[str, Account]:
        """Check that the server answers; it does not report the user."""
        client.read(answers.anything, "PING")
        who, place = self.username or "default", self.address.place
        return "The server", Account(
            f"{who}@{place}/{self.database}", f"{who} at {self.hostname}, database {self.database}"
        )

    def refused_login(self, refusal: Refusal) -> JackfieldError:
        """Return the error for a refused login. It does not quote an unknown refusal: a server that
        does not know the command repeats it with the password.
        """
        if refusal.key in MEANINGS.rows:
            return MEANINGS.explain(refusal)
        if "DB index" in refusal.text:
            return Rejected(
                "the server has no database of this number",
                sent=Sent.REFUSED,
                hint="Check the connection's 'database'.",
            )
        return Unauthenticated("the server refused the login", sent=Sent.REFUSED, hint=LOGIN)


late_hints(__name__)
