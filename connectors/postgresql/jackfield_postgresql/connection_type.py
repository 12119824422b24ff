"""The connection type ``password``: a server, a database, and a user with a password."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

from psycopg import pq
from psycopg.conninfo import make_conninfo

from jackfield.connector import Account, ConnectionType, Deadline, Field, Guard, JackfieldError, OpenContext, Sent, Step
from jackfield.connector.servers import authority_field, hostname_field, password_field, port_field, tls_field, tried_once, trusting
from jackfield.connector.session_client import session_pool
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.exports import late_hints
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield_postgresql.client import PostgresClient
from jackfield_postgresql.faults import Lost, explained, reading
from jackfield_postgresql.session import Session, numeric

_GUIDE = """
1. Make a user for jackfield, with a password and the least rights: `CREATE ROLE jackfield LOGIN PASSWORD '…'`.
2. Grant what the actions may do, such as `GRANT SELECT ON orders TO jackfield` to read a table. Whoever may call these actions can do
   whatever this user may.
3. Let the server accept it from this machine: an entry in `pg_hba.conf`, or the network settings of your provider.
4. Enter host name, database, user name and password. If the server's certificate comes from an authority of your provider's own, paste
   that authority's certificate into *CA Certificate*.
"""
_NAME = {"minLength": 1, "maxLength": 63, "pattern": "^[^\\u0000]+$"}


@dataclass(frozen=True, slots=True, repr=False)
class Server(SecretHolder):
    """Server, and the login for it."""

    hostname: str
    port: int
    database: str
    username: str
    tls: str
    password: str = field(repr=False)
    authority: str | None = field(repr=False, default=None)

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.hostname}:{self.port}"


class Password(ConnectionType):
    """A PostgreSQL server, and a user with a password."""

    key: ClassVar[str] = "password"
    title: ClassVar[str] = "PostgreSQL User"
    auth: ClassVar[str] = "basic"
    setup: ClassVar[str] = _GUIDE
    reports_begin: ClassVar[bool] = True

    hostname: str = hostname_field("db.example.com")
    port: int = port_field(5432)
    database: str = Field(title="Database", description="The database's name.", examples=["shop"], audience="user", schema=_NAME)
    username: str = Field(title="User Name", description="The role that signs in.", trim=True, schema=_NAME)
    password: str = password_field("The role's password.")
    tls: Literal["verify", "encrypt", "disable"] = tls_field()
    ca_certificate: str | None = authority_field()

    @property
    def server(self) -> Server:
        """Server and login that the values describe."""
        plain = self.hostname.strip("[]")
        return Server(plain, self.port, self.database, self.username, self.tls, self.password, self.ca_certificate)

    def open(self, context: OpenContext) -> PostgresClient:
        """Open a client with the connection's pool; no connection is opened yet."""
        return PostgresClient(session_pool(context, self._connect), context.call, self.server.place)

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Sign in, and ask who and where we are; nothing is changed."""
        client = self.open(context)
        asked = "SELECT current_user AS who, current_database() AS database, current_setting('server_version') AS version"
        try:
            with reading(self.server.place, Sent.NOTHING):
                (row,) = client.read(asked).rows
                who, database, version = (str(row[name]) for name in ("who", "database", "version"))
        except JackfieldError as error:
            yield Step.failed("signIn", "Sign in", error)
            return
        yield Step("signIn", "Sign in", passed=True, message=f"PostgreSQL {version} accepted the login.")
        yield Account(f"{self.server.place}/{database}", f"{who} at {self.hostname}, database {database}")

    def _connect(self, guard: Guard, deadline: Deadline) -> Session:
        return connect(self.server, guard, deadline)


def connect(server: Server, guard: Guard, deadline: Deadline) -> Session:
    """Open a session: to addresses that the guard has checked, with nothing that this machine has for itself.

    :raises JackfieldError: if the server is not reached or refuses the login.
    """
    with explained(server.place, deadline), _authority(server) as authority:
        try:
            session = Session(_settings(server, guard, authority), deadline)
        except socket.gaierror as error:
            raise Lost(f"the host name '{server.hostname}' cannot be found: {error.strerror}") from None
        with OnFailure(session.close), tried_once(lambda: session.login_sent), explained(server.place, deadline):
            session.sign_in()
    return session


_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where Linux distributions and BSDs keep the authorities that they trust, in one file."""
_NO_FILE = os.path.join(os.devnull, "none")
"""With a file that exists, ``require`` would check certificates, too ("SSL Support")."""
_MODES = {"verify": "verify-full", "encrypt": "require", "disable": "disable"}
_LOGINS = {"verify": "password,md5,scram-sha-256,none", "encrypt": "scram-sha-256,none", "disable": "scram-sha-256,none"}
"""Without a verified server the password itself never leaves, whatever a server asks for (SCRAM proves that it is known)."""


_UNSET = {"connect_timeout": "0", "min_protocol_version": "3.0", "max_protocol_version": "3.0"}
"""Values of settings that have no default of their own, and may not be empty."""
_SERVICE = "service"
"""It names a part of a file of this machine, which fills in what has no variable and is not given. It cannot be turned off."""


@cache
def _unset() -> dict[str, str]:
    """Return all of libpq's settings that it would read from variables of the environment, as if there were none."""
    known = ((one.keyword.decode(), one) for one in pq.Conninfo.get_defaults() if one.envvar)
    return {name: _UNSET.get(name, (one.compiled or b"").decode()) for name, one in known if name != _SERVICE}


def _settings(server: Server, guard: Guard, authority: str) -> bytes:
    """Return libpq's settings. What it would take from this machine's files and environment for itself is turned off."""
    addresses = [numeric(address) for _, address in guard.resolve(server.hostname, server.port, "/hostname")]
    addresses = list(dict.fromkeys(addresses))
    given = {
        "host": ",".join([server.hostname] * len(addresses)),
        "hostaddr": ",".join(addresses),
        "port": str(server.port),
        "dbname": server.database,
        "user": server.username,
        "password": server.password,
        "sslmode": _MODES[server.tls],
        "sslrootcert": authority,
        "require_auth": _LOGINS[server.tls],
        "sslcertmode": "disable",
        "gssencmode": "disable",
        "passfile": os.devnull,
        "options": "",
        "client_encoding": "UTF8",
        "application_name": "jackfield",
        "keepalives": "1",
    }
    return make_conninfo(**{**_unset(), **given}).encode()


@contextmanager
def _authority(server: Server) -> Iterator[str]:
    """Give the path of a file with the authorities that may have signed the server's certificate.

    :raises InvalidConnection: if the connection's own is none.
    """
    if server.tls != "verify" or server.authority is None:
        yield _NO_FILE if server.tls != "verify" else _machine_authorities()
        return
    trusting(server.authority)
    with tempfile.TemporaryDirectory(prefix="jackfield-") as folder:
        file = Path(folder) / "authority.pem"
        file.write_text(server.authority, encoding="utf-8")
        yield str(file)


def _machine_authorities() -> str:
    known = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_BUNDLES)
    return next((path for path in known if path and Path(path).is_file()), "system")


late_hints(__name__)
