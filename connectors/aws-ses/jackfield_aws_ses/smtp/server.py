"""Which server is meant, who signs in to it, and whose certificates are believed."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from jackfield.connector import ANYWHERE, Guard, InvalidConnection

__all__ = ["THROTTLED", "THROTTLED_PORT", "Login", "Server", "trust"]

THROTTLED_PORT = 25
THROTTLED = "AWS throttles port 25, and blocks it on most EC2 instances."

_BUNDLES = ("SSL_CERT_FILE", "AWS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Server:
    """A server. ``tls``: it speaks TLS from the first byte, else after STARTTLS. ``name``: what its certificate must be for.

    ``region`` is for messages only, None where it is not known. ``guard`` judges its addresses.
    """

    hostname: str
    port: int
    tls: bool
    name: str
    region: str | None
    guard: Guard = ANYWHERE

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.hostname}:{self.port}"

    @property
    def where(self) -> str:
        """The region, for messages."""
        return self.region or "its region"


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and its password. ``derived``: the password was made from a secret access key."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    derived: bool = False

    def __reduce__(self) -> NoReturn:
        raise TypeError("a login is not pickled: it holds a password")


def trust(environment: Mapping[str, str]) -> ssl.SSLContext:
    """What is needed to verify a server: the machine's certificates, and those of ``SSL_CERT_FILE`` and ``AWS_CA_BUNDLE``.

    :raises InvalidConnection: where one of these variables names what holds no certificates.
    """
    context = ssl.create_default_context()
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
            f"the certificates that {variable} names cannot be read: {str(path)[:200]!r}",
            hint=f"Let {variable} name a file of certificates (PEM), or take it out of the environment.",
        ) from error
