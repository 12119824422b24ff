"""The connection type ``login``: a server, a database, and a user with a password."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from jackfield.connector import Account, ConnectionType, Deadline, Field, Guard, JackfieldError, OpenContext, Step
from jackfield.connector.servers import Address, authority_field, hostname_field, password_field, port_field, tls_field
from jackfield.connector.session_client import session_pool
from jackfield.kernel.exports import late_hints
from jackfield_redis import answers
from jackfield_redis.client import RedisClient
from jackfield_redis.session import Login, Session, connect

_GUIDE = """
1. Make a user for jackfield with the least rights, such as
   `ACL SETUSER jackfield on >PASSWORD ~cart:* &cart:* +@read +@write +publish +ping`. Whoever may call these actions can do whatever this
   user may. Servers before Redis 6 have one password (`requirepass`) and no users: leave *User Name* empty.
2. Let the server accept connections from this machine: `bind` in `redis.conf`, or the network settings of your provider.
3. Enter host name, port, user name and password. If the server's certificate comes from an authority of your provider's own, paste that
   authority's certificate into *CA Certificate*. A server without TLS needs `disable`, which sends the password in clear text.
"""
_USER = {"minLength": 1, "maxLength": 1000, "pattern": "^[^\\u0000-\\u0020]+$"}


class LoginType(ConnectionType):
    """A Redis server, and a user with a password."""

    key: ClassVar[str] = "login"
    title: ClassVar[str] = "Redis User"
    auth: ClassVar[str] = "basic"
    setup: ClassVar[str] = _GUIDE
    reports_begin: ClassVar[bool] = True

    hostname: str = hostname_field("redis.example.com")
    port: int = port_field(6379)
    username: str | None = Field(
        None, title="User Name", description="The user that signs in; empty for the server's user 'default'.", trim=True, blank="absent",
        schema=_USER,
    )  # fmt: skip
    password: str | None = password_field("The user's password; empty for a server that wants none.", None, blank="absent")
    database: int = Field(
        0, title="Database", description="The number of the database.", blank="absent", audience="user",
        schema={"minimum": 0, "maximum": 1_000_000},
    )  # fmt: skip
    tls: Literal["verify", "encrypt", "disable"] = tls_field()
    ca_certificate: str | None = authority_field()

    @property
    def address(self) -> Address:
        """Server that the values describe."""
        return Address(self.hostname.strip("[]"), self.port, self.tls, self.ca_certificate)

    def open(self, context: OpenContext) -> RedisClient:
        """Open a client with the connection's pool; no connection is opened yet."""
        return RedisClient(session_pool(context, self._connect), context.call)

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Sign in, and ask who we are; nothing is changed."""
        client = self.open(context)
        try:
            client.read(answers.anything, "PING")
        except JackfieldError as error:
            yield Step.failed("signIn", "Sign in", error)
            return
        yield Step("signIn", "Sign in", passed=True, message="The server accepted the login.")
        who, place = self.username or "default", self.address.place
        yield Account(f"{who}@{place}/{self.database}", f"{who} at {self.hostname}, database {self.database}")

    def _connect(self, guard: Guard, deadline: Deadline) -> Session:
        return connect(self.address, Login(self.username, self.password, self.database), guard, deadline)


late_hints(__name__)
