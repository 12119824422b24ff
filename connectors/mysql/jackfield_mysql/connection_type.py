"""The connection type ``password``: a server, a database, and a user with a password."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from jackfield.connector import Account, ConnectionType, Deadline, Field, Guard, JackfieldError, OpenContext, Sent, Step
from jackfield.connector.servers import Address, Reading, authority_field, hostname_field, password_field, port_field, tls_field
from jackfield.connector.session_client import session_pool
from jackfield.kernel.exports import late_hints
from jackfield_mysql.client import MysqlClient
from jackfield_mysql.session import Login, Session, connect

_GUIDE = """
1. Make a user for jackfield, with a password and the least rights: `CREATE USER jackfield@'%' IDENTIFIED BY '…'`.
2. Grant what the actions may do, such as `GRANT SELECT ON shop.orders TO jackfield@'%'` to read a table. Whoever may call these actions can
   do whatever this user may.
3. Let the server accept connections from this machine: `bind_address`, or the network settings of your provider.
4. Enter host name, database, user name and password. If the server's certificate comes from an authority of your provider's own, paste
   that authority's certificate into *CA Certificate*.
"""
_NAME = {"minLength": 1, "maxLength": 80, "pattern": "^[^\\u0000]+$"}


class Password(ConnectionType):
    """A MySQL or MariaDB server, and a user with a password."""

    key: ClassVar[str] = "password"
    title: ClassVar[str] = "MySQL or MariaDB User"
    auth: ClassVar[str] = "basic"
    setup: ClassVar[str] = _GUIDE
    reports_begin: ClassVar[bool] = True

    hostname: str = hostname_field("db.example.com")
    port: int = port_field(3306)
    database: str = Field(title="Database", description="The database's name.", examples=["shop"], audience="user", schema=_NAME)
    username: str = Field(title="User Name", description="The user that signs in.", trim=True, schema=_NAME)
    password: str = password_field("The user's password.")
    tls: Literal["verify", "encrypt", "disable"] = tls_field()
    ca_certificate: str | None = authority_field()

    @property
    def address(self) -> Address:
        """Server that the values describe."""
        return Address(self.hostname.strip("[]"), self.port, self.tls, self.ca_certificate)

    def open(self, context: OpenContext) -> MysqlClient:
        """Open a client with the connection's pool; no connection is opened yet."""
        return MysqlClient(session_pool(context, self._connect), context.call)

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Sign in, and ask who and where we are; nothing is changed."""
        client = self.open(context)
        try:
            with Reading(None, self.address.place, Sent.NOTHING):
                (row,) = client.read("SELECT CURRENT_USER() AS who, DATABASE() AS db, VERSION() AS version").rows
                who, database, version = (str(row[name]) for name in ("who", "db", "version"))
        except JackfieldError as error:
            yield Step.failed("signIn", "Sign in", error)
            return
        yield Step("signIn", "Sign in", passed=True, message=f"The server, version {version}, accepted the login.")
        user = who.partition("@")[0]
        yield Account(f"{who} {self.address.place}/{database}", f"{user} at {self.hostname}, database {database}")

    def _connect(self, guard: Guard, deadline: Deadline) -> Session:
        return connect(self.address, Login(self.username, self.password, self.database), guard, deadline)


late_hints(__name__)
