"""libpq's settings for one server and login, independent of this machine's files and
environment.
"""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from psycopg import pq
from psycopg.conninfo import make_conninfo

from jackfield.connector import Guard
from jackfield.connector.servers import Address, lost, trusting
from jackfield.connector.sessions import Login

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
"""Files in which Linux distributions and BSDs store their trusted authorities."""
_NO_FILE = os.path.join(os.devnull, "none")
"""Path of no file, for ``sslrootcert``: with an existing file, ``require`` would check certificates
("SSL Support").
"""
_MODES = {"verify": "verify-full", "encrypt": "require", "disable": "disable"}
_LOGINS = {
    "verify": "password,md5,scram-sha-256,none",
    "encrypt": "scram-sha-256,none",
    "disable": "scram-sha-256,none",
}
"""Authentication methods by TLS mode. An unverified server never gets the password: SCRAM proves
knowledge of it.
"""


_UNSET = {"connect_timeout": "0", "min_protocol_version": "3.0", "max_protocol_version": "3.0"}
"""Neutral values of settings whose empty value libpq refuses."""
_SERVICE = "service"
"""Name of a setting without a neutral value: it selects a section of this machine's service file,
and cannot be turned off.
"""


@cache
def _unset() -> dict[str, str]:
    """Return neutral values for all settings that libpq would read from environment variables."""
    known = ((one.keyword.decode(), one) for one in pq.Conninfo.get_defaults() if one.envvar)
    return {
        name: _UNSET.get(name, (one.compiled or b"").decode())
        for name, one in known
        if name != _SERVICE
    }


def settings(address: Address, login: Login, guard: Guard, authority: str) -> bytes:
    """Return libpq's connection string. It disables libpq's own use of this machine's files and
    environment.

    :raises JackfieldError: if the guard refuses the server, or its name cannot be resolved.
    """
    try:
        addresses = [
            *dict.fromkeys(
                _numeric(one)
                for _, one in guard.resolve(address.hostname, address.port, "/hostname")
            )
        ]
    except socket.gaierror as error:
        raise lost(
            f"the host name '{address.hostname}' cannot be found: {error.strerror}", address.place
        ) from None
    given = {
        "host": ",".join([address.hostname] * len(addresses)),
        "hostaddr": ",".join(addresses),
        "port": str(address.port),
        "dbname": login.database,
        "user": login.username,
        "password": login.password,
        "sslmode": _MODES[address.tls],
        "sslrootcert": authority,
        "require_auth": _LOGINS[address.tls],
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
def authority_file(address: Address) -> Iterator[str]:
    """Yield the path of a file with the authorities that may sign the server's certificate.

    :raises InvalidConnection: if the connection's own authority is no certificate.
    """
    if address.tls != "verify" or address.authority is None:
        yield _NO_FILE if address.tls != "verify" else _machine_authorities()
        return
    trusting(address.authority)
    with tempfile.TemporaryDirectory(prefix="jackfield-") as folder:
        file = Path(folder) / "authority.pem"
        file.write_text(address.authority, encoding="utf-8")
        yield str(file)


def _machine_authorities() -> str:
    known = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_BUNDLES)
    return next((path for path in known if path and Path(path).is_file()), "system")


def _numeric(address: Sequence[object]) -> str:
    """Return the resolved address in the form of ``hostaddr``, with the scope of a link-local IPv6
    address.
    """
    host = str(address[0])
    scope = address[3] if len(address) == 4 and address[3] else None
    return f"{host}%{socket.if_indextoname(int(str(scope)))}" if scope and "%" not in host else host
