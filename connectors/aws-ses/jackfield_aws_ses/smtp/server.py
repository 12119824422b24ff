"""SMTP server address, login, and trusted certificates."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from jackfield.connector import ANYWHERE, Guard, InvalidConnection
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.tls import client_context

THROTTLED_PORT = 25
THROTTLED = "AWS throttles port 25 and blocks it on most EC2 instances."

_BUNDLES = ("SSL_CERT_FILE", "AWS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Server:
    """Server's address. ``tls`` means TLS from the first byte, else STARTTLS; its certificate must
    be for ``name``.

    ``region`` is for messages only, None if unknown. ``guard`` checks its addresses. ``helo_name``
    is the name by which the client introduces itself, if it differs from the usual one.
    """

    hostname: str
    port: int
    tls: bool
    name: str
    region: str | None
    guard: Guard = ANYWHERE
    helo_name: str | None = None

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.hostname}:{self.port}"

    @property
    def where(self) -> str:
        """Region, for messages."""
        return self.region or "its region"


@dataclass(frozen=True, slots=True)
class Login(SecretHolder):
    """User name with its password. ``derived`` is True for a password derived from a secret access
    key.
    """

    username: str = field(repr=False)
    password: str = field(repr=False)
    derived: bool = False


def trust(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Build the TLS context: the machine's certificates, and the certificates of ``SSL_CERT_FILE``
    and ``AWS_CA_BUNDLE``.

    :raises InvalidConnection: if one of these variables names a file or folder without
        certificates.
    """
    context = client_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for variable in _BUNDLES:
        path = environment.get(variable)
        if path:
            _add(context, variable, Path(path))
    return context


def _add(context: ssl.SSLContext, variable: str, path: Path) -> None:
    try:
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise InvalidConnection(
            f"the certificate file in {variable} cannot be read: {str(path)[:200]!r}",
            hint=f"Set {variable} to a file of PEM certificates, or unset it.",
        ) from error
