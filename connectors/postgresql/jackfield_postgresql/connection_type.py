"""The connection type ``password``: a server, a database, and a user with a password."""

from __future__ import annotations

from typing import ClassVar, Literal

from jackfield.connector import Account, Deadline, Field, Guard
from jackfield.connector.servers import (
    authority_field,
    hostname_field,
    password_field,
    port_field,
    tls_field,
)
from jackfield.connector.sessions import Login, ServerLogin
from jackfield.kernel.exports import late_hints
from jackfield_postgresql.client import PostgresClient
from jackfield_postgresql.session import Session

_GUIDE = """
1. Make a user for jackfield, with a password and the least rights: `CREATE ROLE jackfield LOGIN PASSWORD '…'`.
2. Grant what the actions may do, such as `GRANT SELECT ON orders TO jackfield` to read a table. Whoever may call these actions can do
   whatever this user may.
3. Let the server accept it from this machine: an entry in `pg_hba.conf`, or the network settings of your provider.
4. Enter host name, database, user name and password. If the server's certificate comes from an authority of your provider's own, paste
   that authority's certificate into *CA Certificate*.
"""
_NAME = {"minLength": 1, "maxLength": 63, "pattern": "^[^\\u0000]+$"}


class Password(ServerLogin):
    """A PostgreSQL server, and a user with a password."""

    key: ClassVar[str] = "password"
    title: ClassVar[str] = "PostgreSQL User"
    setup: ClassVar[str] = _GUIDE
    client: ClassVar[type[PostgresClient]] = PostgresClient

    hostname: str = hostname_field("db.example.com")
    port: int = port_field(5432)
    database: str = Field(
        title="Database",
        description="The database's name.",
        examples=["shop"],
        audience="user",
        schema=_NAME,
    )
    username: str = Field(
        title="User Name", description="The role that signs in.", trim=True, schema=_NAME
    )
    password: str = password_field("The role's password.")
    tls: Literal["verify", "encrypt", "disable"] = tls_field()
    ca_certificate: str | None = authority_field()

    def session(self, guard: Guard, deadline: Deadline) -> Session:
        """Begin to connect, without waiting."""
        return Session(
            self.address, Login(self.username, self.password, self.database), guard, deadline
        )

    def account(self, client: PostgresClient) -> tuple[str, Account]:
        """Read the user, the database and the server's version."""
        asked = (
            "SELECT current_user AS who, current_database() AS database, "
            "current_setting('server_version') AS version"
        )
        (row,) = client.read(asked).rows
        who, database, version = (str(row[name]) for name in ("who", "database", "version"))
        account = Account(
            f"{self.address.place}/{database}", f"{who} at {self.hostname}, database {database}"
        )
        return f"PostgreSQL {version}", account


late_hints(__name__)
